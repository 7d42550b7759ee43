//! What tests of the whole system share.
#![forbid(unsafe_code)]

pub mod decoders;
pub mod measure;
pub mod sim;
pub mod system;
