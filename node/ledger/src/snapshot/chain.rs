//! An account's chain of events, hashed one into the next.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::encode;
use sudare_crypto::{Encoded, Hash, numbered, pairs};

use crate::leg::Leg;
use crate::note::NoteId;

/// What happened to an account in one final leg.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum AccountEvent {
    /// It got a note.
    Received {
        /// The leg's index in the log.
        entry: u64,
        /// Which output of the leg.
        output: u8,
        /// The note.
        note: NoteId,
    },
    /// A note of its was spent.
    Spent {
        /// The leg's index in the log.
        entry: u64,
        /// Which input of the leg.
        input: u8,
        /// The note.
        note: NoteId,
    },
}

/// How many events an account has had, and the hash over all of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Chain {
    /// How many.
    pub count: u64,
    /// The hash of the last event with the hash before it; 32 zero bytes before the first.
    pub head: Hash,
}

impl AccountEvent {
    /// The leg's index in the log.
    #[must_use]
    pub const fn entry(&self) -> u64 {
        match self {
            Self::Received { entry, .. } | Self::Spent { entry, .. } => *entry,
        }
    }
}

impl Chain {
    /// The chain with one event more.
    ///
    /// Enforces [SNP-2]: a chain of so many events with this head has no other events.
    #[must_use]
    pub fn after(&self, event: &AccountEvent) -> Self {
        let head = Hash::of(b"sudare/account-chain/v1", &[self.head.as_bytes(), &encode(event)]);
        Self { count: self.count.saturating_add(1), head }
    }
}

/// The events that a leg at this index of the log is, in order: its inputs, then its outputs, with their accounts.
#[must_use]
pub fn events_of(
    entry: u64,
    leg: &Leg,
    (senders, spent): (&[Encoded], &[NoteId]),
    receivers: &[Encoded],
) -> Vec<(Encoded, AccountEvent)> {
    let mut events = Vec::with_capacity(senders.len().saturating_add(receivers.len()));
    for (input, (account, note)) in numbered(pairs(senders, spent).into_iter().flatten()) {
        events.push((*account, AccountEvent::Spent { entry, input, note: *note }));
    }
    let made: Vec<NoteId> = leg.notes().map(|note| note.id()).collect();
    for (output, (account, note)) in numbered(pairs(receivers, &made).into_iter().flatten()) {
        events.push((*account, AccountEvent::Received { entry, output, note: *note }));
    }
    events
}
