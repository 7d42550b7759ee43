//! Personal data under keys: each investor's is sealed under a key of its own, so that destroying the key erases every copy of
//! it, in pages, write-ahead logs and backups too (specs/erasure.md).

mod book;
mod key;
mod trail;

pub use book::{Destroyed, KeyBook, KeyBookError};
pub use key::{DataKey, NoRandomness, Unsealed};
pub use trail::{AccessLog, By, Recorded, Trail, Unrecorded};
