//! Two custodians state that what their customers hold differs by a number, and neither learns more of the other's, whatever files
//! it sends.

use sudare_crypto::encoding::{Version, decode, encode};
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::{Encoded, Hash, NodeKey, Rejected, Scalar, Secret};

use super::super::{Instruction, Registrar};
use super::World;
use crate::bundle::Bundle;
use crate::statement::{
    Agreed, Answer, Answered, Closing, Content, Joint, Offer, Offered, OwnAccount, ShownHeading,
    Statement, StatementError, Subject,
};
use crate::testing::{rng, text};
use crate::tree::SignedCheckpoint;

/// Alice has 150; snapshot 0; 60 of them go to bob and 20 to anna; snapshot 1: alice 70, anna 20, at one custodian, bob 60 at another.
fn world() -> World {
    let mut world = World::new();
    let asset = world.asset();
    world.registrar.instruct(Instruction::Snapshot(asset)).unwrap();
    let usual = world.usual();
    world.settle(&usual);
    let note = world.a.notes[1].clone();
    let second = world.transfer(&[note], &[("anna", 20), ("alice", 30)]);
    world.settle(&second);
    // Carol is registered and has nothing.
    world.register(1, "carol");
    world.registrar.instruct(Instruction::Snapshot(asset)).unwrap();
    world
}

fn size(world: &World) -> u64 {
    Registrar::asset(&world.registrar.kv, world.asset()).unwrap().unwrap().entries
}

fn subject(world: &World) -> Subject {
    let (kv, size) = (&world.registrar.kv, size(world));
    let checkpoint = Registrar::checkpoint_at(kv, world.asset(), size).unwrap().unwrap();
    Subject {
        version: Version,
        core: world.terms.core.clone(),
        checkpoint: SignedCheckpoint::parse(checkpoint.as_bytes()).unwrap(),
        recipient: text("Example Authority"),
        nonce: [7; 32],
    }
}

/// An account in a snapshot, as its custodian has it.
fn own_in(world: &World, name: &str, number: u32) -> (ShownHeading, OwnAccount) {
    let custodian = if name == "bob" { &world.b } else { &world.a };
    let (asset, kv) = (world.asset(), &world.registrar.kv);
    let account = custodian.account(asset, name);
    let shown = Registrar::shown_leaf(kv, (asset, account), number, size(world)).unwrap().unwrap();
    let opening = shown.holding.map(|(value, blinding)| Opening { value, blinding: blinding.0 });
    let key = custodian.investor(name).account(asset);
    (shown.shown, OwnAccount { located: shown.located, opening, key })
}

fn own(world: &World, names: &[&str]) -> Vec<OwnAccount> {
    names.iter().map(|name| own_in(world, name, 1).1).collect()
}

fn agreed(world: &World, by: u64) -> Agreed {
    Agreed { snapshot: own_in(world, "bob", 1).0, by }
}

fn offered(world: &World, names: &[&str], by: u64) -> Offered {
    Offer::make(subject(world), agreed(world, by), own(world, names), &mut rng(1)).unwrap()
}

fn answered(world: &World, offered: &Offered, names: &[&str]) -> Answered {
    offered.offer().clone().answer(own(world, names), &mut rng(2)).unwrap()
}

/// What both make of it.
fn state(
    world: &World,
    left: &[&str],
    right: &[&str],
    by: u64,
) -> Result<Statement, StatementError> {
    let mut offered = offered(world, left, by);
    let answered = answered(world, &offered, right);
    let closing = offered.close(answered.answer(), &mut rng(3))?;
    answered.finish(&closing, &mut rng(4))
}

fn verify(world: &World, statement: &Statement) -> Result<(), StatementError> {
    statement.verify(world.asset(), None, &mut rng(6)).map(drop)
}

#[test]
fn two_custodians_state_a_difference_without_the_registrar_and_only_a_true_one() {
    let world = world();
    for (left, right, by) in [
        (&["alice"][..], &["bob"][..], 10),
        (&["alice", "anna"], &["bob"], 30),
        // Whoever was never there holds nothing and counts as that.
        (&["bob"], &["anna", "carol"], 40),
    ] {
        let statement = state(&world, left, right, by).unwrap();
        let file = Bundle::Statement(Box::new(statement)).to_bytes();
        let Ok(Bundle::Statement(read)) = Bundle::parse(&file) else { panic!("no statement") };
        assert_eq!(verify(&world, &read), Ok(()));
        assert_eq!(read.accounts().len(), left.len() + right.len());
        for wrong in [by - 1, by + 1, 0, u64::MAX] {
            let refused = state(&world, left, right, wrong);
            assert_eq!(refused.err(), Some(StatementError::Differ(wrong)), "{left:?} {right:?}");
        }
    }
    // The smaller total has to be on the right.
    assert_eq!(state(&world, &["bob"], &["alice"], 10).err(), Some(StatementError::Differ(10)));
}

#[test]
fn every_byte_of_a_joint_statement_counts() {
    let world = world();
    let statement = state(&world, &["alice"], &["bob"], 10).unwrap();
    let file = Bundle::Statement(Box::new(statement)).to_bytes();
    let holds = |file: &[u8]| match Bundle::parse(file) {
        Ok(Bundle::Statement(statement)) => verify(&world, &statement).is_ok(),
        _ => false,
    };
    assert!(holds(&file));
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1 << (at % 8);
        // Signature lines of others on a checkpoint are ignored by who reads it (specs/logs.md); there is none here.
        assert!(!holds(&changed), "byte {at}");
    }
    assert!(!holds(&file[..file.len() - 1]) && !holds(&[&file[..], &[0]].concat()));
}

fn joint(statement: &mut Statement) -> &mut Joint {
    let Content::Joint(joint) = &mut statement.content else { panic!("not joint") };
    joint
}

#[test]
fn parts_of_other_statements_sides_or_accounts_do_not_fit_together() {
    let world = world();
    let honest = state(&world, &["alice"], &["bob"], 10).unwrap();
    let refused = |change: &dyn Fn(&mut Statement)| {
        let mut statement = honest.clone();
        change(&mut statement);
        verify(&world, &statement).unwrap_err()
    };
    let is_false = |error: StatementError| matches!(error, StatementError::Rejected(_));
    let other = state(&world, &["alice", "anna"], &["bob"], 30).unwrap();
    let parts = |statement: &Statement| joint(&mut statement.clone()).clone();
    assert!(is_false(refused(&|it| joint(it).left = parts(&other).left)));
    assert!(is_false(refused(&|it| joint(it).proof = parts(&other).proof)));
    assert!(is_false(refused(&|it| joint(it).agreed.by = 11)));
    assert!(is_false(refused(&|it| {
        let Joint { left, right, .. } = joint(it);
        std::mem::swap(left, right);
    })));
    // Made for another reader, question or checkpoint.
    assert!(is_false(refused(&|it| it.subject.recipient = text("Another Authority"))));
    assert!(is_false(refused(&|it| it.subject.nonce[0] ^= 1)));
    // An account twice, on one side or on both; without proofs of their places; or nobody's.
    assert_eq!(refused(&|it| joint(it).right = parts(&honest).left), StatementError::Twice(0));
    assert_eq!(
        refused(&|it| joint(it).left.locators = Vec::new().try_into().unwrap()),
        StatementError::Locators
    );
    let none = Vec::new();
    assert_eq!(
        refused(&|it| {
            joint(it).left.accounts = none.clone().try_into().unwrap();
            joint(it).left.locators = Vec::new().try_into().unwrap();
        }),
        StatementError::Rejected(Rejected::Nothing)
    );
    let twice = offer_of(&world, own(&world, &["alice", "alice"]));
    assert_eq!(twice, Some(StatementError::Twice(1)));
    let nobody = offer_of(&world, own(&world, &["carol"]));
    assert_eq!(nobody, Some(StatementError::Rejected(Rejected::Nothing)));
}

fn offer_of(world: &World, accounts: Vec<OwnAccount>) -> Option<StatementError> {
    Offer::make(subject(world), agreed(world, 0), accounts, &mut rng(1)).err()
}

#[test]
fn only_who_holds_the_accounts_keys_offers_or_answers() {
    let world = world();
    let with_key = |name: &str, key: &str| {
        let own = own_in(&world, name, 1).1;
        OwnAccount { key: own_in(&world, key, 1).1.key, ..own }
    };
    let stolen = offer_of(&world, vec![with_key("bob", "alice")]);
    assert!(matches!(stolen, Some(StatementError::Rejected(_))), "{stolen:?}");
    let offered = offered(&world, &["alice"], 10);
    let answer = offered.offer().clone().answer(vec![with_key("bob", "alice")], &mut rng(2));
    assert!(matches!(answer.err(), Some(StatementError::Rejected(_))));
    // Nor does anybody answer with an account of the other side, or with another opening than the leaf's.
    let same = offered.offer().clone().answer(own(&world, &["alice"]), &mut rng(2));
    assert_eq!(same.err(), Some(StatementError::Twice(0)));
    let mut lie = own(&world, &["bob"]);
    lie[0].opening = Some(Opening { value: 70, blinding: Scalar::ONE });
    assert!(offered.offer().clone().answer(lie, &mut rng(2)).is_err());
    // Another snapshot than the leaves'.
    let earlier = Agreed { snapshot: own_in(&world, "alice", 0).0, by: 0 };
    let apart = Offer::make(subject(&world), earlier, own(&world, &["alice"]), &mut rng(1));
    assert!(matches!(apart.err(), Some(StatementError::NotThere(_))));
}

/// An answer as bob's custodian sends it, changed by him, and what alice's makes of it.
fn answer_with(world: &World, change: impl FnOnce(&mut Answer)) -> Result<Closing, StatementError> {
    let mut offered = offered(world, &["alice"], 10);
    let mut answer = answered(world, &offered, &["bob"]).answer().clone();
    change(&mut answer);
    offered.close(&answer, &mut rng(3))
}

#[test]
fn nothing_is_closed_but_a_right_answer_to_the_offer() {
    let world = world();
    assert!(answer_with(&world, |_| ()).is_ok());
    let is_false = |result: Result<Closing, StatementError>| {
        assert!(matches!(result.err(), Some(StatementError::Rejected(_))));
    };
    let other = answered(&world, &offered(&world, &["alice"], 11), &["bob"]).answer().clone();
    is_false(answer_with(&world, |it| it.masked = other.masked.clone()));
    is_false(answer_with(&world, |it| it.proof = other.proof.clone()));
    is_false(answer_with(&world, |it| {
        (it.masked, it.proof) = (other.masked.clone(), other.proof.clone());
    }));
    is_false(answer_with(&world, |it| it.right = other.right.clone()));
    is_false(answer_with(&world, |it| it.nonce = other.nonce));
    assert_eq!(answer_with(&world, |it| it.offer = Hash([1; 32])), Err(StatementError::OtherFile));
    // What would be equal to everything does not even decode.
    let bytes = encode(&other);
    let mask = encode(&other.masked);
    let at = bytes.windows(mask.len()).position(|window| window == mask).unwrap();
    for place in 0..3 {
        let mut zero = bytes.clone();
        zero[at + 32 * place..at + 32 * (place + 1)].fill(0);
        assert!(decode::<Answer>(&zero, "an answer").is_err());
    }
    // Of totals that are not as was offered, nothing is closed, however right the answer is.
    let mut first = offered(&world, &["alice"], 11);
    let answer = answered(&world, &first, &["bob"]).answer().clone();
    assert_eq!(first.close(&answer, &mut rng(3)), Err(StatementError::Differ(11)));
}

#[test]
fn an_offer_closes_with_one_answer_and_with_that_always_alike() {
    let world = world();
    let mut first = offered(&world, &["alice"], 10);
    let one = first.offer().clone().answer(own(&world, &["bob"]), &mut rng(2)).unwrap();
    let two = first.offer().clone().answer(own(&world, &["bob"]), &mut rng(12)).unwrap();
    // A wrong answer before doesn't use it up.
    let mut wrong = one.answer().clone();
    wrong.nonce = two.answer().nonce;
    assert!(first.close(&wrong, &mut rng(3)).is_err());
    let closing = first.close(one.answer(), &mut rng(3)).unwrap();
    // It is kept in a file between.
    let mut kept: Offered = decode(&encode(&first), "what was offered").unwrap();
    assert_eq!(kept.close(one.answer(), &mut rng(30)), Ok(closing.clone()));
    assert_eq!(kept.close(two.answer(), &mut rng(3)), Err(StatementError::Closed));
    let kept: Answered = decode(&encode(&one), "what was answered").unwrap();
    let (this, that) = (kept.finish(&closing, &mut rng(4)), one.finish(&closing, &mut rng(5)));
    assert_eq!(this, that);
    assert!(this.is_ok());
}

#[test]
fn a_closing_with_another_nonce_or_share_than_is_due_is_refused() {
    let world = world();
    let mut offered = offered(&world, &["alice"], 10);
    let answered = answered(&world, &offered, &["bob"]);
    let closing = offered.close(answered.answer(), &mut rng(3)).unwrap();
    let finish = |change: &dyn Fn(&mut Closing)| {
        let mut changed = closing.clone();
        change(&mut changed);
        answered.finish(&changed, &mut rng(4)).map(drop)
    };
    assert_eq!(finish(&|_| ()), Ok(()));
    let shifted = Encoded::of(&(closing.nonce.decompress().unwrap() + sudare_crypto::point::B));
    assert_eq!(finish(&|it| it.nonce = shifted), Err(StatementError::Nonce));
    assert_eq!(finish(&|it| it.response = Secret(Scalar::ONE)), Err(StatementError::Share));
    assert_eq!(finish(&|it| it.answer = Hash([1; 32])), Err(StatementError::OtherFile));
}

#[test]
fn an_offer_that_does_not_hold_is_not_answered() {
    let world = world();
    let honest = offered(&world, &["alice"], 10).offer().clone();
    let answer = |change: &dyn Fn(&mut Offer)| {
        let mut changed = honest.clone();
        change(&mut changed);
        changed.answer(own(&world, &["bob"]), &mut rng(2)).err()
    };
    assert_eq!(answer(&|_| ()), None);
    let is_false = |error: Option<StatementError>| {
        assert!(matches!(error, Some(StatementError::Rejected(_))), "{error:?}");
    };
    is_false(answer(&|it| it.agreed.by = 11));
    is_false(answer(&|it| it.subject.nonce[0] ^= 1));
    is_false(answer(&|it| it.subject.recipient = text("Another Authority")));
    let moved = answer(&|it| it.agreed.snapshot.place.entry -= 1);
    assert!(matches!(moved, Some(StatementError::SnapshotNotInLog(..))));
    let stranger = NodeKey::from_seed(&[9; 32]);
    let unsigned = answer(&|it| it.subject.core.registrar = stranger.id());
    assert!(matches!(unsigned, Some(StatementError::Checkpoint(_))), "{unsigned:?}");
    let asset = crate::testing::Network::new().terms("OTHER", &[crate::testing::NOW], &mut rng(9));
    let check = honest.check(asset.asset(), &mut rng(2));
    assert!(matches!(check, Err(StatementError::OtherAsset { .. })));
}
