//! Events: streams that are resumed, and webhooks that are signed, in order and tried again, on both engines.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: a panic is its report"
)]

mod support;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sudare_api::access::{Role, Scope};
use sudare_api::flows::{Dial, Dialling, Flow, Stream, scope, signature};
use sudare_api::http::Peer;
use sudare_api::http::fetch::Target;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tower::ServiceExt;

use support::desk::{BROKER, CLERK, Desk, body_of, path_of};
use support::ledger::InMemory;
use support::{Database, HOUSE, certificate, databases, sqlite};

/// An open stream of events.
struct Reader {
    body: Body,
    text: String,
}

impl Reader {
    async fn open(desk: &Desk, who: (Role, &str), query: &str, last: Option<&str>) -> Self {
        let mut request = Request::get(format!("/v1/events{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let router = desk.world.api.router(Peer::with(&certificate(who.0, who.1)));
        let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { body: answer.into_body(), text: String::new() }
    }

    /// The next event: its number and the operation.
    async fn next(&mut self) -> (i64, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if event.starts_with(':') {
                    continue;
                }
                let mut lines = event.lines();
                let id = lines.next().unwrap().strip_prefix("id: ").unwrap().parse().unwrap();
                assert_eq!(lines.next(), Some("event: operation"));
                let data = lines.next().unwrap().strip_prefix("data: ").unwrap();
                return (id, serde_json::from_str(data).unwrap());
            }
            let frame = tokio::time::timeout(Duration::from_secs(60), self.body.frame()).await;
            let frame = frame.unwrap().unwrap().unwrap().into_data().unwrap();
            self.text.push_str(std::str::from_utf8(&frame).unwrap());
        }
    }

    /// Reads until an operation has a state.
    async fn until(&mut self, id: &str, state: &str) -> Vec<(i64, Value)> {
        let mut seen = Vec::new();
        loop {
            seen.push(self.next().await);
            let last = &seen[seen.len() - 1].1;
            if last["id"] == id && last["state"] == state {
                return seen;
            }
        }
    }
}

async fn receipt(desk: &Desk, who: (Role, &str), investor: &str, trade: &str) -> String {
    let body = body_of(Flow::Receipt, investor, trade);
    let taken = desk.world.post(who, &path_of(Flow::Receipt), trade, &body).await;
    assert_eq!(taken.status, StatusCode::ACCEPTED, "{taken:?}");
    taken.id()
}

#[tokio::test]
async fn a_stream_has_every_event_in_order_and_goes_on_where_it_was_left() {
    for database in databases() {
        let desk = Desk::new(&database).await;
        let investor = desk.investor(BROKER).await;
        let mut whole = Reader::open(&desk, BROKER, "?after=0", None).await;
        let mut from_now = Reader::open(&desk, BROKER, "", None).await;
        let id = receipt(&desk, BROKER, &investor, "T-1").await;
        let all = whole.until(&id, "matching").await;
        let states: Vec<&str> = all.iter().map(|(_, one)| one["state"].as_str().unwrap()).collect();
        assert_eq!(states.len(), 6, "{states:?}");
        assert_eq!(states[4..], ["received", "matching"]);
        assert!(all.windows(2).all(|two| two[0].0 < two[1].0));
        assert_eq!(from_now.until(&id, "matching").await, all[4..]);
        // It goes on after any event, by header or query, in a life of the node or the next.
        let last = all[2].0.to_string();
        let mut resumed = Reader::open(&desk, BROKER, "", Some(&last)).await;
        assert_eq!(resumed.until(&id, "matching").await, all[3..]);
        let node = Arc::clone(&desk.node);
        drop((whole, from_now, resumed, desk));
        let desk = Desk::at(&database, node).await;
        let mut resumed = Reader::open(&desk, BROKER, "", Some(&last)).await;
        assert_eq!(resumed.until(&id, "matching").await, all[3..]);
        // What the last state was is what the operation says.
        let read = desk.world.get(BROKER, &format!("/v1/operations/{id}")).await;
        assert_eq!(read.body, all[5].1);
    }
}

#[tokio::test]
async fn events_are_those_of_the_operations_that_one_may_read() {
    let database = sqlite();
    let desk = Desk::new(&database).await;
    let (own, theirs) = (desk.investor(CLERK).await, desk.investor(BROKER).await);
    let mut house = Reader::open(&desk, CLERK, "?after=0", None).await;
    let mut other = Reader::open(&desk, BROKER, "?after=0", None).await;
    receipt(&desk, CLERK, &own, "T-1").await;
    let last = receipt(&desk, BROKER, &theirs, "T-2").await;
    let seen = other.until(&last, "matching").await;
    assert!(seen.iter().all(|(_, one)| one["institution"] == "other"), "{seen:?}");
    let all = house.until(&last, "matching").await;
    let of =
        |institution: &str| all.iter().filter(|(_, one)| one["institution"] == institution).count();
    assert_eq!((of("other"), of(HOUSE)), (seen.len(), all.len() - seen.len()));
    for role in Role::ALL {
        let refused = scope(role, Flow::Account) == Scope::Nothing;
        for path in ["/v1/webhooks", "/v1/events?after=x"] {
            let answer = desk.world.get((role, HOUSE), path).await;
            let expected = if path == "/v1/webhooks" { 200 } else { 400 };
            let expected = if refused { 403 } else { expected };
            assert_eq!(answer.status.as_u16(), expected, "{role} on {path}");
        }
    }
}

/// A server somewhere, which answers with these statuses and then with 204.
#[derive(Debug, Default)]
struct Elsewhere {
    statuses: Mutex<VecDeque<u16>>,
    got: Arc<Mutex<Vec<Got>>>,
}

/// A request that it got: headers in lower case, body, and what it answered.
#[derive(Clone, Debug)]
struct Got {
    head: String,
    body: String,
    status: u16,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }
}

impl Dial for Elsewhere {
    fn dial<'a>(&'a self, target: &'a Target) -> Dialling<'a> {
        assert_eq!(target.to_string(), "https://hooks.example:443/in");
        let status = self.statuses.lock().unwrap().pop_front().unwrap_or(204);
        let got = Arc::clone(&self.got);
        Box::pin(async move {
            if status == 0 {
                return Err("no connection to the host".into());
            }
            let (near, far) = duplex(64 * 1024);
            tokio::spawn(serve(far, status, got));
            let near: Box<dyn Stream> = Box::new(near);
            Ok(near)
        })
    }
}

async fn serve(mut stream: DuplexStream, status: u16, got: Arc<Mutex<Vec<Got>>>) {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    let (head, body) = loop {
        let read = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8(bytes.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() == length.unwrap().parse::<usize>().unwrap() {
            break (head.to_owned(), body.to_owned());
        }
    };
    got.lock().unwrap().push(Got { head, body, status });
    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
}

/// A desk whose events are sent.
async fn sending(database: &Database, statuses: &[u16]) -> (Desk, Arc<Elsewhere>) {
    let elsewhere = Arc::new(Elsewhere::default());
    elsewhere.statuses.lock().unwrap().extend(statuses);
    let dial: Arc<dyn Dial> = elsewhere.clone();
    let desk =
        Desk::set_up(database, Arc::new(InMemory::new()), |setup| setup.dial = Some(dial)).await;
    let api = desk.world.api.clone();
    tokio::spawn(async move { api.deliver().await });
    (desk, elsewhere)
}

impl Elsewhere {
    /// What it took, once that many.
    async fn taken(&self, desk: &Desk, count: usize) -> Vec<Got> {
        for _ in 0..3_000 {
            let got = self.got.lock().unwrap().clone();
            let taken: Vec<Got> = got.into_iter().filter(|one| one.status == 204).collect();
            if taken.len() >= count {
                return taken;
            }
            desk.world.now.fetch_add(10_000_000, std::sync::atomic::Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} events are never taken: {:?}", self.got.lock().unwrap());
    }
}

#[tokio::test]
async fn a_webhook_gets_its_institution_s_events_signed_in_order_until_it_takes_them() {
    for database in databases() {
        // Not there, in trouble, redirecting (which isn't followed), and then well.
        let (desk, elsewhere) = sending(&database, &[0, 500, 302]).await;
        let (own, theirs) = (desk.investor(CLERK).await, desk.investor(BROKER).await);
        let newest = desk.world.get(CLERK, "/v1/operations").await.body["as_of"]["event"].clone();
        let body = json!({ "url": "https://hooks.example/in", "after": newest.to_string() });
        let made = desk.world.post(BROKER, "/v1/webhooks", "w", &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        let secret = made.body["secret"].as_str().unwrap().to_owned();
        // Told once.
        let again = desk.world.post(BROKER, "/v1/webhooks", "w", &body).await;
        assert_eq!((again.id(), &again.body["secret"]), (made.id(), &Value::Null));
        receipt(&desk, CLERK, &own, "T-1").await;
        let id = receipt(&desk, BROKER, &theirs, "T-2").await;
        desk.until(BROKER, &id, "matching").await;
        let taken = elsewhere.taken(&desk, 2).await;
        let mut numbers = Vec::new();
        for (place, state) in ["received", "matching"].into_iter().enumerate() {
            let one = &taken[place];
            let content: Value = serde_json::from_str(&one.body).unwrap();
            assert_eq!(content["type"], format!("operation.{state}"));
            assert_eq!(content["data"]["id"], id.as_str());
            assert_eq!(content["data"]["institution"], "other");
            let (event, at) = (one.header("webhook-id"), one.header("webhook-timestamp"));
            assert_eq!(event, format!("event-{}", content["data"]["event"]));
            let signed = signature(&secret, event, at.parse().unwrap(), &one.body).unwrap();
            assert_eq!(one.header("webhook-signature"), signed);
            numbers.push(content["data"]["event"].as_i64().unwrap());
        }
        assert!(numbers[0] < numbers[1]);
        // The first was tried until it was taken, under one id.
        let got = elsewhere.got.lock().unwrap().clone();
        assert_eq!(got[..3].iter().map(|one| one.status).collect::<Vec<_>>(), [500, 302, 204]);
        assert!(got[..3].iter().all(|one| one.header("webhook-id") == got[0].header("webhook-id")));
        // With a new secret both sign; nobody else can have it.
        let path = format!("/v1/webhooks/{}/secret", made.id());
        let absent = desk.world.post(CLERK, &path, "s", &json!({})).await;
        assert_eq!(absent.problem(), "not-found");
        let renewed = desk.world.post(BROKER, &path, "s", &json!({})).await;
        let new = renewed.body["secret"].as_str().unwrap().to_owned();
        assert_ne!(new, secret);
        receipt(&desk, BROKER, &theirs, "T-3").await;
        let third = elsewhere.taken(&desk, 3).await[2].clone();
        let (event, at) = (third.header("webhook-id"), third.header("webhook-timestamp"));
        let both = [&new, &secret]
            .map(|secret| signature(secret, event, at.parse().unwrap(), &third.body).unwrap());
        assert_eq!(third.header("webhook-signature"), both.join(" "));
        // Removed, it gets nothing more.
        elsewhere.taken(&desk, 4).await;
        let path = format!("/v1/webhooks/{}", made.id());
        let shown = desk.world.get(BROKER, &path).await;
        assert_eq!((&shown.body["stopped"], &shown.body["secret"]), (&json!(false), &Value::Null));
        let removed = desk.world.ask(CLERK, Method::DELETE, &path, &[], None).await;
        assert_eq!(removed.problem(), "not-found");
        let removed = desk.world.ask(BROKER, Method::DELETE, &path, &[], None).await;
        assert_eq!(removed.status, StatusCode::NO_CONTENT);
        assert_eq!(desk.world.get(BROKER, &path).await.problem(), "not-found");
    }
}

#[tokio::test]
async fn a_webhook_that_takes_nothing_for_days_is_stopped_and_begins_again_with_a_new_secret() {
    let database = sqlite();
    let (desk, elsewhere) = sending(&database, &[503; 15]).await;
    let investor = desk.investor(BROKER).await;
    let body = json!({ "url": "https://hooks.example/in" });
    let made = desk.world.post(BROKER, "/v1/webhooks", "w", &body).await;
    let id = receipt(&desk, BROKER, &investor, "T-1").await;
    desk.until(BROKER, &id, "matching").await;
    let path = format!("/v1/webhooks/{}", made.id());
    let mut stopped = Value::Null;
    for _ in 0..3_000 {
        // Time flies.
        desk.world.now.fetch_add(3_600_000_000, std::sync::atomic::Ordering::Relaxed);
        stopped = desk.world.get(BROKER, &path).await.body;
        if stopped["stopped"] == true {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(stopped["stopped"], true, "{stopped}");
    assert_eq!(stopped["problem"], "the server answers with status 503");
    assert_eq!(elsewhere.got.lock().unwrap().len(), 15);
    let renewed = desk.world.post(BROKER, &format!("{path}/secret"), "s", &json!({})).await;
    assert_eq!(renewed.body["stopped"], false);
    elsewhere.taken(&desk, 2).await;
}

#[tokio::test]
async fn a_webhook_is_an_https_url_and_there_are_a_few() {
    let database = sqlite();
    let (desk, _) = sending(&database, &[]).await;
    for (number, url) in
        ["http://hooks.example/in", "https://user@hooks.example/", "ftp://a/b", "hooks"]
            .into_iter()
            .enumerate()
    {
        let refused = desk
            .world
            .post(BROKER, "/v1/webhooks", &format!("k{number}"), &json!({ "url": url }))
            .await;
        assert_eq!(refused.body["errors"][0]["pointer"], "/url", "{url}");
    }
    let ahead = json!({ "url": "https://hooks.example/in", "after": "7" });
    let refused = desk.world.post(BROKER, "/v1/webhooks", "ahead", &ahead).await;
    assert_eq!(refused.body["errors"][0]["pointer"], "/after");
    for number in 0..17 {
        let body = json!({ "url": "https://hooks.example/in" });
        let made = desk.world.post(BROKER, "/v1/webhooks", &format!("n{number}"), &body).await;
        assert_eq!(made.status.as_u16(), if number < 16 { 201 } else { 409 });
    }
    let page = desk.world.get(BROKER, "/v1/webhooks?limit=10").await;
    let rest = desk.world.get(BROKER, page.body["next"].as_str().unwrap()).await;
    assert_eq!(rest.body["items"].as_array().unwrap().len(), 6);
    assert_eq!(desk.world.get(CLERK, "/v1/webhooks").await.body["items"], json!([]));
    // Without a configuration there are none.
    let none = Desk::new(&sqlite()).await;
    let refused =
        none.world.post(BROKER, "/v1/webhooks", "k", &json!({ "url": "https://a.example/" })).await;
    assert_eq!(refused.problem(), "impossible");
}
