//! Does each job of a batch come to what it comes to alone?

use super::super::Job;
use super::World;
use crate::messages::{Message, Reason};
use crate::registrar::Outcome;
use crate::role::{JOBS, Lane, Machine};

#[test]
fn a_batch_gives_each_job_what_it_comes_to_alone_and_each_culprit_its_own_refusal() {
    let mut world = World::new();
    world.issue("issue-2", &[("alice", 30), ("alice", 20)]);
    let notes = world.a.notes.clone();
    let settling = world.transfer(&notes[..1], &[("bob", 100)]);
    let approval = world.approve(&settling).unwrap();
    let honest = world.transfer(&notes[1..2], &[("bob", 50)]);
    let mut unproved = world.transfer(&notes[2..3], &[("bob", 30)]);
    let proofs = &mut unproved.legs[0].built.leg.proofs;
    proofs.balance = proofs.wrap.clone();
    let unproved = super::approve::renamed(&mut world, unproved);
    let unknown = world.transfer(&notes[3..], &[("bob", 20)]);
    let asset = world.asset();
    crate::testing::tamper(&mut world.registrar.kv, |tx| {
        super::super::state::NOTES.delete(tx, &(asset, notes[3].note.id()));
    });
    for assembled in [&unproved, &honest, &unknown] {
        world.registrar.message(world.a.id(), Message::Approve(assembled.request(0))).unwrap();
    }
    let finalisation = world.finalisation(&settling, &[approval]);
    let mut forged = finalisation.clone();
    forged.signatures = honest.signatures(0, &finalisation.commit, &mut world.rng);
    world.registrar.message(world.a.id(), Message::Finalise(finalisation)).unwrap();
    let kv = &world.registrar.kv;
    let mut jobs: Vec<Job> = Vec::new();
    for (_, row) in JOBS.rows(kv, None, 10).unwrap() {
        jobs.push(sudare_crypto::encoding::decode(&row, "a job").unwrap());
    }
    let Some(Job::Verify(key, _)) = jobs.last().cloned() else { panic!("{jobs:?}") };
    jobs.push(Job::Verify(key, Box::new(forged)));
    let machine = &world.registrar.machine;
    assert!(jobs.iter().all(|job| machine.lane(job) == Lane::Gathered));
    let together = machine.perform_all(kv, &jobs, [1; 32]).unwrap();
    let alone = jobs.iter().map(|job| machine.perform(kv, job, [2; 32]).unwrap());
    assert_eq!(together, alone.collect::<Vec<_>>());
    assert!(
        matches!(
            together[..],
            [
                Outcome::Checked(Err(Reason::Proof)),
                Outcome::Checked(Ok(_)),
                Outcome::Checked(Err(Reason::UnknownNote)),
                Outcome::Verified(Ok(())),
                Outcome::Verified(Err(Reason::Signature)),
            ]
        ),
        "{together:?}"
    );
}

#[test]
fn a_large_leg_is_checked_by_itself_so_that_no_small_one_waits_for_its_batch() {
    let mut world = World::new();
    let notes = world.a.notes.clone();
    let to = vec![("bob", 1); 16];
    let large = world.transfer(&notes[..1], &[to.as_slice(), &[("alice", 84)]].concat());
    let small = world.transfer(&notes[1..2], &[&to[..15], &[("alice", 35)]].concat());
    for assembled in [&large, &small] {
        world.registrar.message(world.a.id(), Message::Approve(assembled.request(0))).unwrap();
    }
    let rows = JOBS.rows(&world.registrar.kv, None, 10).unwrap();
    let lanes = rows.iter().map(|(_, row)| {
        let job = sudare_crypto::encoding::decode(row, "a job").unwrap();
        world.registrar.machine.lane(&job)
    });
    assert_eq!(lanes.collect::<Vec<_>>(), [Lane::Prompt, Lane::Gathered]);
    world.registrar.work();
    let answers = world.registrar.sent();
    let approved = |message: &Message| matches!(message, Message::Approved { outcome: Ok(_), .. });
    assert_eq!(answers.iter().filter(|(_, message)| approved(message)).count(), 2);
}
