//! Renderings of the ledger for programs and people: what is JSON stands here, never on domain types.
#![forbid(unsafe_code)]

pub mod packet;
pub mod view;
