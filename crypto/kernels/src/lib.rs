//! Vector arithmetic on curve25519: the only package with `unsafe` code.
//!
//! `unsafe` is denied but where a module is allowed it by name, and is of two kinds there: calling functions that need instructions
//! the processor was found to have, and moving vectors from and to memory. A value of a vector type is the proof that the processor
//! has them: none can be made without a token such as [`processor::Ifma`], which only detection gives.

pub mod element;
#[cfg(target_arch = "x86_64")]
pub mod field8;
#[cfg(target_arch = "x86_64")]
mod point8;
pub mod processor;
mod public;
#[cfg(target_arch = "x86_64")]
pub mod secret;
#[cfg(target_arch = "x86_64")]
pub mod walk;

pub use public::{Kernel, PublicPoint, PublicScalar, UnknownKernel, VARIABLE, multiply};
