//! What members can rely on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sudare_ledger::role::Role;

use super::harness::*;
use crate::membership::Membership;
use crate::net::{Counts, Direction, Endpoint, Fault, Limits, Options, Part, Refusal, Response};

#[tokio::test]
async fn two_members_exchange_requests_both_ways() {
    let (a, b) = pair(Options::default());
    assert_eq!(a.ask(&b.own, ECHO, b"hello").await, Ok(Response::Answer(b"hello".to_vec())));
    assert_eq!(b.ask(&a.own, ECHO, b"").await, Ok(Response::Answer(Vec::new())));
    assert_eq!(b.ask(&a.own, FOR_REGISTRARS, b"slot").await, Ok(Response::Accepted));
    let full = vec![5; ECHO_MAX];
    assert_eq!(a.ask(&b.own, ECHO, &full).await, Ok(Response::Answer(full)));
    let long = a.ask(&b.own, LONG_ANSWER, b"").await;
    assert_eq!(long, Ok(Response::Answer(vec![7; 4 * 1024 * 1024])));
    assert_eq!(a.desk.handled()[1], ("b".into(), FOR_REGISTRARS, b"slot".to_vec()));
    a.endpoint.close().await;
}

#[tokio::test]
async fn many_requests_at_a_time_share_one_connection() {
    let (a, b) = pair(Options::default());
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..300u32 {
        let (peers, to) = (a.endpoint.peers().clone(), b.own.id);
        tasks.spawn(async move {
            let payload = i.to_le_bytes();
            let answer = peers.request(&to, ECHO, &payload, PATIENCE).await;
            assert_eq!(answer, Ok(Response::Answer(payload.to_vec())));
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!((a.endpoint.connections(), b.endpoint.connections()), (1, 1));
    assert_eq!(b.desk.handled().len(), 300);
}

#[tokio::test]
async fn every_frame_is_counted_and_shown_to_the_observer_at_both_ends() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let shown = Arc::clone(&log);
    let observer = Arc::new(move |seen: &crate::net::Seen<'_>| {
        let peer = seen.peer.name.to_string();
        let entry = (seen.direction, seen.part, peer, seen.kind, seen.payload.to_vec(), seen.wire);
        shown.lock().unwrap().push(entry);
    });
    let (a, b) = pair(Options { observer: Some(observer), ..Options::default() });
    a.ask(&b.own, ECHO, b"12345").await.unwrap();
    a.ask(&b.own, ECHO, b"1").await.unwrap();
    a.ask(&b.own, FOR_REGISTRARS, b"secret").await.unwrap();

    let echo = Counts { frames_in: 2, frames_out: 2, bytes_in: 16, bytes_out: 18 };
    let at_a = a.endpoint.traffic().snapshot();
    assert_eq!(at_a[&(b.own.name.clone(), ECHO)], echo);
    let mirrored = Counts { bytes_in: 18, bytes_out: 16, ..echo };
    let at_b = b.endpoint.traffic().snapshot();
    assert_eq!(at_b[&(a.own.name.clone(), ECHO)], mirrored);
    // Of the refused request b has read no payload: only its refusal is counted.
    let refused = at_b[&(a.own.name.clone(), FOR_REGISTRARS)];
    assert_eq!((refused.frames_in, refused.frames_out), (0, 1));

    let log = log.lock().unwrap();
    assert_eq!(log[0], (Direction::In, Part::Request, "a".into(), ECHO, b"12345".to_vec(), 11));
    assert_eq!(log[1], (Direction::Out, Part::Response, "a".into(), ECHO, b"12345".to_vec(), 10));
    assert!(log.iter().all(|(_, _, _, _, payload, _)| payload != b"secret"));
}

#[tokio::test]
async fn control_requests_come_only_from_the_nodes_own_operator() {
    let (a, b) = pair(Options::default());
    assert_eq!(code(&b.ask(&a.own, CONTROL, b"").await.unwrap()), NOT_FOR_YOU);
    let operator =
        Endpoint::dial_only(&identity("a", 2), &a.membership, Options::default()).unwrap();
    let done = operator.peers().request(&a.own.id, CONTROL, b"", PATIENCE).await;
    assert_eq!(done, Ok(Response::Accepted));
    // To other nodes the same program is an ordinary member.
    let elsewhere = operator.peers().request(&b.own.id, CONTROL, b"", PATIENCE).await;
    assert_eq!(code(&elsewhere.unwrap()), NOT_FOR_YOU);
}

#[tokio::test]
async fn a_member_that_joins_is_served_and_one_that_leaves_is_cut_off_while_the_node_runs() {
    let (a, b) = pair(Options::default());
    let c = Node::start("c", Role::Custodian, 4, Options::default());
    let all = [a.own.clone(), b.own.clone(), c.own.clone()];
    assert_eq!(c.membership.replace(&list(3, &all)), Ok(true));
    let early = c.ask(&b.own, ECHO, b"early").await.unwrap_err();
    assert!(matches!(early.fault, Fault::Closed { code: 1, .. }), "{early}");
    assert!(!early.retry());

    announce(3, &[&a, &b], &all);
    c.assert_serves(&b).await;
    b.assert_serves(&c).await;

    // c itself does not hear that it is out, and still has its connection.
    announce(4, &[&a, &b], &all[..2]);
    let late = c.ask(&b.own, ECHO, b"late").await.unwrap_err();
    assert!(matches!(late.fault, Fault::Closed { code: 1, .. }), "{late}");
    let gone = b.ask(&c.own, ECHO, b"late").await.unwrap_err();
    assert_eq!(gone.fault, Fault::NotAMember);
    assert!(b.desk.handled().iter().all(|(_, _, payload)| payload != b"late"));
    settles(|| b.endpoint.connections() == 0).await;
    a.assert_serves(&b).await;
}

#[tokio::test]
async fn a_role_that_changes_counts_from_the_next_request_on_the_same_connection() {
    let (a, b) = pair(Options::default());
    assert_eq!(code(&a.ask(&b.own, FOR_REGISTRARS, b"").await.unwrap()), NOT_FOR_YOU);
    let promoted = member("a", Role::Registrar, 2, a.own.address);
    announce(3, &[&b], &[promoted, b.own.clone()]);
    assert_eq!(a.ask(&b.own, FOR_REGISTRARS, b"").await, Ok(Response::Accepted));
    assert_eq!(b.endpoint.connections(), 1);
}

#[tokio::test]
async fn a_member_that_moves_is_found_at_its_new_address() {
    let (a, b) = pair(Options::default());
    a.assert_serves(&b).await;
    let moved = Node::start("b", Role::Registrar, 3, Options::default());
    announce(3, &[&a, &moved], &[a.own.clone(), moved.own.clone()]);
    a.assert_serves(&moved).await;
    assert_eq!(moved.desk.handled().len(), 1);
}

#[test]
fn a_peer_that_was_killed_is_reached_again_as_soon_as_it_is_back() {
    let main = tokio::runtime::Runtime::new().unwrap();
    let killed = tokio::runtime::Runtime::new().unwrap();
    let a = main.block_on(async { Node::start("a", Role::Custodian, 2, Options::default()) });
    let b = killed.block_on(async { Node::start("b", Role::Registrar, 3, Options::default()) });
    let members = [a.own.clone(), b.own.clone()];
    announce(2, &[&a, &b], &members);
    main.block_on(a.assert_serves(&b));
    // Its tasks end where they stand: nobody is told.
    killed.shutdown_timeout(PATIENCE);
    drop(b);
    main.block_on(async {
        let identity = identity("b", 3);
        let b = Node::with(&identity, Role::Registrar, members[1].address, Options::default());
        announce(2, &[&b], &members);
        // Unless a has heard of it already, its first request goes astray; it hears of it at once.
        if let Err(first) = a.ask(&b.own, ECHO, b"first").await {
            assert!(matches!(first.fault, Fault::Lost(_)) && first.retry(), "{first}");
        }
        a.assert_serves(&b).await;
    });
}

#[tokio::test]
async fn an_error_names_the_peer_and_says_whether_to_try_again() {
    let limits = Limits { connect: Duration::from_millis(100), ..Limits::default() };
    let (a, b) = pair(Options { limits, ..Options::default() });
    let peers = b.endpoint.peers();
    let unknown = peers.request(&key(9).id(), ECHO, b"", PATIENCE).await.unwrap_err();
    assert_eq!((&unknown.fault, unknown.retry()), (&Fault::NotAMember, false));
    assert!(unknown.to_string().contains(&key(9).id().to_string()));

    let late = peers.request(&a.own.id, ECHO, b"", Duration::ZERO).await.unwrap_err();
    assert_eq!((&late.fault, late.retry()), (&Fault::Deadline(Duration::ZERO), true));
    assert!(late.to_string().starts_with("request to a: "));

    b.assert_serves(&a).await;
    a.endpoint.close().await;
    let stopped = b.ask(&a.own, ECHO, b"").await.unwrap_err();
    assert!(stopped.retry(), "{stopped}");
}

#[tokio::test]
async fn a_node_that_nobody_listens_at_is_unreachable() {
    let silent = std::net::UdpSocket::bind(LOOPBACK).unwrap();
    let limits = Limits { connect: Duration::from_millis(100), ..Limits::default() };
    let a = Node::start("a", Role::Custodian, 2, Options { limits, ..Options::default() });
    let absent = member("b", Role::Registrar, 3, silent.local_addr().unwrap());
    announce(2, &[&a], &[a.own.clone(), absent.clone()]);
    let error = a.ask(&absent, ECHO, b"").await.unwrap_err();
    assert!(matches!(error.fault, Fault::Unreachable { .. }) && error.retry(), "{error}");
}

#[tokio::test]
async fn members_get_in_while_clients_must_prove_their_address_first() {
    let limits = Limits { handshakes_before_retry: 0, ..Limits::default() };
    let (a, b) = pair(Options { limits, ..Options::default() });
    a.assert_serves(&b).await;
}

#[tokio::test]
async fn a_payload_that_is_refused_unread_gives_the_refusal_and_not_an_error() {
    let (a, b) = pair(Options::default());
    let response = a.ask(&b.own, FOR_REGISTRARS, &vec![1; 3 * 1024 * 1024]).await;
    assert_eq!(response, Ok(Response::Refused(Refusal::new(NOT_FOR_YOU, "not for you"))));
    a.assert_serves(&b).await;
}

#[tokio::test]
async fn an_endpoint_starts_only_for_a_member() {
    let bytes = list(1, &[member("a", Role::Custodian, 2, "127.0.0.1:1".parse().unwrap())]);
    let membership = Membership::open(&bytes, root_key().id(), NETWORK).unwrap();
    for other in [identity("b", 3), identity("a", 3), identity("b", 2)] {
        assert!(Endpoint::bind(&other, &membership, LOOPBACK, Options::default()).is_err());
    }
    assert!(Endpoint::bind(&identity("a", 2), &membership, LOOPBACK, Options::default()).is_ok());
}
