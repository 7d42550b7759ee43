//! What accounts hold in a register snapshot, shown by its registrar: each with its quantity and at the leaf where the search for it
//! ends, with the supply that all leaves come to. If the quantities sum to that, the whole register is shown.

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::encoding::encode;
use sudare_crypto::linear::LinearProof;
use sudare_crypto::proof::holdings::{self, Holding};
use sudare_crypto::{Bounded, Claims, Encoded, Hash, LedgerTranscript, Secret};

use super::register::in_log;
use super::{Content, ShownHeading, Statement, StatementError, Subject};
use crate::snapshot::{SumNode, locator, root_over};
use crate::tree::Checkpoint;

const TRANSCRIPT: &[u8] = b"sudare/holdings-statement/v1";

/// The most accounts of one statement: a whole register of as many fits into a file.
pub const HOLDINGS_MAX: usize = 1 << 17;
/// The most nodes beside them.
const NODES_MAX: usize = 1 << 18;

/// What accounts hold in a snapshot.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Holdings {
    /// The snapshot.
    pub shown: ShownHeading,
    /// What each account holds, in order of their places.
    pub lines: Bounded<HeldLine, HOLDINGS_MAX>,
    /// The highest nodes of the snapshot's tree with none of these accounts below them, from left to right.
    pub beside: Bounded<SumNode, NODES_MAX>,
    /// That it is so.
    pub proof: LinearProof,
}

/// What an account holds in a snapshot.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct HeldLine {
    /// Which of the leaves it is.
    pub place: u32,
    /// The leaf's hash.
    pub hash: Hash,
    /// The commitment to what it holds.
    pub holding: Encoded,
    /// `A`.
    pub account: Encoded,
    /// `S = x*A`, of which its locator is a hash.
    pub shared: Encoded,
    /// Atomic units.
    pub quantity: u64,
}

/// What a registrar knows of a snapshot's accounts.
///
/// (!) For the registrar alone.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "holds blindings and a key")]
pub struct HeldWitness {
    /// The snapshot.
    pub shown: ShownHeading,
    /// The accounts, in order of their places, with the blindings of their commitments.
    pub lines: Vec<(HeldLine, Secret)>,
    /// The nodes beside them.
    pub beside: Vec<SumNode>,
    /// `x`.
    pub locating: Secret,
    /// The blinding of the root's sum.
    pub blinding: Secret,
}

impl Holdings {
    /// Makes a statement of a snapshot that is shown under the subject's checkpoint.
    ///
    /// # Errors
    ///
    /// [`StatementError`] if there is no account, or too many for one statement.
    pub fn make(
        subject: Subject,
        witness: HeldWitness,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Statement, StatementError> {
        let HeldWitness { shown, lines, beside, locating, blinding } = witness;
        let (lines, blindings): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
        let (lines, beside) = (lines.try_into()?, beside.try_into()?);
        let on = &mut transcript(&subject, &shown, &lines, &beside);
        let statement = proved(&shown, &lines);
        let openings = (blindings.as_slice(), &blinding);
        let proof = holdings::prove(&statement, &locating, openings, on, rng)?;
        let made = Self { shown, lines, beside, proof };
        Ok(Statement { subject, content: Content::Holdings(Box::new(made)) })
    }

    /// What the accounts shown hold together.
    #[must_use]
    pub fn total(&self) -> u128 {
        self.lines.iter().map(|line| u128::from(line.quantity)).sum()
    }

    /// Whether these are all that hold anything in the snapshot.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.total() == u128::from(self.shown.heading.supply)
    }

    /// Adds to `claims` all that holds if the statement does.
    ///
    /// Enforces [HDG-2] and [HDG-3].
    pub(super) fn check(
        &self,
        subject: &Subject,
        checkpoint: &Checkpoint,
        claims: &mut Claims,
    ) -> Result<(), StatementError> {
        let Self { shown, lines, beside, proof } = self;
        in_log(std::slice::from_ref(shown), subject, checkpoint)?;
        let leaf = |line: &HeldLine| {
            let first = locator(&line.account, &line.shared);
            (line.place, SumNode { hash: line.hash, sum: line.holding, first })
        };
        let leaves: Vec<_> = lines.iter().map(leaf).collect();
        let root = root_over(shown.heading.leaves, &leaves, beside)?;
        if root != Some(shown.heading.root) {
            return Err(StatementError::OtherRoot(shown.heading.number));
        }
        if self.total() > u128::from(shown.heading.supply) {
            return Err(StatementError::MoreThanAll(shown.heading.number));
        }
        let on = &mut transcript(subject, shown, lines, beside);
        Ok(holdings::verify(&proved(shown, lines), proof, on, claims)?)
    }
}

/// What is proved of the lines.
fn proved(shown: &ShownHeading, lines: &[HeldLine]) -> holdings::Statement {
    let holding = |line: &HeldLine| Holding {
        account: line.account,
        shared: line.shared,
        commitment: line.holding,
        quantity: line.quantity,
    };
    holdings::Statement {
        locators: shown.heading.locators,
        holdings: lines.iter().map(holding).collect(),
        sum: shown.heading.root.sum,
        supply: shown.heading.supply,
    }
}

/// Everything of the file but the proof, which the relation absorbs: no byte of it can be changed.
fn transcript(
    subject: &Subject,
    shown: &ShownHeading,
    lines: &Bounded<HeldLine, HOLDINGS_MAX>,
    beside: &Bounded<SumNode, NODES_MAX>,
) -> LedgerTranscript {
    LedgerTranscript::new(TRANSCRIPT, &encode(&(subject, shown, lines, beside)))
}
