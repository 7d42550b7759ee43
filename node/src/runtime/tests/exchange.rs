use std::time::Duration;

use sudare_crypto::encoding::encode;
use sudare_ledger::messages::{Message, Reason};
use sudare_ledger::role::Role;

use super::operator::{Operator, OperatorError};
use super::toy::{ANSWERS, BAD, DELIVERED, LAPSED, NUMBERS, Order, REFUSED, Toy};
use super::{Crash, PATIENCE, Point, World, crashed, rows};
use crate::net::Response;
use crate::runtime::{INSTRUCTION, MALFORMED, NOT_ADMITTED, STATUS, reason_of};
use crate::store::Seq;

const PAIR: [Role; 2] = [Role::Custodian, Role::Registrar];

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_messages_count_once_each_wherever_a_node_fails() {
    let failures = [
        (0, Point::BeforeSync),
        (0, Point::AfterSync),
        (0, Point::AfterApply),
        (1, Point::BeforeSync),
        (1, Point::AfterSync),
        (1, Point::AfterApply),
    ];
    for (failing, point) in failures {
        let world = World::new(&PAIR);
        let toy = Toy::default();
        let crash = |node| (node == failing).then_some(Crash { point, from: Seq(400) });
        let mut nodes = [
            Some(world.start_to_crash(0, &toy, crash(0)).await),
            Some(world.start_to_crash(1, &toy, crash(1)).await),
        ];
        let to = world.members[1].id;
        world.order(0, Order::Send { to, first: 0, count: 1_000, until: None }).await;
        crashed(nodes[failing].take().unwrap()).await;
        nodes[failing] = Some(world.start(failing, &toy).await);
        world.counts(1, NUMBERS, 1_000).await;
        world.counts(0, ANSWERS, 1_000).await;
        world.counts(0, DELIVERED, 1_000).await;
        world.counts(1, DELIVERED, 1_000).await;
        for (node, running) in nodes.into_iter().enumerate() {
            running.unwrap().stop().await.unwrap();
            rebuilds(&world, node).await;
        }
    }
}

/// Built again from its log alone, a node's index is the same.
async fn rebuilds(world: &World, node: usize) {
    let folder = world.folder(node);
    let before = rows(&folder);
    std::fs::remove_dir_all(folder.join("index")).unwrap();
    let running = world.start(node, &Toy::default()).await;
    assert_eq!(running.report().applied.seq, Seq(0));
    running.stop().await.unwrap();
    assert!(rows(&folder) == before, "node {node}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_node_goes_on_where_it_was() {
    let world = World::new(&PAIR);
    let toy = Toy::default();
    let sender = world.start(0, &toy).await;
    let to = world.members[1].id;
    world.order(0, Order::Send { to, first: 0, count: 300, until: None }).await;
    // The addressee comes later, and goes without a word.
    let addressee = world.start(1, &toy).await;
    world.counts(0, DELIVERED, 300).await;
    world.order(0, Order::Send { to, first: 300, count: 300, until: None }).await;
    addressee.stop().await.unwrap();
    let _addressee = world.start(1, &toy).await;
    world.counts(1, NUMBERS, 600).await;
    world.counts(0, ANSWERS, 600).await;
    assert!(sender.status().backlog.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_a_node_that_is_away_waits_and_lapses() {
    let world = World::new(&PAIR);
    let toy = Toy::default();
    let sender = world.start(0, &toy).await;
    let to = world.members[1].id;
    let until = Some(crate::clock::now_ms() + 300);
    world.order(0, Order::Send { to, first: 0, count: 5, until }).await;
    world.order(0, Order::Send { to, first: 10, count: 1, until: None }).await;
    world.counts(0, LAPSED, 5).await;
    let away = loop {
        let status = world.operator(0).status().await.unwrap();
        if let [away] = &*status.backlog
            && away.unreachable_since.is_some()
        {
            break away.clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((away.peer.as_str(), away.waiting), ("node-1", 1));
    assert!(away.unreachable_since.is_some() && !away.why.as_str().is_empty());
    // What did not lapse arrives, and only that.
    let addressee = world.start(1, &toy).await;
    world.counts(0, DELIVERED, 1).await;
    world.counts(1, NUMBERS, 1).await;
    addressee.stop().await.unwrap();
    sender.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_is_not_sent_again_and_leaves_no_trace_at_the_addressee() {
    let world = World::new(&PAIR);
    let toy = Toy::default();
    let (_sender, addressee) = (world.start(0, &toy).await, world.start(1, &toy).await);
    let to = world.members[1].id;
    world.order(0, Order::Send { to, first: BAD, count: 1, until: None }).await;
    world.counts(0, REFUSED, 1).await;
    let status = addressee.status();
    assert_eq!((status.height, status.counters.logged), (0, 0));
    world.order(0, Order::Send { to, first: 1, count: 1, until: None }).await;
    world.counts(0, ANSWERS, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_takes_messages_from_itself() {
    let world = World::new(&PAIR);
    let _node = world.start(0, &Toy::default()).await;
    let to = world.members[0].id;
    world.order(0, Order::Send { to, first: 0, count: 50, until: None }).await;
    world.order(0, Order::Send { to, first: BAD, count: 1, until: None }).await;
    world.counts(0, NUMBERS, 50).await;
    world.counts(0, ANSWERS, 50).await;
    world.counts(0, REFUSED, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_senders_role_allows_is_read_and_only_what_decodes_is_handled() {
    let world = World::new(&[Role::Custodian, Role::Registrar, Role::Regulator]);
    let toy = Toy::default();
    let node = world.start(1, &toy).await;
    let (_custodian, _regulator) = (world.start(0, &toy).await, world.start(2, &toy).await);
    let to = world.members[1].id;
    let abandon =
        Message::Abandon { proposal: sudare_crypto::Hash([3; 32]), reason: Reason::NoMatch };
    let good = encode(&abandon);
    let refused = async |from: usize, kind: u8, payload: &[u8]| {
        let endpoint = crate::net::Endpoint::dial_only(
            &world.identity(from),
            &world.membership(),
            crate::net::Options::default(),
        );
        let endpoint = endpoint.unwrap();
        match endpoint.peers().request(&to, kind, payload, PATIENCE).await.unwrap() {
            Response::Refused(refusal) => Some(refusal.code),
            Response::Accepted | Response::Answer(_) => None,
        }
    };
    for (from, kind, payload, code) in [
        (2, abandon.kind(), good.as_slice(), NOT_ADMITTED),
        (1, abandon.kind(), &good, NOT_ADMITTED),
        (0, 19, &good, NOT_ADMITTED),
        (0, 63, &good, NOT_ADMITTED),
        (0, INSTRUCTION, &good, NOT_ADMITTED),
        (0, STATUS, &[], NOT_ADMITTED),
        (0, ANSWERS, &[], NOT_ADMITTED),
        (0, 0, &good, MALFORMED),
        (0, abandon.kind(), &good[1..], MALFORMED),
        (0, abandon.kind(), &[good.as_slice(), &[0]].concat(), MALFORMED),
    ] {
        assert_eq!(refused(from, kind, payload).await, Some(code), "{from} sends kind {kind}");
    }
    assert_eq!(node.status().height, 0);
    assert_eq!(refused(0, NUMBERS, &[]).await, None);
    assert_eq!(refused(0, abandon.kind(), &good).await, None);
    world.counts(1, NUMBERS, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_gets_answers_refusals_and_the_status() {
    let world = World::new(&PAIR);
    let node = world.start(0, &Toy::default()).await;
    let operator = world.operator(0);
    assert_eq!(operator.instruct(&Order::Ring(u64::MAX)).await.unwrap(), "as you say");
    let Err(OperatorError::Refused(refusal)) = operator.instruct(&Order::Refuse).await else {
        panic!("it should have been refused")
    };
    assert_eq!(reason_of(&refusal), Some(Reason::Closed));
    let status = operator.status().await.unwrap();
    assert_eq!((status.name.as_str(), status.role), ("node-0", Role::Custodian));
    assert_eq!((status.membership, status.height), (7, 1));
    assert_eq!((status.counters.events, status.counters.logged), (2, 1));
    assert_eq!((status.counters.batches, status.counters.syncs), (2, 1));
    let line = status.traffic.iter().find(|line| line.kind == INSTRUCTION).unwrap();
    assert_eq!((line.frames_in, line.frames_out), (2, 2));
    node.stop().await.unwrap();
    let hasty = Duration::from_millis(100);
    let operator = Operator::new(&world.identity(0), &world.membership(), hasty);
    let Err(OperatorError::Net(error)) = operator.status().await else {
        panic!("nobody should answer")
    };
    assert!(error.retry());
}
