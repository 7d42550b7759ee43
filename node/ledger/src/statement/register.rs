//! Statements about leaves of register snapshots: what accounts hold in all, what they hold of the supply, how it changed from one
//! snapshot to another, that the register is the supply, or that accounts are not in it.
//!
//! Each account is shown where the search for its locator ends: at its leaf, whose commitment counts, or at another, and then it
//! holds nothing. Who makes a statement shows that the locator is right, with the account's key or the snapshot's.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::encoding::encode;
use sudare_crypto::linear::LinearProof;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::locator;
use sudare_crypto::proof::statement::{
    self as totals, COMMITMENTS_MAX, Kind, Proof, Total, Unproved,
};
use sudare_crypto::{Bounded, Claims, Encoded, LedgerTranscript, Rejected, Secret, pairs};

use super::{Content, Statement, StatementError, Subject};
use crate::packet::Place;
use crate::snapshot::{self, Heading, SumNode, SumPath, search_ends_at};
use crate::tree::Checkpoint;

const TRANSCRIPT: &[u8] = b"sudare/register-statement/v1";

/// The most accounts of one side, or of those that are said to hold nothing.
pub const LOCATED_MAX: usize = COMMITMENTS_MAX;
/// The most accounts of a statement.
const PROOFS_MAX: usize = 2 * LOCATED_MAX;

/// A statement about leaves of one or two snapshots.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Register {
    /// With whose keys locators are shown to be right.
    pub maker: Maker,
    /// The snapshots, in order of their numbers.
    pub snapshots: Bounded<ShownHeading, 2>,
    /// What it says.
    pub says: Says,
    /// That the locator of each account shown is its own, in order.
    pub locators: Bounded<LinearProof, PROOFS_MAX>,
}

/// Who makes a statement about a register.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Maker {
    /// Who holds the keys of all accounts shown: their custodian.
    Custodian,
    /// Who holds the snapshots' keys: the registrar, or who opened their seeds.
    Registrar,
}

/// A snapshot with its place in the log.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct ShownHeading {
    /// What it says.
    pub heading: Heading,
    /// Where it stands.
    pub place: Place,
}

/// What a statement about a register says.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Says {
    /// Something of two totals.
    Totals {
        /// What.
        kind: Kind,
        /// The left total.
        left: Sum,
        /// The right total.
        right: Sum,
        /// That it is true.
        proof: Proof,
    },
    /// That none of these accounts has a leaf.
    Absent(Bounded<Located, LOCATED_MAX>),
}

/// A total over a register: holdings, supplies and a number in clear.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Sum {
    /// What it is the sum of, each once.
    pub terms: Bounded<Term, LOCATED_MAX>,
    /// Atomic units in clear.
    pub clear: u64,
}

/// A term of a total.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Term {
    /// What an account holds in a snapshot; nothing if it has no leaf.
    Account(Located),
    /// What all leaves of the snapshot with this number here hold together.
    Register(u8),
    /// What the snapshot with this number here says was minted and not burned; in clear.
    Supply(u8),
}

/// An account with the leaf at which the search for it ends.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Located {
    /// Which of the statement's snapshots.
    pub snapshot: u8,
    /// `A`.
    pub account: Encoded,
    /// `S = x*A = a*X`, of which the account's locator is a hash.
    pub shared: Encoded,
    /// The leaf.
    pub leaf: SumNode,
    /// Which of the leaves it is.
    pub number: u32,
    /// Its path to the snapshot's root.
    pub path: SumPath,
}

/// A term with what its prover knows of it.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "holds an opening and a key")]
pub struct Witnessed {
    /// The term.
    pub term: Term,
    /// The amount that its commitment hides, if it has one.
    pub opening: Option<Opening>,
    /// Of an account, the secret that shows its locator: `a`, or `x` of its snapshot.
    pub secret: Option<Secret>,
}

/// What is to be stated.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "holds openings and keys")]
pub enum Wanted {
    /// Something of two totals, each with its number in clear.
    Totals(Kind, (Vec<Witnessed>, u64), (Vec<Witnessed>, u64)),
    /// That none of these accounts has a leaf.
    Absent(Vec<Witnessed>),
}

/// An account in a snapshot as its registrar tells the account's custodian, with what makes statements of it.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct ShownLeaf {
    /// The snapshot.
    pub shown: ShownHeading,
    /// Where the search for the account ends; its snapshot's number here is 0.
    pub located: Located,
    /// What the account holds, and the blinding of the commitment to it; none if it has no leaf.
    pub holding: Option<(u64, Secret)>,
}

impl Located {
    /// Whether the account has a leaf: the one shown is its own.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.leaf.first == snapshot::locator(&self.account, &self.shared)
    }

    /// Enforces [SNP-5]: the search for the account ends here.
    pub(super) fn check(&self, snapshots: &[ShownHeading]) -> Result<(), StatementError> {
        let Heading { leaves, root, .. } = &named(snapshots, self.snapshot)?.heading;
        let locator = snapshot::locator(&self.account, &self.shared);
        let at = (self.number, &self.path);
        match search_ends_at(&self.leaf, &locator, at, (*leaves, root)) {
            Ok(true) => Ok(()),
            _ => Err(StatementError::NotThere(self.account)),
        }
    }

    /// What is proved of the locator.
    pub(super) fn statement(
        &self,
        maker: Maker,
        snapshots: &[ShownHeading],
    ) -> Result<locator::Statement, StatementError> {
        let locators = named(snapshots, self.snapshot)?.heading.locators;
        let (key, base) = match maker {
            Maker::Custodian => (self.account, locators),
            Maker::Registrar => (locators, self.account),
        };
        Ok(locator::Statement { key, base, shared: self.shared })
    }
}

impl Sum {
    /// The total, if each of its accounts is where it is shown, and each term stands in it once.
    fn check(&self, snapshots: &[ShownHeading]) -> Result<Total, StatementError> {
        let (mut commitments, mut clear, mut seen) = (Vec::new(), self.clear, BTreeSet::new());
        for (place, term) in self.terms.iter().enumerate() {
            let name = match term {
                Term::Account(located) => {
                    located.check(snapshots)?;
                    if located.is_there() {
                        commitments.push(located.leaf.sum);
                    }
                    (0, located.snapshot, Some(located.account))
                }
                Term::Register(number) => {
                    commitments.push(named(snapshots, *number)?.heading.root.sum);
                    (1, *number, None)
                }
                Term::Supply(number) => {
                    let supply = named(snapshots, *number)?.heading.supply;
                    clear = clear.checked_add(supply).ok_or(StatementError::Clear)?;
                    (2, *number, None)
                }
            };
            if !seen.insert(name) {
                return Err(StatementError::Twice(place));
            }
        }
        Ok(Total { commitments, clear })
    }

    fn located(&self) -> impl Iterator<Item = &Located> {
        self.terms.iter().filter_map(|term| match term {
            Term::Account(located) => Some(located),
            Term::Register(_) | Term::Supply(_) => None,
        })
    }
}

impl Says {
    /// The accounts shown, in order.
    #[must_use]
    pub fn located(&self) -> Vec<&Located> {
        match self {
            Self::Totals { left, right, .. } => left.located().chain(right.located()).collect(),
            Self::Absent(accounts) => accounts.iter().collect(),
        }
    }
}

impl Register {
    /// Makes a statement about snapshots that are all shown under the subject's checkpoint.
    ///
    /// # Errors
    ///
    /// [`StatementError::Unproved`], in particular if it is not true; [`StatementError::Present`] if an account is not absent.
    pub fn make(
        subject: Subject,
        maker: Maker,
        snapshots: Vec<ShownHeading>,
        wanted: Wanted,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Statement, StatementError> {
        let snapshots = Bounded::new(snapshots)?;
        let prover = Prover { subject: &subject, maker, snapshots: &snapshots };
        let (says, locators) = match wanted {
            Wanted::Absent(accounts) => prover.absent(accounts, rng)?,
            Wanted::Totals(kind, left, right) => prover.totals(kind, left, right, rng)?,
        };
        let register = Self { maker, snapshots, says, locators: locators.try_into()? };
        Ok(Statement { subject, content: Content::Register(Box::new(register)) })
    }

    /// Adds to `claims` all that holds if the statement does.
    ///
    /// Enforces [RST-1], [RST-2] and [RST-3].
    pub(super) fn check(
        &self,
        subject: &Subject,
        checkpoint: &Checkpoint,
        claims: &mut Claims,
    ) -> Result<(), StatementError> {
        let snapshots = &self.snapshots;
        in_log(snapshots, subject, checkpoint)?;
        let (maker, located) = (self.maker, self.says.located());
        let proofs = pairs(&located, &self.locators).ok_or(StatementError::Locators)?;
        let verify = |transcript: &mut LedgerTranscript, claims: &mut Claims| {
            for (located, proof) in proofs {
                let statement = located.statement(maker, snapshots)?;
                locator::verify(&statement, proof, transcript, claims)?;
            }
            Ok::<_, StatementError>(())
        };
        match &self.says {
            Says::Absent(accounts) => {
                absent(accounts, snapshots)?;
                verify(&mut transcript(subject, maker, snapshots, &(1u8, accounts)), claims)
            }
            Says::Totals { kind, left, right, proof } => {
                let (lefts, rights) = (left.check(snapshots)?, right.check(snapshots)?);
                let mut on = transcript(subject, maker, snapshots, &(0u8, left, right));
                verify(&mut on, claims)?;
                Ok(totals::check(*kind, &lefts, &rights, proof, &mut on, claims)?)
            }
        }
    }
}

/// What all proofs of a statement are made for.
struct Prover<'a> {
    subject: &'a Subject,
    maker: Maker,
    snapshots: &'a Bounded<ShownHeading, 2>,
}

impl Prover<'_> {
    fn absent(
        &self,
        accounts: Vec<Witnessed>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Says, Vec<LinearProof>), StatementError> {
        let (mut shown, mut secrets) = (Vec::new(), Vec::new());
        for Witnessed { term, secret, .. } in accounts {
            if let Term::Account(located) = term {
                shown.push(located);
                secrets.push(secret.ok_or(StatementError::Locators)?);
            }
        }
        let shown = Bounded::new(shown)?;
        absent(&shown, self.snapshots)?;
        let mut on = transcript(self.subject, self.maker, self.snapshots, &(1u8, &shown));
        let locators = self.locators(shown.iter(), &secrets, &mut on, rng)?;
        Ok((Says::Absent(shown), locators))
    }

    fn totals(
        &self,
        kind: Kind,
        left: (Vec<Witnessed>, u64),
        right: (Vec<Witnessed>, u64),
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Says, Vec<LinearProof>), StatementError> {
        let (left, left_openings, mut secrets) = taken(left)?;
        let (right, right_openings, others) = taken(right)?;
        secrets.extend(others);
        let (lefts, rights) = (left.check(self.snapshots)?, right.check(self.snapshots)?);
        let mut on = transcript(self.subject, self.maker, self.snapshots, &(0u8, &left, &right));
        let located = left.located().chain(right.located());
        let locators = self.locators(located, &secrets, &mut on, rng)?;
        let left_total = (&lefts, left_openings.as_slice());
        let right_total = (&rights, right_openings.as_slice());
        let proof = totals::make(kind, left_total, right_total, &mut on, rng)?;
        Ok((Says::Totals { kind, left, right, proof }, locators))
    }

    fn locators<'a>(
        &self,
        located: impl Iterator<Item = &'a Located>,
        secrets: &[Secret],
        transcript: &mut LedgerTranscript,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Vec<LinearProof>, StatementError> {
        let mut secrets = secrets.iter();
        let prove = |located: &Located| {
            let secret = secrets.next().ok_or(StatementError::Locators)?;
            let statement = located.statement(self.maker, self.snapshots)?;
            Ok(locator::prove(&statement, secret, transcript, rng)?)
        };
        located.map(prove).collect()
    }
}

/// A total with the openings of its commitments and the secrets of its accounts.
fn taken(
    (terms, clear): (Vec<Witnessed>, u64),
) -> Result<(Sum, Vec<Opening>, Vec<Secret>), StatementError> {
    let (mut sum, mut openings, mut secrets) = (Vec::new(), Vec::new(), Vec::new());
    for Witnessed { term, opening, secret } in terms {
        let hides = match &term {
            Term::Account(located) => {
                secrets.push(secret.ok_or(StatementError::Locators)?);
                located.is_there()
            }
            Term::Register(_) => true,
            Term::Supply(_) => false,
        };
        if hides {
            openings.push(opening.ok_or(Unproved::Opening)?);
        }
        sum.push(term);
    }
    Ok((Sum { terms: sum.try_into()?, clear }, openings, secrets))
}

/// Enforces [RST-1]: the snapshots are of the subject's asset, and in its log, in order.
pub(super) fn in_log(
    snapshots: &[ShownHeading],
    subject: &Subject,
    checkpoint: &Checkpoint,
) -> Result<(), StatementError> {
    let numbers: Vec<u32> = snapshots.iter().map(|shown| shown.heading.number).collect();
    if numbers.is_empty() || !numbers.is_sorted_by(|one, next| one < next) {
        return Err(StatementError::Snapshots);
    }
    for ShownHeading { heading, place } in snapshots {
        let (network, asset) = (subject.core.network, subject.core.id());
        if heading.network != network || heading.asset != asset {
            return Err(StatementError::OtherSnapshot(heading.number));
        }
        let Place { entry, body, path } = place;
        path.verify(&heading.leaf(*body).hash(), *entry, checkpoint.size, &checkpoint.root)
            .map_err(|error| StatementError::SnapshotNotInLog(heading.number, error))?;
    }
    Ok(())
}

/// Enforces [RST-3]: none of the accounts has a leaf.
fn absent(accounts: &[Located], snapshots: &[ShownHeading]) -> Result<(), StatementError> {
    for located in accounts {
        located.check(snapshots)?;
        if located.is_there() {
            return Err(StatementError::Present(located.account));
        }
    }
    if accounts.is_empty() { Err(Rejected::Nothing.into()) } else { Ok(()) }
}

fn named(snapshots: &[ShownHeading], number: u8) -> Result<&ShownHeading, StatementError> {
    snapshots.get(usize::from(number)).ok_or(StatementError::Snapshots)
}

/// Everything of the file but kind and proofs, which the relations absorb: no byte of it can be changed.
fn transcript(
    subject: &Subject,
    maker: Maker,
    snapshots: &Bounded<ShownHeading, 2>,
    said: &impl BorshSerialize,
) -> LedgerTranscript {
    LedgerTranscript::new(TRANSCRIPT, &encode(&(subject, maker, snapshots, said)))
}
