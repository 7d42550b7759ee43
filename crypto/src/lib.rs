//! Keys, commitments and proofs of the confidential ledger, on ristretto255. No I/O, no async, no clock.
//!
//! Every relation of the protocol is one file under [`proof`]. A verifier turns proof bytes into [`Claims`]: linear
//! equations in the group and range statements; a [`Batch`] decides those of many proofs together.
#![forbid(unsafe_code)]

mod batch;
pub mod claims;
pub mod derive;
pub mod encoding;
mod field;
mod hash;
pub mod linear;
mod node_key;
mod pairs;
pub mod point;
pub mod proof;
mod threads;
mod transcript;

pub use batch::{Batch, Culprit, Refused, Stream};
pub use claims::{Claims, Rejected};
pub use curve25519_dalek::ristretto::RistrettoPoint;
pub use curve25519_dalek::scalar::Scalar;
pub use encoding::{Bounded, Malformed, Text};
pub use hash::Hash;
pub use node_key::{BadSignature, NodeId, NodeKey, NodeSignature};
pub use pairs::{numbered, pairs};
pub use point::{Encoded, Secret};
pub use sudare_kernels::Kernel;
pub use threads::together;
pub use transcript::LedgerTranscript;
