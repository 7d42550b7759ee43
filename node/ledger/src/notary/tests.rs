use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sudare_crypto::proof::tag::{self, SpendKey};
use sudare_crypto::{Bounded, NodeSignature};

use super::*;
use crate::kv::MemoryKv;
use crate::messages::TagOpening;
use crate::role::ALARMS;
use crate::transaction::{
    Commit, LegRef, PART_TAGS_MAX, TAGS_MAX, Transaction, join_tags, tag_hash,
};
use crate::tree::{TreeError, leaf_hash as leaf};

const NETWORK: Hash = Hash([9; 32]);
const FROM: u64 = 1_000_000;
const UNTIL: u64 = 1_030_000;
const WINDOW: Window = Window { from: FROM, until: UNTIL };

#[test]
fn a_commit_with_all_its_tags_gets_a_receipt_that_proves_it() {
    scenario(|desk| {
        let commit = Split::new(1, &[2]).window(WINDOW);
        desk.now = FROM;
        let receipt = desk.notarised(ALICE, &commit.part(0));
        assert!(receipt.is_of(&commit.commit));
        assert_eq!((receipt.index, receipt.entry.time), (0, FROM));
        desk.spent(&commit, Some(0));
        let checkpoint = desk.notary.checkpoint(&desk.kv, 1).unwrap();
        let name = Notary::log_name(NETWORK, notary_id()).unwrap();
        let checkpoint = checkpoint.open(&name, &notary_id()).unwrap();
        let m = commit.commit.id().unwrap();
        let (entry, index, proof) = Notary::inclusion(&desk.kv, m, 1).unwrap().unwrap();
        assert_eq!(entry, receipt.entry);
        let hash = leaf(&encode(&entry));
        assert_eq!(proof.verify(&hash, index, checkpoint.size, &checkpoint.root), Ok(()));
    });
}

#[test]
fn of_two_commits_of_one_tag_the_first_is_recorded_and_the_other_told_only_that_it_is_spent() {
    for swapped in [false, true] {
        scenario(|desk| {
            let keys = keys(1, 2);
            let mut commits = [Split::of(1, vec![keys.clone()]), Split::of(2, vec![keys])];
            if swapped {
                commits.reverse();
            }
            let [first, second] = commits;
            desk.notarised(ALICE, &first.part(0));
            desk.not_recorded(BOB, &second.part(0), Reason::Spent);
            desk.not_recorded(ALICE, &second.part(0), Reason::Spent);
            assert_eq!(Notary::size(&desk.kv).unwrap(), 1);
            desk.valid_commit_still_works();
        });
    }
}

#[test]
fn two_commits_that_share_one_of_their_tags_are_not_both_recorded() {
    scenario(|desk| {
        let (mut ours, mut theirs) = (keys(1, 4), keys(2, 4));
        theirs[3] = ours[0].clone();
        ours.rotate_left(1);
        let (first, second) = (Split::of(1, vec![ours]), Split::of(2, vec![theirs]));
        desk.notarised(ALICE, &first.part(0));
        desk.not_recorded(BOB, &second.part(0), Reason::Spent);
        // None of the other three tags was spent: they are good for another commit.
        let rest = Split::of(3, vec![keys(2, 4)[..2].to_vec()]);
        desk.notarised(BOB, &rest.part(0));
    });
}

#[test]
fn a_repeated_part_gets_the_same_receipt_even_after_its_window() {
    scenario(|desk| {
        let commit = Split::new(1, &[1]);
        let receipt = desk.notarised(ALICE, &commit.part(0));
        for now in [FROM + 1, UNTIL, UNTIL + 1_000_000] {
            desk.now = now;
            assert_eq!(desk.notarised(ALICE, &commit.part(0)), receipt);
            assert_eq!(desk.notarised(BOB, &commit.part(0)), receipt);
        }
        assert_eq!(Notary::size(&desk.kv).unwrap(), 1);
    });
}

#[test]
fn half_a_commit_spends_nothing_and_the_last_part_answers_all() {
    scenario(|desk| {
        let commit = Split::new(1, &[2, 1]);
        desk.waits(ALICE, &commit.part(0));
        desk.waits(ALICE, &commit.part(0));
        desk.spent(&commit, None);
        assert_eq!(Notary::pending_of(&desk.kv, ALICE).unwrap(), 1);
        let m = commit.commit.id().unwrap();
        assert_eq!(Notary::pending(&desk.kv, None, 9).unwrap(), [(m, 2)]);
        assert_eq!(desk.sends(BOB, &commit.part(1)), Ok(()));
        let answers = desk.take();
        let receipt = Notary::receipt(&desk.kv, commit.tx()).unwrap().unwrap();
        let expected = [ALICE, BOB].map(|to| (to, Message::Notarised(receipt)));
        assert_eq!(answers, expected);
        assert_eq!(Notary::pending_of(&desk.kv, ALICE).unwrap(), 0);
        assert!(ALARMS.rows(&desk.kv, None, 1).unwrap().is_empty());
        desk.spent(&commit, Some(0));
        // The other order records the same tags.
        assert_eq!(desk.notarised(ALICE, &commit.part(0)), receipt);
    });
}

#[test]
fn a_waiting_commit_keeps_nobody_from_spending_its_tags() {
    scenario(|desk| {
        let (own, other) = (keys(1, 1), keys(2, 1));
        let half = Split::of(1, vec![own.clone(), other]);
        desk.waits(ALICE, &half.part(0));
        let alone = Split::of(2, vec![own]);
        desk.notarised(ALICE, &alone.part(0));
        // The co-signer comes too late: its own tag is not spent, both are told.
        assert_eq!(desk.sends(BOB, &half.part(1)), Ok(()));
        let spent = Message::NotRecorded { tx: half.tx(), reason: Reason::Spent };
        assert_eq!(desk.take(), [(ALICE, spent.clone()), (BOB, spent)]);
        let retry = Split::of(3, vec![keys(2, 1)]);
        desk.notarised(BOB, &retry.part(0));
    });
}

#[test]
fn a_window_begins_and_ends_on_its_bounds_by_the_notarys_clock() {
    for (now, good) in
        [(FROM - 1, false), (FROM, true), (UNTIL - 1, true), (UNTIL, false), (u64::MAX, false)]
    {
        scenario(|desk| {
            desk.now = now;
            let commit = Split::new(1, &[1]);
            if good {
                desk.notarised(ALICE, &commit.part(0));
            } else {
                desk.not_recorded(ALICE, &commit.part(0), Reason::Window);
                desk.spent(&commit, None);
            }
        });
    }
    for window in [
        Window { from: FROM, until: FROM },
        Window { from: UNTIL, until: FROM },
        Window { from: FROM + 1, until: UNTIL },
        Window { from: FROM, until: UNTIL + 1 },
    ] {
        scenario(|desk| {
            let commit = Split::new(1, &[1]).window(window);
            desk.not_recorded(ALICE, &commit.part(0), Reason::Window);
            desk.valid_commit_still_works();
        });
    }
}

#[test]
fn an_unfinished_commit_lapses_with_its_window_and_a_late_co_signer_spends_nothing() {
    scenario(|desk| {
        let commit = Split::new(1, &[1, 1]);
        desk.waits(ALICE, &commit.part(0));
        desk.tick(UNTIL - 1);
        assert_eq!(desk.take(), []);
        desk.tick(UNTIL);
        let lapsed = Message::NotRecorded { tx: commit.tx(), reason: Reason::Lapsed };
        assert_eq!(desk.take(), [(ALICE, lapsed)]);
        assert_eq!(Notary::pending_of(&desk.kv, ALICE).unwrap(), 0);
        desk.not_recorded(BOB, &commit.part(1), Reason::Window);
        desk.spent(&commit, None);
        assert_eq!(Notary::size(&desk.kv).unwrap(), 0);
    });
}

#[test]
fn a_part_is_verified_within_its_window_or_spends_nothing() {
    scenario(|desk| {
        let commit = Split::new(1, &[1]);
        desk.now = UNTIL - 1;
        desk.says(ALICE, Message::Notarise(commit.part(0))).unwrap();
        desk.now = UNTIL;
        desk.work();
        let window = Message::NotRecorded { tx: commit.tx(), reason: Reason::Window };
        assert_eq!(desk.take(), [(ALICE, window)]);
        desk.spent(&commit, None);
    });
}

#[test]
fn of_parts_that_wait_together_the_bad_ones_are_refused_alone_and_the_rest_is_recorded() {
    for bad in [&[4][..], &[0, 9], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]] {
        scenario(|desk| {
            let commits: Vec<Split> = (0..10).map(|number| Split::new(number, &[2])).collect();
            for (number, commit) in commits.iter().enumerate() {
                let mut part = commit.part(0);
                if bad.contains(&number) {
                    edit(&mut part.openings, |o| o[0].signature = o[1].signature.clone());
                }
                desk.says(ALICE, Message::Notarise(part)).unwrap();
            }
            assert_eq!(desk.work(), 10);
            let answers = desk.take();
            assert_eq!(answers.len(), 10);
            for (number, commit) in commits.iter().enumerate() {
                let (about, (to, answer)) = (commit.tx(), answers[number].clone());
                assert_eq!(to, ALICE);
                if bad.contains(&number) {
                    let reason = Reason::Signature;
                    assert_eq!(answer, Message::NotRecorded { tx: about, reason });
                    assert_eq!(Notary::receipt(&desk.kv, about).unwrap(), None);
                    // It has spoilt nothing: the part as it should be is taken.
                    desk.notarised(ALICE, &commit.part(0));
                } else {
                    let receipt = Notary::receipt(&desk.kv, about).unwrap().unwrap();
                    assert_eq!(answer, Message::Notarised(receipt));
                }
            }
        });
    }
}

#[test]
fn parts_that_are_being_checked_are_bounded_for_each_node() {
    let desk = &mut Desk::new();
    let part = Split::new(1, &[1, 1]).part(0);
    for _ in 0..CHECKING_PER_NODE_MAX {
        desk.says(ALICE, Message::Notarise(part.clone())).unwrap();
    }
    assert_eq!(desk.says(ALICE, Message::Notarise(part.clone())), Err(Reason::TooLarge));
    assert_eq!(desk.says(BOB, Message::Notarise(part.clone())), Ok(()));
    desk.work();
    assert_eq!(desk.says(ALICE, Message::Notarise(part)), Ok(()));
}

#[test]
fn a_large_part_is_verified_by_itself_so_that_no_small_one_waits_for_its_batch() {
    let lane = |tags| {
        let part = Split::new(1, &[tags]).part(0);
        let part = Part::of(part, ALICE, NETWORK, notary_id()).unwrap();
        Desk::new().notary.lane(&Job::Check(Box::new(part)))
    };
    assert_eq!([1, 2, 16].map(lane), [Lane::Gathered; 3]);
    assert_eq!([32, 64].map(lane), [Lane::Prompt; 2]);
}

/// A way to spoil a part.
type Lie = fn(&mut NotaryPart);

#[test]
fn every_lie_about_the_tag_list_is_refused() {
    let lies: [(&str, Lie, Reason); 11] = [
        ("an empty list", |part| part.tags = Bounded::default(), Reason::Malformed),
        (
            "a list out of order",
            |part| edit(&mut part.tags, |tags| tags.reverse()),
            Reason::Malformed,
        ),
        (
            "a hash twice",
            |part| edit(&mut part.tags, |tags| tags.insert(1, tags[0])),
            Reason::Malformed,
        ),
        (
            "a hash more, so another transaction",
            |part| edit(&mut part.tags, |tags| tags.push(Hash([0xff; 32]))),
            Reason::Signature,
        ),
        ("a hash less", |part| edit(&mut part.tags, |tags| tags.truncate(3)), Reason::Malformed),
        ("no openings", |part| part.openings = Bounded::default(), Reason::Malformed),
        (
            "three openings",
            |part| edit(&mut part.openings, |openings| openings.truncate(3)),
            Reason::Malformed,
        ),
        (
            "an opening twice",
            |part| edit(&mut part.openings, |openings| openings[1] = openings[0].clone()),
            Reason::Malformed,
        ),
        ("another salt", |part| edit(&mut part.openings, |o| o[0].salt[0] ^= 1), Reason::Malformed),
        (
            "a tag that is not in the list",
            |part| edit(&mut part.openings, |o| o[0].tag = keys(77, 1)[0].tag()),
            Reason::Malformed,
        ),
        (
            "the signature of another tag",
            |part| edit(&mut part.openings, |o| o[0].signature = o[1].signature.clone()),
            Reason::Signature,
        ),
    ];
    for (what, lie, reason) in lies {
        scenario(|desk| {
            let commit = Split::new(1, &[4]);
            let mut part = commit.part(0);
            lie(&mut part);
            if reason == Reason::Signature {
                desk.not_recorded(ALICE, &part, reason);
            } else {
                assert_eq!(desk.sends(ALICE, &part), Err(reason), "{what}");
                assert_eq!(desk.take(), []);
                assert_eq!(desk.kv.pairs().count(), 0, "{what}");
            }
            assert_eq!(Notary::pending(&desk.kv, None, 1).unwrap(), [], "{what}");
            desk.notarised(ALICE, &commit.part(0));
        });
    }
}

#[test]
fn one_tag_under_two_salts_never_counts_twice() {
    scenario(|desk| {
        let key = keys(1, 1);
        let within = Split::of(1, vec![[key.clone(), key.clone()].concat()]);
        assert_eq!(desk.sends(ALICE, &within.part(0)), Err(Reason::Malformed));
        let across = Split::of(2, vec![key.clone(), key.clone()]);
        desk.waits(ALICE, &across.part(0));
        desk.not_recorded(BOB, &across.part(1), Reason::Malformed);
        desk.notarised(ALICE, &Split::of(3, vec![key]).part(0));
    });
}

#[test]
fn a_part_for_another_network_notary_window_leg_or_approval_is_signed_for_nothing_here() {
    let others: [(&str, Lie); 3] = [
        ("window", |part| part.window.until += 1_000),
        ("legs", |part| part.legs_root = Hash([1; 32])),
        ("approvals", |part| part.approvals_root = Hash([1; 32])),
    ];
    for (what, change) in others {
        scenario(|desk| {
            let mut part = Split::new(1, &[1]).part(0);
            change(&mut part);
            desk.not_recorded(ALICE, &part, Reason::Signature);
            assert_eq!(Notary::size(&desk.kv).unwrap(), 0, "{what}");
        });
    }
    scenario(|desk| {
        let foreign = Split::new(1, &[1]).network(Hash([8; 32]));
        desk.not_recorded(ALICE, &foreign.part(0), Reason::Signature);
        let other = Split::new(1, &[1]).notary(ALICE);
        desk.not_recorded(ALICE, &other.part(0), Reason::Signature);
        desk.valid_commit_still_works();
    });
}

#[test]
fn knowing_a_tag_spends_nothing_and_tells_nothing() {
    scenario(|desk| {
        let commit = Split::new(1, &[1]);
        desk.notarised(ALICE, &commit.part(0));
        // Whoever saw the tag can't find out that it is spent, for the signature comes first.
        let mut probe = Split::new(2, &[1]).part(0);
        let tag = commit.part(0).openings[0].tag;
        edit(&mut probe.openings, |openings| openings[0].tag = tag);
        let hash = tag_hash(&probe.openings[0].salt, &tag);
        edit(&mut probe.tags, |tags| tags[0] = hash);
        desk.not_recorded(BOB, &probe, Reason::Signature);
    });
}

#[test]
fn the_largest_commit_is_recorded() {
    scenario(|desk| {
        let commit = Split::new(1, &[PART_TAGS_MAX; 4]);
        assert_eq!(commit.part(0).tags.len(), TAGS_MAX);
        for (part, from) in [(0, ALICE), (1, BOB), (2, CAROL)] {
            desk.waits(from, &commit.part(part));
        }
        assert_eq!(desk.sends(DAVE, &commit.part(3)), Ok(()));
        assert_eq!(desk.take().len(), 4);
        desk.spent(&commit, Some(0));
    });
}

#[test]
fn absence_is_signed_only_after_the_window() {
    scenario(|desk| {
        let commit = Split::new(1, &[1, 1]);
        let ask = Message::AskAbsence { tx: commit.tx(), window: WINDOW };
        assert_eq!(desk.says(ALICE, ask.clone()), Ok(()));
        assert_eq!(desk.says(ALICE, ask.clone()), Ok(()));
        desk.tick(UNTIL - 1);
        assert_eq!(desk.take(), []);
        desk.tick(UNTIL);
        let absent = Absence::sign(NETWORK, commit.tx(), 0, UNTIL, &notary_key());
        assert_eq!(desk.take(), [(ALICE, Message::Absent(absent))]);
        assert!(absent.is_valid(NETWORK, notary_id(), UNTIL));
        assert!(!absent.is_valid(NETWORK, notary_id(), UNTIL + 1));
        desk.now = UNTIL + 5;
        assert_eq!(desk.says(BOB, ask), Ok(()));
        let later = Absence::sign(NETWORK, commit.tx(), 0, UNTIL + 5, &notary_key());
        assert_eq!(desk.take(), [(BOB, Message::Absent(later))]);
        // After its absence nothing of it can be recorded.
        desk.not_recorded(ALICE, &commit.part(0), Reason::Window);
    });
}

#[test]
fn who_asks_about_a_recorded_transaction_gets_its_receipt() {
    scenario(|desk| {
        let commit = Split::new(1, &[1]);
        let ask = |window| Message::AskAbsence { tx: commit.tx(), window };
        assert_eq!(desk.says(BOB, ask(WINDOW)), Ok(()));
        let receipt = desk.notarised(ALICE, &commit.part(0));
        assert_eq!(desk.says(CAROL, ask(WINDOW)), Ok(()));
        assert_eq!(desk.take(), [(CAROL, Message::Notarised(receipt))]);
        desk.tick(UNTIL);
        assert_eq!(desk.take(), [(BOB, Message::Notarised(receipt))]);
        // A made-up window does not turn it into an absence.
        assert_eq!(desk.says(BOB, ask(Window { from: 0, until: 1_000 })), Ok(()));
        assert_eq!(desk.take(), [(BOB, Message::Notarised(receipt))]);
    });
}

#[test]
fn an_absence_got_with_a_made_up_window_is_worth_nothing_for_the_true_one() {
    scenario(|desk| {
        let commit = Split::new(1, &[1]);
        let early = Window { from: 0, until: 1_000 };
        assert_eq!(desk.says(BOB, Message::AskAbsence { tx: commit.tx(), window: early }), Ok(()));
        let answers = desk.take();
        let [(BOB, Message::Absent(absent))] = answers.as_slice() else { panic!("{answers:?}") };
        assert!(!absent.is_valid(NETWORK, notary_id(), UNTIL));
        desk.notarised(ALICE, &commit.part(0));
    });
}

#[test]
fn a_question_with_two_windows_or_none_is_refused() {
    scenario(|desk| {
        let tx = Split::new(1, &[1]).tx();
        let ask = |window| Message::AskAbsence { tx, window };
        let backwards = Window { from: UNTIL, until: FROM };
        assert_eq!(desk.says(ALICE, ask(backwards)), Err(Reason::Malformed));
        assert_eq!(desk.says(ALICE, ask(WINDOW)), Ok(()));
        let longer = Window { from: FROM, until: UNTIL + 1_000 };
        assert_eq!(desk.says(ALICE, ask(longer)), Err(Reason::Window));
        assert_eq!(desk.says(BOB, ask(longer)), Ok(()));
        desk.tick(UNTIL);
        assert_eq!(desk.take().len(), 1);
        desk.tick(UNTIL + 1_000);
        assert_eq!(desk.take().len(), 1);
        assert!(ALARMS.rows(&desk.kv, None, 1).unwrap().is_empty());
    });
}

#[test]
fn what_waits_is_bounded_for_each_node_and_freed_by_the_window() {
    let desk = &mut Desk::new();
    let half = |number: u64| Split::new(number, &[1, 1]);
    for number in 0..PENDING_PER_NODE_MAX {
        desk.waits(ALICE, &half(number).part(0));
    }
    let next = half(PENDING_PER_NODE_MAX);
    desk.not_recorded(ALICE, &next.part(0), Reason::TooLarge);
    // What completes a commit needs no room, and other nodes have their own.
    desk.waits(BOB, &next.part(0));
    assert_eq!(desk.sends(ALICE, &next.part(1)), Ok(()));
    assert_eq!(desk.take().len(), 2);
    for number in 0..QUESTIONS_PER_NODE_MAX {
        let tx = TxId(Hash::of(b"question", &[&number.to_le_bytes()]));
        assert_eq!(desk.says(ALICE, Message::AskAbsence { tx, window: WINDOW }), Ok(()));
    }
    let one_more = Message::AskAbsence { tx: next.tx(), window: WINDOW };
    assert_eq!(desk.says(BOB, one_more.clone()), Ok(()));
    let unknown = Message::AskAbsence { tx: TxId(NETWORK), window: WINDOW };
    assert_eq!(desk.says(ALICE, unknown.clone()), Err(Reason::TooLarge));
    while !ALARMS.rows(&desk.kv, None, 1).unwrap().is_empty() {
        desk.tick(UNTIL);
    }
    assert_eq!(Notary::pending_of(&desk.kv, ALICE).unwrap(), 0);
    assert_eq!(Notary::pending(&desk.kv, None, 1).unwrap(), []);
    assert_eq!(desk.says(ALICE, unknown), Ok(()));
}

#[test]
fn other_messages_are_not_for_a_notary() {
    scenario(|desk| {
        let asset = sudare_disclosure::AssetId(Hash([1; 32]));
        assert_eq!(desk.says(ALICE, Message::AskTerms(asset)), Err(Reason::WrongRole));
    });
}

#[test]
fn the_tables_hold_no_salt_or_root_of_a_part() {
    scenario(|desk| {
        let commit = Split::new(1, &[2, 1]);
        let (first, second) = (commit.part(0), commit.part(1));
        desk.says(ALICE, Message::Notarise(first.clone())).unwrap();
        desk.never_holds(&first);
        desk.work();
        desk.never_holds(&first);
        assert_eq!(desk.sends(BOB, &second), Ok(()));
        desk.never_holds(&first);
        desk.never_holds(&second);
        desk.take();
    });
}

#[test]
fn a_spend_signature_is_given_for_the_tags_of_a_recorded_transaction_only() {
    scenario(|desk| {
        let (commit, other) = (Split::new(1, &[2, 1]), Split::new(2, &[1]));
        let tags: Vec<_> = commit.keys[0].iter().map(SpendKey::tag).collect();
        let foreign = other.keys[0][0].tag();
        let about = commit.tx();
        let ask = |tags: &[_]| Message::AskSignatures {
            tx: about,
            tags: tags.to_vec().try_into().unwrap(),
        };
        desk.waits(ALICE, &commit.part(0));
        // What waits is not recorded.
        assert_eq!(desk.says(CAROL, ask(&tags)), Err(Reason::NoMatch));
        assert_eq!(desk.sends(BOB, &commit.part(1)), Ok(()));
        desk.take();
        desk.notarised(ALICE, &other.part(0));
        assert_eq!(desk.says(CAROL, ask(&[foreign])), Err(Reason::NoMatch));
        assert_eq!(desk.says(CAROL, ask(&[tags[0], foreign])), Err(Reason::NoMatch));
        assert_eq!(desk.take(), []);
        assert_eq!(desk.says(CAROL, ask(&tags)), Ok(()));
        let openings = commit.part(0).openings;
        let signature = |tag| {
            let mut found = openings.iter().filter(|opening| opening.tag == tag);
            (tag, found.next().unwrap().signature.clone())
        };
        let signatures: Vec<_> = tags.iter().map(|tag| signature(*tag)).collect();
        let signatures = signatures.try_into().unwrap();
        assert_eq!(desk.take(), [(CAROL, Message::Signatures { tx: about, signatures })]);
    });
}

#[test]
fn the_log_only_grows_and_every_size_of_it_can_be_shown() {
    scenario(|desk| {
        for number in 0..5 {
            desk.notarised(ALICE, &Split::new(number, &[1]).part(0));
        }
        let (network, id) = (NETWORK, notary_id());
        let name = Notary::log_name(network, id).unwrap();
        let at = |size| desk.notary.checkpoint(&desk.kv, size).unwrap();
        let (old, new) = (at(2), at(5));
        let (old, new) = (old.open(&name, &id).unwrap(), new.open(&name, &id).unwrap());
        let proof = Notary::consistency(&desk.kv, 2, 5).unwrap();
        assert_eq!(proof.verify(2, &old.root, 5, &new.root), Ok(()));
        let missing = crate::tree::LogError::Tree(TreeError::NoSuchSize { size: 6, largest: 5 });
        assert_eq!(desk.notary.checkpoint(&desk.kv, 6), Err(ViewError::Log(missing)));
        let receipts = Notary::receipts(&desk.kv, 1, 3).unwrap();
        assert_eq!(receipts.iter().map(|receipt| receipt.index).collect::<Vec<_>>(), [1, 2, 3]);
    });
}

const ALICE: NodeId = NodeId([0xa1; 32]);
const BOB: NodeId = NodeId([0xb0; 32]);
const CAROL: NodeId = NodeId([0xca; 32]);
const DAVE: NodeId = NodeId([0xda; 32]);

fn notary_key() -> NodeKey {
    NodeKey::from_seed(&[1; 32])
}

fn notary_id() -> NodeId {
    notary_key().id()
}

/// A notary on a store in memory, with everything that happened to it.
struct Desk {
    notary: Notary,
    kv: MemoryKv,
    now: u64,
    happened: Vec<(Moment, Event<(), Outcome>)>,
}

/// Runs a scenario, then handles the same events again on an empty store: it must come out the same.
fn scenario(run: impl FnOnce(&mut Desk)) {
    let mut desk = Desk::new();
    run(&mut desk);
    let mut again = Desk::new();
    for (moment, event) in std::mem::take(&mut desk.happened) {
        let _ = again.happens(moment, event);
    }
    assert!(desk.kv.pairs().eq(again.kv.pairs()));
}

impl Desk {
    fn new() -> Self {
        let notary = Notary::new(NETWORK, notary_key());
        Self { notary, kv: MemoryKv::default(), now: FROM, happened: Vec::new() }
    }

    fn happens(&mut self, moment: Moment, event: Event<(), Outcome>) -> Answer {
        let tx = Tx::new(&self.kv);
        let answer = self.notary.handle(&tx, &moment, event.clone()).unwrap();
        let writes = tx.into_writes();
        assert!(answer.is_ok() || writes.is_empty(), "a refused message must change nothing");
        self.kv.apply(writes);
        self.happened.push((moment, event));
        answer
    }

    fn moment(&self) -> Moment {
        let entropy = Hash::of(b"entropy", &[&self.happened.len().to_le_bytes()]);
        Moment { now: self.now, entropy: entropy.0 }
    }

    fn says(&mut self, from: NodeId, message: Message) -> Result<(), Reason> {
        self.happens(self.moment(), Event::Message { from, message }).map(drop)
    }

    fn sends(&mut self, from: NodeId, part: &NotaryPart) -> Result<(), Reason> {
        self.says(from, Message::Notarise(part.clone()))?;
        self.work();
        Ok(())
    }

    /// Does all jobs that wait, as one batch; gives how many they were.
    fn work(&mut self) -> usize {
        let rows = JOBS.rows(&self.kv, None, usize::MAX).unwrap();
        let jobs: Vec<Job> = rows.iter().map(|(_, row)| decode(row, "a job").unwrap()).collect();
        let outcomes = self.notary.perform_all(&self.kv, &jobs, self.moment().entropy).unwrap();
        for ((number, _), outcome) in sudare_crypto::pairs(&rows, &outcomes).unwrap() {
            let (job, outcome) = (number.0, *outcome);
            self.happens(self.moment(), Event::Done { job, outcome }).unwrap();
        }
        jobs.len()
    }

    fn tick(&mut self, now: u64) {
        self.now = now;
        self.happens(self.moment(), Event::Tick).unwrap();
    }

    /// Delivers what waits in the outbox.
    fn take(&mut self) -> Vec<(NodeId, Message)> {
        let rows = OUTBOX.rows(&self.kv, None, usize::MAX).unwrap();
        for (number, _) in &rows {
            let delivered = Event::Delivered { number: number.0, refused: None };
            self.happens(self.moment(), delivered).unwrap();
        }
        rows.into_iter().map(|(_, row)| (row.to, row.message)).collect()
    }

    fn waits(&mut self, from: NodeId, part: &NotaryPart) {
        assert_eq!(self.sends(from, part), Ok(()));
        assert_eq!(self.take(), []);
    }

    fn notarised(&mut self, from: NodeId, part: &NotaryPart) -> Receipt {
        assert_eq!(self.sends(from, part), Ok(()));
        let answers = self.take();
        let [(to, Message::Notarised(receipt))] = answers.as_slice() else { panic!("{answers:?}") };
        assert_eq!(*to, from);
        *receipt
    }

    fn not_recorded(&mut self, from: NodeId, part: &NotaryPart, reason: Reason) {
        let tx = Part::of(part.clone(), from, NETWORK, notary_id()).unwrap().tx;
        assert_eq!(self.sends(from, part), Ok(()));
        assert_eq!(self.take(), [(from, Message::NotRecorded { tx, reason })]);
    }

    fn valid_commit_still_works(&mut self) {
        self.notarised(ALICE, &Split::new(99, &[1]).part(0));
    }

    /// Whether all tags of the commit are spent, by which entry.
    fn spent(&self, commit: &Split, by: Option<u64>) {
        for key in commit.keys.iter().flatten() {
            assert_eq!(SPENT.get(&self.kv, &key.tag()).unwrap(), by);
        }
    }

    fn never_holds(&self, part: &NotaryPart) {
        let mut secrets = vec![encode(&part.legs_root), encode(&part.approvals_root)];
        secrets.extend(part.openings.iter().map(|opening| opening.salt.to_vec()));
        for (key, value) in self.kv.pairs() {
            for secret in &secrets {
                let holds = |bytes: &[u8]| bytes.windows(secret.len()).any(|part| part == secret);
                assert!(!holds(key) && !holds(value), "row {key:02x?}");
            }
        }
    }
}

/// A commit whose spenders each hold some of its tags.
struct Split {
    number: u64,
    commit: Commit,
    keys: Vec<Vec<SpendKey>>,
    salts: Vec<Vec<[u8; 32]>>,
}

impl Split {
    /// Commit `number`, with fresh keys, one part for each of these counts.
    fn new(number: u64, counts: &[usize]) -> Self {
        let parts = (0u64..).take(counts.len());
        let keys = parts
            .map(|part| keys(number * 1_000 + 7 + part, counts[usize::try_from(part).unwrap()]));
        Self::of(number, keys.collect())
    }

    fn of(number: u64, keys: Vec<Vec<SpendKey>>) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(number);
        let salt = |_: &SpendKey| {
            let mut salt = [0; 32];
            rng.fill_bytes(&mut salt);
            salt
        };
        let mut salt = salt;
        let salts: Vec<Vec<_>> =
            keys.iter().map(|part| part.iter().map(&mut salt).collect()).collect();
        let hashes: Vec<Vec<Hash>> = (0..keys.len())
            .map(|part| {
                let tags = 0..keys[part].len();
                tags.map(|i| tag_hash(&salts[part][i], &keys[part][i].tag())).collect()
            })
            .collect();
        let leg = LegRef { registrar: CAROL, root: Hash([5; 32]) };
        let transaction = Transaction {
            version: Version,
            network: NETWORK,
            notary: notary_id(),
            window: WINDOW,
            salt: [3; 32],
            legs: vec![leg].try_into().unwrap(),
            tags: join_tags(&hashes).unwrap().try_into().unwrap(),
        };
        let approvals = vec![NodeSignature([6; 64])].try_into().unwrap();
        Self { number, commit: Commit { transaction, salt: [4; 32], approvals }, keys, salts }
    }

    fn window(mut self, window: Window) -> Self {
        self.commit.transaction.window = window;
        self
    }

    fn network(mut self, network: Hash) -> Self {
        self.commit.transaction.network = network;
        self
    }

    fn notary(mut self, notary: NodeId) -> Self {
        self.commit.transaction.notary = notary;
        self
    }

    /// `tx_id` as the notary computes it.
    fn tx(&self) -> TxId {
        self.commit.transaction.id().unwrap()
    }

    /// The part of spender `index`.
    fn part(&self, index: usize) -> NotaryPart {
        let transaction = &self.commit.transaction;
        let (legs_root, approvals_root) = (transaction.legs_root(), self.commit.approvals_root());
        let root = crate::transaction::tags_root(&transaction.tags).unwrap();
        let (network, notary) = (transaction.network, transaction.notary);
        let tx = crate::transaction::tx_id(legs_root, root, network, notary, transaction.window);
        let m = crate::transaction::commit_id(tx, approvals_root);
        let mut rng = ChaCha20Rng::seed_from_u64(self.number + 1);
        let openings = (0..self.keys[index].len()).map(|i| {
            let key = &self.keys[index][i];
            let signature = tag::sign(key, m.0, &mut rng).unwrap();
            TagOpening { salt: self.salts[index][i], tag: key.tag(), signature }
        });
        NotaryPart {
            window: transaction.window,
            legs_root,
            approvals_root,
            tags: transaction.tags.clone(),
            openings: openings.collect::<Vec<_>>().try_into().unwrap(),
        }
    }
}

fn keys(seed: u64, count: usize) -> Vec<SpendKey> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    (0..count).map(|_| SpendKey::random(&mut rng)).collect()
}

fn edit<T: Clone, const MAX: usize>(list: &mut Bounded<T, MAX>, change: impl FnOnce(&mut Vec<T>)) {
    let mut items = list.to_vec();
    change(&mut items);
    *list = items.try_into().unwrap();
}
