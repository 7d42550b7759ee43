//! Legs: honest ones pass and are read by exactly those entitled; every change and every broken rule is refused.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod common;

use std::collections::BTreeMap;

use common::*;
use rand_chacha::ChaCha20Rng;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::point::B;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::range::OUTPUTS_MAX;
use sudare_crypto::proof::{amount, balance, links, range, spend, wrap};
use sudare_crypto::{Bounded, Claims, Encoded, Hash, NodeKey, Rejected, Scalar, Secret};
use sudare_disclosure::{Field, Fields, Section, SectionKind};
use sudare_ledger::leg::{
    Amount, BuildError, Disclosed, INPUTS_MAX, Leg, LegError, LegSalt, OpenError, Purpose,
};
use sudare_ledger::note::{Note, NoteId};
use sudare_ledger::slot::SlotError;

const SALT: LegSalt = LegSalt([7; 32]);

/// What [`Leg::check`] says, and then the equations.
fn verify(leg: &Leg, asset: &Asset) -> Result<(), LegError> {
    let mut claims = Claims::new();
    leg.check(&asset.terms, &mut claims)?;
    Ok(claims.accept(&mut rng(99))?)
}

fn verify_links(leg: &Leg, asset: &Asset, notes: &[Note]) -> Result<(), LegError> {
    let opened = leg.open(asset.epoch(leg.header.epoch), asset.key(leg.header.epoch, 0)).unwrap();
    let mut claims = Claims::new();
    leg.check_links(notes, &opened.links.unwrap().proof, &mut claims)?;
    Ok(claims.accept(&mut rng(99))?)
}

/// An asset with one authority, and a transfer of 70 of 100 to Bob, 30 back to Alice.
fn transfer(list: &[Field], rng: &mut ChaCha20Rng) -> (Asset, Plan) {
    let asset = Asset::with(list, rng);
    let (alice, bob) = (Holder::new(1), Holder::new(2));
    let spends = vec![alice.note(&asset, 100, rng)];
    let pays = vec![(bob.slot(&asset, 0, rng), 70), (alice.slot(&asset, 0, rng), 30)];
    (asset, Plan::transfer(spends, pays))
}

mod honest {
    use super::*;

    #[test]
    fn issue_transfer_and_redeem_pass_with_one_to_four_keys() {
        let sets = [
            fields(&[Field::Amounts]),
            fields(&[Field::Parties, Field::Links]),
            fields(&[Field::Trade, Field::Amounts]),
        ];
        for keys in 0..=3 {
            let rng = &mut rng(keys as u64);
            let asset = Asset::new("JP0000000001", &[&sets[..keys]], rng);
            let (alice, bob) = (Holder::new(1), Holder::new(2));
            let (first, second) = (alice.slot(&asset, 0, rng), alice.slot(&asset, 0, rng));
            let issue = Plan::issue(vec![(first, 60), (second, 40)]);
            let built = issue.build(&asset, rng).unwrap();
            assert_eq!(verify(&built.leg, &asset), Ok(()));
            let notes = received(&issue, &built.leg, &asset, &built.salt);

            let change = alice.slot(&asset, 0, rng);
            let transfer =
                Plan::transfer(notes, vec![(bob.slot(&asset, 0, rng), 70), (change, 30)]);
            let built = transfer.build(&asset, rng).unwrap();
            assert_eq!(verify(&built.leg, &asset), Ok(()));
            let spent: Vec<Note> = transfer.spends.iter().map(|held| held.note).collect();
            assert_eq!(verify_links(&built.leg, &asset, &spent), Ok(()));
            let notes = received(&transfer, &built.leg, &asset, &built.salt);

            let redeem = Plan::redeem(70, notes[..1].to_vec(), Vec::new());
            let built = redeem.build(&asset, rng).unwrap();
            assert_eq!(verify(&built.leg, &asset), Ok(()));
            assert_eq!(verify_links(&built.leg, &asset, &[notes[0].note]), Ok(()));
        }
    }

    #[test]
    fn a_leg_made_from_the_specification_alone_passes_too() {
        let rng = &mut rng(1);
        let (asset, plan) = transfer(&[Field::Amounts], rng);
        let leg = plan.draft(&asset, rng).prove(rng);
        assert_eq!(verify(&leg, &asset), Ok(()));
        assert_eq!(verify_links(&leg, &asset, &[plan.spends[0].note]), Ok(()));
    }

    #[test]
    fn the_largest_leg_fits_and_one_more_output_or_input_does_not() {
        let rng = &mut rng(2);
        let asset = Asset::new("JP0000000001", &[&[Fields::ALL; 7]], rng);
        let alice = Holder::new(1);
        let spends = (0..INPUTS_MAX).map(|_| alice.note(&asset, 4, rng)).collect::<Vec<_>>();
        let pays = (0..OUTPUTS_MAX).map(|_| (alice.slot(&asset, 0, rng), 2)).collect::<Vec<_>>();
        let mut plan = Plan::transfer(spends, pays);
        let built = plan.build(&asset, rng).unwrap();
        let bytes = encode(&built.leg);
        assert!(bytes.len() < sudare_ledger::log::ENTRY_BYTES_MAX / 2, "{}", bytes.len());
        assert_eq!(built.leg.proofs.range.len(), sudare_ledger::leg::RANGE_BYTES_MAX);
        assert_eq!(decode::<Leg>(&bytes, "a leg").as_ref(), Ok(&built.leg));
        let opened = built.leg.open(asset.epoch(0), asset.key(0, 7)).unwrap();
        assert_eq!(opened.amounts, [2; OUTPUTS_MAX]);
        // Whoever gets all outputs gets them in one message.
        let shown: usize = (0..OUTPUTS_MAX as u8)
            .map(|output| encode(&built.leg.tear_off(0, &built.salt, output).unwrap()).len())
            .sum();
        assert!(shown < sudare_ledger::messages::MESSAGE_BYTES_MAX * 9 / 10, "{shown}");

        plan.pays.push((alice.slot(&asset, 0, rng), 0));
        let refused = plan.build(&asset, rng).unwrap_err().to_string();
        assert_eq!(refused, "a leg has at most 64 outputs, not 65: make several legs");
        plan.pays.pop();
        plan.spends.push(alice.note(&asset, 0, rng));
        let refused = plan.build(&asset, rng).unwrap_err().to_string();
        assert_eq!(refused, "a leg has at most 32 inputs, not 33: make several legs");
    }

    #[test]
    fn zero_change_and_the_largest_amount_are_transferred() {
        let rng = &mut rng(3);
        let asset = Asset::with(&[Field::Amounts], rng);
        let alice = Holder::new(1);
        for (first, change) in [(100, 0), (0, 100), (u64::MAX, 0), (u64::MAX - 1, 1)] {
            let spends = vec![alice.note(&asset, first.max(change) + first.min(change), rng)];
            let (to, back) = (alice.slot(&asset, 0, rng), alice.slot(&asset, 0, rng));
            let plan = Plan::transfer(spends, vec![(to, first), (back, change)]);
            let built = plan.build(&asset, rng).unwrap();
            assert_eq!(verify(&built.leg, &asset), Ok(()));
            let seen = built.leg.disclose(asset.epoch(0), asset.key(0, 1)).unwrap();
            assert_eq!(seen.amounts, Some(vec![Amount::Known(first), Amount::Known(change)]));
        }
    }

    #[test]
    fn a_builder_refuses_amounts_that_do_not_balance_or_whose_sum_overflows() {
        let rng = &mut rng(4);
        let asset = Asset::with(&[Field::Amounts], rng);
        let alice = Holder::new(1);
        let mut refused = |spends: &[u64], pays: &[u64], mint, burn| {
            let purpose = match (spends, burn) {
                ([], _) => Purpose::Issue,
                (_, 0) => Purpose::Transfer,
                _ => Purpose::Redeem,
            };
            let plan = Plan {
                purpose,
                mint,
                burn,
                spends: spends.iter().map(|value| alice.note(&asset, *value, rng)).collect(),
                pays: pays.iter().map(|value| (alice.slot(&asset, 0, rng), *value)).collect(),
                ..Plan::issue(Vec::new())
            };
            assert_eq!(plan.build(&asset, rng).err(), Some(BuildError::Unbalanced), "{pays:?}");
        };
        refused(&[100], &[99], 0, 0);
        refused(&[100], &[101], 0, 0);
        refused(&[100], &[50], 0, 49);
        refused(&[], &[100], 99, 0);
        // Equal modulo 2^64.
        refused(&[u64::MAX, 1], &[0], 0, 0);
        refused(&[5], &[u64::MAX, 6], 0, 0);
        refused(&[u64::MAX, 2], &[1], 0, 0);
        refused(&[4], &[u64::MAX], 0, 5);
    }

    #[test]
    fn a_builder_finds_its_own_faults() {
        // Enforces [LEG-7]: each of these would be refused by the registrar, and never leaves the node.
        type Fault = fn(&mut Plan, &Asset, &mut ChaCha20Rng);
        let faults: [(Fault, BuildError); 6] = [
            (
                |plan, _, _| plan.spends[0].opening.blinding += Scalar::ONE,
                BuildError::Proof(Rejected::False(balance::NAME)),
            ),
            (
                |plan, asset, rng| {
                    plan.spends[0].secrets = Holder::new(1).note(asset, 100, rng).secrets;
                },
                BuildError::Proof(Rejected::False(links::NAME)),
            ),
            (
                |plan, _, _| plan.pays[1].0 = plan.pays[0].0.clone(),
                BuildError::Leg(LegError::Repeated),
            ),
            (
                |plan, _, _| plan.pays[0].0.slot.slot.context.expires_at -= 1,
                BuildError::Leg(LegError::Slot(0, SlotError::Signature)),
            ),
            (
                |plan, asset, rng| {
                    let mut context = Holder::new(2).context(asset, 0, rng);
                    context.terms = Hash([1; 32]);
                    plan.pays[0].0 = Holder::new(2).slot_in(context, asset.epoch(0), rng);
                },
                BuildError::Leg(LegError::SlotContext(0)),
            ),
            (|plan, _, _| plan.purpose = Purpose::Redeem, BuildError::Leg(LegError::Purpose)),
        ];
        for (fault, error) in faults {
            let rng = &mut rng(5);
            let (asset, mut plan) = transfer(&[Field::Amounts], rng);
            assert!(plan.build(&asset, rng).is_ok());
            fault(&mut plan, &asset, rng);
            assert_eq!(plan.build(&asset, rng).err(), Some(error));
        }
    }
}

mod broken {
    use super::*;

    /// Every rule of [`Leg::check`] with a leg that breaks it alone: all its proofs are of what it says.
    fn refused(why: LegError, change: impl FnOnce(&mut Draft, &Asset, &mut ChaCha20Rng)) {
        refused_in(why, |rng| transfer(&[Field::Amounts], rng), change);
    }

    fn refused_in(
        why: LegError,
        make: impl Fn(&mut ChaCha20Rng) -> (Asset, Plan),
        change: impl FnOnce(&mut Draft, &Asset, &mut ChaCha20Rng),
    ) {
        let rng = &mut rng(10);
        let (asset, plan) = make(rng);
        let mut draft = plan.draft(&asset, rng);
        let honest = draft.prove(rng);
        change(&mut draft, &asset, rng);
        let leg = draft.prove(rng);
        assert_eq!(verify(&leg, &asset), Err(why));
        assert_eq!(verify(&honest, &asset), Ok(()), "and the honest one passes");
    }

    fn wrong(name: &'static str) -> LegError {
        LegError::Proof(Rejected::False(name))
    }

    fn shape(name: &'static str) -> LegError {
        LegError::Proof(Rejected::Shape(name))
    }

    #[test]
    fn another_network_asset_or_version_of_the_terms() {
        refused(LegError::Terms, |draft, _, _| draft.header.network = Hash([1; 32]));
        refused(LegError::Terms, |draft, _, _| draft.header.asset.0 = Hash([1; 32]));
        refused(LegError::Terms, |draft, _, _| draft.header.terms = Hash([1; 32]));
        let rng = &mut rng(11);
        let (asset, plan) = transfer(&[Field::Amounts], rng);
        let leg = plan.draft(&asset, rng).prove(rng);
        let next = asset.join(0, Fields::ALL, rng);
        assert_eq!(verify(&leg, &next), Err(LegError::Terms));
    }

    #[test]
    fn an_epoch_that_the_terms_do_not_have() {
        refused(LegError::Epoch, |draft, _, _| draft.header.epoch = 1);
    }

    #[test]
    fn a_purpose_that_does_not_fit() {
        let purpose = |purpose, mint, burn| {
            move |draft: &mut Draft, _: &Asset, _: &mut ChaCha20Rng| {
                (draft.header.purpose, draft.header.mint, draft.header.burn) =
                    (purpose, mint, burn);
            }
        };
        for (to, mint, burn) in [
            (Purpose::Issue, 0, 0),
            (Purpose::Issue, 1, 0),
            (Purpose::Issue, 1, 1),
            (Purpose::Transfer, 1, 0),
            (Purpose::Transfer, 0, 1),
            (Purpose::Transfer, 1, 1),
            (Purpose::Redeem, 0, 0),
            (Purpose::Redeem, 1, 1),
        ] {
            refused(LegError::Purpose, purpose(to, mint, burn));
        }
        let issue = |rng: &mut ChaCha20Rng| {
            let asset = Asset::with(&[Field::Amounts], rng);
            let to = Holder::new(1).slot(&asset, 0, rng);
            (asset, Plan::issue(vec![(to, 100)]))
        };
        for (to, mint, burn) in [
            (Purpose::Issue, 0, 0),
            (Purpose::Issue, 100, 1),
            (Purpose::Transfer, 0, 0),
            (Purpose::Transfer, 100, 0),
            (Purpose::Redeem, 0, 1),
        ] {
            refused_in(LegError::Purpose, issue, purpose(to, mint, burn));
        }
        // Without outputs.
        let rng = &mut rng(16);
        let (asset, plan) = transfer(&[Field::Amounts], rng);
        let empty = Plan { mint: 1, ..Plan::issue(Vec::new()) };
        for plan in [empty, Plan::transfer(plan.spends, Vec::new())] {
            let leg = plan.draft(&asset, rng).prove(rng);
            assert_eq!(verify(&leg, &asset), Err(LegError::Purpose));
        }
    }

    #[test]
    fn one_tag_or_one_owner_twice() {
        refused(LegError::Repeated, |draft, _, _| {
            draft.inputs.push(draft.inputs[0].clone());
            draft.spenders.push(draft.spenders[0].clone());
        });
        refused(LegError::Repeated, |draft, _, _| {
            draft.outputs[1].slot = draft.outputs[0].slot.clone();
        });
    }

    #[test]
    fn a_section_missing_added_or_out_of_place() {
        refused(LegError::Sections, |draft, _, _| {
            draft.sections.pop();
            draft.ephemerals.pop();
        });
        refused(LegError::Sections, |draft, _, rng| {
            let (kind, context) = (SectionKind::Opening(2), encode(&draft.header));
            let readers = &draft.readers()[0].1;
            let (section, ephemeral) = Section::seal(kind, b"", readers, &context, rng).unwrap();
            draft.sections.push(section);
            draft.ephemerals.push(ephemeral);
        });
        refused(LegError::Sections, |draft, _, _| {
            draft.sections.swap(0, 1);
            draft.ephemerals.swap(0, 1);
        });
        // A reader more or less changes the number of wraps that the proof is about.
        refused_unprovable(shape(wrap::NAME), |leg, _| {
            let mut sections = leg.sections.to_vec();
            let mut wraps = sections[0].wraps.to_vec();
            wraps.pop();
            sections[0].wraps = wraps.try_into().unwrap();
            leg.sections = sections.try_into().unwrap();
        });
    }

    #[test]
    fn one_ephemeral_in_two_uses() {
        // Enforces [WRP-2] and its like: one W under two sections would open one with the other, W = R an amount to whoever
        // guesses it.
        let places = |leg: &Leg| {
            let input = leg.inputs[0].ephemeral;
            let outputs = leg.outputs.iter();
            let outputs = outputs.flat_map(|one| [one.ephemeral, one.slot.slot.ephemeral]);
            let sections = leg.sections.iter().map(|section| section.ephemeral);
            [input].into_iter().chain(outputs).chain(sections).collect::<Vec<_>>()
        };
        let put = |leg: &mut Leg, place: usize, point: Encoded| {
            let (mut inputs, mut outputs) = (leg.inputs.to_vec(), leg.outputs.to_vec());
            let mut sections = leg.sections.to_vec();
            match place {
                0 => inputs[0].ephemeral = point,
                1 | 3 => outputs[place / 2].ephemeral = point,
                2 | 4 => outputs[place / 2 - 1].slot.slot.ephemeral = point,
                _ => sections[place - 5].ephemeral = point,
            }
            leg.inputs = inputs.try_into().unwrap();
            leg.outputs = outputs.try_into().unwrap();
            leg.sections = sections.try_into().unwrap();
        };
        let rng = &mut rng(17);
        let (asset, plan) = transfer(&[Field::Amounts], rng);
        let honest = plan.draft(&asset, rng).prove(rng);
        let points = places(&honest);
        assert_eq!(points.len(), 1 + 2 * 2 + 5);
        for one in 0..points.len() {
            for other in (0..points.len()).filter(|other| *other != one) {
                let mut leg = honest.clone();
                put(&mut leg, one, points[other]);
                assert_eq!(places(&leg)[one], points[other]);
                assert_eq!(verify(&leg, &asset), Err(LegError::Repeated), "{one} {other}");
            }
        }
    }

    #[test]
    fn a_slot_of_another_network_asset_or_terms() {
        let slot = |change: fn(&mut sudare_ledger::slot::SlotContext)| {
            move |draft: &mut Draft, asset: &Asset, rng: &mut ChaCha20Rng| {
                let bob = Holder::new(2);
                let mut context = bob.context(asset, 0, rng);
                change(&mut context);
                draft.outputs[1].slot = bob.slot_in(context, asset.epoch(0), rng).slot;
            }
        };
        refused(LegError::SlotContext(1), slot(|context| context.network = Hash([1; 32])));
        refused(LegError::SlotContext(1), slot(|context| context.asset.0 = Hash([1; 32])));
        refused(LegError::SlotContext(1), slot(|context| context.terms = Hash([1; 32])));
        refused(LegError::Slot(1, SlotError::Epoch), slot(|context| context.epoch = 1));
    }

    #[test]
    fn a_slot_that_its_custodian_did_not_sign() {
        refused(LegError::Slot(0, SlotError::Signature), |draft, _, _| {
            let slot = draft.outputs[0].slot.slot.clone();
            draft.outputs[0].slot.signature = slot.sign(&NodeKey::from_seed(&[66; 32])).signature;
        });
        refused(LegError::Slot(0, SlotError::Signature), |draft, _, _| {
            draft.outputs[0].slot.slot.context.expires_at -= 1;
        });
    }

    #[test]
    fn a_slot_whose_keys_are_not_the_epochs_or_read_different_accounts() {
        // One ciphertext short.
        refused(
            LegError::Slot(0, SlotError::Proof(Rejected::Shape(sudare_crypto::proof::owner::NAME))),
            |draft, _, _| {
                let mut slot = draft.outputs[0].slot.slot.clone();
                slot.identities = Bounded::default();
                draft.outputs[0].slot = slot.sign(&Holder::new(2).node);
            },
        );
        let parties = |rng: &mut ChaCha20Rng| transfer(&[Field::Parties], rng);
        refused_in(wrong(sudare_crypto::proof::owner::NAME), parties, |draft, _, _| {
            let mut slot = draft.outputs[0].slot.slot.clone();
            let other = Encoded::of(&(point(&slot.identities[1]) + B));
            slot.identities = vec![slot.identities[0], other].try_into().unwrap();
            draft.outputs[0].slot = slot.sign(&Holder::new(2).node);
        });
        // Bob can't make a slot of Alice's owner part: he knows the nonce but not what stands behind it.
        refused(wrong(sudare_crypto::proof::owner::NAME), |draft, asset, rng| {
            let mut slot = draft.outputs[0].slot.slot.clone();
            slot.owner = Holder::new(1).slot(asset, 0, rng).slot.slot.owner;
            draft.outputs[0].slot = slot.sign(&Holder::new(2).node);
        });
    }

    #[test]
    fn a_spend_of_another_account_tag_or_randomness() {
        let one = Scalar::ONE;
        refused(wrong(spend::NAME), |draft, _, _| draft.spenders[0].account += one);
        refused(wrong(spend::NAME), |draft, _, _| draft.spenders[0].tag += one);
        refused(wrong(spend::NAME), |draft, _, _| draft.spenders[0].ephemeral += one);
        // Booked on another account of the same custodian: the tag's opening is unique.
        refused(wrong(spend::NAME), |draft, asset, _| {
            let other = Holder::new(3).account(asset);
            let (u, key) = (draft.spenders[0].ephemeral, asset.key(0, 0).point());
            let identity = Encoded::of(&(point(&other) + point(&key) * u));
            draft.inputs[0].identities = vec![identity].try_into().unwrap();
        });
        let parties = |rng: &mut ChaCha20Rng| transfer(&[Field::Parties], rng);
        refused_in(wrong(spend::NAME), parties, |draft, _, _| {
            let identities = &draft.inputs[0].identities;
            let other = Encoded::of(&(point(&identities[1]) + B));
            draft.inputs[0].identities = vec![identities[0], other].try_into().unwrap();
        });
    }

    #[test]
    fn an_amount_that_one_key_reads_differently() {
        refused(wrong(amount::NAME), |draft, _, _| draft.openings[0].value += 1);
        refused(wrong(amount::NAME), |draft, _, _| {
            let amounts = &draft.outputs[0].amounts;
            let other = Encoded::of(&(point(&amounts[1]) + B));
            draft.outputs[0].amounts = vec![amounts[0], other].try_into().unwrap();
        });
        // (!) A different r in R: every key would decrypt rubbish.
        refused(wrong(amount::NAME), |draft, _, _| {
            draft.outputs[0].ephemeral = Encoded::of(&(point(&draft.outputs[0].ephemeral) + B));
        });
        refused_unprovable(shape(amount::NAME), |leg, _| {
            let mut outputs = leg.outputs.to_vec();
            outputs[0].amounts = outputs[0].amounts[..1].to_vec().try_into().unwrap();
            leg.outputs = outputs.try_into().unwrap();
        });
    }

    #[test]
    fn an_authority_in_force_that_is_left_out() {
        // Enforces [POL-6]: all else about these legs is true, for a policy without the authority.
        let cases = [
            (Field::Amounts, shape(amount::NAME)),
            (Field::Parties, shape(spend::NAME)),
            (Field::Trade, shape(wrap::NAME)),
            (Field::Links, shape(wrap::NAME)),
        ];
        for (field, why) in cases {
            let rng = &mut rng(12);
            let (asset, plan) = transfer(&[field], rng);
            let mut without = asset.clone();
            let mut epochs = without.terms.policy.epochs.to_vec();
            epochs[0].keys = vec![epochs[0].keys[0].clone()].try_into().unwrap();
            without.terms.policy.epochs = epochs.try_into().unwrap();
            let mut draft = plan.draft(&without, rng);
            draft.header.terms = asset.terms.hash();
            assert_eq!(verify(&draft.prove(rng), &asset), Err(why), "{field}");
            // Where nobody is left out, such a leg is right.
            let bob = Holder::new(2);
            let plan = Plan { pays: vec![(bob.slot(&without, 0, rng), 100)], ..plan };
            assert_eq!(verify(&plan.draft(&without, rng).prove(rng), &without), Ok(()), "{field}");
        }
    }

    #[test]
    fn value_from_nothing() {
        refused(wrong(balance::NAME), |draft, _, _| raise(draft, 0, 1));
        refused(wrong(balance::NAME), |draft, _, _| draft.excess += Scalar::ONE);
        let redeem = |rng: &mut ChaCha20Rng| {
            let (asset, plan) = transfer(&[Field::Amounts], rng);
            let pays = plan.pays[..1].to_vec();
            (asset, Plan::redeem(30, plan.spends, pays))
        };
        refused_in(wrong(balance::NAME), redeem, |draft, _, _| draft.header.burn -= 1);
        refused_in(wrong(balance::NAME), redeem, |draft, _, _| draft.header.burn += 1);
    }

    #[test]
    fn an_output_below_zero_or_above_64_bits_hidden_in_a_sum_that_balances() {
        // 70 + 200 and 30 - 200: the sum is right, one output is negative, that is near the group's order.
        let (more, value) = (Scalar::from(200_u64), -Scalar::from(170_u64));
        refused(wrong(range::NAME), |draft, _, _| {
            shift(draft, 0, more);
            shift(draft, 1, -more);
            draft.openings[0].value = 270;
            patch_amount(draft, 1, value);
        });
        let two_64 = Scalar::from(u64::MAX) + Scalar::ONE;
        refused(wrong(range::NAME), |draft, _, _| {
            shift(draft, 0, two_64);
            shift(draft, 1, -two_64);
            patch_amount(draft, 0, Scalar::from(70_u64) + two_64);
            patch_amount(draft, 1, Scalar::from(30_u64) - two_64);
        });
    }

    #[test]
    fn two_sections_whose_readers_unwrap_different_keys() {
        let (w, z) = (wrong(wrap::NAME), B);
        refused(w, |draft, _, _| draft.ephemerals[0].0 += Scalar::ONE);
        for reader in 0..3 {
            refused(w, |draft, _, _| {
                let mut wraps = draft.sections[0].wraps.to_vec();
                wraps[reader] = Encoded::of(&(point(&wraps[reader]) + z));
                draft.sections[0].wraps = wraps.try_into().unwrap();
            });
        }
    }

    #[test]
    fn a_proof_that_should_not_be_there_or_is_missing() {
        refused_unprovable(shape(spend::NAME), |leg, _| leg.proofs.spend = None);
        refused_unprovable(shape(amount::NAME), |leg, _| leg.proofs.amount = None);
        refused_unprovable(shape(range::NAME), |leg, _| leg.proofs.range = Bounded::default());
        for more in [1, 32, 64] {
            refused_unprovable(shape(range::NAME), |leg, _| {
                let longer = [leg.proofs.range.to_vec(), vec![0; more]].concat();
                leg.proofs.range = longer.try_into().unwrap();
            });
        }
        let rng = &mut rng(12);
        let asset = Asset::with(&[Field::Amounts], rng);
        let alice = Holder::new(1);
        let issue = Plan::issue(vec![(alice.slot(&asset, 0, rng), 1)]).draft(&asset, rng);
        let held = alice.note(&asset, 5, rng);
        let redeem = Plan::redeem(5, vec![held], Vec::new()).draft(&asset, rng);
        let (issue, redeem) = (issue.prove(rng), redeem.prove(rng));
        assert_eq!((verify(&issue, &asset), verify(&redeem, &asset)), (Ok(()), Ok(())));
        let mut leg = issue.clone();
        leg.proofs.spend = redeem.proofs.spend.clone();
        assert_eq!(verify(&leg, &asset), Err(shape(spend::NAME)));
        let mut leg = redeem.clone();
        leg.proofs.amount = issue.proofs.amount.clone();
        assert_eq!(verify(&leg, &asset), Err(shape(amount::NAME)));
        let mut leg = redeem;
        leg.proofs.range = issue.proofs.range.clone();
        assert_eq!(verify(&leg, &asset), Err(shape(range::NAME)));
    }

    #[test]
    fn a_proof_of_one_leg_put_into_another() {
        let rng = &mut rng(13);
        let (asset, plan) = transfer(&[Field::Amounts], rng);
        // The same inputs, outputs and openings: only the header's nonce differs.
        let draft = plan.draft(&asset, rng);
        let mut other = draft.clone();
        other.header.nonce = [1; 32];
        let (one, two) = (draft.prove(rng), other.prove(rng));
        let mixed = |put: fn(&mut Leg, &Leg)| {
            let mut leg = one.clone();
            put(&mut leg, &two);
            verify(&leg, &asset)
        };
        assert_eq!(mixed(|_, _| ()), Ok(()));
        // Whatever comes after a foreign proof on the transcript fails with it; the first is named.
        for (put, name) in [
            (
                (|leg, two| leg.proofs.spend = two.proofs.spend.clone()) as fn(&mut Leg, &Leg),
                spend::NAME,
            ),
            (|leg, two| leg.proofs.amount = two.proofs.amount.clone(), amount::NAME),
            (|leg, two| leg.proofs.wrap = two.proofs.wrap.clone(), wrap::NAME),
            (|leg, two| leg.proofs.balance = two.proofs.balance.clone(), balance::NAME),
            (|leg, two| leg.proofs.range = two.proofs.range.clone(), range::NAME),
            (|leg, two| leg.proofs = two.proofs.clone(), spend::NAME),
            (|leg, two| leg.header = two.header.clone(), spend::NAME),
        ] {
            assert_eq!(mixed(put), Err(wrong(name)));
        }
        let spent = [plan.spends[0].note];
        let links = |leg: &Leg, draft: &Draft, rng: &mut ChaCha20Rng| {
            let mut claims = Claims::new();
            leg.check_links(&spent, &draft.prove_links(&spent, rng).proof, &mut claims).unwrap();
            claims.accept(rng)
        };
        assert_eq!(links(&one, &draft, rng), Ok(()));
        assert_eq!(links(&one, &other, rng), Err(Rejected::False(links::NAME)));
    }

    #[test]
    fn links_to_other_notes_than_the_inputs_spend() {
        let rng = &mut rng(14);
        let asset = Asset::with(&[Field::Amounts], rng);
        let alice = Holder::new(1);
        let spends = vec![alice.note(&asset, 10, rng), alice.note(&asset, 10, rng)];
        let plan = Plan::transfer(spends, vec![(alice.slot(&asset, 0, rng), 20)]);
        let leg = plan.draft(&asset, rng).prove(rng);
        let notes: Vec<Note> = plan.spends.iter().map(|held| held.note).collect();
        let wrong = Err(wrong(links::NAME));
        assert_eq!(verify_links(&leg, &asset, &notes), Ok(()));
        assert_eq!(verify_links(&leg, &asset, &[notes[1], notes[0]]), wrong);
        let other = alice.note(&asset, 10, rng).note;
        assert_eq!(verify_links(&leg, &asset, &[notes[0], other]), wrong);
        let (owner, commitment) = (other.owner, other.commitment);
        assert_eq!(verify_links(&leg, &asset, &[Note { owner, ..notes[0] }, notes[1]]), wrong);
        assert_eq!(verify_links(&leg, &asset, &[Note { commitment, ..notes[0] }, notes[1]]), wrong);
        for few in [&notes[..1], &[]] {
            assert_eq!(verify_links(&leg, &asset, few), Err(shape(links::NAME)));
        }
    }

    /// As [`refused`], for changes that no prover could make a proof for.
    fn refused_unprovable(why: LegError, change: impl FnOnce(&mut Leg, &Asset)) {
        let rng = &mut rng(15);
        let (asset, plan) = transfer(&[Field::Amounts], rng);
        let mut leg = plan.draft(&asset, rng).prove(rng);
        assert_eq!(verify(&leg, &asset), Ok(()));
        change(&mut leg, &asset);
        assert_eq!(verify(&leg, &asset), Err(why));
    }

    /// Commits an output to more, with proofs to match: only the sum is wrong.
    fn raise(draft: &mut Draft, output: usize, more: u64) {
        let opening =
            Opening { value: draft.openings[output].value + more, ..draft.openings[output] };
        let keys = draft.epoch.keys_with(Field::Amounts);
        let ciphertext = opening.encrypt(&keys).unwrap();
        let to = &mut draft.outputs[output];
        to.commitment = ciphertext.commitment;
        to.amounts = ciphertext.amounts.try_into().unwrap();
        draft.openings[output] = opening;
    }

    /// Adds `by*B` to an output's commitment and ciphertexts.
    fn shift(draft: &mut Draft, output: usize, by: Scalar) {
        let to = &mut draft.outputs[output];
        let moved = |encoded: &Encoded| Encoded::of(&(point(encoded) + B * by));
        let amounts: Vec<Encoded> = to.amounts.iter().map(moved).collect();
        (to.commitment, to.amounts) = (moved(&to.commitment), amounts.try_into().unwrap());
    }

    /// Makes the amount proof say a value that is no u64; the range proof can't.
    fn patch_amount(draft: &mut Draft, output: usize, value: Scalar) {
        draft.wide.insert(output, value);
    }
}

mod bytes {
    use super::*;

    /// How a changed leg was found out.
    #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
    enum Caught {
        Decode,
        Check,
        Proof,
    }

    /// Asserts that the changed bytes are refused, and that if they decode at all they have another root.
    fn caught(bytes: &[u8], asset: &Asset, root: Hash, at: &str) -> Caught {
        let Ok(leg) = decode::<Leg>(bytes, "a leg") else { return Caught::Decode };
        assert_eq!(encode(&leg), bytes, "{at}: one encoding a leg");
        assert_ne!(leg.root(0, &SALT), root, "{at}: the root must change");
        let mut claims = Claims::new();
        if leg.check(&asset.terms, &mut claims).is_err() {
            return Caught::Check;
        }
        assert!(claims.accept(&mut rng(99)).is_err(), "{at}: accepted");
        Caught::Proof
    }

    /// A small leg with everything in it: one input, two outputs, two keys.
    fn subject() -> (Asset, Leg, Vec<u8>) {
        let rng = &mut rng(20);
        let (asset, plan) = transfer(&[Field::Amounts], rng);
        let leg = plan.draft(&asset, rng).prove(rng);
        assert_eq!(verify(&leg, &asset), Ok(()));
        let bytes = encode(&leg);
        (asset, leg, bytes)
    }

    #[test]
    fn every_flipped_bit_of_the_header_is_refused_and_changes_the_root() {
        let (asset, leg, bytes) = subject();
        let root = leg.root(0, &SALT);
        let mut seen = BTreeMap::new();
        for bit in 0..encode(&leg.header).len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            *seen.entry(caught(&bad, &asset, root, &format!("bit {bit}"))).or_insert(0) += 1;
        }
        // Version and purpose by decoding; network, asset, terms, epoch and quantities by the rules; the nonce by the proofs.
        assert_eq!(seen[&Caught::Proof], 32 * 8);
        assert_eq!(seen[&Caught::Decode], 8 + 7);
        assert_eq!(seen[&Caught::Check], 3 * 32 * 8 + 1 + 32 + 2 * 64);
    }

    #[test]
    fn every_byte_of_a_leg_flipped_in_one_bit_is_refused_and_changes_the_root() {
        let (asset, leg, bytes) = subject();
        let root = leg.root(0, &SALT);
        let start = encode(&leg.header).len();
        // Both cores: even bytes and odd ones.
        std::thread::scope(|scope| {
            for parity in 0..2 {
                let (asset, bytes) = (&asset, &bytes);
                scope.spawn(move || {
                    for byte in (start + parity..bytes.len()).step_by(2) {
                        let mut bad = bytes.clone();
                        bad[byte] ^= 1 << (byte * 7 % 8);
                        caught(&bad, asset, root, &format!("byte {byte}"));
                    }
                });
            }
        });
    }

    #[test]
    fn each_component_changes_the_root_and_its_own_proof_catches_it() {
        let (asset, leg, _) = subject();
        let root = leg.root(0, &SALT);
        let refused = |leg: Leg, why: LegError| {
            assert_ne!(leg.root(0, &SALT), root);
            assert_eq!(verify(&leg, &asset), Err(why));
        };
        let shifted = |encoded: &Encoded| Encoded::of(&(point(encoded) + B));
        let mut one = leg.clone();
        let mut inputs = one.inputs.to_vec();
        inputs[0].commitment = shifted(&inputs[0].commitment);
        one.inputs = inputs.try_into().unwrap();
        refused(one, LegError::Proof(Rejected::False(spend::NAME)));
        let mut one = leg.clone();
        let mut outputs = one.outputs.to_vec();
        outputs[1].commitment = shifted(&outputs[1].commitment);
        one.outputs = outputs.try_into().unwrap();
        refused(one, LegError::Proof(Rejected::False(spend::NAME)));
        let mut one = leg.clone();
        let mut sections = one.sections.to_vec();
        sections[0].key_hash = Hash::default();
        one.sections = sections.try_into().unwrap();
        refused(one, LegError::Proof(Rejected::False(spend::NAME)));
        let mut one = leg;
        let mut range = one.proofs.range.to_vec();
        let last = range.len() - 32;
        range[last] ^= 1;
        one.proofs.range = range.try_into().unwrap();
        refused(one, LegError::Proof(Rejected::False(range::NAME)));
    }

    #[test]
    fn a_leg_cut_short_or_with_bytes_left_over_does_not_decode() {
        let (_, _, bytes) = subject();
        for length in (0..bytes.len()).step_by(13).chain(bytes.len() - 40..bytes.len()) {
            assert!(decode::<Leg>(&bytes[..length], "a leg").is_err(), "{length}");
        }
        for more in [&[0][..], &[0; 32], &bytes] {
            assert!(decode::<Leg>(&[&bytes, more].concat(), "a leg").is_err());
        }
    }

    #[test]
    fn the_root_depends_on_the_legs_number_and_salt() {
        let (_, leg, _) = subject();
        let roots = [leg.root(0, &SALT), leg.root(1, &SALT), leg.root(0, &LegSalt([8; 32]))];
        assert!(roots[0] != roots[1] && roots[0] != roots[2] && roots[1] != roots[2]);
    }

    #[test]
    fn the_identity_in_the_place_of_any_point_does_not_decode() {
        let (asset, leg, bytes) = subject();
        let input = &leg.inputs[0];
        let output = &leg.outputs[0];
        let slot = &output.slot.slot;
        let points = [
            input.tag,
            input.commitment,
            input.ephemeral,
            input.identities[0],
            output.commitment,
            output.ephemeral,
            output.amounts[0],
            output.amounts[1],
            slot.owner,
            slot.ephemeral,
            slot.identities[0],
            slot.memo_key,
            leg.sections[0].ephemeral,
            leg.sections[0].wraps[0],
        ];
        for one in points {
            let at = bytes.windows(32).position(|window| window == one.as_bytes()).unwrap();
            let mut bad = bytes.clone();
            bad[at..at + 32].fill(0);
            assert!(decode::<Leg>(&bad, "a leg").is_err());
            // Not a canonical encoding: found when the equations are decided, or by the slot's signature.
            bad[at..at + 32].fill(0xff);
            assert!(verify(&decode::<Leg>(&bad, "a leg").unwrap(), &asset).is_err());
        }
    }
}

mod scope {
    use super::*;
    use proptest::prelude::*;

    /// What a key with these fields must read of the transfer of 70 and 30.
    fn expected(leg: &Leg, asset: &Asset, plan: &Plan, fields: Fields) -> Disclosed {
        let all = leg.open(asset.epoch(0), asset.key(0, 0)).unwrap();
        let amounts = all.amounts.iter().map(|value| Amount::Known(*value)).collect();
        assert_eq!(all.amounts, [70, 30]);
        assert_eq!(all.senders, [Holder::new(1).account(asset)]);
        assert_eq!(all.receivers, [Holder::new(2).account(asset), Holder::new(1).account(asset)]);
        assert_eq!(all.trade, plan.trade);
        let links = all.links.clone().unwrap();
        assert_eq!(links.notes[..], [plan.spends[0].note.id()]);
        Disclosed {
            amounts: fields.has(Field::Amounts).then_some(amounts),
            parties: fields.has(Field::Parties).then_some((all.senders, all.receivers)),
            sender: fields.has(Field::Parties).then_some(Some(all.sender)),
            trade: fields.has(Field::Trade).then_some(Some(all.trade)),
            links: fields.has(Field::Links).then_some(Some(links)),
        }
    }

    fn fields_of(bits: u8) -> Fields {
        let list: Vec<Field> = Field::ALL
            .into_iter()
            .enumerate()
            .filter(|(i, _)| bits & (1 << i) != 0)
            .map(|(_, f)| f)
            .collect();
        fields(&list)
    }

    /// Whether any secret opens any point of the leg to something that means anything without being in scope: every section is
    /// tried in every place, every amount against the true values, every identity against the true accounts.
    fn opens_outside(leg: &Leg, asset: &Asset, place: usize, fields: Fields) -> Vec<String> {
        let (key, mut found) = (asset.key(0, place), Vec::new());
        let context = encode(&leg.header);
        for section in &leg.sections {
            let field = match section.kind {
                SectionKind::Opening(_) => Field::Amounts,
                SectionKind::Parties => Field::Parties,
                SectionKind::Trade => Field::Trade,
                SectionKind::Links => Field::Links,
                SectionKind::Snapshot => unreachable!("no leg has one"),
            };
            let opens = section.wraps.iter().any(|wrap| {
                let message = key.decrypt(&section.ephemeral, wrap).unwrap();
                section.open(&message, &context).is_ok()
            });
            if opens && !fields.has(field) {
                found.push(format!("{:?}", section.kind));
            }
        }
        for (i, output) in leg.outputs.iter().enumerate() {
            for one in &output.amounts {
                if key.amount_is(&output.ephemeral, one, [70, 30][i]).unwrap()
                    && !fields.has(Field::Amounts)
                {
                    found.push(format!("amount {i}"));
                }
            }
            let slot = &output.slot.slot;
            let accounts = [Holder::new(1).account(asset), Holder::new(2).account(asset)];
            for one in &slot.identities {
                let account = Encoded::of(&key.decrypt(&slot.ephemeral, one).unwrap());
                if accounts.contains(&account) && !fields.has(Field::Parties) {
                    found.push(format!("receiver {i}"));
                }
            }
        }
        for input in &leg.inputs {
            for one in &input.identities {
                let account = Encoded::of(&key.decrypt(&input.ephemeral, one).unwrap());
                if account == Holder::new(1).account(asset) && !fields.has(Field::Parties) {
                    found.push("sender".to_owned());
                }
            }
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_key_opens_exactly_its_scope(scopes in prop::collection::vec(1u8..16, 1..4), seed: u64) {
            let rng = &mut rng(seed);
            let scopes: Vec<Fields> = scopes.into_iter().map(fields_of).collect();
            let asset = Asset::new("JP0000000001", &[&scopes], rng);
            let (alice, bob) = (Holder::new(1), Holder::new(2));
            let spends = vec![alice.note(&asset, 100, rng)];
            let pays = vec![(bob.slot(&asset, 0, rng), 70), (alice.slot(&asset, 0, rng), 30)];
            let plan = Plan::transfer(spends, pays);
            let leg = plan.build(&asset, rng).unwrap().leg;
            for (place, fields) in [Fields::ALL].iter().chain(&scopes).enumerate() {
                let seen = leg.disclose(asset.epoch(0), asset.key(0, place)).unwrap();
                prop_assert_eq!(seen, expected(&leg, &asset, &plan, *fields), "key {}", place);
                prop_assert!(opens_outside(&leg, &asset, place, *fields).is_empty());
            }
        }
    }

    #[test]
    fn every_key_in_force_opens_a_final_output_and_no_other_key_does() {
        let rng = &mut rng(31);
        let scope = [fields(&[Field::Amounts]), fields(&[Field::Amounts, Field::Links])];
        let asset = Asset::new("JP0000000001", &[&scope, &scope], rng);
        let other = Asset::new("JP0000000002", &[&scope, &scope], rng);
        let to = Holder::new(1).slot(&asset, 1, rng);
        let leg = Plan::issue(vec![(to.clone(), 9)]).build(&asset, rng).unwrap().leg;
        for place in 0..3 {
            let seen = leg.disclose(asset.epoch(1), asset.key(1, place)).unwrap();
            assert_eq!(seen.amounts, Some(vec![Amount::Known(9)]));
            // Another epoch's key, another asset's key, a key of nobody: not in scope, and of no use on the points either.
            for key in [asset.key(0, place), other.key(1, place), other.key(0, place)] {
                assert_eq!(leg.disclose(asset.epoch(1), key), Err(OpenError::Scope));
                assert_eq!(leg.open(asset.epoch(1), key), Err(OpenError::Scope));
                for ciphertext in &leg.outputs[0].amounts {
                    assert_eq!(key.amount_is(&leg.outputs[0].ephemeral, ciphertext, 9), Ok(false));
                }
            }
            assert_eq!(leg.disclose(asset.epoch(0), asset.key(0, place)), Err(OpenError::Scope));
        }
        // The receiver opens it too.
        let leg = Plan::issue(vec![(to.clone(), 9)]).build(&asset, rng).unwrap();
        let part = leg.leg.tear_off(0, &leg.salt, 0).unwrap();
        assert_eq!(part.receive(&asset.terms, &to.secrets).unwrap().opening.value, 9);
    }

    #[test]
    fn who_lacks_links_has_nothing_to_test_candidate_notes_with() {
        // Enforces [LNK-2]: the proof is sealed; the leg's clear bytes hold neither it nor the notes.
        let rng = &mut rng(32);
        let (asset, plan) = transfer(&[Field::Amounts, Field::Parties, Field::Trade], rng);
        let leg = plan.build(&asset, rng).unwrap().leg;
        let links = leg.open(asset.epoch(0), asset.key(0, 0)).unwrap().links.unwrap();
        let bytes = encode(&leg);
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        let proof = encode(&links.proof);
        let note = plan.spends[0].note;
        assert!(!holds(&proof[2..34]) && !holds(&proof[proof.len() - 32..]));
        assert!(!holds(note.id().0.as_bytes()) && !holds(note.owner.as_bytes()));
        assert!(!holds(note.commitment.as_bytes()));
        let seen = leg.disclose(asset.epoch(0), asset.key(0, 1)).unwrap();
        assert!(seen.links.is_none() && seen.amounts.is_some() && seen.parties.is_some());
        // None of the leg's own proofs is a proof of links that the right notes would pass and others not.
        let alone = |proof: &sudare_crypto::linear::LinearProof, note: Note| {
            let mut claims = Claims::new();
            let shaped = leg.check_links(&[note], proof, &mut claims);
            shaped.is_ok() && claims.accept(&mut super::rng(1)).is_ok()
        };
        assert!(alone(&links.proof, note));
        let proofs = &leg.proofs;
        for proof in [
            proofs.spend.as_ref().unwrap(),
            proofs.amount.as_ref().unwrap(),
            &proofs.wrap,
            &proofs.balance,
        ] {
            assert!(!alone(proof, note));
        }
    }

    #[test]
    fn a_memo_that_lies_is_refused_by_the_registrar_and_read_all_the_same_by_an_authority() {
        let rng = &mut rng(33);
        let (asset, plan) = transfer(&[Field::Amounts], rng);
        let blinding = Secret(Scalar::from(5_u64));
        for content in [encode(&(71_u64, blinding)), b"rubbish".to_vec(), Vec::new()] {
            let lie = BTreeMap::from([(SectionKind::Opening(0), content)]);
            let leg = plan.draft_with(&asset, &lie, rng).prove(rng);
            assert_eq!(verify(&leg, &asset), Ok(()), "no equation covers what is sealed");
            let refused = leg.open(asset.epoch(0), asset.key(0, 0));
            assert_eq!(refused, Err(OpenError::Section(SectionKind::Opening(0))));
            let seen = leg.disclose(asset.epoch(0), asset.key(0, 1)).unwrap().amounts.unwrap();
            assert_eq!(seen[0], Amount::Hidden(Encoded::of(&(B * Scalar::from(70_u64)))));
            assert_eq!(seen[1], Amount::Known(30));
        }
    }

    #[test]
    fn an_opening_of_zero_that_lies_is_told_from_one_that_is_true() {
        let rng = &mut rng(36);
        let (asset, mut plan) = transfer(&[Field::Amounts], rng);
        (plan.pays[0].1, plan.pays[1].1) = (0, 100);
        let seen = |leg: &Leg| leg.disclose(asset.epoch(0), asset.key(0, 1)).unwrap().amounts;
        let leg = plan.draft(&asset, rng).prove(rng);
        assert_eq!(seen(&leg), Some(vec![Amount::Known(0), Amount::Known(100)]));
        for content in [encode(&(1_u64, Secret(Scalar::ONE))), b"rubbish".to_vec()] {
            let lie = BTreeMap::from([(SectionKind::Opening(0), content)]);
            let leg = plan.draft_with(&asset, &lie, rng).prove(rng);
            assert_eq!(seen(&leg), Some(vec![Amount::Unspendable(0), Amount::Known(100)]));
            let refused = Err(OpenError::Section(SectionKind::Opening(0)));
            assert_eq!(leg.open(asset.epoch(0), asset.key(0, 0)), refused);
        }
    }

    #[test]
    fn an_opening_with_the_right_value_but_a_wrong_blinding_is_refused() {
        let rng = &mut rng(34);
        let (asset, plan) = transfer(&[Field::Amounts], rng);
        let content = encode(&(70_u64, Secret(Scalar::from(5_u64))));
        let lie = BTreeMap::from([(SectionKind::Opening(0), content)]);
        let leg = plan.draft_with(&asset, &lie, rng).prove(rng);
        let refused = OpenError::Section(SectionKind::Opening(0));
        assert_eq!(leg.open(asset.epoch(0), asset.key(0, 0)), Err(refused));
        let part = leg.tear_off(0, &SALT, 0).unwrap();
        assert_eq!(part.receive(&asset.terms, &plan.pays[0].0.secrets).err(), Some(refused));
        // An authority is told what the amount is, and that the receiver can't spend it.
        let seen = leg.disclose(asset.epoch(0), asset.key(0, 1)).unwrap();
        assert_eq!(seen.amounts, Some(vec![Amount::Unspendable(70), Amount::Known(30)]));
    }

    #[test]
    fn a_rubbish_section_is_refused_by_the_registrar_whatever_its_kind() {
        let rng = &mut rng(35);
        let (asset, plan) = transfer(&[Field::Amounts], rng);
        let too_many: Vec<NoteId> = vec![plan.spends[0].note.id(); 2];
        for (kind, content) in [
            (SectionKind::Parties, vec![0xff; 9]),
            (SectionKind::Trade, vec![0xff; 9]),
            (SectionKind::Trade, [encode(&plan.trade), vec![0]].concat()),
            (SectionKind::Links, Vec::new()),
            (SectionKind::Links, encode(&too_many)),
        ] {
            let lie = BTreeMap::from([(kind, content)]);
            let leg = plan.draft_with(&asset, &lie, rng).prove(rng);
            assert_eq!(verify(&leg, &asset), Ok(()));
            let refused = leg.open(asset.epoch(0), asset.key(0, 0));
            assert_eq!(refused, Err(OpenError::Section(kind)));
        }
    }
}

mod tear_offs {
    use super::*;
    use sha2::{Digest, Sha256};
    use sudare_crypto::derive::Seed;
    use sudare_ledger::leg::{ComponentKind, TearOff, TearOffError};
    use sudare_ledger::tree::MemoryTree;

    fn subject() -> (Asset, Plan, Leg, Hash, TearOff) {
        let rng = &mut rng(40);
        let (asset, plan) = transfer(&[Field::Amounts], rng);
        let leg = plan.build(&asset, rng).unwrap().leg;
        let part = leg.tear_off(1, &SALT, 0).unwrap();
        let root = leg.root(1, &SALT);
        (asset, plan, leg, root, part)
    }

    #[test]
    fn a_receiver_gets_header_output_opening_and_trade_and_nothing_else() {
        let (asset, plan, leg, root, part) = subject();
        assert_eq!(part.check(1, root), Ok(()));
        let kinds: Vec<ComponentKind> = part.components.iter().map(|one| one.kind).collect();
        use ComponentKind::{Header, Output, Section};
        assert_eq!(kinds, [Header, Output, Section, Section]);
        assert_eq!(part.header().unwrap(), leg.header);
        assert_eq!(part.output().unwrap(), (0, leg.outputs[0].clone()));
        for kind in [SectionKind::Opening(0), SectionKind::Trade] {
            assert!(part.section(kind).is_ok());
        }
        for kind in [SectionKind::Opening(1), SectionKind::Parties, SectionKind::Links] {
            assert_eq!(part.section(kind), Err(TearOffError::Missing(Section)));
        }
        // Nothing of inputs, change, other sections or proofs is in its bytes.
        let bytes = encode(&part);
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(holds(leg.outputs[0].commitment.as_bytes()));
        let change = &leg.outputs[1];
        for hidden in
            [leg.inputs[0].tag, leg.inputs[0].commitment, change.commitment, change.slot.slot.owner]
        {
            assert!(!holds(hidden.as_bytes()));
        }
        assert!(!holds(&SALT.0));
        let received = part.receive(&asset.terms, &plan.pays[0].0.secrets).unwrap();
        assert_eq!((received.index, received.opening.value), (0, 70));
        assert_eq!(received.trade, plan.trade);
    }

    #[test]
    fn its_size_depends_on_nothing_but_the_number_of_components() {
        let rng = &mut rng(41);
        let (asset, plan) = transfer(&[Field::Amounts], rng);
        let one = plan.build(&asset, rng).unwrap();
        let mut again = plan.clone();
        again.pays[0].1 = 1;
        again.pays[1].1 = 99;
        let two = again.build(&asset, rng).unwrap();
        let size = |leg: &Leg| encode(&leg.tear_off(0, &SALT, 0).unwrap()).len();
        assert_eq!(size(&one.leg), size(&two.leg));
    }

    #[test]
    fn every_flipped_byte_of_a_tear_off_is_refused() {
        let (_, _, _, root, part) = subject();
        let bytes = encode(&part);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1 << (at % 8);
            let Ok(bad) = decode::<TearOff>(&bad, "a tear-off") else { continue };
            match bad.check(1, root) {
                // A root does not fix the number of leaves. Another one shows nothing else: leaves say what they are.
                Ok(()) => assert_eq!(bad, TearOff { size: bad.size, ..part.clone() }, "byte {at}"),
                Err(error) => assert!(matches!(error, TearOffError::Path(_)), "byte {at}"),
            }
        }
    }

    #[test]
    fn a_component_with_its_salt_helps_nobody_to_guess_another() {
        // Enforces [LEG-6]. Bob was shown output 0, and guesses output 1: its leaf is the first hash of his path.
        let (_, _, leg, _, part) = subject();
        let guess = encode(&leg.outputs[1]);
        let sibling = |part: &TearOff| {
            let output = part.components.iter().find(|one| one.kind == ComponentKind::Output);
            encode(&output.unwrap().path)[2..34].to_vec()
        };
        let confirms = |part: &TearOff, salt: &[u8; 32]| leaf(salt, 2, 1, &guess) == sibling(part);
        // With one salt for all components he would be right, and would know it.
        let (salt, header) = ([7; 32], encode(&leg.header));
        let weak = [
            leaf(&salt, 0, 0, &header),
            leaf(&salt, 1, 0, &encode(&leg.inputs[0])),
            leaf(&salt, 2, 0, &encode(&leg.outputs[0])),
            leaf(&salt, 2, 1, &guess),
        ];
        let weak: Vec<_> = weak.map(|leaf| Hash(leaf.try_into().unwrap())).to_vec();
        let path = MemoryTree::from_leaves(&weak).unwrap().inclusion(2, 4).unwrap();
        let mut shown = part.clone();
        let mut components = shown.components.to_vec();
        components.iter_mut().for_each(|one| one.path = path.clone());
        shown.components = components.try_into().unwrap();
        assert!(confirms(&shown, &salt));
        // As it is, no salt that he was shown does that, nor any that follows from one as salts follow from the leg's.
        for component in &part.components {
            assert!(!confirms(&part, &component.salt));
            for kind in 0..5u8 {
                let purpose = encode(&(kind, 1u8));
                let next = Seed(component.salt).child(b"component", &purpose).0;
                assert!(!confirms(&part, &next));
            }
        }
        let own = Seed(SALT.0).child(b"component", &encode(&(ComponentKind::Output, 1u8))).0;
        assert!(confirms(&part, &own), "it is the guess that is right");
    }

    /// The leaf of a component of leg 1 as the specification has it.
    fn leaf(salt: &[u8; 32], kind: u8, index: u8, body: &[u8]) -> Vec<u8> {
        let length = u64::try_from(body.len()).unwrap().to_le_bytes();
        let head = [&[0], salt.as_slice(), &[1, kind, 1, index], &length].concat();
        Sha256::digest([&head, body].concat()).to_vec()
    }

    #[test]
    fn a_component_is_not_shown_as_another_or_of_another_leg() {
        let (_, _, leg, root, part) = subject();
        assert!(part.check(0, root).is_err());
        assert!(part.check(1, leg.root(0, &SALT)).is_err());
        let with = |change: fn(&mut sudare_ledger::leg::Component)| {
            let mut components = part.components.to_vec();
            change(&mut components[1]);
            TearOff { size: part.size, components: components.try_into().unwrap() }.check(1, root)
        };
        assert_eq!(with(|_| ()), Ok(()));
        assert!(with(|one| one.kind = ComponentKind::Input).is_err());
        assert!(with(|one| one.index = 1).is_err());
        assert!(with(|one| one.position += 1).is_err());
        assert!(with(|one| one.salt[0] ^= 1).is_err());
    }

    #[test]
    fn a_tear_off_without_what_a_receiver_needs_gives_nothing() {
        let (asset, plan, _, root, part) = subject();
        let secrets = &plan.pays[0].0.secrets;
        for missing in 0..part.components.len() {
            let mut components = part.components.to_vec();
            components.remove(missing);
            let less = TearOff { size: part.size, components: components.try_into().unwrap() };
            assert_eq!(less.check(1, root), Ok(()));
            let refused = less.receive(&asset.terms, secrets).err();
            assert!(
                matches!(refused, Some(OpenError::TearOff(TearOffError::Missing(_)))),
                "{missing}"
            );
        }
    }

    #[test]
    fn only_who_gave_the_slot_receives() {
        let (asset, plan, leg, _, part) = subject();
        let (bob, change) = (&plan.pays[0].0.secrets, &plan.pays[1].0.secrets);
        assert!(part.receive(&asset.terms, bob).is_ok());
        let refused = |secrets| part.receive(&asset.terms, &secrets).err();
        assert_eq!(refused(change.clone()), Some(OpenError::Slot));
        let mut wrong = bob.clone();
        wrong.blinding = Secret(Scalar::ONE);
        assert_eq!(refused(wrong), Some(OpenError::Slot));
        let mut wrong = bob.clone();
        wrong.memo = change.memo.clone();
        assert_eq!(refused(wrong), Some(OpenError::Section(SectionKind::Opening(0))));
        // The other output's receiver reads the trade, not this opening.
        let theirs = leg.tear_off(1, &SALT, 1).unwrap();
        assert_eq!(theirs.receive(&asset.terms, change).unwrap().opening.value, 30);
        let other = Asset::new("JP0000000002", &[&[]], &mut rng(42));
        assert_eq!(part.receive(&other.terms, bob).err(), Some(OpenError::Slot));
    }

    #[test]
    fn there_is_no_tear_off_of_an_output_that_is_not_there() {
        let (_, _, leg, _, _) = subject();
        assert!(leg.tear_off(1, &SALT, 2).is_err());
    }
}

/// Opens every output as its receiver would.
fn received(plan: &Plan, leg: &Leg, asset: &Asset, salt: &LegSalt) -> Vec<Held> {
    let root = leg.root(0, salt);
    let mut notes = Vec::new();
    for (index, (to, value)) in plan.pays.iter().enumerate() {
        let part = leg.tear_off(0, salt, index as u8).unwrap();
        part.check(0, root).unwrap();
        let got = part.receive(&asset.terms, &to.secrets).unwrap();
        assert_eq!(got.opening.value, *value);
        notes.push(held(asset, &to.slot, got.opening.clone(), to.secrets.clone()));
        assert_eq!(notes[index].note, leg.notes().nth(index).unwrap());
    }
    notes
}
