//! Threshold keys: a disclosure key that n officers make and hold together, of whom t must act to open anything
//! (specs/threshold.md). The key's secret never exists anywhere.
//!
//! A [`Plan`] says what is to happen; each officer's steps are functions of plan, key and messages carried by hand:
//! [`Party::commit`], [`Party::deal`], [`Party::finish`], then [`conclude`] for everybody. What results is a [`SignedGroup`]
//! and each officer's [`Shares`]; [`Partial`]s made with shares open points together ([`combine`]).

mod ceremony;
mod commits;
mod error;
mod feldman;
mod group;
mod library;
mod message;
mod officer;
mod partial;
mod plan;
mod possess;
mod retire;
mod sealed;

#[cfg(test)]
mod tests;

pub use ceremony::{Concluded, Finished, Party, State, conclude};
pub use error::CeremonyError;
pub use group::{Group, GroupId, Shares, SignedGroup, Subject};
pub use message::{Body, Message};
pub use officer::{Officer, OfficerKey, SealedFile};
pub use partial::{
    Combined, OpenedPoints, POINTS_MAX, Partial, Request, TooFew, Wrong, WrongReason, combine,
};
pub use plan::{CeremonyId, Kind, Plan};
pub use retire::{RetireMessage, RetireState, Retirer, Retiring, retire};

/// The most officers of a group.
pub const OFFICERS_MAX: usize = 16;
/// The lowest threshold: a key that one officer can use needs no ceremony.
pub const THRESHOLD_MIN: u8 = 2;
