//! Openings by partials.

use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::point::B;
use sudare_crypto::{Bounded, Encoded, RistrettoPoint, linear};

use super::super::partial::{Statement, relation};
use super::*;
use crate::Opens;

struct Scene {
    people: People,
    group: SignedGroup,
    held: Held,
    points: Vec<Encoded>,
    rng: ChaCha20Rng,
}

impl Scene {
    fn new(threshold: u8, names: &[&'static str]) -> Self {
        let (mut rng, people) = (rng(), people());
        let plan = generate(threshold, people.officers(names), &mut rng);
        let (done, held) = whole(&plan, &people, &Held::new(), &mut rng);
        let points = (0..5).map(|_| Secret::random(&mut rng).public()).collect();
        Self { people, group: done.group, held, points, rng }
    }

    fn group(&self) -> &Group {
        self.group.check().unwrap()
    }

    fn request(&self, epoch: u8) -> Request {
        Request::new(self.group(), epoch, Hash([9; 32]), self.points.clone()).unwrap()
    }

    fn partials(&self, request: &Request) -> Vec<Partial> {
        let mut rng = self.rng.clone();
        self.held.values().map(|one| request.answer(self.group(), one, &mut rng).unwrap()).collect()
    }
}

#[test]
fn any_officers_enough_in_number_open_what_the_key_opens_and_fewer_nothing() {
    let mut scene = Scene::new(3, &NEW);
    let request = scene.request(1);
    let partials = scene.partials(&request);
    let k = secret(&scene.held.values().collect::<Vec<_>>(), 1);
    for some in subsets(&partials) {
        let group = scene.group.check().unwrap();
        match combine(group, &request, &some, &mut scene.rng) {
            Ok(done) => {
                assert!(some.len() >= 3 && done.wrong.is_empty());
                assert_eq!(Some(done.opened.point()), group.key(1));
                let message = B * Scalar::from(42u64);
                for point in &scene.points {
                    let shared: RistrettoPoint = point.decompress().unwrap() * k.0;
                    let opened = done.opened.decrypt(point, &Encoded::of(&(message + shared)));
                    assert_eq!(opened.unwrap(), message);
                }
                let other = Secret(Scalar::from(5u64)).public();
                assert!(done.opened.decrypt(&other, &other).is_err());
            }
            Err(few) => {
                assert!(some.len() < 3);
                assert_eq!((few.right, few.needed), (some.len(), 3));
            }
        }
    }
}

/// The partials but one, with a changed one in its place.
fn refused(scene: &Scene, request: &Request, wrong: Partial, reason: WrongReason) {
    let mut rng = scene.rng.clone();
    let mut partials = scene.partials(request);
    let index = wrong.index;
    partials.retain(|one| one.index != index);
    partials.insert(0, wrong);
    let group = scene.group();
    let done = combine(group, request, &partials, &mut rng).unwrap();
    let officer = group.officer(index).map(|one| one.name.clone()).unwrap_or_default();
    assert_eq!(done.wrong, [Wrong { index, officer, reason }]);
    let alone = combine(group, request, &partials[..2], &mut rng).unwrap_err();
    assert_eq!((alone.right, alone.wrong.len()), (1, 1));
}

#[test]
fn a_wrong_partial_is_named_and_does_not_count() {
    let scene = Scene::new(2, &OLD);
    let request = scene.request(0);
    let good = scene.partials(&request)[0].clone();
    let bytes = encode(&good);
    let mut tried = 0;
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let Ok(wrong) = decode::<Partial>(&changed, "a partial") else { continue };
        tried += 1;
        let mut rng = scene.rng.clone();
        let partials = [wrong, scene.partials(&request)[1].clone()];
        assert!(combine(scene.group(), &request, &partials, &mut rng).is_err(), "byte {at}");
    }
    assert!(tried > 200);
}

#[test]
fn a_partial_for_other_points_another_leg_or_another_key_does_not_count() {
    let scene = Scene::new(2, &OLD);
    let request = scene.request(0);
    let group = scene.group();
    let mut fewer = scene.points.clone();
    fewer.pop();
    for other in [
        Request::new(group, 0, Hash([9; 32]), fewer).unwrap(),
        Request::new(group, 0, Hash([8; 32]), scene.points.clone()).unwrap(),
        scene.request(1),
    ] {
        refused(&scene, &request, scene.partials(&other)[0].clone(), WrongReason::OtherRequest);
        // Nor if it says that it is for this request.
        let mut bytes = encode(&scene.partials(&other)[0]);
        bytes[1..33].copy_from_slice(request.hash().as_bytes());
        let forged = decode(&bytes, "a partial").unwrap();
        refused(&scene, &request, forged, WrongReason::Proof);
    }
}

#[test]
fn a_false_value_has_no_proof_even_by_the_officers_own_share() {
    let scene = Scene::new(2, &OLD);
    let (request, mut rng) = (scene.request(0), scene.rng.clone());
    let (own, shares) = (&scene.partials(&request)[0], scene.held.values().next().unwrap());
    let share = shares.share(0).unwrap();
    let mut points = scene.points.clone();
    points.sort_unstable();
    let truth: Vec<RistrettoPoint> =
        points.iter().map(|point| point.decompress().unwrap() * share.0).collect();
    for lie in [0, 4] {
        let mut values = truth.clone();
        values[lie] += B;
        let values: Vec<Encoded> = values.iter().map(Encoded::of).collect();
        let (index, share_point) = (shares.index, share.public());
        let statement = Statement { index, share: share_point, points: &points, values: &values };
        let relation = relation(&statement).unwrap();
        let proof =
            linear::prove(&relation, &[share.0], &mut request.transcript(), &mut rng).unwrap();
        let values: Bounded<Encoded, POINTS_MAX> = values.try_into().unwrap();
        let bytes = encode(&(1u8, own.request, index, values, proof));
        let wrong = decode(&bytes, "a partial").unwrap();
        refused(&scene, &request, wrong, WrongReason::Proof);
    }
}

#[test]
fn a_partial_under_another_officers_name_does_not_count() {
    let scene = Scene::new(2, &OLD);
    let request = scene.request(0);
    let mut taken = scene.partials(&request)[0].clone();
    taken.index = if taken.index == 2 { 3 } else { 2 };
    refused(&scene, &request, taken.clone(), WrongReason::Proof);
    for index in [0, 4, 255] {
        taken.index = index;
        let mut partials = scene.partials(&request);
        partials.push(taken.clone());
        let mut rng = scene.rng.clone();
        let done = combine(scene.group(), &request, &partials, &mut rng).unwrap();
        assert_eq!(done.wrong[0].reason, WrongReason::UnknownOfficer);
    }
}

#[test]
fn one_officer_twice_is_one_officer() {
    let scene = Scene::new(2, &OLD);
    let request = scene.request(0);
    let mut rng = scene.rng.clone();
    let shares = scene.held.values().next().unwrap();
    let twice: Vec<Partial> =
        (0..2).map(|_| request.answer(scene.group(), shares, &mut rng).unwrap()).collect();
    assert_ne!(twice[0], twice[1], "two proofs of one partial");
    let few = combine(scene.group(), &request, &twice, &mut rng).unwrap_err();
    assert_eq!((few.right, few.wrong[0].reason), (1, WrongReason::Repeated));
}

#[test]
fn shares_of_two_generations_do_not_open_together() {
    let mut scene = Scene::new(2, &OLD);
    let before = scene.group.clone();
    let (old, mut rng) = (scene.held.clone(), scene.rng.clone());
    let from = Box::new(before.clone());
    let officers = scene.people.officers(&OLD);
    let plan = Plan::new(Kind::Refresh { from }, 2, officers, &mut rng).unwrap();
    let (after, new) = whole(&plan, &scene.people, &old, &mut rng);
    let stale = scene.partials(&scene.request(0));
    (scene.group, scene.held) = (after.group, new);
    let request = scene.request(0);
    refused(&scene, &request, stale[0].clone(), WrongReason::OtherRequest);
    let shares = old.values().next().unwrap();
    let answer = request.answer(scene.group(), shares, &mut rng);
    assert_eq!(answer.unwrap_err(), CeremonyError::OtherGroup);
    // A request of the old generation is none of the new one's.
    let old_request =
        Request::new(before.check().unwrap(), 0, Hash([9; 32]), scene.points.clone()).unwrap();
    assert!(combine(scene.group(), &old_request, &stale, &mut rng).is_err());
    // An officer who says its old share is the new one can't prove it.
    let mut forged = shares.clone();
    forged.group = scene.group().id();
    assert_eq!(forged.check(scene.group()), Err(CeremonyError::OtherGroup));
}

#[test]
fn the_identity_and_points_that_do_not_decode_are_not_answered() {
    let scene = Scene::new(2, &OLD);
    assert!(Encoded::from_bytes([0; 32]).is_err());
    let bad = Encoded::from_bytes([0xff; 32]).unwrap();
    let request = Request::new(scene.group(), 0, Hash([9; 32]), vec![bad]).unwrap();
    let mut rng = scene.rng.clone();
    let shares = scene.held.values().next().unwrap();
    assert!(request.answer(scene.group(), shares, &mut rng).is_err());
    assert_eq!(POINTS_MAX, 256);
    let many = (1..=257u64).map(|i| Secret(Scalar::from(i)).public()).collect();
    assert!(Request::new(scene.group(), 0, Hash([9; 32]), many).is_err());
}
