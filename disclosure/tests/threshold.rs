//! The vectors of `specs/vectors/threshold.json`, written by the reference in Python from the specification alone: every message of a
//! move, the group and the shares that come of it, and partials, right and wrong.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "vectors are files of this project"
)]

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, RngCore, SeedableRng};
use serde_json::Value;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{Encoded, Hash};
use sudare_disclosure::Opens;
use sudare_disclosure::threshold::{
    Message, Officer, OfficerKey, Partial, Party, Plan, Request, Shares, SignedGroup, State,
    WrongReason, combine, conclude,
};

#[test]
fn every_message_of_a_move_has_the_bytes_of_the_specification() {
    let vectors = &load()["move"];
    let plan: Plan = decode(&bytes(&vectors["plan"]), "a plan").unwrap();
    assert_eq!(plan.check(), Ok(()));
    assert_eq!(vectors["ceremony"], plan.id().0.to_string());
    let old: SignedGroup = decode(&bytes(&vectors["old_group"]), "a group").unwrap();
    assert_eq!(vectors["old_id"], old.check().unwrap().id().0.to_string());

    let people = list(&vectors["officers"]);
    let messages = |name: &str| -> Vec<Message> {
        let there = people.iter().filter(|person| !person[name].is_null());
        there.map(|person| decode(&bytes(&person[name]), "a message").unwrap()).collect()
    };
    let (commits, confirms) = (messages("commit"), messages("confirm"));
    let mut deals: BTreeMap<[u8; 32], Vec<Message>> = BTreeMap::new();
    for person in people {
        for deal in list(&person["deals"]) {
            let message: Message = decode(&bytes(deal), "a message").unwrap();
            deals.entry(message.to.unwrap().0).or_default().push(message);
        }
    }
    for person in people {
        let key = OfficerKey::new(Seed(array(&person["seed"])));
        let card: Officer = decode(&bytes(&person["card"]), "a card").unwrap();
        assert_eq!((card.id, person["name"].as_str()), (key.id(), Some(card.name.as_str())));
        let shares: Option<Shares> = (!person["old_shares"].is_null())
            .then(|| decode(&bytes(&person["old_shares"]), "shares").unwrap());
        let state: State = decode(&bytes(&person["state"]), "a state").unwrap();
        let mut party = Party::new(&plan, &key, shares.as_ref(), state).unwrap();
        assert_eq!(person["commit"], hex(&encode(&party.commit().unwrap())));
        if shares.is_some() {
            let dealt = party.deal(&commits).unwrap();
            let dealt: Vec<String> = dealt.iter().map(|deal| hex(&encode(deal))).collect();
            assert_eq!(person["deals"], Value::from(dealt));
        }
        if !person["new_shares"].is_null() {
            let finished = party.finish(&commits, &deals[&key.id().0]).unwrap();
            assert_eq!(person["new_shares"], hex(&encode(&finished.shares)));
            assert_eq!(person["confirm"], hex(&encode(&finished.confirm)));
        }
    }
    let concluded = conclude(&plan, &commits, &confirms).unwrap();
    assert_eq!(vectors["group"], hex(&encode(&concluded.group)));
    assert_eq!(vectors["id"], concluded.group.check().unwrap().id().0.to_string());
}

#[test]
fn partials_have_the_bytes_of_the_specification_and_open_together() {
    for case in list(&load()["openings"]) {
        let group: SignedGroup = decode(&bytes(&case["group"]), "a group").unwrap();
        let (group, request) = (group.check().unwrap(), request(case));
        assert_eq!(case["request"], request.hash().to_string());
        let mut partials: Vec<Partial> = Vec::new();
        for one in list(&case["partials"]) {
            let shares: Shares = decode(&bytes(&one["shares"]), "shares").unwrap();
            let entropy = &mut Fixed(array(&one["entropy"]));
            let partial = request.answer(group, &shares, entropy).unwrap();
            assert_eq!(one["partial"], hex(&encode(&partial)));
            partials.push(partial);
        }
        let combined = combine(group, &request, &partials, &mut rng()).unwrap();
        assert!(combined.wrong.is_empty());
        let (points, ciphertexts) = (list(&case["sorted"]), list(&case["ciphertexts"]));
        for (ephemeral, ciphertext) in sudare_crypto::pairs(points, ciphertexts).unwrap() {
            let opened = combined.opened.decrypt(&point(ephemeral), &point(ciphertext)).unwrap();
            assert_eq!(Encoded::of(&opened), point(&case["message"]));
        }
    }
}

#[test]
fn partials_that_the_reference_refuses_do_not_count() {
    let vectors = load();
    let case = &vectors["wrong"];
    let group: SignedGroup = decode(&bytes(&case["group"]), "a group").unwrap();
    let (group, request) = (group.check().unwrap(), request(case));
    let right: Vec<Partial> =
        list(&case["right"]).iter().map(|one| decode(&bytes(one), "a partial").unwrap()).collect();
    for one in list(&case["partials"]) {
        let wrong: Partial = decode(&bytes(&one["partial"]), "a partial").unwrap();
        let expected = match one["why"].as_str().unwrap() {
            "for another leg"
            | "for another epoch"
            | "for fewer points"
            | "of the next generation" => WrongReason::OtherRequest,
            "an index that nobody has" => WrongReason::UnknownOfficer,
            _ => WrongReason::Proof,
        };
        let all = [vec![wrong], right.clone()].concat();
        let combined = combine(group, &request, &all, &mut rng()).unwrap();
        assert_eq!(combined.wrong[0].reason, expected, "{}", one["why"]);
        assert_eq!(combined.wrong.len(), 1, "{}", one["why"]);
        assert!(combine(group, &request, &all[..2], &mut rng()).is_err(), "{}", one["why"]);
    }
}

fn request(case: &Value) -> Request {
    let group: SignedGroup = decode(&bytes(&case["group"]), "a group").unwrap();
    let points = list(&case["points"]).iter().map(point).collect();
    let epoch = u8::try_from(case["epoch"].as_u64().unwrap()).unwrap();
    Request::new(group.check().unwrap(), epoch, Hash(array(&case["leg"])), points).unwrap()
}

/// Entropy that was fixed beforehand.
struct Fixed([u8; 32]);

impl RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        unreachable!("entropy is asked for as bytes")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("entropy is asked for as bytes")
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&self.0);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Fixed {}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(1)
}

fn load() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../specs/vectors/threshold.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    assert!(text.len().is_multiple_of(2));
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

fn point(value: &Value) -> Encoded {
    Encoded::from_bytes(array(value)).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
