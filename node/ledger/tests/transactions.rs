//! Transactions, commits, receipts and spend signatures: what an identity binds, what a signature is good for, and the edges.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod common;

use std::collections::BTreeSet;

use common::chain::*;
use common::*;
use rand_chacha::ChaCha20Rng;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::linear::LinearProof;
use sudare_crypto::proof::tag::{self, SpendKey};
use sudare_crypto::{Claims, Hash, NodeId, NodeKey, NodeSignature, Rejected};
use sudare_ledger::log::{Absence, Receipt};
use sudare_ledger::transaction::{
    Commit, CommitError, LegRef, PART_TAGS_MAX, Transaction, WINDOW_STEP_MS, Window, join_tags,
    padded, tag_hash, tags_root,
};

fn hashes(count: u8) -> Vec<Hash> {
    (0..count).map(|number| Hash([number; 32])).collect()
}

/// Two legs of two registrars, three tags.
fn subject(rng: &mut ChaCha20Rng) -> (Transaction, [NodeKey; 2]) {
    let keys = [registrar(), NodeKey::from_seed(&[55; 32])];
    let mut transaction = transaction(&[Hash([1; 32]), Hash([2; 32])], hashes(3), rng);
    let mut legs = transaction.legs.to_vec();
    legs[1].registrar = keys[1].id();
    transaction.legs = legs.try_into().unwrap();
    (transaction, keys)
}

mod tags {
    use super::*;

    #[test]
    fn a_list_has_a_root_only_if_it_is_sorted_each_once_and_not_empty() {
        let list = hashes(4);
        assert!(tags_root(&list).is_some() && tags_root(&list[..1]).is_some());
        assert_eq!(tags_root(&[]), None);
        for (one, other) in [(0, 1), (1, 2), (0, 3)] {
            let mut swapped = list.clone();
            swapped.swap(one, other);
            assert_eq!(tags_root(&swapped), None);
        }
        for at in 0..4 {
            let mut doubled = list.clone();
            doubled.insert(at, list[at]);
            assert_eq!(tags_root(&doubled), None);
        }
    }

    #[test]
    fn a_root_fixes_the_list_and_its_length() {
        let list = hashes(5);
        let mut roots = BTreeSet::new();
        for from in 0..5 {
            for to in from + 1..=5 {
                assert!(roots.insert(tags_root(&list[from..to]).unwrap()));
            }
        }
        // The hash of a tree's node in the place of its leaves gives another root.
        let node = sudare_ledger::tree::node_hash(&list[0], &list[1]);
        assert!(roots.insert(tags_root(&[node]).unwrap()));
    }

    #[test]
    fn parts_are_joined_sorted_and_never_share_a_tag() {
        let list = hashes(4);
        let parts = [vec![list[3], list[0]], vec![list[2], list[1]]];
        assert_eq!(join_tags(&parts), Some(list.clone()));
        assert_eq!(join_tags(&[vec![list[0]], vec![list[0]]]), None);
        assert_eq!(join_tags(&[vec![list[0], list[0]]]), None);
    }

    #[test]
    fn a_part_is_padded_to_a_power_of_two_up_to_the_limit() {
        let expected =
            [(0, 1), (1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, 64), (64, 64)];
        for (spends, size) in expected {
            assert_eq!(padded(spends), Some(size));
        }
        assert_eq!((padded(PART_TAGS_MAX + 1), padded(usize::MAX / 2)), (None, None));
    }

    #[test]
    fn a_tag_hash_depends_on_salt_and_tag() {
        let rng = &mut rng(1);
        let (one, other) = (SpendKey::random(rng).tag(), SpendKey::random(rng).tag());
        assert_ne!(tag_hash(&[1; 32], &one), tag_hash(&[2; 32], &one));
        assert_ne!(tag_hash(&[1; 32], &one), tag_hash(&[1; 32], &other));
    }
}

mod identity {
    use super::*;

    #[test]
    fn every_part_of_a_transaction_changes_its_identity() {
        let (transaction, keys) = subject(&mut rng(2));
        let id = transaction.id().unwrap();
        let changed = |change: &dyn Fn(&mut Transaction)| {
            let mut other = transaction.clone();
            change(&mut other);
            let other = other.id().unwrap();
            assert_ne!(other, id);
            other
        };
        let legs = |change: fn(&mut Vec<LegRef>)| {
            move |transaction: &mut Transaction| {
                let mut legs = transaction.legs.to_vec();
                change(&mut legs);
                transaction.legs = legs.try_into().unwrap();
            }
        };
        let all = [
            id,
            changed(&|one| one.network = Hash([3; 32])),
            changed(&|one| one.notary = keys[1].id()),
            changed(&|one| one.window.from -= WINDOW_STEP_MS),
            changed(&|one| one.window.until += WINDOW_STEP_MS),
            changed(&|one| one.salt[31] ^= 1),
            changed(&|one| one.tags = hashes(4).try_into().unwrap()),
            changed(&|one| one.tags = hashes(2).try_into().unwrap()),
            changed(&legs(|legs| legs.swap(0, 1))),
            changed(&legs(|legs| legs[0].root = Hash([9; 32]))),
            changed(&legs(|legs| legs[0].registrar = NodeId([9; 32]))),
            changed(&legs(|legs| legs.truncate(1))),
            changed(&legs(|legs| legs.push(legs[0]))),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn what_is_not_well_formed_has_no_identity() {
        let (transaction, keys) = subject(&mut rng(3));
        let refused = |change: &dyn Fn(&mut Transaction)| {
            let mut other = transaction.clone();
            change(&mut other);
            assert_eq!(other.id(), None);
            assert_eq!(other.approval_bytes(0), None);
            assert!(other.approve(0, &keys[0]).is_none());
            let approvals = Vec::new().try_into().unwrap();
            let commit = Commit { transaction: other, salt: [0; 32], approvals };
            assert_eq!(commit.id(), None);
            assert_eq!(commit.check(), Err(CommitError::Malformed));
        };
        refused(&|one| one.legs = Vec::new().try_into().unwrap());
        refused(&|one| one.tags = Vec::new().try_into().unwrap());
        refused(&|one| one.tags = vec![Hash([1; 32]), Hash([0; 32])].try_into().unwrap());
        refused(&|one| one.tags = vec![Hash([1; 32]); 2].try_into().unwrap());
        refused(&|one| one.window.from += 1);
        refused(&|one| one.window.until += 1);
        refused(&|one| one.window.until = one.window.from);
        refused(&|one| std::mem::swap(&mut one.window.from, &mut one.window.until));
    }

    #[test]
    fn a_transaction_has_one_encoding() {
        let (transaction, _) = subject(&mut rng(4));
        let bytes = encode(&transaction);
        assert_eq!(decode::<Transaction>(&bytes, "a transaction"), Ok(transaction.clone()));
        for length in 0..bytes.len() {
            assert!(decode::<Transaction>(&bytes[..length], "a transaction").is_err());
        }
        assert!(decode::<Transaction>(&[&bytes[..], &[0]].concat(), "a transaction").is_err());
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = decode::<Transaction>(&bad, "a transaction") {
                assert_ne!(other.id(), transaction.id(), "bit {bit}");
            }
        }
    }
}

mod windows {
    use super::*;

    #[test]
    fn a_window_is_half_open() {
        let window = Window { from: NOW, until: NOW + 1_000 };
        assert!(!window.contains(NOW - 1) && window.contains(NOW));
        assert!(window.contains(NOW + 999) && !window.contains(NOW + 1_000));
        assert_eq!(window.length(), 1_000);
    }

    #[test]
    fn a_window_around_a_time_contains_it_and_lasts_long_enough() {
        for now in [0, 1, 999, 1_000, 1_001, NOW, NOW + 1, NOW + 999] {
            for length in [1, 999, 1_000, 1_001, 60_000] {
                let window = Window::around(now, length);
                assert!(window.is_well_formed() && window.contains(now), "{now} {length}");
                assert!(window.until >= now + length);
                assert!(window.length() < length + 3 * WINDOW_STEP_MS);
            }
        }
    }

    #[test]
    fn a_window_at_the_end_of_time_overflows_nowhere() {
        let window = Window::around(u64::MAX, u64::MAX);
        assert!(!window.is_well_formed());
        assert_eq!(Window { from: 5_000, until: 1_000 }.length(), 0);
        assert!(!Window { from: 5_000, until: 1_000 }.contains(3_000));
    }
}

mod commits {
    use super::*;

    #[test]
    fn a_commit_needs_a_valid_approval_of_every_leg_in_its_place() {
        let rng = &mut rng(5);
        let (transaction, keys) = subject(rng);
        let good = commit(&transaction, &keys, rng);
        assert_eq!(good.check(), Ok(good.id().unwrap()));
        let other = {
            let mut other = transaction.clone();
            other.salt = [9; 32];
            commit(&other, &keys, rng)
        };
        let refused = |approvals: Vec<NodeSignature>, leg: u8| {
            let bad = Commit { approvals: approvals.try_into().unwrap(), ..good.clone() };
            assert_eq!(bad.check(), Err(CommitError::Approval(leg)));
            assert_ne!(bad.id(), good.id());
        };
        let [one, two] = [good.approvals[0], good.approvals[1]];
        refused(vec![], 0);
        refused(vec![one], 1);
        refused(vec![one, two, two], 2);
        refused(vec![two, one], 0);
        refused(vec![one, one], 1);
        refused(vec![two, two], 0);
        // Of another transaction, by the other registrar, by the notary.
        refused(vec![one, other.approvals[1]], 1);
        refused(vec![transaction.approve(0, &keys[1]).unwrap(), two], 0);
        refused(vec![one, transaction.approve(1, &notary()).unwrap()], 1);
        for bit in (0..512).step_by(11) {
            let mut bad = two;
            bad.0[bit / 8] ^= 1 << (bit % 8);
            refused(vec![one, bad], 1);
        }
    }

    #[test]
    fn an_approval_is_good_for_one_index_even_of_two_equal_legs() {
        let rng = &mut rng(6);
        let transaction = transaction(&[Hash([1; 32]), Hash([1; 32])], hashes(1), rng);
        let key = registrar();
        let approvals = [0, 1].map(|index| transaction.approve(index, &key).unwrap());
        for index in [0, 1] {
            assert!(transaction.is_approved(index, &approvals[usize::from(index)]));
            assert!(!transaction.is_approved(1 - index, &approvals[usize::from(index)]));
        }
        assert!(transaction.approve(2, &key).is_none() && transaction.approve(255, &key).is_none());
        assert!(!transaction.is_approved(2, &approvals[0]));
    }

    #[test]
    fn m_depends_on_transaction_salt_and_approvals() {
        let rng = &mut rng(7);
        let (transaction, keys) = subject(rng);
        let good = commit(&transaction, &keys, rng);
        let mut other = good.clone();
        other.salt[0] ^= 1;
        assert_ne!(other.id(), good.id());
        assert_eq!(other.check(), Ok(other.id().unwrap()));
        let mut other = good.clone();
        other.transaction.salt[0] ^= 1;
        assert_ne!(other.id(), good.id());
        assert_eq!(other.check(), Err(CommitError::Approval(0)));
        assert_ne!(good.id().unwrap().0, transaction.id().unwrap().0);
        assert_ne!(good.approvals_root(), transaction.legs_root());
    }
}

mod receipts {
    use super::*;

    #[test]
    fn a_receipt_is_of_one_commit_by_its_notary_within_its_window() {
        let rng = &mut rng(8);
        let (transaction, keys) = subject(rng);
        let good = commit(&transaction, &keys, rng);
        for (time, valid) in [
            (WINDOW.from - 1, false),
            (WINDOW.from, true),
            (WINDOW.until - 1, true),
            (WINDOW.until, false),
        ] {
            assert_eq!(receipt(&good, time).is_of(&good), valid, "{time}");
        }
        // The same transaction under another salt of the commit, another transaction, another approval.
        let again = commit(&transaction, &keys, rng);
        let other = commit(&Transaction { salt: [1; 32], ..transaction.clone() }, &keys, rng);
        for other in [&again, &other] {
            assert!(receipt(other, NOW).is_of(other));
            assert!(!receipt(other, NOW).is_of(&good) && !receipt(&good, NOW).is_of(other));
        }
        // An id is not enough: the window, tags and notary are the transaction's own.
        let late = Transaction { window: Window { from: NOW, until: NOW + 1_000 }, ..transaction };
        let late = commit(&late, &keys, rng);
        assert!(!receipt(&late, NOW + 1_000).is_of(&late));
    }

    #[test]
    fn a_receipt_signed_by_another_or_changed_in_any_bit_is_of_nothing() {
        let rng = &mut rng(9);
        let (transaction, keys) = subject(rng);
        let good = commit(&transaction, &keys, rng);
        let valid = receipt(&good, NOW);
        let sign = |network: Hash, key: &NodeKey| {
            Receipt::sign(network, valid.tx, valid.entry, valid.index, key).is_of(&good)
        };
        assert!(sign(network(), &notary()));
        assert!(!sign(network(), &registrar()) && !sign(Hash([1; 32]), &notary()));
        let bytes = encode(&valid);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let bad = decode::<Receipt>(&bad, "a receipt");
            assert!(bad.is_err() || !bad.unwrap().is_of(&good), "bit {bit}");
        }
        // A commit that lacks approvals can be recorded: the receipt is of it, and it is not final.
        let lacking =
            Commit { approvals: good.approvals[..1].to_vec().try_into().unwrap(), ..good };
        assert!(receipt(&lacking, NOW).is_of(&lacking));
        assert_eq!(lacking.check(), Err(CommitError::Approval(1)));
    }

    #[test]
    fn an_absence_counts_from_the_windows_end_for_its_transaction_and_notary() {
        let (transaction, _) = subject(&mut rng(10));
        let tx = transaction.id().unwrap();
        let absent = |time, key: &NodeKey| Absence::sign(network(), tx, 5, time, key);
        let valid = |one: &Absence| one.is_valid(network(), notary().id(), WINDOW.until);
        assert!(valid(&absent(WINDOW.until, &notary())));
        assert!(!valid(&absent(WINDOW.until - 1, &notary())));
        assert!(!valid(&absent(WINDOW.until, &registrar())));
        let good = absent(WINDOW.until, &notary());
        assert!(!good.is_valid(Hash([1; 32]), notary().id(), WINDOW.until));
        assert!(!good.is_valid(network(), registrar().id(), WINDOW.until));
        let bytes = encode(&good);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!valid(&decode::<Absence>(&bad, "an absence").unwrap()), "bit {bit}");
        }
    }

    #[test]
    fn no_signature_is_good_for_another_purpose() {
        let rng = &mut rng(11);
        let (transaction, keys) = subject(rng);
        let mut good = commit(&transaction, &keys, rng);
        let valid = receipt(&good, NOW);
        let absence = Absence::sign(network(), valid.tx, 5, WINDOW.until, &registrar());
        // One key in all roles: still an approval is no receipt or absence, nor the other way round.
        let approval = good.approvals[0];
        let alone = Transaction { notary: registrar().id(), ..transaction };
        assert!(
            !alone.is_approved(0, &absence.signature) && !alone.is_approved(0, &valid.signature)
        );
        let forged = Absence { signature: approval, ..absence };
        assert!(!forged.is_valid(network(), registrar().id(), WINDOW.until));
        good.transaction.notary = registrar().id();
        assert!(!Receipt { signature: approval, ..valid }.is_of(&good));
    }
}

mod spends {
    use super::*;

    fn verify(key: &SpendKey, m: Hash, signature: &LinearProof) -> Result<(), Rejected> {
        let mut claims = Claims::new();
        tag::verify(&tag::Statement { tag: key.tag(), commit: m }, signature, &mut claims)?;
        claims.accept(&mut rng(99))
    }

    #[test]
    fn a_spend_signature_is_for_one_tag_and_one_commit() {
        let rng = &mut rng(12);
        let (key, other) = (SpendKey::random(rng), SpendKey::random(rng));
        let m = Hash([1; 32]);
        let signature = tag::sign(&key, m, rng).unwrap();
        let wrong = Err(Rejected::False(tag::NAME));
        assert_eq!(verify(&key, m, &signature), Ok(()));
        assert_eq!(verify(&key, Hash([2; 32]), &signature), wrong);
        assert_eq!(verify(&other, m, &signature), wrong);
        // Half of the opening is not enough.
        let half = SpendKey { account: key.account, tag: other.tag };
        assert_eq!(verify(&key, m, &tag::sign(&half, m, rng).unwrap()), wrong);
        assert_eq!(verify(&key, m, &LinearProof::default()), Err(Rejected::Shape(tag::NAME)));
    }

    #[test]
    fn every_flipped_bit_of_a_spend_signature_is_refused() {
        let rng = &mut rng(13);
        let (key, m) = (SpendKey::random(rng), Hash([1; 32]));
        let bytes = encode(&tag::sign(&key, m, rng).unwrap());
        assert_eq!(bytes.len(), 100);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let bad = decode::<LinearProof>(&bad, "a proof");
            assert!(bad.is_err() || verify(&key, m, &bad.unwrap()).is_err(), "bit {bit}");
        }
    }
}

mod entries {
    use super::*;
    use sudare_ledger::log::{Entry, EntryLeaf};

    #[test]
    fn an_entrys_leaf_binds_transaction_index_leg_and_every_byte() {
        let rng = &mut rng(14);
        let asset = Asset::new("JP0000000001", &[&[]], rng);
        let alice = Holder::new(1);
        let built = Plan::issue(vec![(alice.slot(&asset, 0, rng), 5)]).build(&asset, rng).unwrap();
        let entry = finalise(built.leg, &[], WINDOW, rng);
        let leaf = |entry: &sudare_ledger::log::FinalLeg| {
            Entry::Leg(Box::new(entry.clone())).leaf().unwrap()
        };
        let good = leaf(&entry);
        let EntryLeaf::Leg { tx, index, root, body } = good else { unreachable!("a leg") };
        assert_eq!(Some(tx), entry.commit.transaction.id());
        assert_eq!((index, root), (0, entry.commit.transaction.legs[0].root));
        let mut other = entry.clone();
        other.receipt.signature.0[0] ^= 1;
        let changed = leaf(&other);
        assert!(
            matches!(changed, EntryLeaf::Leg { tx: t, root: r, body: b, .. } if t == tx && r == root && b != body)
        );
        let leaves = [
            good,
            changed,
            EntryLeaf::Leg { tx, index: 1, root, body },
            EntryLeaf::Leg { tx, index, root: Hash::default(), body },
            EntryLeaf::Terms { number: 0, body },
        ];
        let distinct: BTreeSet<_> = leaves.iter().map(EntryLeaf::hash).collect();
        assert_eq!(distinct.len(), leaves.len());
        let mut unformed = entry;
        unformed.commit.transaction.window.from += 1;
        assert_eq!(Entry::Leg(Box::new(unformed)).leaf(), None);
    }
}
