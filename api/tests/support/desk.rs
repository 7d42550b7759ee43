//! An API at a custodian's node that is carried, with investors who have accounts.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sudare_api::access::Role;
use sudare_api::flows::{Flow, Node};
use sudare_api::http::Setup;
use sudare_api::masters::Kind;
use tokio::task::JoinHandle;

use super::ledger::{CASH, InMemory, SECURITY};
use super::{Database, HOUSE, World, smallest, world_as};

pub const BROKER: (Role, &str) = (Role::EntrustingBroker, "other");
pub const CLERK: (Role, &str) = (Role::Custodian, HOUSE);

/// An API at a custodian's node, which is carried.
pub struct Desk {
    pub world: World,
    pub node: Arc<InMemory>,
    pub carrying: JoinHandle<()>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

impl Desk {
    pub async fn new(database: &Database) -> Self {
        Self::at(database, Arc::new(InMemory::new())).await
    }

    pub async fn at(database: &Database, node: Arc<InMemory>) -> Self {
        Self::set_up(database, node, |_| ()).await
    }

    /// The same with another setup.
    pub async fn set_up(
        database: &Database,
        node: Arc<InMemory>,
        change: impl FnOnce(&mut Setup),
    ) -> Self {
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

    /// An active investor of somebody's, with accounts in both assets.
    pub async fn investor(&self, who: (Role, &str)) -> String {
        let mut body = smallest(Kind::Investor);
        body["status"] = json!("active");
        let key = format!("investor-{}-{}", who.0, who.1);
        let made = self.world.post(who, "/v1/investors", &key, &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        for asset in [SECURITY, CASH] {
            let body = json!({ "investor_id": made.id(), "asset": asset });
            let path = "/v1/instructions/accounts";
            let opened = self.world.post(who, path, &format!("{asset}-{key}"), &body).await;
            assert_eq!(opened.status, StatusCode::ACCEPTED, "{opened:?}");
            self.until(who, &opened.id(), "registered").await;
        }
        made.id()
    }

    /// The operation once it has a state.
    pub async fn until(&self, who: (Role, &str), id: &str, state: &str) -> Value {
        for _ in 0..2_000 {
            let read = self.world.get(who, &format!("/v1/operations/{id}")).await;
            assert_eq!(read.status, StatusCode::OK, "{read:?}");
            if read.body["state"] == state {
                return read.body;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{id} never becomes {state}");
    }
}

/// A good body of a kind for an investor.
pub fn body_of(flow: Flow, investor: &str, trade: &str) -> Value {
    let mut body = json!({ "investor_id": investor, "asset": SECURITY });
    if flow == Flow::Account {
        return body;
    }
    let more = json!({ "trade_id": trade, "delivery_date": "2031-07-18", "quantity": "10" });
    merge(&mut body, &more);
    match flow {
        Flow::Transfer | Flow::Receipt => {
            merge(&mut body, &json!({ "counterparty": "custodian-b" }))
        }
        Flow::DeliveryVersusPayment => merge(
            &mut body,
            &json!({
                "counterparty": "custodian-b", "side": "receive", "payment_asset": CASH, "payment_quantity": "500",
            }),
        ),
        Flow::Execution => merge(
            &mut body,
            &json!({
                "counterparty": "custodian-b", "side": "buy", "trade_date": "2031-07-16",
            }),
        ),
        _ => (),
    }
    body
}

pub fn merge(body: &mut Value, more: &Value) {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
}

pub fn path_of(flow: Flow) -> String {
    format!("/v1/instructions/{}", flow.path())
}

/// Two people of the house do a deed.
pub async fn approve(world: &World, deed: &str, request: &Value, key: &str) {
    let body = json!({ "deed": deed, "request": request });
    let key = format!("{deed}-{key}");
    let proposed = world.post(CLERK, "/v1/approvals", &key, &body).await;
    assert_eq!(proposed.status, StatusCode::CREATED, "{proposed:?}");
    let decision = json!({ "decision": "approve", "hash": proposed.body["hash"] });
    let path = format!("/v1/approvals/{}/decision", proposed.id());
    let alone = world.post(CLERK, &path, &format!("{key}-alone"), &decision).await;
    assert_eq!(alone.problem(), "same-person");
    let approved =
        world.post((Role::DirectBroker, HOUSE), &path, &format!("{key}-2"), &decision).await;
    assert_eq!(approved.status, StatusCode::OK, "{approved:?}");
}
