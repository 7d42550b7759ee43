//! Instructions and what becomes of them, over a real custodian's rules in memory, on both engines.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: a panic is its report"
)]

mod support;

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;
use sudare_api::access::{Role, Scope};
use sudare_api::flows::{Flow, matrix, scope};
use sudare_api::masters::Kind;

use support::desk::{BROKER, CLERK, Desk, approve, body_of, path_of};
use support::ledger::{CASH, SECURITY};
use support::{HOUSE, World, databases, smallest, sqlite, world};

#[tokio::test]
async fn an_instruction_is_kept_once_reaches_the_node_and_ends_as_the_ledger_says() {
    for database in databases() {
        let desk = Desk::new(&database).await;
        let investor = desk.investor(BROKER).await;
        let body = body_of(Flow::Receipt, &investor, "T-1");
        let path = path_of(Flow::Receipt);
        let taken = desk.world.post(BROKER, &path, "k1", &body).await;
        assert_eq!(taken.status, StatusCode::ACCEPTED, "{taken:?}");
        assert_eq!(taken.header("location"), format!("/v1/operations/{}", taken.id()));
        let (kind, asked) = (&taken.body["kind"], &taken.body["instruction"]);
        assert_eq!((kind, asked), (&json!("receipts"), &body));
        let waits = desk.until(BROKER, &taken.id(), "matching").await;
        assert_eq!(waits["waiting_for"], "custodian-b");
        assert_eq!(waits["progress"], json!({ "step": 1, "of": 7 }));
        assert_eq!(waits["instructed_by"], "entrusting-broker at other");
        let trades = desk.node.trades("T-1");
        assert_eq!((trades.len(), trades[0].receive.unwrap().1), (1, 10));
        // The same again is the same; another one with the key, or with the trade's id, is refused.
        let again = desk.world.post(BROKER, &path, "k1", &body).await;
        assert_eq!((again.status, again.id()), (StatusCode::ACCEPTED, taken.id()));
        let mut other = body.clone();
        other["quantity"] = json!("11");
        let reused = desk.world.post(BROKER, &path, "k1", &other).await;
        assert_eq!(reused.problem(), "idempotency-key-reused");
        let twice = desk.world.post(BROKER, &path, "k2", &other).await;
        assert_eq!(
            (twice.problem(), &twice.body["errors"][0]["pointer"]),
            ("invalid", &json!("/trade_id"))
        );
        // What the ledger refuses is an operation too, and does not use up the trade's id.
        let (path, body) = (path_of(Flow::Transfer), body_of(Flow::Transfer, &investor, "T-2"));
        for key in ["k3", "k4"] {
            let taken = desk.world.post(BROKER, &path, key, &body).await;
            let refused = desk.until(BROKER, &taken.id(), "refused").await;
            assert_eq!(
                (&refused["reason"], &refused["ended"]),
                (&json!("overspend"), &json!(true))
            );
        }
    }
}

#[tokio::test]
async fn what_was_accepted_while_the_node_was_away_is_carried_later_and_after_a_restart() {
    for database in databases() {
        let desk = Desk::new(&database).await;
        let investor = desk.investor(BROKER).await;
        let body = body_of(Flow::Receipt, &investor, "T-1");
        let path = path_of(Flow::Receipt);
        let node = Arc::clone(&desk.node);
        desk.carrying.abort();
        let taken = desk.world.post(BROKER, &path, "k1", &body).await;
        assert_eq!(taken.body["state"], "received");
        drop(desk);
        node.is_away(true);
        let desk = Desk::at(&database, Arc::clone(&node)).await;
        let stays = desk.world.get(BROKER, taken.header("location")).await;
        assert_eq!(stays.body["state"], "received");
        node.is_away(false);
        desk.until(BROKER, &taken.id(), "matching").await;
        assert_eq!(node.trades("T-1").len(), 1);
    }
}

#[tokio::test]
async fn a_refused_trade_that_is_paid_after_all_is_settled_unless_it_was_instructed_again() {
    for database in databases() {
        let desk = Desk::new(&database).await;
        let investor = desk.investor(BROKER).await;
        let path = path_of(Flow::Receipt);
        let mut ids = Vec::new();
        for (key, trade) in [("k1", "T-1"), ("k2", "T-2"), ("k3", "T-3")] {
            let body = body_of(Flow::Receipt, &investor, trade);
            let taken = desk.world.post(BROKER, &path, key, &body).await;
            desk.until(BROKER, &taken.id(), "matching").await;
            let cancel = format!("/v1/operations/{}/cancellation", taken.id());
            desk.world.post(BROKER, &cancel, &format!("{key}c"), &json!({})).await;
            desk.until(BROKER, &taken.id(), "refused").await;
            ids.push(taken.id());
        }
        let body = body_of(Flow::Receipt, &investor, "T-2");
        let again = desk.world.post(BROKER, &path, "k4", &body).await;
        desk.until(BROKER, &again.id(), "matching").await;
        desk.node.is_paid("T-1");
        desk.node.is_paid("T-2");
        let settled = desk.until(BROKER, &ids[0], "settled").await;
        assert_eq!((&settled["ended"], settled.get("reason")), (&json!(true), None));
        // Of two instructions of one trade it is the later one that is paid.
        desk.until(BROKER, &again.id(), "settled").await;
        for id in &ids[1..] {
            let stays = desk.world.get(BROKER, &format!("/v1/operations/{id}")).await.body;
            assert_eq!(stays["state"], "refused", "{stays}");
        }
    }
}

#[tokio::test]
async fn all_pages_of_a_list_are_of_the_moment_of_the_first() {
    for database in databases() {
        let desk = Desk::new(&database).await;
        let investor = desk.investor(BROKER).await;
        let path = path_of(Flow::Receipt);
        let mut ids = Vec::new();
        for number in 0..3 {
            let body = body_of(Flow::Receipt, &investor, &format!("T-{number}"));
            let taken = desk.world.post(BROKER, &path, &format!("k{number}"), &body).await;
            desk.until(BROKER, &taken.id(), "matching").await;
            ids.push(taken.id());
        }
        let first = desk.world.get(BROKER, "/v1/operations?limit=1&state=matching").await;
        let moment = first.body["as_of"].clone();
        assert!(moment["event"].as_u64().unwrap() >= 6 && moment["height"].as_u64().unwrap() > 0);
        // The last one ends, and another one comes.
        let path = format!("/v1/operations/{}/cancellation", ids[2]);
        let cancelled = desk.world.post(BROKER, &path, "c", &json!({})).await;
        assert_eq!(cancelled.status, StatusCode::ACCEPTED, "{cancelled:?}");
        let ended = desk.until(BROKER, &ids[2], "refused").await;
        assert_eq!(ended["reason"], "cancelled");
        let body = body_of(Flow::Receipt, &investor, "T-3");
        desk.world.post(BROKER, &path_of(Flow::Receipt), "k3", &body).await;
        let (mut page, mut seen) = (first, Vec::new());
        loop {
            assert_eq!(page.body["as_of"], moment);
            for item in page.body["items"].as_array().unwrap() {
                assert_eq!(item["state"], "matching");
                seen.push(item["id"].as_str().unwrap().to_owned());
            }
            let Some(next) = page.body["next"].as_str().map(str::to_owned) else { break };
            page = desk.world.get(BROKER, &next).await;
        }
        assert_eq!(seen, ids);
        for wrong in ["x", "1", "1-x", "-1-00000000000000000000000000000000"] {
            let refused = desk.world.get(BROKER, &format!("/v1/operations?cursor={wrong}")).await;
            assert_eq!(refused.problem(), "malformed", "{wrong}");
        }
        // One that looks right and was never given.
        let path = format!("/v1/operations?cursor=99999-{}", "0".repeat(32));
        assert_eq!(desk.world.get(BROKER, &path).await.problem(), "not-found");
    }
}

#[tokio::test]
async fn every_cell_of_the_matrix_of_instructions_holds() {
    let database = sqlite();
    let desk = Desk::new(&database).await;
    let investors = [desk.investor(CLERK).await, desk.investor(BROKER).await];
    // The others are a registrar's node's (registrar.rs).
    for flow in Flow::ALL.into_iter().filter(|flow| flow.has_investor()) {
        for role in Role::ALL {
            for institution in [HOUSE, "other"] {
                let (who, cell) = ((role, institution), scope(role, flow));
                for (owner, investor) in [(HOUSE, &investors[0]), ("other", &investors[1])] {
                    let within =
                        cell == Scope::House && institution == HOUSE || owner == institution;
                    let at = format!("{flow} by {role} of {institution} for one of {owner}");
                    let trade = format!("{}-{role}-{institution}-{owner}", flow.path().len());
                    let body = body_of(flow, investor, &trade[..trade.len().min(35)]);
                    let key = format!("{role}-{owner}-{}", flow.path());
                    let taken = desk.world.post(who, &path_of(flow), &key, &body).await;
                    let expected = match cell {
                        Scope::Nothing => 403,
                        _ if within => 202,
                        _ => 422,
                    };
                    assert_eq!(taken.status.as_u16(), expected, "{at}: {taken:?}");
                }
            }
        }
    }
    // Whoever instructs nothing reads nothing; whoever does reads his institution's, or the house all.
    let mine = desk.world.get(BROKER, "/v1/operations?limit=1").await.body["items"][0].clone();
    let path = format!("/v1/operations/{}", mine["id"].as_str().unwrap());
    let cancel = format!("{path}/cancellation");
    for role in Role::ALL {
        for institution in [HOUSE, "other"] {
            let cell = scope(role, Flow::Account);
            let expected = match cell {
                Scope::Nothing => 403,
                Scope::House if institution == HOUSE => 200,
                _ if institution == "other" => 200,
                _ => 404,
            };
            let who = (role, institution);
            assert_eq!(desk.world.get(who, &path).await.status.as_u16(), expected, "{who:?}");
            let cancelled = desk.world.post(who, &cancel, "c", &json!({})).await.status.as_u16();
            // An account can't be cancelled.
            assert_eq!(cancelled, if expected == 200 { 409 } else { expected }, "{who:?}");
            let listed = desk.world.get(who, "/v1/operations?limit=200").await;
            let seen = listed.body["items"]
                .as_array()
                .map(|items| items.iter().any(|item| item["id"] == mine["id"]));
            assert_eq!(seen, (expected != 403).then_some(expected == 200), "{who:?}");
        }
    }
}

#[tokio::test]
async fn each_wrong_field_of_an_instruction_is_named() {
    let database = sqlite();
    let desk = Desk::new(&database).await;
    let investor = desk.investor(BROKER).await;
    let stranger = desk.investor(CLERK).await;
    let dvp = Flow::DeliveryVersusPayment;
    for (number, (flow, field, value, pointer)) in [
        (Flow::Receipt, "investor_id", json!(stranger), "/investor_id"),
        (Flow::Receipt, "investor_id", json!("0".repeat(32)), "/investor_id"),
        (Flow::Receipt, "asset", json!("ZZ0000000016"), "/asset"),
        (Flow::Receipt, "quantity", json!("0"), "/quantity"),
        (Flow::Receipt, "quantity", json!("01"), "/quantity"),
        (Flow::Receipt, "quantity", json!(7), "/quantity"),
        (Flow::Receipt, "counterparty", json!("nobody"), "/counterparty"),
        (Flow::Receipt, "counterparty", json!("notary"), "/counterparty"),
        (Flow::Receipt, "trade_id", json!("a".repeat(36)), "/trade_id"),
        (Flow::Receipt, "trade_id", json!("約定"), "/trade_id"),
        (Flow::Receipt, "delivery_date", json!("2031-02-29"), "/delivery_date"),
        (dvp, "payment_asset", json!(SECURITY), "/payment_asset"),
        (dvp, "side", json!("buy"), "/side"),
        (Flow::Execution, "trade_date", json!("2031-07-19"), "/delivery_date"),
        (Flow::Execution, "payment_asset", json!(CASH), "/payment_quantity"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = body_of(flow, &investor, "T-1");
        body[field] = value;
        let refused = desk.world.post(BROKER, &path_of(flow), &format!("w{number}"), &body).await;
        assert_eq!(refused.problem(), "invalid", "{number}: {refused:?}");
        assert_eq!(refused.body["errors"][0]["pointer"], pointer, "{number}");
    }
    assert!(desk.node.trades("T-1").is_empty());
}

#[tokio::test]
async fn an_investor_without_an_account_and_a_node_without_the_role_are_told_so() {
    let database = sqlite();
    let desk = Desk::new(&database).await;
    let mut body = smallest(Kind::Investor);
    body["status"] = json!("active");
    let made = desk.world.post(BROKER, "/v1/investors", "i", &body).await;
    let body = body_of(Flow::Receipt, &made.id(), "T-1");
    let refused = desk.world.post(BROKER, &path_of(Flow::Receipt), "k", &body).await;
    assert_eq!(refused.body["errors"][0]["pointer"], "/investor_id");
    drop(desk);
    let world = world(&sqlite()).await;
    let refused = world.post(BROKER, &path_of(Flow::Receipt), "k", &body).await;
    assert_eq!(refused.problem(), "impossible");
}

#[tokio::test]
async fn only_active_investors_of_a_permitted_class_instruct() {
    for database in databases() {
        let desk = Desk::new(&database).await;
        let id = desk.investor(BROKER).await;
        let path = format!("/v1/investors/{id}");
        let mut number = 0;
        for (status, class, may) in [
            ("applied", "low", false),
            ("active", "prohibited", false),
            ("suspended", "low", false),
            ("closed", "high", false),
            ("active", "high", true),
        ] {
            let row = desk.world.get(BROKER, &path).await;
            let mut body = smallest(Kind::Investor);
            (body["status"], body["aml_class"]) = (json!(status), json!(class));
            let put = desk.world.put(BROKER, &path, row.header("etag"), &body).await;
            assert_eq!(put.status, StatusCode::OK, "{put:?}");
            for flow in Flow::ALL.into_iter().filter(|flow| flow.has_investor()) {
                number += 1;
                let body = body_of(flow, &id, &format!("T-{number}"));
                let taken =
                    desk.world.post(BROKER, &path_of(flow), &format!("k{number}"), &body).await;
                let at = format!("{flow} of an investor {status}, {class}");
                assert_eq!(taken.status.as_u16(), if may { 202 } else { 409 }, "{at}");
                if !may {
                    assert_eq!(taken.problem(), "gate-closed", "{at}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_product_s_units_move_as_its_status_and_two_people_say() {
    for database in databases() {
        let desk = Desk::new(&database).await;
        let investor = desk.investor(BROKER).await;
        let made = desk
            .world
            .post(CLERK, "/v1/beneficial-interests", "p", &smallest(Kind::BeneficialInterest))
            .await;
        let path = made.header("location").to_owned();
        let mut number = 0;
        let mut transfers = None;
        for (status, switch) in [
            ("preparing", None),
            ("issued", None),
            ("issued", Some("stopped")),
            ("issued", Some("permitted")),
            ("redeemed", None),
            ("cancelled", None),
        ] {
            let row = desk.world.get(CLERK, &path).await;
            let mut body = smallest(Kind::BeneficialInterest);
            body["status"] = json!(status);
            let put = desk.world.put(CLERK, &path, row.header("etag"), &body).await;
            assert_eq!(put.status, StatusCode::OK, "{put:?}");
            if let Some(switch) = switch {
                permit(&desk.world, &made.id(), switch).await;
                transfers = Some(switch);
            }
            let row = desk.world.get(CLERK, &path).await;
            assert_eq!(row.body["transfers"].as_str(), transfers, "a change of values keeps it");
            for flow in Flow::ALL.into_iter().filter(|flow| flow.has_investor()) {
                number += 1;
                let may = match (status, flow) {
                    (_, Flow::Account) | ("preparing", Flow::Receipt) => true,
                    ("issued", _) => transfers != Some("stopped"),
                    _ => false,
                };
                let body = body_of(flow, &investor, &format!("T-{number}"));
                let taken =
                    desk.world.post(BROKER, &path_of(flow), &format!("k{number}"), &body).await;
                let at = format!("{flow} of a product {status}, {transfers:?}");
                assert_eq!(taken.status.as_u16(), if may { 202 } else { 409 }, "{at}: {taken:?}");
            }
        }
        // Who replaces the values can't set it.
        let mut body = smallest(Kind::BeneficialInterest);
        body["transfers"] = json!("permitted");
        let refused = desk.world.post(CLERK, "/v1/beneficial-interests", "q", &body).await;
        assert_eq!(refused.problem(), "invalid");
    }
}

/// Two people switch whether a product's units may move.
async fn permit(world: &World, product: &str, transfers: &str) {
    let request = json!({ "beneficial_interest_id": product, "transfers": transfers });
    approve(world, "permit-transfers", &request, transfers).await;
}

#[test]
fn the_matrix_of_instructions_in_the_specification_is_the_one_in_force() {
    let page = include_str!("../../specs/api.md");
    assert!(page.contains(&matrix()), "put this into specs/api.md:\n{}", matrix());
}
