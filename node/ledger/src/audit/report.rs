//! What a replay has shown.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::{Encoded, Hash, Text};

use super::{AssetLog, count};
use crate::leg::{Purpose, TradeInfo};
use crate::note::NoteId;
use crate::transaction::TxId;

/// The result of a replay that found no fault. [`Display`](fmt::Display) states it in words, with what stays open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// The log.
    pub log: AssetLog,
    /// The root that was rebuilt, which is the checkpoint's.
    pub root: Hash,
    /// Entries replayed, which are all below the checkpoint.
    pub entries: u64,
    /// How many of them are legs.
    pub legs: u64,
    /// The versions of the terms, in order.
    pub terms: Vec<TermsUse>,
    /// Atomic units minted over all time.
    pub minted: u128,
    /// Atomic units burned over all time.
    pub burned: u128,
    /// `minted - burned`.
    pub supply: u64,
    /// Tags spent, each once.
    pub tags: u64,
    /// Notes made, each with an owner commitment of its own.
    pub notes: u64,
    /// The register snapshots, in order.
    pub snapshots: Vec<SnapshotSeen>,
    /// Of how many legs the keys read which field.
    pub scope: Coverage,
    /// How many notes live, if the links of all legs were read.
    pub live: Option<u64>,
    /// Whether the live notes were summed to the supply in plain numbers.
    pub sums: bool,
    /// How many accounts hold something, if amounts, parties and links of all legs were read.
    pub holders: Option<u64>,
    /// How many amounts had a false memo.
    pub false_memos: u64,
    /// How many exceptions there are, these among them.
    pub exceptions: u64,
    /// Entry and output of the first of them.
    pub findings: Vec<(u64, u8)>,
}

/// How many false memos a report shows one by one.
pub(super) const FINDINGS_SHOWN: usize = 20;

/// What an account holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Holding {
    /// The account.
    pub account: Encoded,
    /// Atomic units.
    pub quantity: u64,
    /// Live notes.
    pub notes: u64,
}

/// A version of the terms and how much it was used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TermsUse {
    /// Its number.
    pub number: u32,
    /// Its hash, which legs cite.
    pub hash: Hash,
    /// How many epochs it has.
    pub epochs: u64,
    /// How many legs cite it.
    pub legs: u64,
}

/// A register snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SnapshotSeen {
    /// Its number, from 0.
    pub number: u32,
    /// Its index in the log.
    pub entry: u64,
    /// When it was taken, by the registrar's clock, ms since the Unix epoch.
    pub at: u64,
    /// Whether it was recomputed: every account's events and holding are in it as the log has them, and no other.
    pub checked: bool,
}

/// Of how many legs each field was read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Coverage {
    /// Quantities.
    pub amounts: u64,
    /// Accounts.
    pub parties: u64,
    /// Trade data.
    pub trade: u64,
    /// Notes spent.
    pub links: u64,
    /// As `links`, and legs that spend nothing.
    pub spends: u64,
}

/// A leg as the keys read it; what is out of scope is none.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct ReadLeg {
    /// Its index in the log.
    pub entry: u64,
    /// Its transaction.
    pub tx: TxId,
    /// Which leg of it.
    pub index: u8,
    /// When it was notarised, by the notary's clock, ms since the Unix epoch.
    pub time: u64,
    /// The epoch of its keys.
    pub epoch: u32,
    /// What it does.
    pub purpose: Purpose,
    /// Atomic units made.
    pub mint: u64,
    /// Atomic units ended.
    pub burn: u64,
    /// The quantity of each output, atomic units.
    pub amounts: Option<Vec<u64>>,
    /// The account of each input.
    pub senders: Option<Vec<Encoded>>,
    /// The account of each output.
    pub receivers: Option<Vec<Encoded>>,
    /// The reference to the sending party.
    pub sender: Option<Text<64>>,
    /// The trade's data.
    pub trade: Option<TradeInfo>,
    /// The note that each input spends; empty without inputs, whatever the scope.
    pub spends: Option<Vec<NoteId>>,
    /// The note that each output makes.
    pub makes: Vec<NoteId>,
}

/// Something that a regulator looks at. No leg is forced: each spend is signed under its note's tag ([FIN-4]).
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Exception {
    /// The memo of an output was false, in its value, which had to be searched for, or in its blinding, so that the receiver can't
    /// spend the note: sender and registrar lied.
    FalseMemo {
        /// The output.
        output: u8,
    },
    /// Notarised on a later day in Japan than the trade's delivery date.
    Late {
        /// The delivery date.
        due: Text<10>,
        /// The day on which it was notarised.
        on: Text<10>,
    },
    /// Encrypted to the keys of an epoch that was over at the end of its window, within the grace.
    Grace {
        /// The epoch.
        epoch: u32,
    },
    /// A trade that cancels an earlier one.
    Cancels {
        /// The earlier trade.
        trade_id: Text<35>,
    },
    /// A later version of the terms.
    Terms {
        /// Its number.
        number: u32,
        /// Epochs that it adds.
        epochs: u32,
        /// Keys that it adds to earlier epochs, or retires.
        keys: u32,
    },
}

/// An exception with its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Excepted {
    /// The entry's index in the log.
    pub entry: u64,
    /// Which one of the entry's.
    pub number: u8,
    /// What it is.
    pub what: Exception,
}

impl Exception {
    /// What it is called in files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::FalseMemo { .. } => "false-memo",
            Self::Late { .. } => "late-settlement",
            Self::Grace { .. } => "settled-in-grace",
            Self::Cancels { .. } => "cancellation",
            Self::Terms { .. } => "change-of-terms",
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FalseMemo { output } => {
                write!(
                    f,
                    "the memo of output {output} is false: [SEC-4] broken by sender and registrar"
                )
            }
            Self::Late { due, on } => {
                write!(f, "due on {}, notarised on {}", due.as_str(), on.as_str())
            }
            Self::Grace { epoch } => write!(f, "under the keys of epoch {epoch}, which was over"),
            Self::Cancels { trade_id } => write!(f, "cancels {}", trade_id.as_str()),
            Self::Terms { number, epochs, keys } => {
                write!(f, "version {number}: {epochs} epochs more, {keys} keys added or retired")
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entries, legs, .. } = self;
        writeln!(f, "asset {}, registrar {}", self.log.asset, self.log.registrar)?;
        writeln!(f, "entries 0..{entries} of {entries}, none missing; root {}", self.root)?;
        writeln!(
            f,
            "legs 0..{legs} of {legs}, none missing, none unreadable to the keys in scope"
        )?;
        writeln!(f, "every proof, approval, receipt and spend signature verifies")?;
        writeln!(
            f,
            "{} tags, each spent once; {} notes made, no owner commitment twice",
            self.tags, self.notes
        )?;
        let (minted, burned) = (self.minted, self.burned);
        writeln!(
            f,
            "supply = minted - burned = {minted} - {burned} = {} atomic units",
            self.supply
        )?;
        for version in self.terms.iter().rev().take(2).rev() {
            writeln!(f, "terms version {}: {} legs", version.number, version.legs)?;
        }
        self.register(f)?;
        self.not_in_scope(f)?;
        for SnapshotSeen { number, entry, checked, .. } in &self.snapshots {
            let what = if *checked {
                "recomputed: every account's events and holding are as the log has them"
            } else {
                "its holdings sum to the supply; not recomputed, parties and links are not in scope for every leg before it"
            };
            writeln!(f, "register snapshot {number}, entry {entry}: {what}")?;
        }
        for (entry, output) in &self.findings {
            writeln!(
                f,
                "finding: entry {entry} output {output}: false memo, [SEC-4] broken by sender and registrar; amount found by search"
            )?;
        }
        let more = self.false_memos.saturating_sub(count(self.findings.len()));
        if more > 0 {
            writeln!(f, "finding: {more} more false memos")?;
        }
        let others = self.exceptions.saturating_sub(self.false_memos);
        writeln!(
            f,
            "{others} other exceptions (late, in grace, cancelling, changes of terms); no leg is forced: every spend is signed under its note's tag"
        )?;
        Ok(())
    }
}

impl Report {
    fn register(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(live) = self.live else {
            return writeln!(f, "live notes: not known, links are not in scope for every leg");
        };
        writeln!(f, "every input is a note of this log, spent once; live notes: {live}")?;
        if self.sums {
            writeln!(f, "register: the live notes sum to the supply")?;
        }
        match self.holders {
            Some(holders) => writeln!(f, "holdings: {holders} accounts hold the supply"),
            None => writeln!(f, "holdings: not known"),
        }
    }

    fn not_in_scope(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = &self.scope;
        let fields = [
            (
                "amounts",
                scope.amounts,
                "quantities; that they sum to the supply rests on the proofs alone",
            ),
            ("parties", scope.parties, "accounts, and that spends are booked on the notes' own"),
            ("trade", scope.trade, "trade data"),
            (
                "links",
                scope.spends,
                "that inputs are live notes of this log, which rests on the registrar's approval",
            ),
        ];
        for (name, read, what) in fields {
            if read < self.legs {
                writeln!(
                    f,
                    "not in scope: {name} of {} of {} legs: {what}",
                    self.legs.saturating_sub(read),
                    self.legs
                )?;
            }
        }
        Ok(())
    }
}
