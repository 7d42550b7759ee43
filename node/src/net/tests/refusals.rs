//! What is refused, with the reason, before which step, and that a valid request still succeeds after it.

use std::sync::Arc;
use std::time::Duration;

use quinn::ConnectionError;
use sudare_ledger::role::Role;

use super::harness::*;
use crate::net::certificate::Validity;
use crate::net::{Fault, Limits, Options, Response, close_code, refusal_code, tls};

#[tokio::test]
async fn a_stranger_with_a_certificate_of_the_root_is_refused_before_its_payload_is_read() {
    let (a, b) = pair(Options::default());
    // A key not in the list, a listed name with another key, a listed key under another name.
    for stranger in [identity("c", 4), identity("a", 4), identity("c", 2)] {
        let raw = Raw::new(&stranger);
        let connection = raw.connect(&b.own).await.unwrap();
        if let Ok((mut send, _receive)) = connection.open_bi().await {
            let _ = send.write_all(&[header(1, ECHO, 5).as_slice(), b"hello"].concat()).await;
            let _ = send.finish();
        }
        match closed(&connection).await {
            ConnectionError::ApplicationClosed(close) => {
                assert_eq!(close.error_code, close_code::NOT_A_MEMBER.into());
                assert!(String::from_utf8_lossy(&close.reason).contains("membership list"));
            }
            other => panic!("{other}"),
        }
    }
    a.assert_serves(&b).await;
    assert_eq!(names(&b.desk.asked()), ["a"].into());
}

#[tokio::test]
async fn certificates_of_another_root_are_refused_by_either_side() {
    let (a, b) = pair(Options::default());
    // It trusts our root, as an attacker would, but its own certificate is of another one.
    let forged = identity_by(&key(99), "a", 2, ALWAYS);
    let leaf = forged_client(&identity("a", 2), &forged);
    let refusal = Raw::with(leaf).refusal(&b.own).await;
    assert!(matches!(Fault::of(&refusal), Fault::Handshake(_)), "{refusal}");

    let impostor = Node::with(&forged_as("b", 3), Role::Registrar, LOOPBACK, Options::default());
    let moved = member("b", Role::Registrar, 3, impostor.own.address);
    announce(3, &[&a], &[a.own.clone(), moved.clone()]);
    let error = a.ask(&moved, ECHO, b"for b only").await.unwrap_err();
    assert!(matches!(error.fault, Fault::Handshake(_)) && !error.retry(), "{error}");
    assert!(impostor.desk.asked().is_empty());
}

#[tokio::test]
async fn a_server_with_another_members_certificate_gets_no_payload() {
    let (a, b) = pair(Options::default());
    // The dialled name with another key, which only the key's comparison can tell; then another member's certificate.
    let same_name = Node::with(&identity("b", 4), Role::Registrar, LOOPBACK, Options::default());
    let in_place = member("b", Role::Registrar, 3, same_name.own.address);
    announce(3, &[&a], &[a.own.clone(), in_place.clone()]);
    let error = a.ask(&in_place, ECHO, b"for b only").await.unwrap_err();
    assert!(matches!(error.fault, Fault::WrongPeer { .. }) && !error.retry(), "{error}");

    let other = Node::start("c", Role::Registrar, 5, Options::default());
    let in_place = member("b", Role::Registrar, 3, other.own.address);
    announce(4, &[&a], &[a.own.clone(), in_place.clone()]);
    let error = a.ask(&in_place, ECHO, b"for b only").await.unwrap_err();
    assert!(matches!(error.fault, Fault::Handshake(_)) && !error.retry(), "{error}");
    assert!(same_name.desk.asked().is_empty() && other.desk.asked().is_empty());

    announce(5, &[&a], &[a.own.clone(), b.own.clone()]);
    a.assert_serves(&b).await;
}

#[tokio::test]
async fn a_certificate_that_has_expired_or_is_not_yet_valid_is_refused() {
    let (a, b) = pair(Options::default());
    let past = Validity { from: 0, until: 1_000 };
    let future = Validity { from: ALWAYS.until - 1, until: ALWAYS.until };
    for validity in [past, future] {
        let raw = Raw::new(&identity_by(&root_key(), "a", 2, validity));
        let refusal = raw.refusal(&b.own).await;
        assert!(matches!(Fault::of(&refusal), Fault::Handshake(_)), "{refusal}");
    }
    a.assert_serves(&b).await;
}

#[tokio::test]
async fn a_client_without_certificate_or_with_another_protocol_is_refused() {
    let (a, b) = pair(Options::default());
    let mut other_protocol = tls::client_tls(&identity("a", 2)).unwrap();
    other_protocol.alpn_protocols = vec![b"h3".to_vec()];
    let mut no_protocol = other_protocol.clone();
    no_protocol.alpn_protocols.clear();
    for tls in [other_protocol, no_protocol, anonymous()] {
        let refusal = Raw::with(tls).refusal(&b.own).await;
        assert!(matches!(Fault::of(&refusal), Fault::Handshake(_)), "{refusal}");
    }
    a.assert_serves(&b).await;
    assert_eq!(b.desk.asked().len(), 1);
}

#[tokio::test]
async fn a_role_is_refused_before_the_payload_whatever_that_says() {
    let (a, b) = pair(Options::default());
    let connection = Raw::new(&identity("a", 2)).connect(&b.own).await.unwrap();
    let lies = [
        header(1, FOR_REGISTRARS, u32::MAX),
        vec![1, FOR_REGISTRARS],
        [header(1, FOR_REGISTRARS, 3), vec![0xff; 4096]].concat(),
    ];
    for lie in &lies {
        for finish in [true, false] {
            assert_eq!(code(&exchange(&connection, lie, finish).await), NOT_FOR_YOU);
        }
    }
    assert!(b.desk.handled().is_empty());
    a.assert_serves(&b).await;
}

#[tokio::test]
async fn frames_that_are_too_long_or_lie_about_their_length_are_refused() {
    let (a, b) = pair(Options::default());
    let connection = Raw::new(&identity("a", 2)).connect(&b.own).await.unwrap();
    let max = u32::try_from(ECHO_MAX).unwrap();
    let cases = [
        (header(1, ECHO, max + 1), refusal_code::TOO_LONG),
        (header(1, ECHO, u32::MAX), refusal_code::TOO_LONG),
        (header(1, LONG_ANSWER, 1), refusal_code::TOO_LONG),
        ([header(1, ECHO, 6).as_slice(), b"hello"].concat(), refusal_code::LENGTH),
        ([header(1, ECHO, 4).as_slice(), b"hello"].concat(), refusal_code::LENGTH),
        (header(1, ECHO, max), refusal_code::LENGTH),
        (vec![1, ECHO, 0, 0, 0], refusal_code::LENGTH),
        (vec![1], refusal_code::LENGTH),
        (Vec::new(), refusal_code::LENGTH),
        (header(0, ECHO, 0), refusal_code::VERSION),
        (header(2, ECHO, 0), refusal_code::VERSION),
    ];
    for (bytes, expected) in &cases {
        let response = exchange(&connection, bytes, true).await;
        assert_eq!(code(&response), *expected, "{bytes:?}");
    }
    assert!(b.desk.handled().is_empty());
    let good = [header(1, ECHO, 5).as_slice(), b"hello"].concat();
    assert_eq!(exchange(&connection, &good, true).await, Response::Answer(b"hello".to_vec()));
    a.assert_serves(&b).await;
}

#[tokio::test]
async fn a_sender_that_never_ends_its_request_is_refused_at_the_deadline() {
    let limits = Limits { read: Duration::from_millis(200), ..Limits::default() };
    let (a, b) = pair(Options { limits, ..Options::default() });
    let connection = Raw::new(&identity("a", 2)).connect(&b.own).await.unwrap();
    let all_but_the_end = [header(1, ECHO, 5).as_slice(), b"hello"].concat();
    for stuck in [&all_but_the_end[..1], &all_but_the_end[..9], &all_but_the_end] {
        let response = exchange(&connection, stuck, false).await;
        assert_eq!(code(&response), refusal_code::SLOW);
    }
    assert!(b.desk.handled().is_empty());
    a.assert_serves(&b).await;
}

#[tokio::test]
async fn a_peer_that_reads_no_answer_loses_its_slot_only_until_the_deadline() {
    let limits = Limits {
        write: Duration::from_millis(200),
        requests_per_peer: 1,
        connections_per_peer: 1,
        ..Limits::default()
    };
    let (_a, b) = pair(Options { limits, ..Options::default() });
    let connection = Raw::new(&identity("a", 2)).connect(&b.own).await.unwrap();
    let mut unread = Vec::new();
    for _ in 0..3 {
        let opened = tokio::time::timeout(PATIENCE, connection.open_bi()).await;
        let (mut send, receive) = opened.unwrap().unwrap();
        send.write_all(&header(1, LONG_ANSWER, 0)).await.unwrap();
        send.finish().unwrap();
        unread.push(receive);
    }
    let good = [header(1, ECHO, 5).as_slice(), b"hello"].concat();
    assert_eq!(exchange(&connection, &good, true).await, Response::Answer(b"hello".to_vec()));
    assert_eq!(unread.len(), 3);
}

#[tokio::test]
async fn a_member_with_too_many_connections_loses_its_oldest() {
    let limits = Limits { connections_per_peer: 2, ..Limits::default() };
    let (a, b) = pair(Options { limits, ..Options::default() });
    let raw = Raw::new(&identity("a", 2));
    let hello = [header(1, ECHO, 5).as_slice(), b"hello"].concat();
    let mut connections = Vec::new();
    for _ in 0..3 {
        let connection = raw.connect(&b.own).await.unwrap();
        exchange(&connection, &hello, true).await;
        connections.push(connection);
    }
    match closed(&connections[0]).await {
        ConnectionError::ApplicationClosed(close) => {
            assert_eq!(close.error_code, close_code::SUPERSEDED.into());
        }
        other => panic!("{other}"),
    }
    assert!(connections[1].close_reason().is_none() && connections[2].close_reason().is_none());
    a.assert_serves(&b).await;
}

#[tokio::test]
async fn no_session_is_resumed_and_so_nothing_is_taken_before_the_handshake() {
    let (a, b) = pair(Options::default());
    let mut eager = tls::client_tls(&identity("a", 2)).unwrap();
    eager.enable_early_data = true;
    eager.resumption = rustls::client::Resumption::in_memory_sessions(16);
    let raw = Raw::with(eager);
    let hello = [header(1, ECHO, 5).as_slice(), b"hello"].concat();
    for _ in 0..2 {
        let connecting = raw.connecting(&b.own);
        let connection = match connecting.into_0rtt() {
            Ok(_) => panic!("the server gave out a ticket for early data"),
            Err(connecting) => connecting.await.unwrap(),
        };
        exchange(&connection, &hello, true).await;
    }
    a.assert_serves(&b).await;
}

#[test]
fn tls_1_2_is_not_spoken() {
    let config = tls::server_tls(&identity("b", 3)).unwrap();
    let mut server = rustls::ServerConnection::new(Arc::new(config)).unwrap();
    server.read_tls(&mut client_hello_1_2().as_slice()).unwrap();
    let refused = server.process_new_packets().unwrap_err();
    let expected = rustls::PeerIncompatible::SupportedVersionsExtensionRequired;
    assert_eq!(refused, rustls::Error::PeerIncompatible(expected));
}

/// What a client of TLS 1.2 begins with: one cipher suite, Ed25519 and P-256 signatures, X25519, our protocol.
fn client_hello_1_2() -> Vec<u8> {
    let extensions = b"\x00\x0a\x00\x04\x00\x02\x00\x1d\x00\x0d\x00\x06\x00\x04\x08\x07\x04\x03\
        \x00\x10\x00\x0b\x00\x09\x08sudare/1";
    let mut body = b"\x03\x03".to_vec();
    body.extend([7; 32]);
    body.extend(b"\x00\x00\x02\xc0\x2b\x01\x00");
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    let length = u16::try_from(body.len()).unwrap();
    let mut record = b"\x16\x03\x01".to_vec();
    record.extend((length + 4).to_be_bytes());
    record.extend(b"\x01\x00");
    record.extend(length.to_be_bytes());
    record.extend(body);
    record
}

/// A client that trusts `ours` but shows the certificate of `theirs`.
fn forged_client(
    ours: &crate::net::Identity,
    theirs: &crate::net::Identity,
) -> rustls::ClientConfig {
    let mut config = tls::client_tls(ours).unwrap();
    config.client_auth_cert_resolver =
        tls::client_tls(theirs).unwrap().client_auth_cert_resolver.clone();
    config
}

/// A server's identity whose certificate is of another root than ours.
fn forged_as(name: &str, seed: u8) -> crate::net::Identity {
    identity_by(&key(99), name, seed, ALWAYS)
}

fn anonymous() -> rustls::ClientConfig {
    let root = crate::net::certificate::create_root(&root_key(), &NETWORK, ALWAYS).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"sudare/1".to_vec()];
    config
}
