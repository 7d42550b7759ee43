//! Opening together: each officer applies its share to a leg's points and proves it; any t right partials open them.
//!
//! `[PRT]` `(s)`: `Y = s*B`; `D_m = s*E_m` for every point, merged (Chaum and Pedersen 1992). `Y` is the officer's public
//! share, so a wrong partial names its officer.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::linear::{self, LinearProof, Relation, Row};
use sudare_crypto::point::B_ENCODED;
use sudare_crypto::{
    Bounded, Claims, Encoded, Hash, LedgerTranscript, Malformed, RistrettoPoint, Scalar, Text,
    pairs,
};

use super::{CeremonyError, Group, GroupId, OFFICERS_MAX, Shares, feldman};
use crate::Opens;

/// The relation's name.
const NAME: &str = "sudare/proof/partial/v1";
/// The most points of a request: a leg has fewer, even with 32 inputs and 64 outputs.
pub const POINTS_MAX: usize = 256;

/// What is to be opened: made by each officer itself from a leg, never handed over.
///
/// (!) [SEC-5], [THR-9]: officers make requests only of legs that they verified themselves, in scope. Whoever applies a share to a
/// point that somebody hands over is a decryption oracle.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize)]
pub struct Request {
    group: GroupId,
    epoch: u8,
    leg: Hash,
    /// `E_m`, ascending, each once.
    points: Bounded<Encoded, POINTS_MAX>,
}

/// One officer's answer to a request.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Partial {
    version: Version<1>,
    /// The request's hash.
    pub request: Hash,
    /// The index of the officer's shares.
    pub index: u8,
    /// `D_m = s*E_m`.
    values: Bounded<Encoded, POINTS_MAX>,
    /// That they are.
    proof: LinearProof,
}

/// The public inputs of a partial's proof, beside the request.
#[derive(BorshSerialize)]
pub(super) struct Statement<'a> {
    pub(super) index: u8,
    pub(super) share: Encoded,
    pub(super) points: &'a [Encoded],
    pub(super) values: &'a [Encoded],
}

impl Request {
    /// The request for `points` of `leg` (its hash) to the key of `epoch`. The group's id says which generation of shares.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if there are more points than a leg has.
    pub fn new(
        group: &Group,
        epoch: u8,
        leg: Hash,
        mut points: Vec<Encoded>,
    ) -> Result<Self, Malformed> {
        points.sort_unstable();
        points.dedup();
        Ok(Self { group: group.id(), epoch, leg, points: points.try_into()? })
    }

    /// The hash that partials cite.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(b"sudare/opening-request/v1", &[&encode(self)])
    }

    /// Applies an officer's share to the request's points.
    ///
    /// (!) Only to points of final legs that the officer verified, in scope ([SEC-5]).
    ///
    /// # Errors
    ///
    /// [`CeremonyError`] if shares, group and request do not belong together, or a point does not decode.
    pub fn answer(
        &self,
        group: &Group,
        shares: &Shares,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Partial, CeremonyError> {
        shares.check(group)?;
        if self.group != group.id() {
            return Err(CeremonyError::OtherGroup);
        }
        let share = shares.share(self.epoch).ok_or(CeremonyError::OtherGroup)?;
        let mut values = Vec::with_capacity(self.points.len());
        for point in &self.points {
            values.push(Encoded::of(&(point.decompress()? * share.0)));
        }
        let statement = Statement {
            index: shares.index,
            share: share.public(),
            points: &self.points,
            values: &values,
        };
        let proof = linear::prove(&relation(&statement)?, &[share.0], &mut self.transcript(), rng)?;
        let (request, index) = (self.hash(), shares.index);
        Ok(Partial { version: Version, request, index, values: values.try_into()?, proof })
    }

    /// Whether `partial` is the officer's right answer.
    ///
    /// Enforces [PRT-1].
    fn check(
        &self,
        group: &Group,
        partial: &Partial,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), WrongReason> {
        if partial.request != self.hash() {
            return Err(WrongReason::OtherRequest);
        }
        let share = group
            .public_share(self.epoch, partial.index)
            .map_err(|_| WrongReason::UnknownOfficer)?;
        let statement = Statement {
            index: partial.index,
            share: Encoded::of(&share),
            points: &self.points,
            values: &partial.values,
        };
        let mut claims = Claims::new();
        let relation = relation(&statement).map_err(|_| WrongReason::Proof)?;
        linear::verify(&relation, &partial.proof, &mut self.transcript(), &mut claims)
            .and_then(|()| claims.accept(rng))
            .map_err(|_| WrongReason::Proof)
    }

    pub(super) fn transcript(&self) -> LedgerTranscript {
        LedgerTranscript::new(b"sudare/partial/v1", &encode(self))
    }
}

/// Row `Y = s*B` has its own commitment and pins `s`, so the others may be merged ([TRN-6]).
pub(super) fn relation(statement: &Statement<'_>) -> Result<Relation, Malformed> {
    const UNEQUAL: Malformed = Malformed::Encoding("a partial: a value for each point");
    let row = |target: Encoded, base: Encoded| Row {
        target: vec![(Scalar::ONE, target)],
        terms: vec![(0, vec![(Scalar::ONE, base)])],
    };
    let mut merged = Vec::with_capacity(statement.points.len());
    for (point, value) in pairs(statement.points, statement.values).ok_or(UNEQUAL)? {
        merged.push(row(*value, *point));
    }
    Ok(Relation {
        name: NAME,
        statement: encode(statement),
        variables: 1,
        rows: vec![row(statement.share, *B_ENCODED)],
        merged,
    })
}

/// Why a partial is not counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum WrongReason {
    /// Of another leg, other points, another key or another generation of shares.
    #[error("is for another request, or made with shares of another generation")]
    OtherRequest,
    /// No such officer.
    #[error("is of no officer of the group")]
    UnknownOfficer,
    /// The officer answered twice.
    #[error("is a second one of the same officer")]
    Repeated,
    /// The proof does not hold.
    #[error("does not prove that the officer's own share was used")]
    Proof,
}

/// A partial that is not counted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Wrong {
    /// The index it names.
    pub index: u8,
    /// Whose it says it is; empty if the group has no such officer.
    pub officer: Text<32>,
    /// Why.
    pub reason: WrongReason,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the partial of officer {} ({}) {}", self.index, self.officer, self.reason)
    }
}

/// What a group's officers opened together: reads as the key does, but at the points that were asked for only.
#[derive(Clone, Debug)]
pub struct OpenedPoints {
    key: Encoded,
    points: BTreeMap<Encoded, RistrettoPoint>,
}

impl Opens for OpenedPoints {
    fn point(&self) -> Encoded {
        self.key
    }

    fn decrypt(
        &self,
        ephemeral: &Encoded,
        ciphertext: &Encoded,
    ) -> Result<RistrettoPoint, Malformed> {
        const NOT_OPENED: Malformed = Malformed::Encoding("a point that the officers opened");
        Ok(ciphertext.decompress()? - self.points.get(ephemeral).ok_or(NOT_OPENED)?)
    }
}

/// An opening.
#[derive(Clone, Debug)]
pub struct Combined {
    /// `k*E_m` for every point.
    pub opened: OpenedPoints,
    /// Partials that were not counted.
    pub wrong: Vec<Wrong>,
}

/// Too few right partials.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TooFew {
    /// How many are right.
    pub right: usize,
    /// How many are needed.
    pub needed: u8,
    /// The others.
    pub wrong: Vec<Wrong>,
}

impl std::fmt::Display for TooFew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} right partial(s) of {} needed", self.right, self.needed)?;
        self.wrong.iter().try_for_each(|wrong| write!(f, "; {wrong}"))
    }
}

impl std::error::Error for TooFew {}

/// Opens a request with the partials of at least as many officers as the threshold. Checks all of them and names each wrong one.
///
/// Enforces [PRT-1], [PRT-2].
///
/// # Errors
///
/// [`TooFew`], with the wrong partials named.
pub fn combine(
    group: &Group,
    request: &Request,
    partials: &[Partial],
    rng: &mut impl CryptoRngCore,
) -> Result<Combined, TooFew> {
    let mut right: BTreeMap<u8, &Partial> = BTreeMap::new();
    let mut wrong = Vec::new();
    let is_for_the_group = request.group == group.id();
    for partial in partials {
        let index = partial.index;
        let mut checked = request.check(group, partial, rng);
        if !is_for_the_group {
            checked = Err(WrongReason::OtherRequest);
        } else if checked.is_ok() && right.contains_key(&index) {
            checked = Err(WrongReason::Repeated);
        }
        match checked {
            Ok(()) => drop(right.insert(index, partial)),
            Err(reason) => {
                let officer = group.officer(index).map(|officer| officer.name.clone());
                wrong.push(Wrong { index, officer: officer.unwrap_or_default(), reason });
            }
        }
    }
    let needed = group.threshold;
    let (count, used) = (right.len(), right.into_iter().take(usize::from(needed)));
    let used: Vec<(u8, &Partial)> = used.collect();
    match interpolate(request, &used, needed) {
        Some(points) => {
            let key = group.key(request.epoch).unwrap_or(*B_ENCODED);
            Ok(Combined { opened: OpenedPoints { key, points }, wrong })
        }
        None => Err(TooFew { right: count, needed, wrong }),
    }
}

/// `k*E_m = sum of weight * D_m` over the partials; none if they are fewer than needed.
fn interpolate(
    request: &Request,
    used: &[(u8, &Partial)],
    needed: u8,
) -> Option<BTreeMap<Encoded, RistrettoPoint>> {
    if used.len() != usize::from(needed) || used.len() > OFFICERS_MAX {
        return None;
    }
    let indices: Vec<u8> = used.iter().map(|(index, _)| *index).collect();
    let mut points: BTreeMap<Encoded, RistrettoPoint> = BTreeMap::new();
    for (index, partial) in used {
        let weight = feldman::weight(&indices, *index)?;
        for (point, value) in pairs(&request.points, &partial.values)? {
            *points.entry(*point).or_default() += value.decompress().ok()? * weight;
        }
    }
    Some(points)
}
