//! The business day: open and closed, cut-offs, later days and carrying over, on both engines.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test: a panic is its report"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sudare_api::access::Role;
use sudare_api::flows::{Flow, Market, MarketConfig};

use support::desk::{BROKER, Desk, approve, body_of, path_of};
use support::ledger::InMemory;
use support::{Database, HOUSE, NOW_MS, databases, sqlite};

/// Thursday, 2026-01-08, 09:00 in Japan.
const MORNING_MS: u64 = 1_767_830_400_000;
const HOUR_MS: u64 = 3_600_000;

async fn desk(database: &Database) -> Desk {
    let cut_offs = [("receipts".to_owned(), "13:50".to_owned())].into();
    let market = Market::new(&MarketConfig { cut_offs, carry_overs: 2 }).unwrap();
    let desk = Desk::set_up(database, Arc::new(InMemory::new()), |setup| {
        setup.market = Some(market);
    })
    .await;
    at(&desk, MORNING_MS - NOW_MS);
    desk
}

/// The time of API and node, ms later than now.
fn at(desk: &Desk, later: u64) {
    desk.node.advance(later);
    desk.world.now.fetch_add(i64::try_from(later).unwrap() * 1000, Ordering::Relaxed);
}

fn receipt(investor: &str, trade: &str, date: &str) -> Value {
    let mut body = body_of(Flow::Receipt, investor, trade);
    body["delivery_date"] = json!(date);
    body
}

#[tokio::test]
async fn a_closed_market_takes_nothing_finishes_what_it_took_and_is_read() {
    for database in databases() {
        let desk = desk(&database).await;
        let day = desk.world.get((Role::Operator, "other"), "/v1/market").await;
        assert_eq!((&day.body["open"], &day.body["date"]), (&json!(false), &json!("2026-01-08")));
        assert_eq!(day.body["cut_offs"]["receipts"], "13:50");
        assert_eq!(day.body["cut_offs"]["transfers"], "24:00");
        approve(&desk.world, "open-market", &json!({}), "1").await;
        let investor = desk.investor(BROKER).await;
        let path = path_of(Flow::Receipt);
        // Taken while the node is away, it reaches it although the market is closed by then.
        desk.node.is_away(true);
        let first = receipt(&investor, "T-1", "2026-01-08");
        let refused = desk.world.post(BROKER, &path, "k0", &first);
        assert_eq!(refused.await.status, StatusCode::INTERNAL_SERVER_ERROR);
        desk.node.is_away(false);
        desk.carrying.abort();
        let taken =
            desk.world.post(BROKER, &path, "k0", &receipt(&investor, "T-1", "2026-01-08")).await;
        assert_eq!(taken.body["state"], "received", "{taken:?}");
        let later =
            desk.world.post(BROKER, &path, "k1", &receipt(&investor, "T-2", "2026-01-09")).await;
        approve(&desk.world, "close-market", &json!({}), "1").await;
        let flows = Flow::ALL.into_iter().filter(|flow| flow.has_investor());
        for (number, flow) in flows.enumerate() {
            let body = body_of(flow, &investor, "T-3");
            let refused =
                desk.world.post(BROKER, &path_of(flow), &format!("c{number}"), &body).await;
            assert_eq!(refused.problem(), "gate-closed", "{flow}");
        }
        // The same request as before is told what it did.
        let again =
            desk.world.post(BROKER, &path, "k0", &receipt(&investor, "T-1", "2026-01-08")).await;
        assert_eq!((again.status, again.id()), (StatusCode::ACCEPTED, taken.id()));
        let api = desk.world.api.clone();
        let carrying = tokio::spawn(async move { api.carry().await });
        desk.until(BROKER, &taken.id(), "matching").await;
        // What is for a later day waits until the market is open then.
        let waits = desk.until(BROKER, &later.id(), "scheduled").await;
        assert_eq!(waits["delivery_date"], "2026-01-09");
        at(&desk, 24 * HOUR_MS);
        let stays = desk.world.get(BROKER, later.header("location")).await;
        assert_eq!(stays.body["state"], "scheduled");
        assert!(desk.node.trades("T-2").is_empty());
        approve(&desk.world, "open-market", &json!({}), "2").await;
        desk.until(BROKER, &later.id(), "matching").await;
        carrying.abort();
    }
}

#[tokio::test]
async fn what_is_not_settled_by_its_cut_off_is_carried_over_to_the_next_business_day() {
    for database in databases() {
        let desk = desk(&database).await;
        approve(&desk.world, "open-market", &json!({}), "1").await;
        let investor = desk.investor(BROKER).await;
        let path = path_of(Flow::Receipt);
        let taken =
            desk.world.post(BROKER, &path, "k1", &receipt(&investor, "T-1", "2026-01-08")).await;
        desk.until(BROKER, &taken.id(), "matching").await;
        // Thursday's cut-off passes without the other side.
        at(&desk, 5 * HOUR_MS);
        let carried = desk.until(BROKER, &taken.id(), "carried-over").await;
        assert_eq!(carried["delivery_date"], "2026-01-09");
        assert_eq!((&carried["carried_over"], &carried["ended"]), (&json!(1), &json!(false)));
        assert_eq!(carried["instruction"]["delivery_date"], "2026-01-08");
        // What comes after the cut-off begins there.
        let late =
            desk.world.post(BROKER, &path, "k2", &receipt(&investor, "T-2", "2026-01-08")).await;
        assert_eq!(late.body["state"], "carried-over", "{late:?}");
        assert_eq!(late.body["delivery_date"], "2026-01-09");
        // On Friday the node has both for the new date.
        at(&desk, 19 * HOUR_MS);
        for id in [taken.id(), late.id()] {
            desk.until(BROKER, &id, "matching").await;
        }
        for trade in ["T-1", "T-2"] {
            assert_eq!(desk.node.trades(trade)[0].delivery_date.as_str(), "2026-01-09");
        }
        // It goes over the weekend and a holiday to Tuesday, and lapses there: it was carried over as often as it may be.
        at(&desk, 5 * HOUR_MS);
        let carried = desk.until(BROKER, &taken.id(), "carried-over").await;
        assert_eq!(carried["delivery_date"], "2026-01-13");
        at(&desk, 96 * HOUR_MS);
        let ended = desk.until(BROKER, &taken.id(), "refused").await;
        assert_eq!((&ended["reason"], &ended["carried_over"]), (&json!("lapsed"), &json!(2)));
    }
}

#[tokio::test]
async fn what_waits_for_its_day_is_withdrawn_by_its_own_side() {
    let database = sqlite();
    let desk = desk(&database).await;
    approve(&desk.world, "open-market", &json!({}), "1").await;
    let investor = desk.investor(BROKER).await;
    let path = path_of(Flow::Receipt);
    let taken =
        desk.world.post(BROKER, &path, "k1", &receipt(&investor, "T-1", "2026-01-13")).await;
    desk.until(BROKER, &taken.id(), "scheduled").await;
    let cancel = format!("/v1/operations/{}/cancellation", taken.id());
    let asked = desk.world.post(BROKER, &cancel, "c", &json!({})).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{asked:?}");
    let ended = desk.until(BROKER, &taken.id(), "refused").await;
    assert_eq!(ended["reason"], "cancelled");
    assert!(desk.node.trades("T-1").is_empty());
}

#[tokio::test]
async fn dates_that_are_past_or_no_business_days_are_refused() {
    let database = sqlite();
    let desk = desk(&database).await;
    approve(&desk.world, "open-market", &json!({}), "1").await;
    let investor = desk.investor(BROKER).await;
    for date in ["2026-01-07", "2026-01-10", "2026-01-12", "2025-12-30"] {
        let body = receipt(&investor, "T-1", date);
        let refused = desk.world.post(BROKER, &path_of(Flow::Receipt), date, &body).await;
        assert_eq!(refused.body["errors"][0]["pointer"], "/delivery_date", "{date}: {refused:?}");
    }
}

#[tokio::test]
async fn a_market_is_opened_once_and_without_one_there_is_none() {
    let database = sqlite();
    let desk = desk(&database).await;
    approve(&desk.world, "open-market", &json!({}), "1").await;
    let body = json!({ "deed": "open-market", "request": {} });
    let proposed = desk.world.post((Role::Operator, HOUSE), "/v1/approvals", "o", &body).await;
    let decision = json!({ "decision": "approve", "hash": proposed.body["hash"] });
    let path = format!("/v1/approvals/{}/decision", proposed.id());
    let twice = desk.world.post((Role::Registrar, HOUSE), &path, "d", &decision).await;
    assert_eq!(twice.problem(), "impossible");
    let none = Desk::new(&sqlite()).await;
    assert_eq!(none.world.get(BROKER, "/v1/market").await.problem(), "not-found");
}
