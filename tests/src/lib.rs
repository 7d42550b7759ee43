//! What tests of the whole system share.
#![forbid(unsafe_code)]
#![allow(
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests and measurements: a panic is their report"
)]

pub mod decoders;
pub mod measure;
pub mod sim;
pub mod system;
