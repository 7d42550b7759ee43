//! Registers over HTTP: whose lines a role reads, cell by cell; who stands behind them; pages of one state.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

mod support;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::{AnyPool, Row};
use sudare_api::access::{Role, Scope};
use sudare_api::masters::Kind;
use sudare_api::registers::{Part, matrix, scope};

use support::register::{Book, CUSTODIANS, UNKNOWN};
use support::{Database, HOUSE, ISIN, OTHER_ISIN, World, databases, smallest, sqlite, world_as};

const REGISTRAR: (Role, &str) = (Role::Registrar, HOUSE);
/// A custodian with a node, which has customers in the register.
const CUSTODIAN: (Role, &str) = (Role::Custodian, "other");

async fn registry(database: &Database) -> (World, std::sync::Arc<Book>) {
    let book = std::sync::Arc::new(Book::new());
    let node = book.clone();
    let world = world_as(database, |setup| setup.node = Some(node));
    (world.await, book)
}

fn path(code: &str) -> String {
    format!("/v1/registers/{code}")
}

/// All lines from a path on, page by page.
async fn lines(world: &World, who: (Role, &str), path: &str) -> (Vec<Value>, Vec<Value>) {
    let (mut next, mut items, mut pages) = (Some(path.to_owned()), Vec::new(), Vec::new());
    while let Some(path) = next {
        let page = world.get(who, &path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {page:?}");
        items.extend(page.body["items"].as_array().unwrap().iter().cloned());
        next = page.body["next"].as_str().map(str::to_owned);
        pages.push(page.body);
    }
    (items, pages)
}

#[tokio::test]
async fn every_cell_of_the_matrix_of_registers_holds() {
    let database = sqlite();
    let (world, _) = registry(&database).await;
    for role in Role::ALL {
        for institution in [HOUSE, "other"] {
            let who = (role, institution);
            let own = institution == "other";
            // Of the house: a registrar. Clients have ISIN among their assets.
            let (status, whose) = match scope(role, Part::Lines) {
                Scope::Nothing => (403, None),
                Scope::House if institution == HOUSE => (200, Some(CUSTODIANS.to_vec())),
                Scope::Own if own => (200, Some(vec!["other"])),
                Scope::Assets => (200, Some(CUSTODIANS.to_vec())),
                Scope::House | Scope::Own => (404, None),
            };
            let read = world.get(who, &path(ISIN)).await;
            assert_eq!(read.status.as_u16(), status, "{who:?}: {read:?}");
            let snapshots = world.get(who, &format!("{}/snapshots", path(ISIN))).await;
            assert_eq!(snapshots.status.as_u16(), status, "{who:?}");
            let listed = world.get(who, "/v1/registers").await;
            assert_eq!(listed.status.as_u16(), if status == 404 { 200 } else { status });
            if let Some(whose) = whose {
                let (items, _) = lines(&world, who, &path(ISIN)).await;
                let seen: std::collections::BTreeSet<_> =
                    items.iter().map(|item| item["custodian"].as_str().unwrap()).collect();
                assert_eq!(seen, whose.into_iter().collect(), "{who:?}");
                let assets = listed.body["items"].as_array().unwrap();
                let codes: Vec<_> =
                    assets.iter().map(|one| one["asset"].as_str().unwrap()).collect();
                let all = scope(role, Part::Lines) != Scope::Assets;
                assert_eq!(codes, if all { vec![ISIN, OTHER_ISIN] } else { vec![ISIN] }, "{who:?}");
            } else if status == 404 {
                assert_eq!(listed.body["items"], json!([]), "{who:?}");
            }
            // Not in its list; and an asset that isn't there looks the same.
            if scope(role, Part::Lines) == Scope::Assets {
                let plain = |mut answer: support::Answer| {
                    answer.body["trace_id"] = json!("");
                    (answer.status.as_u16(), answer.body)
                };
                let theirs = plain(world.get(who, &path(OTHER_ISIN)).await);
                assert_eq!(theirs.0, 404);
                assert_eq!(theirs, plain(world.get(who, &path("ZZ0000000099")).await));
            }
        }
    }
}

#[tokio::test]
async fn names_and_addresses_are_joined_for_the_registrar_alone() {
    for database in databases() {
        let (world, _) = registry(&database).await;
        let investor = |node: &str, pseudonym: &str, name: &str| {
            let mut body = smallest(Kind::Investor);
            body["custodian_node"] = json!(node);
            body["pseudonym"] = json!(pseudonym);
            body["name"] = json!(name);
            body
        };
        for (number, (who, body)) in [
            (REGISTRAR, investor("other", "INV-0", "Planted Person 0")),
            // Another custodian's customer has the same pseudonym.
            (REGISTRAR, investor("third", "INV-1", "Planted Person 1")),
            // Two claim one line: it is nobody's.
            (REGISTRAR, investor("other", "INV-2", "Planted Person 2")),
            (REGISTRAR, investor("other", "INV-2", "Planted Person 3")),
            // Rows of others count for nothing.
            (CUSTODIAN, investor("other", "INV-4", "Planted Person 4")),
        ]
        .into_iter()
        .enumerate()
        {
            let key = format!("person-{number}");
            let made = world.post(who, "/v1/investors", &key, &body).await;
            assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        }
        let (items, _) = lines(&world, REGISTRAR, &path(ISIN)).await;
        for item in &items {
            let name =
                match (item["custodian"].as_str().unwrap(), item["investor"].as_str().unwrap()) {
                    ("other", "INV-0") => json!("Planted Person 0"),
                    ("third", "INV-1") => json!("Planted Person 1"),
                    _ => Value::Null,
                };
            assert_eq!(item["name"], name, "{item}");
            assert_eq!(item["address"].is_null(), name.is_null());
            assert_eq!(item["investor_id"].is_null(), name.is_null());
        }
        for who in [CUSTODIAN, (Role::Issuer, HOUSE), (Role::Regulator, "other")] {
            let (items, _) = lines(&world, who, &path(ISIN)).await;
            assert!(!items.is_empty());
            for item in items {
                let item = item.as_object().unwrap();
                assert!(
                    !item
                        .keys()
                        .any(|key| ["name", "address", "investor_id"].contains(&key.as_str()))
                );
            }
        }
        let mut product = smallest(Kind::BeneficialInterest);
        product["comment_1"] = json!("a comment");
        let made = world.post(REGISTRAR, "/v1/beneficial-interests", "product", &product).await;
        assert_eq!(made.status, StatusCode::CREATED);
        let read = world.get((Role::FundManager, "other"), &path(ISIN)).await;
        assert_eq!(
            read.body["product"],
            json!({ "name": product["name"], "comment_1": "a comment" })
        );
    }
}

#[tokio::test]
async fn all_pages_are_of_the_height_at_which_the_first_was_read() {
    let database = sqlite();
    let (world, book) = registry(&database).await;
    let whole = lines(&world, REGISTRAR, &format!("{}?limit=200", path(ISIN))).await;
    let sum = |items: &[Value]| -> u64 {
        items.iter().map(|item| item["quantity"].as_str().unwrap().parse::<u64>().unwrap()).sum()
    };
    assert_eq!(whole.1[0]["supply"], sum(&whole.0).to_string());
    let first = world.get(REGISTRAR, &format!("{}?limit=3", path(ISIN))).await;
    // Meanwhile the register moves.
    book.grow();
    let height = first.body["as_of"]["height"].as_u64().unwrap();
    let (rest, pages) = lines(&world, REGISTRAR, first.body["next"].as_str().unwrap()).await;
    let mut all = first.body["items"].as_array().unwrap().clone();
    all.extend(rest);
    assert_eq!(all, whole.0);
    assert!(pages.iter().all(|page| page["as_of"]["height"] == height));
    let (now, pages) = lines(&world, REGISTRAR, &path(ISIN)).await;
    assert_ne!(now, all);
    assert_eq!(pages[0]["as_of"]["height"], height + 1);
    let then = lines(&world, REGISTRAR, &format!("{}?as_of={height}", path(ISIN))).await;
    assert_eq!(then.0, all);
    // A custodian's pages name nobody else's accounts.
    let (own, pages) = lines(&world, CUSTODIAN, &format!("{}?limit=1", path(ISIN))).await;
    for page in &pages {
        let Some(next) = page["next"].as_str() else { continue };
        assert!(own.iter().any(|item| next.contains(item["account"].as_str().unwrap())), "{next}");
    }
    assert!(pages.len() > 1);
}

#[tokio::test]
async fn a_moment_that_was_not_yet_has_no_register_and_what_is_no_moment_is_refused() {
    let database = sqlite();
    let (world, _) = registry(&database).await;
    for (as_of, status) in [
        ("1", 200),
        ("3", 200),
        ("4", 404),
        ("0", 404),
        ("999999999999999999", 404),
        ("2025-12-31", 200),
        ("2025-12-31T12:00:00Z", 200),
        // Today isn't over, and tomorrow is not yet.
        ("2026-01-01", 404),
        ("2031-01-01T00:00:00Z", 404),
        ("2020-01-01", 404),
        ("2026-02-30", 404),
        ("2025-13-31T12:00:00Z", 404),
        ("2025-12-31T12:00:00%2B09:00", 400),
        ("-1", 400),
        ("yesterday", 400),
        ("", 400),
    ] {
        let read = world.get(REGISTRAR, &format!("{}?as_of={as_of}", path(ISIN))).await;
        assert_eq!(read.status.as_u16(), status, "{as_of}: {read:?}");
    }
    let wrong = format!("3-{}", "f".repeat(63));
    for query in
        ["limit=0", "limit=201", "cursor=3", "cursor=a-b", "more=1", &format!("cursor={wrong}")]
    {
        let read = world.get(REGISTRAR, &format!("{}?{query}", path(ISIN))).await;
        assert_eq!(read.status.as_u16(), 400, "{query}: {read:?}");
    }
    let unknown = world.get(REGISTRAR, &path(UNKNOWN)).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[test]
fn the_matrix_of_registers_in_the_specification_is_the_one_in_force() {
    let page = include_str!("../../specs/api.md");
    assert!(page.contains(&matrix()), "put this into specs/api.md:\n{}", matrix());
}

/// A page's names are found by an index of institution and pseudonym: with a hundred thousand rows anything else takes a while.
#[tokio::test]
async fn names_of_a_page_are_found_by_index() {
    let database = sqlite();
    let _registry = registry(&database).await;
    let pool = AnyPool::connect(&database.url).await.unwrap();
    let text = "EXPLAIN QUERY PLAN SELECT id FROM investor \
                WHERE owner = 'one' AND custodian_node IS NOT NULL AND pseudonym IN ('INV-1', 'INV-2')";
    let steps = sqlx::query(text).fetch_all(&pool).await.unwrap();
    let steps: Vec<String> = steps.iter().map(|row| row.try_get("detail").unwrap()).collect();
    assert!(steps.concat().contains("owner=? AND pseudonym=?"), "{steps:?}");
}
