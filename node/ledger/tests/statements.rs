//! Statements about a register: what they show, and every way in which one is not what it says.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::arithmetic_side_effects,
    reason = "tests"
)]

mod common;

use common::chain::*;
use common::*;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use sudare_crypto::encoding::{Version, decode, encode};
use sudare_crypto::proof::statement::{Kind, Unproved};
use sudare_crypto::{Encoded, Hash, Rejected};
use sudare_disclosure::{AssetId, Field};
use sudare_ledger::bundle::Bundle;
use sudare_ledger::log::{Entry, EntryProof, FinalLeg};
use sudare_ledger::messages::Settlement;
use sudare_ledger::statement::{
    Content, Known, Notes, Owned, Shown, Statement, StatementError, Subject,
};
use sudare_ledger::tree::{ConsistencyProof, MemoryTree, SignedCheckpoint};

/// The hash of the vectors' file.
const FROZEN: &str = "1f08f4e6c94cd097da692f44af56e9834b33c14ffcfa92d0f4a3f1dd39799051";

/// An asset with a log of its terms and two issues: 100 and 40 to Ichi, 25 to Ni.
struct World {
    asset: Asset,
    tree: MemoryTree,
    ichi: Holder,
    ni: Holder,
    legs: Vec<(FinalLeg, Vec<Receiver>)>,
    rng: ChaCha20Rng,
}

impl World {
    fn new() -> Self {
        let mut rng = rng(1);
        let asset = Asset::with(&[Field::Amounts], &mut rng);
        let (ichi, ni) = (Holder::new(1), Holder::new(2));
        let mut entries = vec![Entry::Terms(asset.signed())];
        let mut legs = Vec::new();
        for pays in [vec![(&ichi, 100), (&ichi, 40)], vec![(&ni, 25)]] {
            let pays: Vec<_> =
                pays.into_iter().map(|(to, value)| (to.slot(&asset, 0, &mut rng), value)).collect();
            let leg = Plan::issue(pays.clone()).build(&asset, &mut rng).unwrap().leg;
            let leg = finalise(leg, &[], WINDOW, &mut rng);
            entries.push(Entry::Leg(Box::new(leg.clone())));
            legs.push((leg, pays.into_iter().map(|(to, _)| to).collect()));
        }
        let leaves: Vec<Hash> = entries.iter().map(|entry| entry.leaf().unwrap().hash()).collect();
        let tree = MemoryTree::from_leaves(&leaves).unwrap();
        Self { asset, tree, ichi, ni, legs, rng }
    }

    fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        checkpoint(&self.asset, size, self.tree.root(size).unwrap())
    }

    /// The settlement of a leg at a size of the log.
    fn settlement(&self, number: usize, size: u64) -> Settlement {
        let (leg, receivers) = &self.legs[number];
        let parts: Vec<_> = (0..receivers.len() as u8)
            .map(|output| leg.leg.tear_off(0, &leg.salt, output).unwrap())
            .collect();
        let index = number as u64 + 1;
        let checkpoint = self.checkpoint(size).to_text().into_bytes();
        let entry = EntryProof {
            index,
            body: Entry::Leg(Box::new(leg.clone())).body_hash(),
            checkpoint: checkpoint.try_into().unwrap(),
            path: self.tree.inclusion(index, size).unwrap(),
        };
        Settlement {
            commit: leg.commit.clone(),
            index: 0,
            receipt: leg.receipt,
            entry,
            components: parts.try_into().unwrap(),
        }
    }

    /// The outputs of a leg as their receivers have them.
    fn owned(&self, number: usize, size: u64) -> Vec<Owned> {
        let settlement = self.settlement(number, size);
        let (_, shown) = Shown::of(&settlement).unwrap();
        let opened = |(shown, (part, to)): (Shown, (_, &Receiver))| {
            let part: &sudare_ledger::leg::TearOff = part;
            let received = part.receive(&self.asset.terms, &to.secrets).unwrap();
            Owned { shown, opening: received.opening, secrets: Some(to.secrets.clone()) }
        };
        let parts = settlement.components.iter().zip(&self.legs[number].1);
        shown.into_iter().zip(parts).map(opened).collect()
    }

    /// Ichi's account.
    fn account(&self) -> Option<Encoded> {
        Some(self.ichi.account(&self.asset))
    }

    fn subject(&self, size: u64) -> Subject {
        Subject {
            version: Version,
            core: self.asset.terms.core.clone(),
            checkpoint: self.checkpoint(size),
            recipient: text("the auditor, question 1"),
            nonce: [7; 32],
        }
    }

    /// That Ichi holds at least `bound`.
    fn holding(&mut self, bound: u64) -> Result<Statement, StatementError> {
        let (subject, account, owned) = (self.subject(3), self.account(), self.owned(0, 3));
        let kind = Kind::AtLeast { bound };
        Notes::make(subject, account, kind, (&owned, 0), (&[], 0), &mut self.rng)
    }

    fn verify(&self, statement: &Statement, known: Option<&Known>) -> Result<(), StatementError> {
        let asset = self.asset.terms.asset();
        statement.verify(asset, known, &mut rng(9)).map(drop)
    }
}

fn notes(statement: &mut Statement) -> &mut Notes {
    match &mut statement.content {
        Content::Notes(notes) => notes,
        Content::Register(_) | Content::Holdings(_) | Content::Joint(_) => panic!("of a register"),
    }
}

#[test]
fn a_holding_is_stated_to_its_last_unit_and_verified_offline() {
    let mut world = World::new();
    let statement = world.holding(140).unwrap();
    let bytes = encode(&statement);
    let read: Statement = decode(&bytes, "a statement").unwrap();
    let accepted = read.verify(world.asset.terms.asset(), None, &mut rng(9)).unwrap();
    assert_eq!((accepted.asset, accepted.size), (world.asset.terms.asset(), 3));
    assert_eq!(world.holding(141), Err(StatementError::Unproved(Unproved::Untrue)));
}

#[test]
fn every_byte_of_a_statement_counts() {
    let mut world = World::new();
    let statement = world.holding(100).unwrap();
    let file = Bundle::Statement(Box::new(statement)).to_bytes();
    let expected = world.subject(3);
    assert_every_byte_counts(&file, |file| {
        let Ok(Bundle::Statement(read)) = Bundle::parse(file) else { return false };
        // Whoever verifies knows who it is, and the nonce it gave.
        let addressed = (&read.subject.recipient, read.subject.nonce);
        addressed == (&expected.recipient, expected.nonce) && world.verify(&read, None).is_ok()
    });
}

#[test]
fn shares_and_totals_of_two_parties_are_stated_of_one_checkpoint() {
    let mut world = World::new();
    let (ichi, ni) = (world.owned(0, 3), world.owned(1, 3));
    let subject = world.subject(3);
    let supply = 165;
    for (kind, left, right, clear, holds) in [
        (Kind::Share { numerator: 5, denominator: 6 }, &ichi, &[][..], supply, true),
        (Kind::Share { numerator: 17, denominator: 20 }, &ichi, &[][..], supply, false),
        (Kind::Share { numerator: 1, denominator: 1 }, &ichi, &ni[..], 0, true),
        (Kind::Differ { by: 115 }, &ichi, &ni[..], 0, true),
        (Kind::Differ { by: 0 }, &ichi, &ni[..], 115, true),
        (Kind::Differ { by: 114 }, &ichi, &ni[..], 0, false),
        (Kind::Between { low: 20, high: 30 }, &ni, &[][..], 0, true),
        (Kind::AtMost { bound: 24 }, &ni, &[][..], 0, false),
    ] {
        let made =
            Notes::make(subject.clone(), None, kind, (left, 0), (right, clear), &mut world.rng);
        assert_eq!(made.is_ok(), holds, "{kind:?}");
        if let Ok(statement) = made {
            assert_eq!(world.verify(&statement, None), Ok(()), "{kind:?}");
        }
    }
    // The whole register against what was minted less what was burned.
    let all = [ichi, ni].concat();
    let equal = Kind::Differ { by: 0 };
    let register = Notes::make(subject, None, equal, (&all, 0), (&[], supply), &mut world.rng);
    assert_eq!(world.verify(&register.unwrap(), None), Ok(()));
}

#[test]
fn the_sender_of_notes_can_not_state_that_they_are_its_own() {
    let mut world = World::new();
    let account = world.account();
    let mut owned = world.owned(0, 3);
    let subject = world.subject(3);
    let kind = Kind::AtLeast { bound: 1 };
    // The sender knows the amounts and no secret of the slots.
    owned.iter_mut().for_each(|one| one.secrets = None);
    let made = Notes::make(subject.clone(), account, kind, (&owned, 0), (&[], 0), &mut world.rng);
    assert_eq!(made, Err(StatementError::Holder));
    // With secrets of its own it states something false of these owners.
    let slot = world.ni.slot(&world.asset, 0, &mut rng(3)).secrets;
    owned.iter_mut().for_each(|one| one.secrets = Some(slot.clone()));
    let made = Notes::make(subject, account, kind, (&owned, 0), (&[], 0), &mut world.rng).unwrap();
    let refused = StatementError::Rejected(Rejected::False(sudare_crypto::proof::holder::NAME));
    assert_eq!(world.verify(&made, None), Err(refused));
    // The account's name without proof, and the proof without a name.
    let mut without = world.holding(140).unwrap();
    notes(&mut without).holder = None;
    assert_eq!(world.verify(&without, None), Err(StatementError::Holder));
}

#[test]
fn an_output_counts_once_and_only_where_the_log_has_it() {
    let mut world = World::new();
    let account = world.account();
    let one = world.owned(0, 3)[0].clone();
    let subject = world.subject(3);
    let kind = Kind::AtLeast { bound: 200 };
    let twice = [one.clone(), one.clone()];
    let made = Notes::make(subject.clone(), account, kind, (&twice, 0), (&[], 0), &mut world.rng);
    assert_eq!(world.verify(&made.unwrap(), None), Err(StatementError::Twice(1)));
    let mut moved = one.clone();
    moved.shown.entry = 2;
    let kind = Kind::AtLeast { bound: 1 };
    let made = Notes::make(subject.clone(), account, kind, (&[moved], 0), (&[], 0), &mut world.rng);
    let refused = world.verify(&made.unwrap(), None);
    assert!(matches!(refused, Err(StatementError::NotInLog(0, _))), "{refused:?}");
    let mut other = one;
    other.shown.output = world.owned(1, 3)[0].shown.output.clone();
    other.opening = world.owned(1, 3)[0].opening.clone();
    let made = Notes::make(subject, account, kind, (&[other], 0), (&[], 0), &mut world.rng);
    let refused = world.verify(&made.unwrap(), None);
    assert!(matches!(refused, Err(StatementError::NotInLeg(0, _))), "{refused:?}");
}

#[test]
fn a_statement_of_another_asset_checkpoint_account_recipient_or_nonce_is_refused() {
    let mut world = World::new();
    let honest = world.holding(140).unwrap();
    let other = Asset::new("JP0000000002", &[&[]], &mut rng(4)).terms;
    let refused = honest.verify(other.asset(), None, &mut rng(9)).unwrap_err();
    assert!(matches!(refused, StatementError::OtherAsset { .. }), "{refused}");
    let mut changed = honest.clone();
    changed.subject.core = other.core.clone();
    let refused = changed.verify(other.asset(), None, &mut rng(9)).unwrap_err();
    assert!(matches!(refused, StatementError::Checkpoint(_)), "{refused}");
    let ni = world.ni.account(&world.asset);
    let changes: [fn(&mut Subject); 2] =
        [|subject| subject.recipient = text("somebody else"), |subject| subject.nonce = [8; 32]];
    for change in changes {
        let mut changed = honest.clone();
        change(&mut changed.subject);
        let refused = world.verify(&changed, None);
        assert!(matches!(refused, Err(StatementError::Rejected(_))), "{refused:?}");
    }
    let mut changed = honest.clone();
    notes(&mut changed).account = Some(ni);
    assert!(matches!(world.verify(&changed, None), Err(StatementError::Rejected(_))));
    let mut changed = honest.clone();
    notes(&mut changed).kind = Kind::AtLeast { bound: 141 };
    assert!(matches!(world.verify(&changed, None), Err(StatementError::Rejected(_))));
    // A later checkpoint of the same log, whose paths are right too.
    let mut changed = honest;
    changed.subject.checkpoint = world.checkpoint(2);
    let refused = world.verify(&changed, None);
    assert!(matches!(refused, Err(StatementError::NotInLog(..))), "{refused:?}");
}

#[test]
fn a_stale_checkpoint_a_fork_and_checkpoints_that_nothing_joins_are_told_apart() {
    let mut world = World::new();
    let account = world.account();
    let (subject, owned) = (world.subject(2), world.owned(0, 2));
    let kind = Kind::AtLeast { bound: 140 };
    let old = Notes::make(subject, account, kind, (&owned, 0), (&[], 0), &mut world.rng).unwrap();
    let consistency = world.tree.consistency(2, 3).unwrap();
    let mut known = Known { checkpoint: world.checkpoint(3), consistency, earlier: false };
    let stale = Err(StatementError::Stale { size: 2, known: 3 });
    assert_eq!(world.verify(&old, Some(&known)), stale);
    known.earlier = true;
    assert_eq!(world.verify(&old, Some(&known)), Ok(()));
    known.consistency = ConsistencyProof::default();
    let apart = Err(StatementError::NotJoined(2, 3));
    assert_eq!(world.verify(&old, Some(&known)), apart);
    known.checkpoint = checkpoint(&world.asset, 2, Hash([1; 32]));
    assert_eq!(world.verify(&old, Some(&known)), Err(StatementError::Forked(2)));
    // A reader that is behind the statement.
    let newer = world.holding(140).unwrap();
    let consistency = world.tree.consistency(2, 3).unwrap();
    let behind = Known { checkpoint: world.checkpoint(2), consistency, earlier: false };
    assert_eq!(world.verify(&newer, Some(&behind)), Ok(()));
}

/// Enforces that a second implementation, which the files are from, agrees on all of them.
#[test]
fn statements_are_those_of_the_specification() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/statement.json");
    let text = std::fs::read_to_string(path).unwrap();
    // A changed format breaks statements already made.
    let frozen = Hash::of(b"frozen", &[text.as_bytes()]);
    assert_eq!(frozen.to_string(), FROZEN);
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let bytes = |hex: &serde_json::Value| -> Vec<u8> {
        let hex = hex.as_str().unwrap();
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    };
    let asset = AssetId(Hash(bytes(&vectors["asset"]).try_into().unwrap()));
    let verify = |case: &serde_json::Value| -> Result<Statement, String> {
        let read = match Bundle::parse(&bytes(&case["file"])) {
            Ok(Bundle::Statement(read)) => *read,
            Ok(_) => return Err("another kind".into()),
            Err(error) => return Err(error.to_string()),
        };
        // As `sudare verify` asks first.
        let (recipient, nonce) = (read.subject.recipient.as_str(), read.subject.nonce);
        if recipient != vectors["recipient"] || nonce.as_slice() != bytes(&vectors["nonce"]) {
            return Err("for somebody else".into());
        }
        read.verify(asset, None, &mut rng(9)).map_err(|error| error.to_string())?;
        Ok(read)
    };
    let accepted = vectors["accepted"].as_array().unwrap();
    assert!(accepted.len() > 20);
    for case in accepted {
        let read = verify(case).unwrap_or_else(|error| panic!("{}: {error}", case["why"]));
        let of = match &read.content {
            Content::Notes(_) => "notes",
            Content::Register(_) => "register",
            Content::Holdings(_) => "holdings",
            Content::Joint(_) => "joint",
        };
        assert_eq!(case["shows"]["of"], of, "{}", case["why"]);
        assert_eq!(Bundle::Statement(Box::new(read)).to_bytes(), bytes(&case["file"]));
    }
    let refused = vectors["refused"].as_array().unwrap();
    assert!(refused.len() > 40);
    for case in refused {
        assert!(verify(case).is_err(), "{}", case["why"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn what_is_stated_of_a_holding_is_true(bound in 0..300u64, high in 0..300u64) {
        let mut world = World::new();
    let account = world.account();
        let owned = world.owned(0, 3);
        let subject = world.subject(3);
        let kind = Kind::Between { low: bound, high };
        let made = Notes::make(subject, account, kind, (&owned, 0), (&[], 0), &mut world.rng);
        prop_assert_eq!(made.is_ok(), bound <= 140 && 140 <= high);
        if let Ok(statement) = made {
            prop_assert_eq!(world.verify(&statement, None), Ok(()));
        }
    }
}
