//! The trail of personal data: whatever shows, makes, changes or erases it stands in the access log first, or isn't done.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sudare_api::access::Role;
use sudare_api::http::{ImportError, Setup};
use sudare_api::masters::Kind;
use sudare_api::store::StoreError;
use sudare_ledger::access::{Handled, Handling, row_hash};
use support::register::Book;
use support::{Answer, Database, HOUSE, ISIN, World, databases, hash_of, smallest, sqlite};
use support::{world_as, world_without_trail};

const REGISTRAR: (Role, &str) = (Role::Registrar, HOUSE);
const CLERK: (Role, &str) = (Role::Custodian, HOUSE);
const NAME: &str = "Quillon Vexworth 8831";
const REASON: &str = "case:2031-7";

async fn registry(database: &Database) -> World {
    world_as(database, |setup: &mut Setup| setup.node = Some(Arc::new(Book::new()))).await
}

/// Somebody with a line in the registers.
fn person(status: &str) -> Value {
    let mut person = smallest(Kind::Investor);
    person["name"] = json!(NAME);
    person["status"] = json!(status);
    person["custodian_node"] = json!("other");
    person["pseudonym"] = json!("INV-0");
    person
}

/// What the clerk does for a reason.
async fn does(
    world: &World,
    method: Method,
    path: &str,
    header: (&str, &str),
    body: Option<&Value>,
) -> Answer {
    does_as(world, CLERK, method, path, header, body).await
}

async fn does_as(
    world: &World,
    who: (Role, &str),
    method: Method,
    path: &str,
    header: (&str, &str),
    body: Option<&Value>,
) -> Answer {
    world.ask(who, method, path, &[header, ("access-reason", REASON)], body).await
}

const NONE: (&str, &str) = ("accept", "application/json");

async fn makes(world: &World, key: &str, person: &Value) -> Answer {
    let header = ("idempotency-key", key);
    does(world, Method::POST, "/v1/investors", header, Some(person)).await
}

async fn reads(world: &World, path: &str) -> Answer {
    does(world, Method::GET, path, NONE, None).await
}

/// The second of two people approves an erasure.
async fn erases(world: &World, id: &str, key: &str) -> Answer {
    let request = json!({ "investor_id": id, "reason": "asked for" });
    let body = json!({ "deed": "erase-investor", "request": request });
    let proposed = world.post(CLERK, "/v1/approvals", key, &body).await;
    assert_eq!(proposed.status, StatusCode::CREATED, "{proposed:?}");
    let decision = json!({ "decision": "approve", "hash": proposed.body["hash"] });
    let (path, key) = (format!("/v1/approvals/{}/decision", proposed.id()), format!("{key}-2"));
    let (second, header) = ((Role::DirectBroker, HOUSE), ("idempotency-key", key.as_str()));
    does_as(world, second, Method::POST, &path, header, Some(&decision)).await
}

const FILE: &str = "name,address,safekeeping_class,status,aml_class\n\
                    Quillon Vexworth 8831,1 Planted Street,own_custody,closed,low\n\
                    Quillon Vexworth 8831,2 Planted Street,safekeeping,closed,high\n";

async fn announces(world: &World, key: &str) -> Answer {
    let body = json!({
        "target": "investors", "class": "all", "size": FILE.len().to_string(), "sha256": hash_of(FILE.as_bytes()),
        "file_at": "2026-01-05T00:00:00Z",
    });
    does(world, Method::POST, "/v1/imports", ("idempotency-key", key), Some(&body)).await
}

async fn brings(world: &World, file: &str) -> Answer {
    let path = format!("/v1/imports/{file}/content?offset=0");
    let headers = [("content-type", "text/csv"), ("access-reason", REASON)];
    world.text(CLERK, Method::PUT, &path, &headers, FILE).await
}

async fn rows_of(world: &World, file: &str) -> Vec<String> {
    let rows = world.get(CLERK, &format!("/v1/imports/{file}/rows")).await;
    let items = rows.body["items"].as_array().unwrap();
    items.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

/// What was recorded since this was asked last, of a client.
fn recorded(world: &World, who: (Role, &str), what: Handled, rows: &[&str]) {
    let rows: BTreeSet<_> = rows.iter().map(|id| row_hash(id)).collect();
    let [entry] = <[Handling; 1]>::try_from(world.trail.take()).unwrap();
    assert_eq!(entry.rows.iter().copied().collect::<BTreeSet<_>>(), rows, "{entry:?}");
    assert_eq!((entry.rows.len(), entry.what), (rows.len(), what));
    assert_eq!(entry.client.as_str(), format!("{} at {}", who.0, who.1));
    assert_eq!((entry.institution.as_str(), entry.reason.as_str()), (who.1, REASON));
}

#[tokio::test]
async fn whoever_handles_a_persons_data_stands_in_the_log_with_his_reason() {
    for database in databases() {
        let world = registry(&database).await;
        let made = makes(&world, "one", &person("active")).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        let (id, path) = (made.id(), made.header("location").to_owned());
        let own = [id.as_str()];
        recorded(&world, CLERK, Handled::Made, &own);
        // The same request again makes nothing and shows nothing.
        assert_eq!(makes(&world, "one", &person("active")).await.id(), id);
        assert_eq!(world.trail.take(), []);

        assert_eq!(reads(&world, &path).await.body["name"], NAME);
        recorded(&world, CLERK, Handled::Read, &own);
        let known = ("if-none-match", "\"v1\"");
        let same = does(&world, Method::GET, &path, known, None).await;
        assert_eq!((same.status, world.trail.take()), (StatusCode::NOT_MODIFIED, vec![]));

        let header = ("if-match", "\"v1\"");
        let closed = person("closed");
        let changed = does(&world, Method::PUT, &path, header, Some(&closed)).await;
        assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
        recorded(&world, CLERK, Handled::Changed, &own);
        let stale = does(&world, Method::PUT, &path, header, Some(&closed)).await;
        assert_eq!((stale.problem(), world.trail.take()), ("stale", vec![]));

        assert_eq!(
            reads(&world, &format!("{path}/history")).await.body["items"][0]["content"]["name"],
            NAME
        );
        recorded(&world, CLERK, Handled::Past, &own);
        // A page's rows, and no others.
        let other = makes(&world, "two", &smallest(Kind::Investor)).await.id();
        let _ = world.trail.take();
        let page = reads(&world, "/v1/investors?limit=1").await;
        assert_eq!(page.body["items"][0]["id"], json!(id));
        recorded(&world, CLERK, Handled::Listed, &own);
        let next = reads(&world, page.body["next"].as_str().unwrap()).await;
        assert_eq!(next.body["items"][0]["id"], json!(other));
        recorded(&world, CLERK, Handled::Listed, &[&other]);
        // Names beside a register: those of the page.
        let register = format!("/v1/registers/{ISIN}");
        let lines = does_as(&world, REGISTRAR, Method::GET, &register, NONE, None).await;
        assert!(lines.body.to_string().contains(NAME), "{lines:?}");
        recorded(&world, REGISTRAR, Handled::Named, &own);
        let lines =
            does_as(&world, (Role::Issuer, "other"), Method::GET, &register, NONE, None).await;
        assert_eq!((lines.status, world.trail.take()), (StatusCode::OK, vec![]));

        let erased = erases(&world, &id, "e").await;
        assert_eq!(erased.status, StatusCode::OK, "{erased:?}");
        recorded(&world, (Role::DirectBroker, HOUSE), Handled::Erased, &own);
        // Of who is erased there is nothing personal to read.
        for path in [&path, &format!("{path}/history"), &format!("{path}/erasure")] {
            assert_eq!(reads(&world, path).await.status, StatusCode::OK);
        }
        assert_eq!(world.trail.take(), []);
    }
}

#[tokio::test]
async fn a_file_of_persons_stands_in_the_log_and_each_row_that_is_made_of_it() {
    for database in databases() {
        let world = registry(&database).await;
        let file = announces(&world, "f").await.id();
        recorded(&world, CLERK, Handled::Made, &[&file]);
        let brought = brings(&world, &file).await;
        assert_eq!(brought.status, StatusCode::OK, "{brought:?}");
        recorded(&world, CLERK, Handled::Changed, &[&file]);
        assert!(world.api.import_next().await.unwrap());
        let rows = rows_of(&world, &file).await;
        let entries = world.trail.take();
        let said = |entry: &Handling| (entry.client.to_string(), entry.reason.to_string());
        let by = ("custodian at house".to_owned(), REASON.to_owned());
        assert!(entries.iter().all(|entry| said(entry) == by), "{entries:?}");
        let what: Vec<_> = entries.iter().map(|entry| (entry.what, entry.rows.to_vec())).collect();
        let made: Vec<_> = rows.iter().map(|id| row_hash(id)).collect();
        // The file's text goes when its rows are made.
        assert_eq!(what, [(Handled::Made, made), (Handled::Erased, vec![row_hash(&file)])]);
        // How far it is says nothing of anybody.
        let stands = reads(&world, &format!("/v1/imports/{file}")).await;
        assert!(stands.body.get("sha256").is_none(), "{stands:?}");
        assert_eq!(world.trail.take(), []);
        let erased = erases(&world, &rows[0], "e").await;
        assert_eq!(erased.status, StatusCode::OK, "{erased:?}");
        recorded(&world, (Role::DirectBroker, HOUSE), Handled::Erased, &[&rows[0], &file]);
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_is_neither_shown_nor_done() {
    for database in databases() {
        let world = registry(&database).await;
        let id = makes(&world, "one", &person("closed")).await.id();
        let (path, waits) = (format!("/v1/investors/{id}"), announces(&world, "f").await.id());
        let full = |full| world.trail.full.store(full, Ordering::Relaxed);
        full(true);
        let refused = |answer: &Answer| {
            let is = (answer.status, answer.problem());
            assert_eq!(is, (StatusCode::SERVICE_UNAVAILABLE, "not-recorded"));
            assert!(!answer.body.to_string().contains(NAME), "{answer:?}");
        };
        for read in [
            path.clone(),
            format!("{path}/history"),
            "/v1/investors".into(),
            format!("/v1/registers/{ISIN}"),
        ] {
            refused(&does_as(&world, REGISTRAR, Method::GET, &read, NONE, None).await);
        }
        refused(&makes(&world, "two", &person("active")).await);
        let header = ("if-match", "\"v1\"");
        refused(&does(&world, Method::PUT, &path, header, Some(&person("active"))).await);
        refused(&erases(&world, &id, "e").await);
        refused(&announces(&world, "g").await);
        refused(&brings(&world, &waits).await);
        full(false);
        assert_eq!(brings(&world, &waits).await.status, StatusCode::OK);
        full(true);
        let stopped = world.api.import_next().await;
        assert!(
            matches!(stopped, Err(ImportError::Store(StoreError::Unrecorded(_)))),
            "{stopped:?}"
        );
        full(false);
        // Nothing was done; and all of it is, asked again with the same keys.
        let read = reads(&world, &path).await;
        assert_eq!((&read.body["name"], &read.body["version"]), (&json!(NAME), &json!(1)));
        let listed = reads(&world, "/v1/investors").await;
        assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
        assert!(world.api.import_next().await.unwrap());
        assert_eq!(rows_of(&world, &waits).await.len(), 2);
        assert_eq!(makes(&world, "two", &person("active")).await.status, StatusCode::CREATED);
        assert_eq!(erases(&world, &id, "e").await.status, StatusCode::OK);
        assert_eq!(reads(&world, &path).await.body["name"], "erased");
    }
}

#[tokio::test]
async fn no_operation_of_the_document_shows_a_person_without_an_entry() {
    let database = sqlite();
    let world = registry(&database).await;
    let id = makes(&world, "one", &person("closed")).await.id();
    let file = announces(&world, "f").await.id();
    brings(&world, &file).await;
    assert!(world.api.import_next().await.unwrap());
    let product = smallest(Kind::BeneficialInterest);
    let product = world.post(REGISTRAR, "/v1/beneficial-interests", "p", &product).await.id();
    let hold = json!({ "investor_id": id, "reason": "case", "until": "2099-01-01" });
    let body = json!({ "deed": "place-hold", "request": hold });
    let approval = world.post(CLERK, "/v1/approvals", "h", &body).await.id();
    let rows = rows_of(&world, &file).await;
    let ids: Vec<&str> =
        [&id, &file, &product, &approval].into_iter().chain(&rows).map(String::as_str).collect();
    let document = world.get(REGISTRAR, "/openapi.json").await.body;
    let mut shown = BTreeSet::new();
    let paths = document["paths"].as_object().unwrap();
    // Streams of events don't end; they name operations by their ids.
    for (path, item) in paths.iter().filter(|(path, _)| *path != "/v1/events") {
        let operation = &item["get"];
        if operation.is_null() {
            continue;
        }
        let path = path.replace("{asset}", ISIN).replace("{code}", "internal");
        let these: Vec<String> = match path.contains("{id}") {
            true => ids.iter().map(|id| path.replace("{id}", id)).collect(),
            false => vec![path],
        };
        for path in these {
            for who in [REGISTRAR, CLERK, (Role::Administrator, HOUSE), (Role::Issuer, "other")] {
                let _ = world.trail.take();
                let answer = world.get(who, &path).await;
                let named = answer.body.to_string().contains("Quillon");
                let recorded = world.trail.take();
                let client = format!("{} at {}", who.0, who.1);
                assert!(recorded.iter().all(|entry| entry.client.as_str() == client));
                assert_eq!(named, !recorded.is_empty(), "{who:?} {path}: {recorded:?}");
                if named {
                    shown.insert(operation["operationId"].as_str().unwrap());
                    assert!(takes_a_reason(operation), "{path}");
                }
            }
        }
    }
    let known = ["historyInvestor", "listInvestor", "readInvestor", "readRegister"];
    assert_eq!(shown, known.into());
}

fn takes_a_reason(operation: &Value) -> bool {
    let parameters = operation["parameters"].as_array().unwrap();
    parameters.iter().any(|one| one["name"] == "Access-Reason")
        && operation["responses"].get("503").is_some()
}

#[tokio::test]
async fn a_reason_is_a_code_and_a_node_without_a_log_handles_no_personal_data() {
    let database = sqlite();
    let world = registry(&database).await;
    makes(&world, "one", &person("closed")).await;
    let long = "a".repeat(65);
    for wrong in ["two words", "", long.as_str(), "someone@example.com", "理由"] {
        let headers = [("access-reason", wrong)];
        let answer = world.ask(CLERK, Method::GET, "/v1/investors", &headers, None).await;
        assert_eq!(answer.problem(), "malformed", "{wrong}");
    }
    let twice = [("access-reason", "a"), ("access-reason", "b")];
    let answer = world.ask(CLERK, Method::GET, "/v1/investors", &twice, None).await;
    assert_eq!(answer.problem(), "malformed");
    world.trail.take();
    world.get(CLERK, "/v1/investors").await;
    assert_eq!(world.trail.take()[0].reason.as_str(), "", "nobody has to say why");
    world.store.close().await;

    let world = world_without_trail(&database).await;
    let refused = world.get(CLERK, "/v1/investors").await;
    assert_eq!(refused.problem(), "not-recorded");
    let custodian = world.post(CLERK, "/v1/custodians", "c", &smallest(Kind::Custodian)).await;
    assert_eq!(custodian.status, StatusCode::CREATED);
}
