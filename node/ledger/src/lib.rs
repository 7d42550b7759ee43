//! The deterministic ledger: legs, transactions, logs and the roles' state machines. No clock, no I/O, no async.
#![forbid(unsafe_code)]

pub mod access;
pub mod audit;
pub mod bundle;
pub mod custodian;
pub mod kv;
pub mod leg;
pub mod log;
pub mod messages;
pub mod notary;
pub mod note;
pub mod packet;
pub mod registrar;
pub mod role;
pub mod slot;
pub mod snapshot;
pub mod statement;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod transaction;
pub mod tree;
