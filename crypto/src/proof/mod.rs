//! The relations of the protocol, one file each: a `Statement`, a `Witness`, `prove` and `verify` (specs/proofs.md).

pub mod amount;
pub mod balance;
pub mod equality;
pub mod holder;
pub mod holdings;
pub mod joint;
pub mod links;
pub mod locator;
pub mod owner;
pub mod possession;
pub mod range;
pub mod spend;
pub mod statement;
pub mod tag;
pub mod wrap;

#[cfg(test)]
mod tests;
