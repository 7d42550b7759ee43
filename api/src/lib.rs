//! Renderings of the ledger for programs and people, and the HTTP API with the institution's own masters.
#![forbid(unsafe_code)]

pub mod access;
pub mod approvals;
pub mod calendar;
pub mod flows;
pub mod hops;
pub mod http;
pub mod imports;
pub mod iso20022;
pub mod keys;
pub mod masters;
pub mod packet;
pub mod personal;
pub mod reconciliation;
pub mod registers;
pub mod signed;
pub mod store;
pub mod tokens;
pub mod users;
pub mod view;
