//! Every kind of instruction on a real network, given over HTTP at both sides' nodes and the registrar's, to its end in all books.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: a panic is its report"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use sudare::demo::input::AssetKind;
use sudare::demo::setup::Desk;
use sudare::operator::{OperatorAnswer, OperatorQuery};
use sudare_api::iso20022::{CancellationStatus, Message};
use sudare_ledger::role::Role;
use sudare_tests::system::eventually;
use sudare_tests::system::network::{Network, SOLD, asset};
use sudare_tests::system::web::{Card, Root, free_address, request, serve_api, sha256};

const DATE: &str = "2031-07-18";
const CASH: &str = "CASH";
const A: &str = "custodian-a";
const B: &str = "custodian-b";
const REGISTRAR: &str = "registrar";

/// A network whose registrar and custodians serve the API, each with an investor at the custodians; nothing is issued.
struct Partners {
    network: Network,
    desk: Desk,
    root: Root,
    apis: BTreeMap<&'static str, (SocketAddr, Card)>,
    investors: BTreeMap<&'static str, String>,
}

impl Partners {
    async fn open() -> Self {
        let members = [
            ("notary", Role::Notary),
            (REGISTRAR, Role::Registrar),
            (A, Role::Custodian),
            (B, Role::Custodian),
            ("regulator", Role::Regulator),
        ];
        let mut network = Network::make(&members);
        let (root, mut apis) = (Root::default(), BTreeMap::new());
        for (node, role) in [(REGISTRAR, "registrar"), (A, "custodian"), (B, "custodian")] {
            let (address, card) = (free_address(), root.card("clerk"));
            let nothing = |_: &Path, _: &Root| String::new();
            serve_api(&network.config(node), address, &root, nothing, &card, (node, role));
            apis.insert(node, (address, card));
        }
        network.run(&members.map(|(name, _)| name)).await;
        let mut desk = network.desk();
        let own = |custodian: &str, code: &str| (custodian.into(), code.into(), "OWN".into());
        let mut accounts = Vec::new();
        for (code, kind) in [(SOLD, AssetKind::Security), (CASH, AssetKind::Cash)] {
            desk.open_asset(&asset(code, kind), REGISTRAR, "regulator").await.unwrap();
            accounts.extend([own(A, code), own(B, code)]);
        }
        desk.add_accounts(&accounts).await.unwrap();
        let mut partners = Self { network, desk, root, apis, investors: BTreeMap::new() };
        for node in [A, B] {
            let person = json!({
                "name": "Planted Person 7391", "address": "Planted Street 5577", "safekeeping_class": "safekeeping",
                "status": "active", "aml_class": "low",
            });
            let made = partners.ask(node, "POST", "/v1/investors", Some(&person), 201);
            let investor = made["id"].as_str().unwrap().to_owned();
            for code in [SOLD, CASH] {
                let account = json!({ "investor_id": investor, "asset": code });
                let opened = partners.instruct(node, "accounts", &account);
                partners.until(node, &opened, "registered");
            }
            partners.investors.insert(node, investor);
        }
        partners
    }

    /// A request of the node's own clerk, which must have this status.
    fn ask(
        &self,
        node: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
        status: u16,
    ) -> Value {
        let (address, card) = &self.apis[node];
        let body = body.map(Value::to_string).unwrap_or_default();
        let key = sha256(format!("{path} {body}").as_bytes());
        let headers = format!("content-type: application/json\r\nidempotency-key: {key}\r\n");
        let answer = eventually("the API answers", || {
            request(&self.root, Some(card), *address, method, path, &headers, &body)
        });
        assert_eq!(answer.0, status, "{method} {path} at {node}: {}", answer.1);
        serde_json::from_str(&answer.1).unwrap()
    }

    fn instruct(&self, node: &str, kind: &str, body: &Value) -> String {
        let path = format!("/v1/instructions/{kind}");
        self.ask(node, "POST", &path, Some(body), 202)["id"].as_str().unwrap().to_owned()
    }

    fn read(&self, node: &str, id: &str) -> Value {
        self.ask(node, "GET", &format!("/v1/operations/{id}"), None, 200)
    }

    /// The operation once it has a state.
    fn until(&self, node: &str, id: &str, state: &str) -> Value {
        eventually(&format!("{id} at {node} is {state}"), || {
            let read = self.read(node, id);
            assert!(read["ended"] == false || read["state"] == state, "{read}");
            (read["state"] == state).then_some(read)
        })
    }

    /// An instruction of a custodian's investor, with the other custodian unless `more` says otherwise.
    fn side(&self, node: &str, kind: &str, trade: &str, quantity: u64, more: &Value) -> String {
        let other = if node == A { B } else { A };
        let mut body = json!({
            "investor_id": self.investors[node], "asset": SOLD, "trade_id": trade, "delivery_date": DATE,
            "quantity": quantity.to_string(), "counterparty": other,
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.instruct(node, kind, &body)
    }

    /// Two operations that are the two sides of one trade, once both have settled, in one transaction.
    fn settled(&self, one: (&str, &str), other: (&str, &str)) {
        let [first, second] = [one, other].map(|(node, id)| self.until(node, id, "settled"));
        assert_eq!(first["transaction"].as_str().unwrap().len(), 64);
        assert_eq!(first["transaction"], second["transaction"]);
        assert_eq!(first["notarised_at"], second["notarised_at"]);
        assert_eq!(first["progress"], json!({ "step": 7, "of": 7 }));
        assert_eq!(second["ended"], true);
    }

    /// The registrar issues to the investor of a custodian, and both see it settle.
    fn issued(&self, node: &str, code: &str, quantity: u64) {
        let trade = format!("ISSUE-{code}");
        let more = json!({ "asset": code, "counterparty": REGISTRAR });
        let receipt = self.side(node, "receipts", &trade, quantity, &more);
        self.until(node, &receipt, "matching");
        let allotment =
            json!({ "trade_id": trade, "counterparty": node, "quantity": quantity.to_string() });
        let issue = json!({
            "reference": trade, "asset": code, "delivery_date": DATE, "allotments": [allotment],
        });
        let issue = self.instruct(REGISTRAR, "issues", &issue);
        self.settled((REGISTRAR, &issue), (node, &receipt));
    }

    /// A trade as an ISO 20022 message.
    fn said(&self, node: &str, id: &str, what: &str) -> Message {
        let (address, card) = &self.apis[node];
        let path = format!("/v1/operations/{id}/messages/{what}");
        let answer = eventually("the API answers", || {
            request(&self.root, Some(card), *address, "GET", &path, "", "")
        });
        assert_eq!(answer.0, 200, "{path} at {node}: {}", answer.1);
        Message::parse(answer.1.as_bytes()).unwrap().message
    }

    /// What the register says that accounts of the custodians' investors hold.
    async fn held(&self, code: &str) -> [u128; 2] {
        let terms = self.desk.terms(code).unwrap().terms.asset();
        let lines = self.desk.node(REGISTRAR).unwrap().register(terms).await.unwrap();
        [A, B].map(|node| {
            let id = self.desk.id(node).unwrap();
            let own = lines.iter().filter(|line| line.custodian == id);
            own.filter(|line| line.investor.as_str() != "OWN").map(|line| line.quantity).sum()
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_instruction_settles_over_http_from_both_sides() {
    let partners = Partners::open().await;
    partners.issued(A, SOLD, 1_000);
    partners.issued(B, CASH, 50_000);
    let none = json!({});
    let receipt = partners.side(B, "receipts", "FREE", 100, &none);
    let transfer = partners.side(A, "transfers", "FREE", 100, &none);
    partners.settled((A, &transfer), (B, &receipt));
    let paid = |side: &str, quantity: u64| json!({ "side": side, "payment_asset": CASH, "payment_quantity": quantity.to_string() });
    let dvp = "deliveries-versus-payment";
    let buys = partners.side(B, dvp, "DVP", 200, &paid("receive", 20_000));
    let sells = partners.side(A, dvp, "DVP", 200, &paid("deliver", 20_000));
    partners.settled((A, &sells), (B, &buys));
    let tx = partners.read(A, &sells)["transaction"].as_str().unwrap().to_owned();
    for (node, id) in [(A, &sells), (B, &buys)] {
        let Message::Confirmation(said) = partners.said(node, id, "confirmation") else { panic!() };
        let of_tx = said.evidence.values.iter().find(|(of, _)| of.as_str() == "tx").unwrap();
        assert_eq!(of_tx.1.as_str(), tx);
        assert_eq!(said.trades[0].as_str(), "DVP");
    }
    let traded = |side: &str| {
        let mut more = paid(side, 5_000);
        more["trade_date"] = json!("2031-07-16");
        more
    };
    let sold = partners.side(A, "executions", "EXECUTED", 50, &traded("sell"));
    let bought = partners.side(B, "executions", "EXECUTED", 50, &traded("buy"));
    partners.settled((A, &sold), (B, &bought));
    assert_eq!(partners.held(SOLD).await, [650, 350]);
    assert_eq!(partners.held(CASH).await, [25_000, 25_000]);
    // A redemption goes as far as the registrar has permitted it.
    let permission = json!({
        "trade_id": "REDEEMED", "asset": SOLD, "quantity": "150", "counterparty": A,
    });
    let permitted = partners.instruct(REGISTRAR, "redemption-permissions", &permission);
    let waits = partners.until(REGISTRAR, &permitted, "matching");
    assert_eq!(waits["waiting_for"], A);
    let alone = json!({ "counterparty": null });
    let redeemed = partners.side(A, "redemptions", "REDEEMED", 150, &alone);
    partners.settled((REGISTRAR, &permitted), (A, &redeemed));
    let unasked = partners.side(A, "redemptions", "UNASKED", 1, &alone);
    assert_eq!(partners.until(A, &unasked, "refused")["reason"], "not-instructed");
    assert_eq!(partners.held(SOLD).await, [500, 350]);
    let query = partners.desk.node(REGISTRAR).unwrap().query(&OperatorQuery::Assets).await;
    let OperatorAnswer::Assets(lines) = query.unwrap() else { panic!("no assets") };
    let line = lines.iter().find(|line| line.terms.terms.core.code.as_str() == SOLD).unwrap();
    let totals = line.register.unwrap();
    assert_eq!((totals.minted, totals.burned), (1_000, 150));
}

/// [FLOW-8]
#[tokio::test(flavor = "multi_thread")]
async fn an_issue_is_cancelled_by_its_registrar_alone_or_with_the_consent_of_those_that_accepted() {
    let partners = Partners::open().await;
    let issue = |reference: &str| {
        let allotment = |node: &str| json!({ "trade_id": format!("{reference}-{node}"), "counterparty": node, "quantity": "10" });
        let body = json!({
            "reference": reference, "asset": SOLD, "delivery_date": DATE, "allotments": [allotment(A), allotment(B)],
        });
        partners.instruct(REGISTRAR, "issues", &body)
    };
    let cancel = |node: &str, id: &str| {
        let path = format!("/v1/operations/{id}/cancellation");
        partners.ask(node, "POST", &path, Some(&json!({})), 202)
    };
    let expects = |node: &str, reference: &str| {
        let trade = format!("{reference}-{node}");
        partners.side(node, "receipts", &trade, 10, &json!({ "counterparty": REGISTRAR }))
    };
    // Nobody has accepted.
    let alone = issue("ALONE");
    partners.until(REGISTRAR, &alone, "matching");
    cancel(REGISTRAR, &alone);
    assert_eq!(partners.until(REGISTRAR, &alone, "refused")["reason"], "cancelled");
    // One of two has, and the other never will.
    let receipt = expects(A, "HALF");
    let half = issue("HALF");
    partners.until(A, &receipt, "accepted");
    cancel(REGISTRAR, &half);
    eventually("the custodian is asked", || {
        let read = partners.read(A, &receipt);
        assert_eq!(read["state"], "accepted", "{read}");
        read["counterparty_cancel_requested_at"].is_string().then_some(())
    });
    let waits = partners.read(REGISTRAR, &half);
    assert_eq!((&waits["state"], &waits["ended"]), (&json!("matching"), &json!(false)));
    cancel(A, &receipt);
    for (node, id) in [(REGISTRAR, &half), (A, &receipt)] {
        let ended = partners.until(node, id, "refused");
        assert_eq!(ended["reason"], "cancelled", "{ended}");
        assert!(ended["cancel_requested_at"].is_string(), "{ended}");
    }
    let Message::CancellationAdvice(said) = partners.said(A, &receipt, "cancellation") else {
        panic!()
    };
    assert!(matches!(said.status, CancellationStatus::Cancelled(_)), "{said:?}");
    // What is in the register's log stays there.
    partners.issued(A, SOLD, 100);
    assert_eq!(partners.held(SOLD).await, [100, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_under_way_is_cancelled_once_both_sides_have_asked_over_http() {
    let mut partners = Partners::open().await;
    partners.issued(A, SOLD, 100);
    // The registrar is away, so that the trade waits for it, at most until its window ends: then it has lapsed by itself, and
    // another one is tried.
    partners.network.stop(REGISTRAR);
    let mut ended = Vec::new();
    for number in 0..8 {
        let trade = format!("WAITS-{number}");
        let none = json!({});
        let receipt = partners.side(B, "receipts", &trade, 60, &none);
        let transfer = partners.side(A, "transfers", &trade, 60, &none);
        let waits = |node: &str, id: &str| {
            eventually("the transfer waits for its approval", || {
                let state = partners.read(node, id)["state"].clone();
                (state == "approving" || state == "refused").then_some(())
            });
        };
        waits(A, &transfer);
        let ask = |node: &str, id: &str| {
            let path = format!("/v1/operations/{id}/cancellation");
            let (address, card) = &partners.apis[node];
            let key = format!("idempotency-key: cancel-{id}\r\ncontent-type: application/json\r\n");
            request(&partners.root, Some(card), *address, "POST", &path, &key, "{}").unwrap().0
        };
        if ask(B, &receipt) != 202 {
            continue;
        }
        // It goes on meanwhile, and each side sees who has asked.
        let seen = eventually("the other side sees it", || {
            let read = partners.read(A, &transfer);
            let asked = read["counterparty_cancel_requested_at"].is_string();
            (asked || read["state"] == "refused").then_some(read)
        });
        assert!(seen["cancel_requested_at"].is_null(), "{seen}");
        if ask(A, &transfer) != 202 {
            continue;
        }
        ended = [(A, &transfer), (B, &receipt)]
            .map(|(node, id)| partners.until(node, id, "refused"))
            .into();
        if ended.iter().all(|one| one["reason"] == "cancelled") {
            break;
        }
    }
    assert_eq!(ended.len(), 2);
    for one in &ended {
        assert_eq!((&one["reason"], &one["ended"]), (&json!("cancelled"), &json!(true)), "{one}");
        assert!(one["cancel_requested_at"].is_string(), "{one}");
    }
    // Its word that the trade is given up may overtake the deliverer's own request.
    assert!(ended[0]["counterparty_cancel_requested_at"].is_string(), "{}", ended[0]);
    partners.network.run(&[REGISTRAR]).await;
    // All of it is free again.
    let none = json!({});
    let receipt = partners.side(B, "receipts", "AFTER", 100, &none);
    let transfer = partners.side(A, "transfers", "AFTER", 100, &none);
    partners.settled((A, &transfer), (B, &receipt));
    assert_eq!(partners.held(SOLD).await, [0, 100]);
}
