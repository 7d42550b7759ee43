//! Files of rows: brought in parts, made into rows all or one by one, gone on with wherever they were stopped.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

mod support;

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sudare_api::access::Role;
use support::{Answer, HOUSE, World, databases, hash_of, sqlite, world};
use tokio::task::JoinSet;

const CUSTODIAN: (Role, &str) = (Role::Custodian, HOUSE);
const BROKER: (Role, &str) = (Role::EntrustingBroker, "other");
const GOOD: &str = "name,address,safekeeping_class,status,aml_class\n\
                    Planted One,1 Planted Street,own_custody,applied,low\n\
                    \"Planted, Two\",2 Planted Street,safekeeping,active,high\n";

fn announcement(class: &str, text: &str) -> Value {
    json!({
        "target": "investors", "class": class, "size": text.len().to_string(),
        "sha256": hash_of(text.as_bytes()), "file_at": "2026-01-05T00:00:00Z",
    })
}

async fn announce(world: &World, who: (Role, &str), class: &str, text: &str) -> String {
    let body = announcement(class, text);
    let key = hash_of(format!("{class}{text}").as_bytes());
    let made = world.post(who, "/v1/imports", &key, &body).await;
    assert_eq!((made.status, &made.body["status"]), (StatusCode::CREATED, &json!("receiving")));
    made.id()
}

async fn part(world: &World, who: (Role, &str), id: &str, offset: usize, text: &str) -> Answer {
    let path = format!("/v1/imports/{id}/content?offset={offset}");
    world.text(who, Method::PUT, &path, &[("content-type", "text/csv")], text).await
}

/// Brings a file whole and has its rows made; how it stands then.
async fn brought(world: &World, class: &str, text: &str) -> (String, Value) {
    let id = announce(world, CUSTODIAN, class, text).await;
    let whole = part(world, CUSTODIAN, &id, 0, text).await;
    assert_eq!((whole.status, &whole.body["status"]), (StatusCode::OK, &json!("working")));
    assert!(world.api.import_next().await.unwrap());
    assert!(!world.api.import_next().await.unwrap());
    let stands = world.get(CUSTODIAN, &format!("/v1/imports/{id}")).await.body;
    (id, stands)
}

async fn items(world: &World, path: &str) -> Vec<Value> {
    world.get(CUSTODIAN, path).await.body["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn every_row_of_a_right_file_is_made_by_the_client_that_brought_it() {
    for database in databases() {
        let world = world(&database).await;
        let (id, stands) = brought(&world, "all", GOOD).await;
        assert_eq!((&stands["status"], &stands["result"]), (&json!("done"), &json!("complete")));
        assert_eq!((&stands["rows_done"], &stands["rows_refused"]), (&json!(2), &json!(0)));
        let rows = items(&world, &format!("/v1/imports/{id}/rows")).await;
        assert_eq!((&rows[0]["row"], &rows[1]["row"]), (&json!(1), &json!(2)));
        let path = format!("/v1/investors/{}", rows[1]["id"].as_str().unwrap());
        let row = world.get(CUSTODIAN, &path).await.body;
        assert_eq!(
            (&row["name"], &row["created_by"]),
            (&json!("Planted, Two"), &json!("custodian at house"))
        );
        assert_eq!(items(&world, &format!("{path}/history")).await.len(), 1);
    }
}

#[tokio::test]
async fn all_or_nothing_means_nothing_when_one_row_is_wrong_and_each_wrong_row_says_why() {
    for database in databases() {
        let world = world(&database).await;
        let absent = "0".repeat(32);
        let text = format!(
            "name,address,safekeeping_class,status,aml_class,custodian_id\n\
             Planted One,1 Planted Street,own_custody,applied,low,\n\
             Planted Two,2 Planted Street,own_custody,planted,low,\n\
             Planted Three,3 Planted Street,own_custody,applied,low,{absent}\n"
        );
        let (id, stands) = brought(&world, "all", &text).await;
        assert_eq!((&stands["status"], &stands["result"]), (&json!("refused"), &json!("rows")));
        assert_eq!((&stands["rows_done"], &stands["rows_refused"]), (&json!(0), &json!(2)));
        let rows = items(&world, &format!("/v1/imports/{id}/rows")).await;
        let pointers: Vec<_> =
            rows.iter().map(|row| (&row["row"], &row["errors"][0]["pointer"])).collect();
        assert_eq!(
            pointers,
            [(&json!(2), &json!("/status")), (&json!(3), &json!("/custodian_id"))]
        );
        assert!(!json!(rows).to_string().contains("anted"), "a value is repeated: {rows:?}");
        assert_eq!(items(&world, "/v1/investors").await, Vec::<Value>::new());
        // The same rows, each by itself.
        let (id, stands) = brought(&world, "rows", &text).await;
        assert_eq!((&stands["status"], &stands["result"]), (&json!("done"), &json!("partial")));
        assert_eq!((&stands["rows_done"], &stands["rows_refused"]), (&json!(1), &json!(2)));
        assert_eq!(items(&world, "/v1/investors").await[0]["name"], "Planted One");
        let refused = items(&world, &format!("/v1/imports/{id}/rows?refused=true")).await;
        assert_eq!(refused.len(), 2);
    }
}

#[tokio::test]
async fn a_file_comes_in_parts_and_goes_on_where_it_was_left() {
    for database in databases() {
        let world = world(&database).await;
        let id = announce(&world, CUSTODIAN, "all", GOOD).await;
        let (one, two) = GOOD.split_at(70);
        assert_eq!(part(&world, CUSTODIAN, &id, 0, one).await.body["received"], "70");
        // An answer that was lost: the same part again, but no other one in its place, none after a gap and none too long.
        assert_eq!(part(&world, CUSTODIAN, &id, 0, one).await.body["received"], "70");
        assert_eq!(
            part(&world, CUSTODIAN, &id, 0, &one.replace('n', "m")).await.problem(),
            "impossible"
        );
        assert_eq!(part(&world, CUSTODIAN, &id, 71, two).await.problem(), "impossible");
        assert_eq!(part(&world, CUSTODIAN, &id, 70, "").await.problem(), "impossible");
        assert_eq!(
            part(&world, CUSTODIAN, &id, 70, &format!("{two}x")).await.problem(),
            "impossible"
        );
        assert!(!world.api.import_next().await.unwrap(), "a file that isn't whole");
        let path = format!("/v1/imports/{id}");
        assert_eq!(world.get(CUSTODIAN, &path).await.body["received"], "70");
        assert_eq!(part(&world, CUSTODIAN, &id, 70, two).await.body["status"], "working");
        assert_eq!(part(&world, CUSTODIAN, &id, 70, two).await.body["status"], "working");
        assert!(world.api.import_next().await.unwrap());
        assert_eq!(world.get(CUSTODIAN, &path).await.body["status"], "done");
        assert_eq!(part(&world, CUSTODIAN, &id, GOOD.len(), "x").await.problem(), "impossible");
    }
}

#[tokio::test]
async fn the_same_part_from_several_requests_at_once_is_taken_once_and_acknowledged_to_all() {
    for database in databases() {
        let world = Arc::new(world(&database).await);
        for round in 0..8 {
            let text = GOOD.replace("One", &format!("One {round}"));
            let id = announce(&world, CUSTODIAN, "all", &text).await;
            let mut requests = JoinSet::new();
            for number in 0..8 {
                let (world, id) = (Arc::clone(&world), id.clone());
                // Two of them bring something else for the same place.
                let content = if number < 6 { text[..70].to_owned() } else { "x".repeat(70) };
                requests.spawn(async move {
                    let answer = part(&world, CUSTODIAN, &id, 0, &content).await;
                    (number < 6, answer)
                });
            }
            let mut taken = Vec::new();
            while let Some(answered) = requests.join_next().await {
                let (good, answer) = answered.unwrap();
                match answer.status {
                    StatusCode::OK => {
                        assert_eq!(answer.body["received"], "70");
                        taken.push(good);
                    }
                    _ => assert_eq!(answer.problem(), "impossible", "{answer:?}"),
                }
            }
            // Whichever was first: all of its kind, and none of the other.
            let expected = if taken[0] { 6 } else { 2 };
            assert!(taken.len() == expected && taken.iter().all(|good| *good == taken[0]));
        }
    }
}

#[tokio::test]
async fn rows_are_made_once_each_however_often_the_work_is_stopped_and_begun_again() {
    for database in databases() {
        let world = world(&database).await;
        let mut text = String::from("name,address\n");
        for number in 1..=450 {
            // Every tenth is wrong.
            let address = if number % 10 == 0 { "" } else { "1 Demo Street" };
            text += &format!("Demo {number},{address}\n");
        }
        let mut body = announcement("rows", &text);
        body["target"] = json!("custodians");
        let id = world.post(CUSTODIAN, "/v1/imports", "k", &body).await.id();
        assert_eq!(part(&world, CUSTODIAN, &id, 0, &text).await.status, StatusCode::OK);
        // Each start looks the file up anew, does one step and is gone.
        let mut steps = 0;
        while let Some(mut work) = world.store.next_import(HOUSE, 1).await.unwrap() {
            let _ = world.store.go_on(&mut work, 1).await.unwrap();
            steps += 1;
        }
        assert!(steps > 2, "all of it was done at once");
        let stands = world.get(CUSTODIAN, &format!("/v1/imports/{id}")).await.body;
        assert_eq!((&stands["rows_done"], &stands["rows_refused"]), (&json!(405), &json!(45)));
        let mut names = Vec::new();
        let mut path = "/v1/custodians?limit=200".to_owned();
        loop {
            let page = world.get(CUSTODIAN, &path).await.body;
            names.extend(
                page["items"].as_array().unwrap().iter().map(|row| row["name"].to_string()),
            );
            let Some(next) = page["next"].as_str() else { break };
            path = next.to_owned();
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 405);
    }
}

#[tokio::test]
async fn files_that_are_not_what_was_announced_or_no_sheet_make_nothing() {
    let database = sqlite();
    let world = world(&database).await;
    for (text, result) in [
        ("name,planted\nx,y\n", "form"),
        ("name,address\n", "count"),
        ("name,register_annotation\nx,y\n", "form"),
    ] {
        let (_, stands) = brought(&world, "all", text).await;
        assert_eq!((&stands["status"], &stands["result"]), (&json!("refused"), &json!(result)));
    }
    let id = announce(&world, CUSTODIAN, "all", GOOD).await;
    let other = GOOD.replace("One", "Two");
    assert_eq!(part(&world, CUSTODIAN, &id, 0, &other).await.status, StatusCode::OK);
    assert!(world.api.import_next().await.unwrap());
    let path = format!("/v1/imports/{id}");
    assert_eq!(world.get(CUSTODIAN, &path).await.body["result"], "other-hash");
    // One whose parts stop coming is given up after two days.
    let id = announce(&world, CUSTODIAN, "rows", GOOD).await;
    assert_eq!(part(&world, CUSTODIAN, &id, 0, "name").await.status, StatusCode::OK);
    let later = 1_767_225_600_000_000 + 50 * 3600 * 1_000_000;
    assert!(world.store.next_import(HOUSE, later).await.unwrap().is_none());
    let path = format!("/v1/imports/{id}");
    assert_eq!(world.get(CUSTODIAN, &path).await.body["result"], "abandoned");
    assert_eq!(part(&world, CUSTODIAN, &id, 4, &GOOD[4..]).await.problem(), "impossible");
    for (name, value) in [
        ("size", "0"),
        ("size", "8388609"),
        ("sha256", "00"),
        ("file_at", "2026-01-05"),
        ("class", "some"),
    ] {
        let mut body = announcement("all", GOOD);
        body[name] = json!(value);
        let refused = world.post(CUSTODIAN, "/v1/imports", &format!("{name}{value}"), &body).await;
        assert_eq!(
            (refused.problem(), &refused.body["errors"][0]["pointer"]),
            ("invalid", &json!(format!("/{name}")))
        );
    }
}

#[tokio::test]
async fn who_may_not_make_rows_imports_none_and_files_of_others_look_absent() {
    let database = sqlite();
    let world = world(&database).await;
    let id = announce(&world, BROKER, "all", GOOD).await;
    for who in [CUSTODIAN, (Role::Intermediary, "house")] {
        assert_eq!(world.get(who, &format!("/v1/imports/{id}")).await.problem(), "not-found");
        assert_eq!(world.get(who, &format!("/v1/imports/{id}/rows")).await.problem(), "not-found");
        assert_eq!(part(&world, who, &id, 0, GOOD).await.problem(), "not-found");
    }
    assert_eq!(part(&world, BROKER, &id, 0, GOOD).await.status, StatusCode::OK);
    assert!(world.api.import_next().await.unwrap());
    // The rows are the broker's own.
    let rows = world.get(BROKER, "/v1/investors").await;
    assert_eq!(rows.body["items"][0]["owner"], "other");
    let mut body = announcement("all", GOOD);
    body["target"] = json!("custodians");
    assert_eq!(world.post(BROKER, "/v1/imports", "k2", &body).await.problem(), "forbidden");
    for role in
        [Role::Regulator, Role::Operator, Role::Administrator, Role::Issuer, Role::FundManager]
    {
        assert_eq!(
            world
                .post((role, HOUSE), "/v1/imports", "k", &announcement("all", GOOD))
                .await
                .problem(),
            "forbidden"
        );
        assert_eq!(world.get((role, HOUSE), "/v1/imports").await.problem(), "forbidden");
    }
}
