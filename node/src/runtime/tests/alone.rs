use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sudare_ledger::role::Role;

use super::operator::OperatorError;
use super::toy::{Order, RANG, RESULTS, Toy, times};
use super::{World, rows};
use crate::runtime::RuntimeError;
use crate::store::{Options, Store};

const ALONE: [Role; 1] = [Role::Custodian];

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_done_and_done_again_after_a_crash() {
    let world = World::new(&ALONE);
    let toy = Toy::default();
    toy.stuck.store(true, Ordering::Relaxed);
    let node = world.start(0, &toy).await;
    for number in 0..5 {
        world.order(0, Order::Work(number)).await;
    }
    until(|| toy.begun.load(Ordering::Relaxed) == 2).await;
    until(|| node.status().counters.jobs_waiting == 3).await;
    let counters = node.status().counters;
    assert_eq!((counters.jobs_started, counters.jobs_waiting, counters.jobs_done), (2, 3, 0));
    // The node goes down with two jobs at hand, which come to nothing.
    node.halt();
    toy.broken.store(true, Ordering::Relaxed);
    toy.stuck.store(false, Ordering::Relaxed);
    node.stop().await.unwrap();
    assert_eq!(toy.begun.load(Ordering::Relaxed), 2);
    toy.broken.store(false, Ordering::Relaxed);
    let node = world.start(0, &toy).await;
    world.counts(0, RESULTS, 5).await;
    assert_eq!(toy.begun.load(Ordering::Relaxed), 7);
    node.stop().await.unwrap();
    assert!(!rows(&world.folder(0)).iter().any(|(key, _)| key[0] == 0xf1));
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_jobs_are_done_at_once_as_there_are_threads() {
    for threads in [1, 3, 6] {
        let mut world = World::new(&ALONE);
        world.workers = threads;
        let toy = Toy::default();
        toy.stuck.store(true, Ordering::Relaxed);
        let node = world.start(0, &toy).await;
        for number in 0..8 {
            world.order(0, Order::Work(number)).await;
        }
        let threads = u64::try_from(threads).unwrap();
        // None ends before all that can begin has begun.
        until(|| toy.begun.load(Ordering::Relaxed) == threads).await;
        until(|| node.status().counters.jobs_waiting == 8 - threads).await;
        let counters = node.status().counters;
        assert_eq!((counters.jobs_started, counters.jobs_done), (threads, 0));
        toy.stuck.store(false, Ordering::Relaxed);
        world.counts(0, RESULTS, 8).await;
        node.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_with_a_fault_stops_nothing_else_and_is_tried_at_the_next_start() {
    let world = World::new(&ALONE);
    let toy = Toy::default();
    toy.broken.store(true, Ordering::Relaxed);
    let node = world.start(0, &toy).await;
    world.order(0, Order::Work(1)).await;
    until(|| node.status().counters.jobs_started == 1).await;
    until(|| toy.begun.load(Ordering::Relaxed) == 1).await;
    world.order(0, Order::Note).await;
    toy.broken.store(false, Ordering::Relaxed);
    node.stop().await.unwrap();
    let _node = world.start(0, &toy).await;
    world.counts(0, RESULTS, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_ring_when_they_are_due_also_after_a_restart() {
    let mut world = World::new(&ALONE);
    let clock = Arc::new(AtomicU64::new(1_000));
    world.clock = Some(Arc::clone(&clock));
    let toy = Toy::default();
    let node = world.start(0, &toy).await;
    let operator = world.operator(0);
    for at in 2_000..2_600 {
        operator.instruct(&Order::Ring(at)).await.unwrap();
    }
    clock.store(1_999, Ordering::Relaxed);
    world.order(0, Order::Note).await;
    world.counts(0, RANG, 0).await;
    clock.store(2_299, Ordering::Relaxed);
    world.counts(0, RANG, 300).await;
    node.stop().await.unwrap();
    clock.store(3_000, Ordering::Relaxed);
    let _node = world.start(0, &toy).await;
    world.counts(0, RANG, 600).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_never_goes_back_not_even_over_a_restart() {
    let mut world = World::new(&ALONE);
    let clock = Arc::new(AtomicU64::new(0));
    world.clock = Some(Arc::clone(&clock));
    for now in [5_000, 6_000, 1_000, 4_000, 7_000] {
        clock.store(now, Ordering::Relaxed);
        let node = world.start(0, &Toy::default()).await;
        world.order(0, Order::Note).await;
        clock.store(now - 900, Ordering::Relaxed);
        world.order(0, Order::Note).await;
        node.stop().await.unwrap();
    }
    let (store, _) = Store::open(&world.folder(0), &Options::default()).unwrap();
    assert_eq!(times(store.kv()), [5_000, 6_000, 7_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_a_rule_stops_the_node_and_keeps_nothing_of_the_event() {
    let world = World::new(&ALONE);
    let mut node = world.start(0, &Toy::default()).await;
    world.order(0, Order::Ring(u64::MAX)).await;
    let answer = world.operator(0).instruct(&Order::Panic).await;
    assert!(matches!(answer, Err(OperatorError::Refused(_))), "{answer:?}");
    let failed = node.failed().await.unwrap_err();
    assert!(matches!(failed, RuntimeError::Panicked));
    assert_eq!(failed.exit_code(), 70);
    node.stop().await.unwrap();
    let node = world.start(0, &Toy::default()).await;
    assert_eq!(node.status().height, 1);
    world.order(0, Order::Note).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_another_role_stops_the_start() {
    let world = World::new(&ALONE);
    let folder = world.folder(0);
    let (mut store, _) = Store::open(&folder, &Options::default()).unwrap();
    store.append(b"\x02something else").unwrap();
    store.sync().unwrap();
    drop(store);
    let opened = super::super::Ledger::open(Arc::new(Toy::default()), &folder, &Options::default());
    let Err(error) = opened else { panic!("it should not open") };
    assert!(matches!(error, RuntimeError::Record(crate::store::Seq(1))));
    assert_eq!(error.exit_code(), 65);
}

async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(super::PATIENCE, wait).await.unwrap();
}
