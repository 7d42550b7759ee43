//! The HTTP API of a running node: TLS, clients, where personal data goes, and how it stops.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use rustls::StreamOwned;
use serde_json::json;
use sudare_tests::system::haystack::Needles;
use sudare_tests::system::web::{Card, Root, Served};

#[tokio::test(flavor = "multi_thread")]
async fn only_a_client_with_a_named_certificate_of_the_root_is_served() {
    let served = Served::start(|_, _| String::new()).await;
    let person = json!({
        "name": "Planted Person 7391", "address": "Planted Street 5577", "safekeeping_class": "own_custody",
        "status": "active", "aml_class": "low", "phone": "+81-3-7391-5577", "account_number": "7391557",
    });
    let made = served.ask(&served.clerk, "POST", "/v1/investors", Some(&person)).unwrap();
    assert_eq!(made.0, 201, "{made:?}");
    let id = made.1["id"].as_str().unwrap();
    let read = served.ask(&served.clerk, "GET", &format!("/v1/investors/{id}"), None).unwrap();
    assert_eq!((read.0, &read.1["name"]), (200, &person["name"]));
    // Of the root, but of no client.
    let stranger = served.root.card("stranger");
    let refused = served.ask(&stranger, "GET", "/v1/investors", None).unwrap();
    assert_eq!((refused.0, &refused.1["type"]), (401, &json!("/problems/unknown-client")));
    // Of another root: no answer at all.
    assert!(served.ask(&Root::default().card("clerk"), "GET", "/v1/investors", None).is_none());
    let mut plain = TcpStream::connect(served.address).unwrap();
    plain.write_all(b"GET /openapi.json HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "served without TLS");

    // The person is in nothing that the node writes: what the masters' database has of it is sealed.
    let mut needles = Needles::default();
    for name in ["name", "address", "phone", "account_number"] {
        needles.person(name, person[name].as_str().unwrap());
    }
    let data = served.network.data("custodian");
    let database = data.join("masters.sqlite");
    assert_eq!(fs::metadata(&database).unwrap().permissions().mode() & 0o077, 0);
    let log = served.network.said("custodian");
    assert!(log.contains("/v1/investors/{id}"), "{log}");
    assert_eq!(needles.found_in(log.as_bytes()).len(), 0, "{log}");
    assert_eq!(needles.found_under(&served.folder()), BTreeSet::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_or_killed_node_has_every_row_that_it_acknowledged() {
    let mut served = Served::start(|_, _| String::new()).await;
    for number in 0..2 {
        let body = json!({ "name": format!("Institution {number}"), "address": "1 Demo Street" });
        let made = served.ask(&served.clerk, "POST", "/v1/custodians", Some(&body)).unwrap();
        assert_eq!(made.0, 201);
        if number == 0 {
            served.network.stop("custodian");
        } else {
            served.network.kill("custodian");
        }
        served.network.run(&["custodian"]).await;
        let path = format!("/v1/custodians/{}", made.1["id"].as_str().unwrap());
        let read = served.await_answer(&path);
        assert_eq!((read.0, &read.1["name"]), (200, &body["name"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_would_expose_something_is_refused() {
    let served = Served::start(|_, _| String::new()).await;
    let key = served.network.config("custodian").with_file_name("api.key");
    let mut network = served.network;
    network.stop("custodian");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let config = network.config("custodian");
    let ran = network.place.sudare(["node", "run", "--config", config.to_str().unwrap()]);
    let _ = ran.badly(4, &["api.key", "chmod 600"]);
}

/// A client that keeps its connection would send its next request into the end of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_wait_for_the_body_says_that_the_connection_ends() {
    let served = Served::start(|_, _| String::new()).await;
    let answer = |card: &Card, body: &str| {
        let stream = TcpStream::connect(served.address).unwrap();
        let mut stream = BufReader::new(StreamOwned::new(served.root.tls(Some(card)), stream));
        let head = format!(
            "POST /v1/investors HTTP/1.1\r\nhost: localhost:{}\r\ncontent-type: application/json\r\nidempotency-key: one\r\n\
             content-length: 2\r\n\r\n{body}",
            served.address.port()
        );
        stream.get_mut().write_all(head.as_bytes()).unwrap();
        let lines = stream.lines().map(|line| line.unwrap().to_ascii_lowercase());
        lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>()
    };
    let stranger = answer(&served.root.card("stranger"), "");
    assert_eq!(stranger[0], "http/1.1 401 unauthorized");
    assert!(stranger.contains(&"connection: close".to_owned()), "{stranger:?}");
    let clerk = answer(&served.clerk, "{}");
    assert_eq!(clerk[0], "http/1.1 422 unprocessable entity");
    assert!(!clerk.contains(&"connection: close".to_owned()), "{clerk:?}");
}
