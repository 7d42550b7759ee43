//! A registrar's instructions over HTTP: issues and permissions to redeem, over its real rules in memory, on both engines.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: a panic is its report"
)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sudare_api::access::Role;
use sudare_api::flows::{Flow, Market, MarketConfig, Node};
use sudare_api::http::Setup;
use sudare_api::masters::Kind;
use tokio::task::JoinHandle;

use support::desk::path_of;
use support::ledger::SECURITY;
use support::registry::Registry;
use support::{Database, HOUSE, World, databases, smallest, sqlite, world_as};

const REGISTRAR: (Role, &str) = (Role::Registrar, HOUSE);
const ISSUE: Flow = Flow::Issue;
const PERMISSION: Flow = Flow::RedemptionPermission;

/// An API at a registrar's node, which is carried.
struct Office {
    world: World,
    node: Arc<Registry>,
    carrying: JoinHandle<()>,
}

impl Drop for Office {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

impl Office {
    async fn new(database: &Database) -> Self {
        Self::set_up(database, |_| ()).await
    }

    async fn set_up(database: &Database, change: impl FnOnce(&mut Setup)) -> Self {
        let node = Arc::new(Registry::new());
        let dynamic: Arc<dyn Node> = node.clone();
        let world = world_as(database, |setup| {
            setup.node = Some(dynamic);
            change(setup);
        });
        let world = world.await;
        let api = world.api.clone();
        let carrying = tokio::spawn(async move { api.carry().await });
        Self { world, node, carrying }
    }

    async fn instruct(&self, flow: Flow, key: &str, body: &Value) -> String {
        let taken = self.world.post(REGISTRAR, &path_of(flow), key, body).await;
        assert_eq!(taken.status, StatusCode::ACCEPTED, "{taken:?}");
        taken.id()
    }

    /// The operation once it has a state.
    async fn until(&self, id: &str, state: &str) -> Value {
        for _ in 0..2_000 {
            let read = self.world.get(REGISTRAR, &format!("/v1/operations/{id}")).await;
            assert_eq!(read.status, StatusCode::OK, "{read:?}");
            if read.body["state"] == state {
                return read.body;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{id} never becomes {state}");
    }
}

fn body_of(flow: Flow, id: &str) -> Value {
    if flow == PERMISSION {
        return json!({
            "trade_id": id, "asset": SECURITY, "quantity": "10", "counterparty": "custodian-b",
        });
    }
    json!({
        "reference": id, "asset": SECURITY, "delivery_date": "2031-07-18",
        "allotments": [
            { "trade_id": format!("{id}-1"), "counterparty": "custodian-b", "quantity": "10" },
            { "trade_id": format!("{id}-2"), "counterparty": "custodian-b", "quantity": "7" },
        ],
    })
}

#[tokio::test]
async fn an_issue_is_kept_once_proposed_to_its_custodians_and_ends_as_the_ledger_says() {
    for database in databases() {
        let office = Office::new(&database).await;
        let body = body_of(ISSUE, "I-1");
        let id = office.instruct(ISSUE, "k1", &body).await;
        let waits = office.until(&id, "matching").await;
        assert_eq!((&waits["waiting_for"], &waits["instruction"]), (&json!("custodian-b"), &body));
        let proposed = [("I-1-1".to_owned(), 10), ("I-1-2".to_owned(), 7)];
        assert_eq!(office.node.proposed(), proposed);
        assert_eq!(office.instruct(ISSUE, "k1", &body).await, id);
        let twice = office.world.post(REGISTRAR, &path_of(ISSUE), "k2", &body).await;
        assert_eq!(
            (twice.problem(), &twice.body["errors"][0]["pointer"]),
            ("invalid", &json!("/reference"))
        );
        // Its custodians have ten minutes.
        office.node.advance(10 * 60 * 1000);
        let ended = office.until(&id, "refused").await;
        assert_eq!((&ended["reason"], &ended["ended"]), (&json!("lapsed"), &json!(true)));
        // What the ledger refuses, the operation says.
        let mut body = body_of(ISSUE, "I-2");
        body["allotments"][1]["quantity"] = json!(u64::MAX.to_string());
        let id = office.instruct(ISSUE, "k3", &body).await;
        assert_eq!(office.until(&id, "refused").await["reason"], "supply-limit");
    }
}

#[tokio::test]
async fn a_redemption_is_permitted_once_and_waits_for_its_custodian() {
    for database in databases() {
        let office = Office::new(&database).await;
        let body = body_of(PERMISSION, "R-1");
        let id = office.instruct(PERMISSION, "k1", &body).await;
        let waits = office.until(&id, "matching").await;
        assert_eq!(
            (&waits["waiting_for"], &waits["ended"]),
            (&json!("custodian-b"), &json!(false))
        );
        let twice = office.world.post(REGISTRAR, &path_of(PERMISSION), "k2", &body).await;
        assert_eq!(
            (twice.problem(), &twice.body["errors"][0]["pointer"]),
            ("invalid", &json!("/trade_id"))
        );
    }
}

/// [FLOW-8]
#[tokio::test]
async fn an_issue_and_a_permission_that_nobody_has_taken_are_cancelled_at_once_and_may_be_given_anew()
 {
    for database in databases() {
        let office = Office::new(&database).await;
        for (flow, name) in [(ISSUE, "I-1"), (PERMISSION, "R-1")] {
            let body = body_of(flow, name);
            let id = office.instruct(flow, name, &body).await;
            office.until(&id, "matching").await;
            let cancel = format!("/v1/operations/{id}/cancellation");
            let asked =
                office.world.post(REGISTRAR, &cancel, &format!("c-{name}"), &json!({})).await;
            assert_eq!(asked.status, StatusCode::ACCEPTED, "{asked:?}");
            let ended = office.until(&id, "refused").await;
            assert_eq!((&ended["reason"], &ended["ended"]), (&json!("cancelled"), &json!(true)));
            // Messages are about the sides of trades.
            let path = format!("/v1/operations/{id}/messages/status");
            assert_eq!(office.world.get(REGISTRAR, &path).await.problem(), "impossible");
        }
        let again = office.instruct(PERMISSION, "again", &body_of(PERMISSION, "R-1")).await;
        office.until(&again, "matching").await;
    }
}

#[tokio::test]
async fn a_registrar_s_instructions_are_the_house_s_registrar_s_alone() {
    let database = sqlite();
    let office = Office::new(&database).await;
    for role in Role::ALL {
        for institution in [HOUSE, "other"] {
            let who = (role, institution);
            for flow in Flow::ALL {
                let body = body_of(flow, &format!("{role}-{institution}"));
                let key = format!("{role}-{}", flow.path());
                let taken = office.world.post(who, &path_of(flow), &key, &body).await;
                let own = matches!(flow, Flow::Issue | Flow::RedemptionPermission);
                let expected = match (sudare_api::flows::scope(role, flow), who == REGISTRAR) {
                    (sudare_api::access::Scope::Nothing, _) => 403,
                    (_, true) if own => 202,
                    (_, false) if own => 403,
                    // A custodian's kinds, whose node is another one.
                    _ => 409,
                };
                assert_eq!(taken.status.as_u16(), expected, "{flow} by {who:?}: {taken:?}");
            }
            let listed = office.world.get(who, "/v1/operations").await;
            let expected = if who == REGISTRAR { 200 } else { 403 };
            assert_eq!(listed.status.as_u16(), expected, "{who:?}");
        }
    }
}

#[tokio::test]
async fn each_wrong_field_of_a_registrar_s_instruction_is_named() {
    let database = sqlite();
    let office = Office::new(&database).await;
    let item = |field: &str, value: Value| {
        let mut item = body_of(ISSUE, "I-1")["allotments"][0].clone();
        item[field] = value;
        json!([item])
    };
    for (number, (flow, field, value, pointer)) in [
        (ISSUE, "reference", json!("a".repeat(36)), "/reference"),
        (ISSUE, "asset", json!("ZZ0000000016"), "/asset"),
        (ISSUE, "delivery_date", json!("2031-02-29"), "/delivery_date"),
        (ISSUE, "allotments", json!([]), "/allotments"),
        (ISSUE, "allotments", json!("all"), "/allotments"),
        (ISSUE, "allotments", json!(vec![json!({}); 65]), "/allotments"),
        (ISSUE, "allotments", json!(["x"]), "/allotments/0"),
        (ISSUE, "allotments", item("quantity", json!("0")), "/allotments/0/quantity"),
        (ISSUE, "allotments", item("quantity", json!(1)), "/allotments/0/quantity"),
        (
            ISSUE,
            "allotments",
            item("counterparty", json!("registrar")),
            "/allotments/0/counterparty",
        ),
        (ISSUE, "allotments", item("more", json!("x")), "/allotments/0/more"),
        (ISSUE, "investor_id", json!("0".repeat(32)), "/investor_id"),
        (PERMISSION, "counterparty", json!("nobody"), "/counterparty"),
        (PERMISSION, "quantity", json!("0"), "/quantity"),
        (PERMISSION, "asset", json!("JPY"), "/asset"),
        (PERMISSION, "allotments", json!([]), "/allotments"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = body_of(flow, "I-1");
        body[field] = value;
        let path = path_of(flow);
        let refused = office.world.post(REGISTRAR, &path, &format!("w{number}"), &body).await;
        assert_eq!(refused.problem(), "invalid", "{number}: {refused:?}");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{number}: {refused:?}");
    }
    let mut body = body_of(ISSUE, "I-1");
    body.as_object_mut().unwrap().remove("allotments");
    let refused = office.world.post(REGISTRAR, &path_of(ISSUE), "w", &body).await;
    assert_eq!(refused.body["errors"][0]["pointer"], "/allotments");
    assert!(office.node.proposed().is_empty());
}

#[tokio::test]
async fn a_product_is_issued_while_it_is_prepared_or_issued_and_redeemed_once_it_is_issued() {
    let database = sqlite();
    let office = Office::new(&database).await;
    let product = smallest(Kind::BeneficialInterest);
    let made = office.world.post(REGISTRAR, "/v1/beneficial-interests", "p", &product).await;
    let path = made.header("location").to_owned();
    for (status, issued, permitted) in [
        ("preparing", 202, 409),
        ("issued", 202, 202),
        ("redeemed", 409, 409),
        ("cancelled", 409, 409),
    ] {
        let row = office.world.get(REGISTRAR, &path).await;
        let mut body = product.clone();
        body["status"] = json!(status);
        let put = office.world.put(REGISTRAR, &path, row.header("etag"), &body).await;
        assert_eq!(put.status, StatusCode::OK, "{put:?}");
        for (flow, expected) in [(ISSUE, issued), (PERMISSION, permitted)] {
            let body = body_of(flow, status);
            let key = format!("{status}-{}", flow.path());
            let taken = office.world.post(REGISTRAR, &path_of(flow), &key, &body).await;
            assert_eq!(taken.status.as_u16(), expected, "{flow} of a product {status}");
        }
    }
}

#[tokio::test]
async fn an_issue_for_a_later_day_waits_for_it_and_can_be_cancelled_until_then() {
    let database = sqlite();
    let market = Market::new(&MarketConfig { cut_offs: BTreeMap::new(), carry_overs: 1 }).unwrap();
    let office = Office::set_up(&database, |setup| setup.market = Some(market)).await;
    let open = json!({ "deed": "open-market", "request": {} });
    let proposed = office.world.post((Role::Operator, HOUSE), "/v1/approvals", "o", &open).await;
    let decision = json!({ "decision": "approve", "hash": proposed.body["hash"] });
    let path = format!("/v1/approvals/{}/decision", proposed.id());
    let opened = office.world.post(REGISTRAR, &path, "a", &decision).await;
    assert_eq!(opened.status, StatusCode::OK, "{opened:?}");
    let id = office.instruct(ISSUE, "k1", &body_of(ISSUE, "I-1")).await;
    office.until(&id, "scheduled").await;
    assert!(office.node.proposed().is_empty());
    let cancel = format!("/v1/operations/{id}/cancellation");
    let asked = office.world.post(REGISTRAR, &cancel, "c", &json!({})).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{asked:?}");
    let ended = office.until(&id, "refused").await;
    assert_eq!(ended["reason"], "cancelled");
    // A permission has no day.
    let id = office.instruct(PERMISSION, "k2", &body_of(PERMISSION, "R-1")).await;
    office.until(&id, "matching").await;
}
