//! All that happened to one account between two register snapshots.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::encoding::encode;
use sudare_crypto::linear::LinearProof;
use sudare_crypto::point::times_b_blinding;
use sudare_crypto::proof::locator;
use sudare_crypto::{
    Bounded, Claims, Encoded, LedgerTranscript, Malformed, NodeId, RistrettoPoint, Secret, pairs,
};
use sudare_disclosure::AssetCore;

use super::{PacketError, Place, ReadOutput, ShownOutput};
use crate::note::NoteId;
use crate::snapshot::{self, AccountEvent, Chain, Heading, SnapshotLeaf, SumPath, search_ends_at};
use crate::tree::Checkpoint;

const TRANSCRIPT: &[u8] = b"sudare/account-packet/v1";

/// The most events, and the most notes held at the beginning, of one packet.
pub const ACCOUNT_EVENTS_MAX: usize = 16_384;

/// An account's events from one snapshot, or from the asset's first entry, to another.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct ShownAccount {
    /// The snapshot that the period begins with; none if it begins with the asset.
    pub from: Option<ShownSnapshot>,
    /// The snapshot that it ends with.
    pub until: ShownSnapshot,
    /// The notes that the account held at the beginning.
    pub held: Bounded<ShownOutput, ACCOUNT_EVENTS_MAX>,
    /// Every event between, in order.
    pub events: Bounded<ShownEvent, ACCOUNT_EVENTS_MAX>,
    /// Of each snapshot, the first first, that its leaf is the account's: [`Body::locate`](super::Body::locate).
    pub own: Bounded<OwnLeaf, 2>,
}

/// That a leaf stands where its account belongs, shown with the account's key.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct OwnLeaf {
    /// `S = a*X`, of which the account's locator is a hash.
    pub shared: Encoded,
    /// That it is.
    pub proof: LinearProof,
}

/// An account in a snapshot, with all that shows it.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct ShownSnapshot {
    /// What the snapshot says.
    pub heading: Heading,
    /// Where it stands in the asset log.
    pub place: Place,
    /// The account's leaf.
    pub leaf: SnapshotLeaf,
    /// Which of the leaves it is.
    pub number: u32,
    /// The leaf's path to the snapshot's root.
    pub path: SumPath,
    /// `e`, with which the snapshot blinds what the account holds.
    pub blinding: Secret,
}

/// An event of an account.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub enum ShownEvent {
    /// It got this output.
    Received(Box<ShownOutput>),
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

/// What an account packet says, as read from the ledger.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReadAccount {
    /// The account.
    pub account: Encoded,
    /// Number and time of the snapshot at the beginning; none if the period begins with the asset.
    pub from: Option<(u32, u64)>,
    /// Number and time of the snapshot at the end.
    pub until: (u32, u64),
    /// Held at the beginning, atomic units.
    pub opening: u128,
    /// Every event between, in order.
    pub events: Vec<ReadEvent>,
    /// Held at the end, atomic units.
    pub closing: u128,
}

/// An event of an account packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ReadEvent {
    /// It got a note.
    Received(Box<ReadOutput>),
    /// A note of its was spent.
    Spent {
        /// The leg's index in the log.
        entry: u64,
        /// Which input of the leg.
        input: u8,
        /// The note.
        note: NoteId,
        /// What it was worth, atomic units.
        quantity: u64,
    },
}

/// What outputs are read under.
pub(super) struct Reader<'a> {
    pub(super) core: &'a AssetCore,
    pub(super) under: &'a Checkpoint,
    pub(super) custodian: NodeId,
    /// What the packet says of itself, encoded.
    pub(super) address: &'a [u8],
}

/// Notes of an account as a reader follows them.
#[derive(Default)]
struct Holding {
    live: BTreeMap<NoteId, (u64, Encoded)>,
}

impl ShownAccount {
    /// Checks both snapshots and that the custodian shows every event between them, and reads the events.
    ///
    /// Enforces [PKT-6]: the events lead from the one chain to the other, so none is missing, added or out of order. Enforces
    /// [PKT-7]: what is held at both ends is what the snapshots commit to.
    ///
    /// # Errors
    ///
    /// [`PacketError`].
    pub(super) fn read(
        &self,
        reader: &Reader<'_>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<ReadAccount, PacketError> {
        let account = self.until.leaf.account;
        self.until.check(reader.core, reader.under)?;
        let (mut chain, mut from) = (Chain::default(), 0);
        if let Some(snapshot) = &self.from {
            snapshot.check(reader.core, reader.under)?;
            if snapshot.leaf.account != account {
                return Err(PacketError::OtherAccount);
            }
            (chain, from) = (snapshot.leaf.chain, snapshot.place.entry);
        }
        if from >= self.until.place.entry {
            return Err(PacketError::Period);
        }
        self.check_own(reader.address, rng)?;
        let mut holding = Holding::default();
        for shown in self.held.iter() {
            holding.add(shown, &reader.read(shown)?)?;
        }
        match &self.from {
            Some(snapshot) => holding.check(snapshot)?,
            None if holding.live.is_empty() => (),
            None => return Err(PacketError::Holding),
        }
        let opening = holding.sum();
        let mut events = Vec::with_capacity(self.events.len());
        for event in self.events.iter() {
            let (event, read) = holding.follow(event, reader)?;
            chain = chain.after(&event);
            events.push(read);
        }
        if chain != self.until.leaf.chain {
            let (shown, there) = (chain.count, self.until.leaf.chain.count);
            return Err(PacketError::Incomplete { shown, there });
        }
        holding.check(&self.until)?;
        let name = |shown: &ShownSnapshot| (shown.heading.number, shown.heading.at);
        let (until, closing) = (name(&self.until), holding.sum());
        Ok(ReadAccount {
            account,
            from: self.from.as_ref().map(name),
            until,
            opening,
            events,
            closing,
        })
    }
}

impl ShownAccount {
    /// The snapshots, in order.
    fn snapshots(&self) -> Vec<&ShownSnapshot> {
        self.from.iter().chain([&self.until]).collect()
    }

    /// Everything that the leaves' proofs are made for: a proof is for one packet, of these two snapshots.
    fn transcript(&self, address: &[u8]) -> LedgerTranscript {
        let shown = encode(&(&self.from, &self.until));
        LedgerTranscript::new(TRANSCRIPT, &[address, &shown].concat())
    }

    /// Shows with the account's key that the leaves are where the account belongs.
    pub(super) fn locate(
        &mut self,
        address: &[u8],
        key: &Secret,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), Malformed> {
        let mut transcript = self.transcript(address);
        let mut own = Vec::new();
        for snapshot in self.snapshots() {
            let shared = Encoded::of(&(snapshot.heading.locators.decompress()? * key.0));
            let statement = snapshot.located(shared);
            let proof = locator::prove(&statement, key, &mut transcript, rng)?;
            own.push(OwnLeaf { shared, proof });
        }
        self.own = own.try_into()?;
        Ok(())
    }

    /// Enforces [PKT-9]: of all leaves of a snapshot the one that is shown is where the search for the account ends, so there is no
    /// other of it.
    fn check_own(&self, address: &[u8], rng: &mut impl CryptoRngCore) -> Result<(), PacketError> {
        let mut transcript = self.transcript(address);
        let mut claims = Claims::new();
        let snapshots = self.snapshots();
        for (snapshot, own) in pairs(&snapshots, &self.own).ok_or(PacketError::OtherLeaf)? {
            if snapshot.leaf.locator != snapshot::locator(&snapshot.leaf.account, &own.shared) {
                return Err(PacketError::OtherLeaf);
            }
            let statement = snapshot.located(own.shared);
            locator::verify(&statement, &own.proof, &mut transcript, &mut claims)
                .map_err(|_| PacketError::OtherLeaf)?;
        }
        claims.accept(rng).map_err(|_| PacketError::OtherLeaf)
    }
}

impl ReadAccount {
    /// Whether the period is the one that was asked for: from snapshot `from` or earlier until snapshot `until` or later.
    ///
    /// Enforces [PKT-8].
    ///
    /// # Errors
    ///
    /// [`PacketError::Shorter`] if it is shorter.
    pub fn covers(&self, from: Option<u32>, until: Option<u32>) -> Result<(), PacketError> {
        let begins = match (self.from, from) {
            (Some((own, _)), Some(asked)) => own <= asked,
            _ => true,
        };
        let ends = until.is_none_or(|asked| self.until.0 >= asked);
        if begins && ends { Ok(()) } else { Err(PacketError::Shorter) }
    }
}

impl ShownSnapshot {
    /// That `shared` is the account's, as who holds the account's key shows it.
    fn located(&self, shared: Encoded) -> locator::Statement {
        locator::Statement { key: self.leaf.account, base: self.heading.locators, shared }
    }

    /// Checks that the snapshot is of this asset and in the log, and that the account's leaf is in it.
    fn check(&self, core: &AssetCore, under: &Checkpoint) -> Result<(), PacketError> {
        let Heading { network, asset, leaves, root, .. } = &self.heading;
        if *network != core.network || *asset != core.id() {
            return Err(PacketError::OtherSnapshot);
        }
        self.place.check(&self.heading.leaf(self.place.body), under)?;
        let (node, at) = (self.leaf.node(), (self.number, &self.path));
        match search_ends_at(&node, &self.leaf.locator, at, (*leaves, root)) {
            Ok(true) => Ok(()),
            _ => Err(PacketError::Leaf),
        }
    }
}

impl Reader<'_> {
    fn read(&self, shown: &ShownOutput) -> Result<ReadOutput, PacketError> {
        let read = shown.read(self.core, self.under)?;
        if read.custodian == self.custodian { Ok(read) } else { Err(PacketError::OtherCustodian) }
    }
}

impl Holding {
    fn add(&mut self, shown: &ShownOutput, read: &ReadOutput) -> Result<(), PacketError> {
        let commitment = shown.components.output()?.1.commitment;
        match self.live.insert(read.note, (read.quantity, commitment)) {
            None => Ok(()),
            Some(_) => Err(PacketError::Holding),
        }
    }

    /// The event as it stands in the chain, and what it says.
    fn follow(
        &mut self,
        event: &ShownEvent,
        reader: &Reader<'_>,
    ) -> Result<(AccountEvent, ReadEvent), PacketError> {
        match event {
            ShownEvent::Received(shown) => {
                let read = reader.read(shown)?;
                self.add(shown, &read)?;
                let (entry, output, note) = (read.entry, read.output, read.note);
                let event = AccountEvent::Received { entry, output, note };
                Ok((event, ReadEvent::Received(Box::new(read))))
            }
            ShownEvent::Spent { entry, input, note } => {
                let (entry, input, note) = (*entry, *input, *note);
                let (quantity, _) = self.live.remove(&note).ok_or(PacketError::Holding)?;
                let event = AccountEvent::Spent { entry, input, note };
                Ok((event, ReadEvent::Spent { entry, input, note, quantity }))
            }
        }
    }

    fn sum(&self) -> u128 {
        // At most 2^15 notes of less than 2^64 each.
        self.live.values().map(|(quantity, _)| u128::from(*quantity)).sum()
    }

    /// Whether the live notes are what the snapshot commits to.
    fn check(&self, snapshot: &ShownSnapshot) -> Result<(), PacketError> {
        let mut sum: RistrettoPoint = times_b_blinding(&snapshot.blinding.0);
        for (_, commitment) in self.live.values() {
            sum += commitment.decompress().map_err(|_| PacketError::Holding)?;
        }
        let same = Encoded::of(&sum) == snapshot.leaf.holding;
        if same { Ok(()) } else { Err(PacketError::Holding) }
    }
}

/// The events of notes that were received and not spent in a list of events.
#[must_use]
pub fn still_held(events: &[AccountEvent]) -> Vec<AccountEvent> {
    let mut held: Vec<AccountEvent> = Vec::new();
    for event in events {
        match event {
            AccountEvent::Received { .. } => held.push(*event),
            AccountEvent::Spent { note: spent, .. } => {
                held.retain(
                    |one| !matches!(one, AccountEvent::Received { note, .. } if note == spent),
                );
            }
        }
    }
    held
}
