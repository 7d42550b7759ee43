//! Instructions over HTTP that real nodes carry out: from a broker's request to the register and back to its operation.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: a panic is its report"
)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use sudare::clock::now_ms;
use sudare::demo::input::AssetKind;
use sudare::demo::setup::{Desk, text, trade};
use sudare::operator::{OperatorAnswer, OperatorQuery};
use sudare_ledger::custodian::{Instruction, Movement, Side, TradeKey};
use sudare_ledger::leg::TradeInfo;
use sudare_ledger::messages::Reason;
use sudare_ledger::registrar::{Allotment, Instruction as RegistrarInstruction, IssueOrder};
use sudare_ledger::role::Role;
use sudare_tests::system::network::{Holder, Leg, Network, SOLD, asset, deal, open};
use sudare_tests::system::web::{Card, Served, sha256};
use sudare_tests::system::{eventually, eventually_async};

const DATE: &str = "2031-07-18";
/// An asset whose code is an ISIN.
const PRODUCT: &str = "ZZ0000SOLD16";
const VALID_MS: u64 = 600_000;

/// A network with an asset, whose custodian-a serves the API to a broker; INV-2 of custodian-b has an account.
struct Market {
    served: Served,
    desk: Desk,
    broker: Card,
}

impl Market {
    async fn open() -> Self {
        Self::with("").await
    }

    /// The same with more in the configuration of its API.
    async fn with(more: &str) -> Self {
        let members = [
            ("notary", Role::Notary),
            ("registrar", Role::Registrar),
            ("custodian-a", Role::Custodian),
            ("custodian-b", Role::Custodian),
            ("regulator", Role::Regulator),
        ];
        let mut network = Network::make(&members);
        network.run(&["notary", "registrar", "custodian-b", "regulator"]).await;
        let mut broker = None;
        let served = Served::on(network, "custodian-a", "custodian", |_, root| {
            let card = root.card("broker");
            let hash = sha256(&card.certificate);
            broker = Some(card);
            format!(
                "{more}[[api.clients]]\nname = \"broker\"\nrole = \"entrusting-broker\"\ninstitution = \"broker-x\"\ncertificate = \"{hash}\"\n"
            )
        });
        let served = served.await;
        let mut desk = served.network.desk();
        desk.open_asset(&asset(SOLD, AssetKind::Security), "registrar", "regulator").await.unwrap();
        let account = |custodian: &str, investor: &str| {
            (custodian.to_owned(), SOLD.to_owned(), investor.to_owned())
        };
        desk.add_accounts(&[account("custodian-a", "OWN"), account("custodian-b", "INV-2")])
            .await
            .unwrap();
        Self { served, desk, broker: broker.unwrap() }
    }

    /// The broker's request, which must have this status.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>, status: u16) -> Value {
        let answer =
            eventually("the API answers", || self.served.ask(&self.broker, method, path, body));
        assert_eq!(answer.0, status, "{method} {path}: {}", answer.1);
        answer.1
    }

    fn instruct(&self, kind: &str, body: &Value) -> String {
        let taken = self.ask("POST", &format!("/v1/instructions/{kind}"), Some(body), 202);
        taken["id"].as_str().unwrap().to_owned()
    }

    /// The operation once it has a state; every step on the way is one that leads there.
    fn until(&self, id: &str, state: &str) -> Value {
        eventually(&format!("{id} is {state}"), || {
            let read = self.ask("GET", &format!("/v1/operations/{id}"), None, 200);
            let ended = read["ended"] == true && read["state"] != state;
            assert!(!ended, "{read}");
            (read["state"] == state).then_some(read)
        })
    }

    /// An investor of the broker's with an account and units that were issued to it.
    async fn holder(&self, quantity: u64) -> String {
        let person = json!({
            "name": "Planted Person 7391", "address": "Planted Street 5577", "safekeeping_class": "safekeeping",
            "status": "active", "aml_class": "low",
        });
        let made = self.ask("POST", "/v1/investors", Some(&person), 201);
        let investor = made["id"].as_str().unwrap().to_owned();
        let account = json!({ "investor_id": investor, "asset": SOLD });
        self.until(&self.instruct("accounts", &account), "registered");
        let receipt = json!({
            "investor_id": investor, "asset": SOLD, "trade_id": "ISSUE-1", "delivery_date": DATE,
            "quantity": quantity.to_string(), "counterparty": "registrar",
        });
        let waits = self.instruct("receipts", &receipt);
        self.until(&waits, "matching");
        let allotment = Allotment {
            trade_id: text("ISSUE-1").unwrap(),
            custodian: self.desk.id("custodian-a").unwrap(),
            quantity,
        };
        let order = IssueOrder {
            reference: text("ISSUE-1").unwrap(),
            asset: self.desk.terms(SOLD).unwrap().terms.asset(),
            allotments: vec![allotment].try_into().unwrap(),
            trade: TradeInfo { delivery_date: text(DATE).unwrap(), ..TradeInfo::default() },
        };
        let issue = RegistrarInstruction::Issue(Box::new(order));
        self.desk.node("registrar").unwrap().instruct(&issue).await.unwrap();
        self.until(&waits, "settled");
        investor
    }

    /// custodian-b's operator is instructed to receive.
    async fn other_receives(&self, trade_id: &str, quantity: u64) {
        let seller = self.desk.id("custodian-a").unwrap();
        let mut side =
            trade(seller, Side::Counterparty, &text(trade_id).unwrap(), VALID_MS).unwrap();
        side.trade.delivery_date = text(DATE).unwrap();
        let asset = self.desk.terms(SOLD).unwrap().terms.asset();
        side.receive = Some(Movement { asset, investor: text("INV-2").unwrap(), quantity });
        let instruction = Instruction::Trade(Box::new(side));
        self.desk.node("custodian-b").unwrap().instruct(&instruction).await.unwrap();
    }
}

fn transfer(investor: &str, trade_id: &str, quantity: &str) -> Value {
    json!({
        "investor_id": investor, "asset": SOLD, "trade_id": trade_id, "delivery_date": DATE,
        "quantity": quantity, "counterparty": "custodian-b",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_s_instruction_settles_on_the_ledger_and_survives_a_crash() {
    let mut market = Market::open().await;
    let investor = market.holder(1_000).await;
    let began = now_ms();
    let body = transfer(&investor, "T-1", "250");
    let id = market.instruct("transfers", &body);
    let waits = market.until(&id, "matching");
    assert_eq!(waits["waiting_for"], "custodian-b");
    // The node dies with the trade open, and with another one that it may not have been given.
    let second = market.instruct("transfers", &transfer(&investor, "T-2", "50"));
    market.served.network.kill("custodian-a");
    market.served.network.run(&["custodian-a"]).await;
    assert_eq!(market.instruct("transfers", &body), id, "the same request is the same operation");
    for (id, trade_id, quantity) in [(&id, "T-1", 250), (&second, "T-2", 50)] {
        market.other_receives(trade_id, quantity).await;
        let settled = market.until(id, "settled");
        assert_eq!(settled["progress"], json!({ "step": 7, "of": 7 }));
        assert_eq!(settled["transaction"].as_str().unwrap().len(), 64);
        assert!(settled["notarised_at"].as_str().unwrap().starts_with("20"), "{settled} {began}");
    }
    // The register says the same.
    let terms = market.desk.terms(SOLD).unwrap().terms.asset();
    let lines = market.desk.node("registrar").unwrap().register(terms).await.unwrap();
    let mut held: Vec<u128> = lines.iter().map(|line| line.quantity).collect();
    held.sort_unstable();
    assert_eq!(held, [0, 300, 700]);
    // Nobody on the ledger knows the investor by the masters' id.
    assert!(lines.iter().all(|line| line.investor.as_str() != investor));
    // What the ledger refuses, the operation says.
    let id = market.instruct("transfers", &transfer(&investor, "T-3", "701"));
    let refused = market.until(&id, "refused");
    assert_eq!(refused["reason"], "overspend");
    let listed = market.ask("GET", "/v1/operations?state=settled", None, 200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 3, "{listed}");
    assert!(listed["as_of"]["height"].as_u64().unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_is_cancelled_over_http_once_the_other_side_wants_it_too() {
    let market = Market::open().await;
    let investor = market.holder(100).await;
    let id = market.instruct("transfers", &transfer(&investor, "T-1", "60"));
    market.until(&id, "matching");
    // The other side wants something else, so it stays open; it is not asked for the trade's end by this side alone.
    let key = TradeKey {
        trade_id: text("T-1").unwrap(),
        counterparty: market.desk.id("custodian-a").unwrap(),
        initiates: false,
    };
    let cancel = format!("/v1/operations/{id}/cancellation");
    let asked = market.ask("POST", &cancel, Some(&json!({})), 202);
    assert_eq!(asked["id"], id.as_str());
    // Whoever was never instructed consents by himself.
    let ended = market.until(&id, "refused");
    assert_eq!(ended["reason"], "cancelled");
    assert!(ended["cancel_requested_at"].is_string(), "{ended}");
    let unknown =
        market.desk.node("custodian-b").unwrap().instruct(&Instruction::Cancel(key)).await;
    assert!(unknown.is_err(), "custodian-b never had an instruction");
    // A settled one stays.
    let id = market.instruct("transfers", &transfer(&investor, "T-2", "100"));
    market.other_receives("T-2", 100).await;
    market.until(&id, "settled");
    let late =
        market.ask("POST", &format!("/v1/operations/{id}/cancellation"), Some(&json!({})), 409);
    assert_eq!(late["type"], "/problems/impossible");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registrar_that_stops_transfers_takes_no_leg_until_it_permits_them() {
    let members = [
        ("notary", Role::Notary),
        ("registrar", Role::Registrar),
        ("custodian-a", Role::Custodian),
        ("custodian-b", Role::Custodian),
        ("regulator", Role::Regulator),
    ];
    let mut network = Network::make(&members);
    network.run(&["notary", "custodian-a", "custodian-b", "regulator"]).await;
    let mut second = None;
    let served = Served::on(network, "registrar", "registrar", |_, root| {
        let card = root.card("second");
        let hash = sha256(&card.certificate);
        second = Some(card);
        format!(
            "[[api.clients]]\nname = \"second\"\nrole = \"registrar\"\ninstitution = \"registrar\"\ncertificate = \"{hash}\"\n"
        )
    });
    let served = served.await;
    let second = second.unwrap();
    let mut desk = served.network.desk();
    desk.open_asset(&asset(PRODUCT, AssetKind::Security), "registrar", "regulator").await.unwrap();
    let seller = Holder { custodian: "custodian-a", investor: "INV-1" };
    let buyer = Holder { custodian: "custodian-b", investor: "INV-2" };
    let leg = |quantity| Leg { code: PRODUCT, quantity };
    open(&desk, &[(seller, leg(100))], &[(buyer, PRODUCT)]).await;
    let product = json!({
        "name": "Tower One", "kind": "real estate", "isin": PRODUCT, "status": "issued", "holiday_adjustment": "following",
    });
    let made =
        served.ask(&served.clerk, "POST", "/v1/beneficial-interests", Some(&product)).unwrap();
    assert_eq!(made.0, 201, "{made:?}");
    for (transfers, trade) in [("stopped", "T-1"), ("permitted", "T-2")] {
        let request = json!({ "beneficial_interest_id": made.1["id"], "transfers": transfers });
        let body = json!({ "deed": "permit-transfers", "request": request });
        let proposed = served.ask(&served.clerk, "POST", "/v1/approvals", Some(&body)).unwrap();
        assert_eq!(proposed.0, 201, "{proposed:?}");
        let path = format!("/v1/approvals/{}/decision", proposed.1["id"].as_str().unwrap());
        let decision = json!({ "decision": "approve", "hash": proposed.1["hash"] });
        let done = served.ask(&second, "POST", &path, Some(&decision)).unwrap();
        assert_eq!(done.0, 200, "{done:?}");
        eventually_async("the ledger knows", || async {
            let lines =
                desk.node("registrar").unwrap().query(&OperatorQuery::Assets).await.unwrap();
            let OperatorAnswer::Assets(lines) = lines else { panic!("{lines:?}") };
            (lines[0].register.unwrap().open == (transfers == "permitted")).then_some(())
        })
        .await;
        let outcome = deal(&desk, trade, seller, buyer, leg(10), None).await;
        let expected = if transfers == "permitted" { Ok(()) } else { Err(Reason::Closed) };
        assert_eq!(outcome, expected, "{transfers}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_reached_over_tls_at_public_or_named_addresses_alone() {
    let webhooks = "[api.webhooks]\nroots = \"roots.pem\"\nnetworks = [\"127.0.0.1/32\"]\n";
    let market = Market::with(webhooks).await;
    let (port, bodies) = hook(&market.served.root.card("localhost"));
    let make = |host: &str| {
        let body = json!({ "url": format!("https://{host}:{port}/in") });
        market.ask("POST", "/v1/webhooks", Some(&body), 201)["id"].as_str().unwrap().to_owned()
    };
    let (reached, other) = (make("localhost"), make("127.0.0.2"));
    market.holder(100).await;
    let mut states = Vec::new();
    while states.last().is_none_or(|state| state != "operation.settled") {
        let request = bodies.recv_timeout(Duration::from_secs(120)).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("webhook-signature: v1,"), "{head}");
        let content: Value = serde_json::from_str(body).unwrap();
        states.push(content["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(states[..2], ["operation.received", "operation.registering"]);
    let shown = |id: &str| market.ask("GET", &format!("/v1/webhooks/{id}"), None, 200);
    let refused = eventually("the other one is tried", || {
        shown(&other)["problem"].as_str().map(str::to_owned)
    });
    assert_eq!(refused, "the host has no address that may be reached");
    assert_eq!(shown(&other)["sent"], 0);
    assert!(shown(&reached)["sent"].as_u64().unwrap() > 3);
}

/// A server of webhooks on this machine, with the requests that it got.
fn hook(card: &Card) -> (u16, mpsc::Receiver<String>) {
    let key = PrivateKeyDer::from_pem_slice(card.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![card.certificate.clone()], key)
        .unwrap();
    let (tls, listener) = (Arc::new(tls), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    let (got, bodies) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&tls)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
            while !is_whole(&request) {
                match stream.read(&mut chunk) {
                    Ok(read) if read > 0 => request.extend_from_slice(&chunk[..read]),
                    _ => break,
                }
            }
            let _ = stream.write_all(b"HTTP/1.1 204 X\r\ncontent-length: 0\r\n\r\n");
            if got.send(String::from_utf8(request).unwrap()).is_err() {
                return;
            }
        }
    });
    (port, bodies)
}

/// Whether a request has come to the end of its body.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()) == Some(body.len())
}
