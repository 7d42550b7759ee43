//! `[JNT]` A statement that what one custodian's accounts hold in a snapshot is what another's hold, and `by`: made by the two of them with
//! four files, without the registrar, and without either showing the other its total (specs/statements/joint.md).
//!
//! The first custodian offers; the second answers with its total's difference from the first's, masked, from which the first tells
//! whether the statement is true and nothing else; only if it is, the first closes with its share of the proof, and the second
//! finishes it. Each file is checked before it is followed.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::linear::LinearProof;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::equality::{self, Masked};
use sudare_crypto::proof::joint::{self as shares, Nonce};
use sudare_crypto::proof::locator;
use sudare_crypto::proof::statement::{self as totals, Kind, Proof, Total, Unproved};
use sudare_crypto::{Bounded, Claims, Encoded, Hash, LedgerTranscript, Rejected, Secret, pairs};
use sudare_disclosure::AssetId;

use super::register::{LOCATED_MAX, Located, Maker, ShownHeading, in_log};
use super::{Content, Statement, StatementError, Subject};
use crate::tree::Checkpoint;

const PART: &[u8] = b"sudare/joint-part/v1";
const ANSWER: &[u8] = b"sudare/joint-answer/v1";
const TRANSCRIPT: &[u8] = b"sudare/joint-statement/v1";

/// That what the left accounts hold in a snapshot is what the right ones hold, and `by`.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Joint {
    /// What both parties agreed to state.
    pub agreed: Agreed,
    /// The accounts of who offered.
    pub left: Part,
    /// The accounts of who answered.
    pub right: Part,
    /// That it is true, by both.
    pub proof: LinearProof,
}

/// What two parties state.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Agreed {
    /// The snapshot.
    pub snapshot: ShownHeading,
    /// Atomic units that the left accounts hold more.
    pub by: u64,
}

/// One party's accounts, each where its search ends, shown with the accounts' keys.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Part {
    /// The accounts; the snapshot is number 0 here.
    pub accounts: Bounded<Located, LOCATED_MAX>,
    /// That the locator of each is its own, in order.
    pub locators: Bounded<LinearProof, LOCATED_MAX>,
}

/// The first file: what is to be stated, with one party's accounts.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Offer {
    /// Format version.
    pub version: Version<1>,
    /// What the statement will be about, and for whom.
    pub subject: Subject,
    /// What it will state.
    pub agreed: Agreed,
    /// The accounts of who offers.
    pub left: Part,
    /// What binds who offers to its nonce.
    pub committed: Hash,
}

/// The second file: the other party's accounts, and whether the totals are as stated, for the first party alone to tell.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Answer {
    /// Format version.
    pub version: Version<1>,
    /// [`Offer::id`].
    pub offer: Hash,
    /// The accounts of who answers.
    pub right: Part,
    /// The difference of the totals less what is stated, masked.
    pub masked: Masked,
    /// That it is.
    pub proof: LinearProof,
    /// The nonce of who answers.
    pub nonce: Encoded,
}

/// The third file: the first party's share of the proof.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Closing {
    /// Format version.
    pub version: Version<1>,
    /// [`Answer::id`].
    pub answer: Hash,
    /// The nonce that the offer is bound to.
    pub nonce: Encoded,
    /// The response to the challenge of both nonces.
    pub response: Secret,
}

/// What who offers keeps until the end.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
#[allow(missing_debug_implementations, reason = "holds a nonce and a blinding")]
pub struct Offered {
    version: Version<1>,
    offer: Offer,
    nonce: Secret,
    blinding: Secret,
    /// The answer that it closed with: the nonce answers no other.
    closed: Option<Hash>,
}

/// What who answers keeps until the end.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
#[allow(missing_debug_implementations, reason = "holds a nonce and a blinding")]
pub struct Answered {
    version: Version<1>,
    offer: Offer,
    answer: Answer,
    nonce: Secret,
    blinding: Secret,
}

/// An account with all that its custodian knows of it.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "holds an opening and a key")]
pub struct OwnAccount {
    /// Where the search for it ends.
    pub located: Located,
    /// What it holds, if it has a leaf.
    pub opening: Option<Opening>,
    /// Its key.
    pub key: Secret,
}

/// One of the two parties.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize)]
enum Side {
    Left,
    Right,
}

/// A party's accounts as it shows them, with its total's amount and blinding.
struct Own {
    part: Part,
    value: u128,
    blinding: Secret,
}

impl Offer {
    /// Offers to state that these accounts hold what the other party's will, and `agreed.by`.
    ///
    /// # Errors
    ///
    /// [`StatementError`] if an account is not where it is shown, or none of them has a leaf.
    pub fn make(
        subject: Subject,
        agreed: Agreed,
        accounts: Vec<OwnAccount>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Offered, StatementError> {
        let Own { part, value: _, blinding } = own(&subject, &agreed, Side::Left, accounts, rng)?;
        let nonce = Nonce::new(&encode(&(&subject, &agreed, &part)), &blinding, rng);
        let committed = nonce.commitment();
        let offer = Self { version: Version, subject, agreed, left: part, committed };
        let (version, nonce) = (Version, nonce.secret);
        Ok(Offered { version, offer, nonce, blinding, closed: None })
    }

    /// What answers refer to.
    #[must_use]
    pub fn id(&self) -> Hash {
        Hash::of(b"sudare/joint-offer/v1", &[&encode(self)])
    }

    /// Checks all that an offer shows by itself: the snapshot in the log of the asset, and each account where its search ends, by who
    /// holds its key.
    ///
    /// Enforces [JNT-1].
    ///
    /// # Errors
    ///
    /// [`StatementError`].
    pub fn check(
        &self,
        asset: AssetId,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), StatementError> {
        let found = self.subject.core.id();
        if found != asset {
            return Err(StatementError::OtherAsset { expected: asset, found });
        }
        let checkpoint = self.subject.checkpoint()?;
        let mut claims = Claims::new();
        self.agreed.check(&self.subject, checkpoint)?;
        self.left.check(&self.subject, &self.agreed, Side::Left, &mut claims)?;
        Ok(claims.accept(rng)?)
    }

    /// Answers with these accounts.
    ///
    /// (!) Who offered learns from it whether the two totals are as the offer says, whatever the truth is.
    ///
    /// # Errors
    ///
    /// [`StatementError`] if the offer does not hold, an account is not where it is shown, or none of them has a leaf.
    pub fn answer(
        self,
        accounts: Vec<OwnAccount>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Answered, StatementError> {
        self.check(self.subject.core.id(), rng)?;
        let own = own(&self.subject, &self.agreed, Side::Right, accounts, rng)?;
        let Own { part: right, value, blinding } = own;
        apart(&self.left, &right)?;
        let (left, other) = self.commitments(&right)?;
        let value = value.checked_add(self.agreed.by.into()).ok_or(StatementError::Clear)?;
        let (statement, witness) = equality::mask(&left, &other, (value, &blinding), rng)?;
        let nonce = Nonce::new(&encode(&(&self, &right)), &blinding, rng);
        let mut on = self.answer_transcript(&right, &nonce.point);
        let proof = equality::prove(&statement, &witness, &mut on, rng)?;
        let (offer, masked, version) = (self.id(), statement.masked, Version);
        let answer = Answer { version, offer, right, masked, proof, nonce: nonce.point };
        Ok(Answered { version: Version, offer: self, answer, nonce: nonce.secret, blinding })
    }

    /// The commitment to the left total, and that to the right one and `by`.
    fn commitments(&self, right: &Part) -> Result<(Encoded, Encoded), StatementError> {
        let left = equality::total(&self.left.commitments(), 0)?;
        Ok((left, equality::total(&right.commitments(), self.agreed.by)?))
    }

    /// Everything of the offer and the answer but what is masked, which the relation absorbs.
    fn answer_transcript(&self, right: &Part, nonce: &Encoded) -> LedgerTranscript {
        LedgerTranscript::new(ANSWER, &encode(&(self, right, nonce)))
    }

    /// What both prove together, and the transcript on which they do.
    fn joint(&self, right: &Part) -> Result<(shares::Joint, LedgerTranscript), StatementError> {
        let joint = shares::Joint::new(self.left.total(), right.total(), self.agreed.by)?;
        Ok((joint, transcript(&self.subject, &self.agreed, &self.left, right)))
    }
}

impl Answer {
    /// What the closing refers to.
    #[must_use]
    pub fn id(&self) -> Hash {
        Hash::of(b"sudare/joint-answer/v1", &[&encode(self)])
    }
}

impl Offered {
    /// The file to send.
    #[must_use]
    pub const fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Checks the answer, and, if the totals are as was offered, closes.
    ///
    /// Enforces [JNT-2]: of totals that are not so nothing is shown; and [JNT-3]: one nonce closes with one answer. (!) Save this
    /// before the closing leaves.
    ///
    /// # Errors
    ///
    /// [`StatementError::Differ`] if they are not as was offered; [`StatementError::Closed`] after another answer;
    /// [`StatementError`] if the answer does not hold.
    pub fn close(
        &mut self,
        answer: &Answer,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Closing, StatementError> {
        let Self { offer, blinding, .. } = self;
        if answer.offer != offer.id() {
            return Err(StatementError::OtherFile);
        }
        let mut claims = Claims::new();
        answer.right.check(&offer.subject, &offer.agreed, Side::Right, &mut claims)?;
        apart(&offer.left, &answer.right)?;
        let (left, right) = offer.commitments(&answer.right)?;
        let statement = equality::Statement { left, right, masked: answer.masked.clone() };
        let mut on = offer.answer_transcript(&answer.right, &answer.nonce);
        equality::verify(&statement, &answer.proof, &mut on, &mut claims)?;
        claims.accept(rng)?;
        if !answer.masked.is_equal(blinding)? {
            return Err(StatementError::Differ(offer.agreed.by));
        }
        let id = answer.id();
        if self.closed.is_some_and(|before| before != id) {
            return Err(StatementError::Closed);
        }
        let nonce = Nonce::of(self.nonce.clone());
        let (joint, on) = offer.joint(&answer.right)?;
        let response = joint.left([&nonce.point, &answer.nonce], (&nonce, blinding), &on)?;
        self.closed = Some(id);
        Ok(Closing { version: Version, answer: id, nonce: nonce.point, response })
    }
}

impl Answered {
    /// What it answers.
    #[must_use]
    pub const fn offer(&self) -> &Offer {
        &self.offer
    }

    /// The file to send.
    #[must_use]
    pub const fn answer(&self) -> &Answer {
        &self.answer
    }

    /// Checks the closing and makes the statement.
    ///
    /// # Errors
    ///
    /// [`StatementError`] if the closing is of another answer, shows another nonce than was offered, or does not hold.
    pub fn finish(
        &self,
        closing: &Closing,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Statement, StatementError> {
        let Self { offer, answer, nonce, blinding, .. } = self;
        if closing.answer != answer.id() {
            return Err(StatementError::OtherFile);
        }
        if shares::commitment(&closing.nonce) != offer.committed {
            return Err(StatementError::Nonce);
        }
        let own = Nonce::of(nonce.clone());
        let (joint, on) = offer.joint(&answer.right)?;
        let nonces = [&closing.nonce, &own.point];
        let proof = joint.finish(nonces, &closing.response, (&own, blinding), &on)?;
        let Offer { subject, agreed, left, .. } = offer.clone();
        let joint = Joint { agreed, left, right: answer.right.clone(), proof };
        let statement = Statement { subject, content: Content::Joint(Box::new(joint)) };
        let verified = statement.verify(offer.subject.core.id(), None, rng);
        verified.map_err(|_| StatementError::Share)?;
        Ok(statement)
    }
}

impl Joint {
    /// Adds to `claims` all that holds if the statement does.
    ///
    /// Enforces [JNT-1].
    pub(super) fn check(
        &self,
        subject: &Subject,
        checkpoint: &Checkpoint,
        claims: &mut Claims,
    ) -> Result<(), StatementError> {
        let Self { agreed, left, right, proof } = self;
        agreed.check(subject, checkpoint)?;
        left.check(subject, agreed, Side::Left, claims)?;
        right.check(subject, agreed, Side::Right, claims)?;
        apart(left, right)?;
        let (kind, mut on) =
            (Kind::Differ { by: agreed.by }, transcript(subject, agreed, left, right));
        let (limbs, range) = (Bounded::default(), Bounded::default());
        let proof = Proof { limbs, sums: proof.clone(), range };
        Ok(totals::check(kind, &left.total(), &right.total(), &proof, &mut on, claims)?)
    }
}

impl Agreed {
    fn check(&self, subject: &Subject, checkpoint: &Checkpoint) -> Result<(), StatementError> {
        in_log(std::slice::from_ref(&self.snapshot), subject, checkpoint)
    }
}

impl Part {
    /// Adds to `claims` that each account is where it is shown, once, by who holds its key, and that one has a leaf.
    fn check(
        &self,
        subject: &Subject,
        agreed: &Agreed,
        side: Side,
        claims: &mut Claims,
    ) -> Result<(), StatementError> {
        let snapshots = std::slice::from_ref(&agreed.snapshot);
        let proofs = pairs(&self.accounts, &self.locators).ok_or(StatementError::Locators)?;
        let mut on = part_transcript(subject, agreed, side, &self.accounts);
        let mut seen = BTreeSet::new();
        for (place, (located, proof)) in proofs.enumerate() {
            located.check(snapshots)?;
            if !seen.insert(located.account) {
                return Err(StatementError::Twice(place));
            }
            let statement = located.statement(Maker::Custodian, snapshots)?;
            locator::verify(&statement, proof, &mut on, claims)?;
        }
        if self.commitments().is_empty() { Err(Rejected::Nothing.into()) } else { Ok(()) }
    }

    /// The leaves' commitments, of accounts that have one.
    fn commitments(&self) -> Vec<Encoded> {
        let there = self.accounts.iter().filter(|located| located.is_there());
        there.map(|located| located.leaf.sum).collect()
    }

    fn total(&self) -> Total {
        Total { commitments: self.commitments(), clear: 0 }
    }
}

/// A party's accounts as it shows them.
fn own(
    subject: &Subject,
    agreed: &Agreed,
    side: Side,
    accounts: Vec<OwnAccount>,
    rng: &mut impl CryptoRngCore,
) -> Result<Own, StatementError> {
    let snapshots = std::slice::from_ref(&agreed.snapshot);
    let (mut value, mut blinding) = (0_u128, Secret(sudare_crypto::Scalar::ZERO));
    let (mut shown, mut keys) = (Vec::new(), Vec::new());
    for OwnAccount { located, opening, key } in accounts {
        if located.is_there() {
            let opening = opening.ok_or(Unproved::Opening)?;
            value = value.checked_add(opening.value.into()).ok_or(StatementError::Clear)?;
            blinding.0 += opening.blinding;
        }
        shown.push(located);
        keys.push(key);
    }
    let accounts = Bounded::new(shown)?;
    let mut on = part_transcript(subject, agreed, side, &accounts);
    let mut locators = Vec::new();
    for (located, key) in pairs(&accounts, &keys).ok_or(StatementError::Locators)? {
        let statement = located.statement(Maker::Custodian, snapshots)?;
        locators.push(locator::prove(&statement, key, &mut on, rng)?);
    }
    let part = Part { accounts, locators: locators.try_into()? };
    let mut claims = Claims::new();
    part.check(subject, agreed, side, &mut claims)?;
    claims.accept(rng)?;
    Ok(Own { part, value, blinding })
}

/// No account stands on both sides.
fn apart(left: &Part, right: &Part) -> Result<(), StatementError> {
    let accounts: BTreeSet<Encoded> = left.accounts.iter().map(|one| one.account).collect();
    let twice = right.accounts.iter().position(|one| accounts.contains(&one.account));
    twice.map_or(Ok(()), |place| Err(StatementError::Twice(place)))
}

/// Everything that a party's proofs of its accounts' places are made for.
fn part_transcript(
    subject: &Subject,
    agreed: &Agreed,
    side: Side,
    accounts: &Bounded<Located, LOCATED_MAX>,
) -> LedgerTranscript {
    LedgerTranscript::new(PART, &encode(&(subject, agreed, side, accounts)))
}

/// Everything of the file but the joint proof.
fn transcript(subject: &Subject, agreed: &Agreed, left: &Part, right: &Part) -> LedgerTranscript {
    LedgerTranscript::new(TRANSCRIPT, &encode(&(subject, agreed, left, right)))
}
