//! Masters over HTTP on SQLite and on PostgreSQL: what is kept, what is refused, what a repeated request does.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

mod support;

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use sudare_api::access::{Reach, Role};
use sudare_api::http::{Api, Deprecated, Setup};
use sudare_api::masters::Kind;
use sudare_api::personal::By;

use support::{HOUSE, World, databases, fullest, smallest, sqlite, world, world_as};

const REGISTRAR: (Role, &str) = (Role::Registrar, HOUSE);

#[tokio::test]
async fn every_field_of_every_kind_is_kept_and_so_is_every_version() {
    for database in databases() {
        let world = world(&database).await;
        let mut ids: BTreeMap<Kind, String> = BTreeMap::new();
        for kind in Kind::ALL {
            let path = format!("/v1/{}", kind.path());
            let full = fullest(kind, |of| ids[&of].clone());
            let made = world
                .post(REGISTRAR, &path, &format!("full {kind:?}").replace(' ', "-"), &full)
                .await;
            assert_eq!(made.status, StatusCode::CREATED, "{kind:?} {made:?}");
            ids.insert(kind, made.id());
            let one = made.header("location").to_owned();
            assert_eq!(made.header("etag"), "\"v1\"");
            let read = world.get(REGISTRAR, &one).await;
            assert_contains(&read.body, &full);
            assert_eq!(read.body["owner"], HOUSE);
            assert_eq!(read.body["created_by"], "registrar at house");
            assert_eq!(read.body["created_at"], read.body["updated_at"]);
            assert!(read.body["created_at"].as_str().unwrap().starts_with("2026-01-01T00:"));

            let small = smallest(kind);
            let changed = world.put(REGISTRAR, &one, "\"v1\"", &small).await;
            assert_eq!((changed.status, changed.header("etag")), (StatusCode::OK, "\"v2\""));
            let read = world.get(REGISTRAR, &one).await;
            assert_contains(&read.body, &small);
            assert!(kind.fields().all(|f| f.required || read.body.get(f.name).is_none()));
            assert_ne!(read.body["created_at"], read.body["updated_at"]);

            let past = world.get(REGISTRAR, &format!("{one}/history")).await;
            let items = past.body["items"].as_array().unwrap();
            assert_eq!(items.len(), 2);
            assert_eq!((&items[0]["content"], &items[1]["content"]), (&full, &small));
            assert_eq!(items[1]["by"], "registrar at house");
            world.put(REGISTRAR, &one, "\"v2\"", &full).await;
        }
    }
}

#[tokio::test]
async fn rows_survive_the_database_being_closed_and_opened_again() {
    for database in databases() {
        let first = world(&database).await;
        let made = first.post(REGISTRAR, "/v1/settlors", "k", &smallest(Kind::Settlor)).await;
        first.store.close().await;
        let second = world(&database).await;
        let read = second.get(REGISTRAR, made.header("location")).await;
        assert_contains(&read.body, &smallest(Kind::Settlor));
    }
}

#[tokio::test]
async fn the_columns_of_the_tables_are_the_fields_of_the_kinds() {
    // A field without a column can't be written, a required column without a field can't either, so the first test would
    // fail; this finds columns that nothing writes.
    let sql = include_str!("../migrations/0001_masters.sql");
    let later = [
        include_str!("../migrations/0005_gates.sql"),
        include_str!("../migrations/0010_registers.sql"),
        include_str!("../migrations/0013_sealed.sql"),
        include_str!("../migrations/0014_no_plain_columns.sql"),
    ]
    .concat();
    for kind in Kind::ALL {
        let table = sql.split(&format!("CREATE TABLE {} (", kind.table())).nth(1).unwrap();
        let mut columns: Vec<&str> = table
            .split(");")
            .next()
            .unwrap()
            .lines()
            .filter_map(|line| line.trim().split_once(' '))
            .map(|(name, _)| name)
            .collect();
        let add = format!("ALTER TABLE {} ADD COLUMN ", kind.table());
        let added = later.lines().filter_map(|line| line.strip_prefix(&add)?.split_once(' '));
        columns.extend(added.map(|(name, _)| name));
        let drop = format!("ALTER TABLE {} DROP COLUMN ", kind.table());
        columns.retain(|column| !later.contains(&format!("{drop}{column};")));
        let common =
            ["id", "version", "owner", "created_at", "created_by", "updated_at", "updated_by"];
        for column in &columns {
            let known = common.contains(column)
                || kind.fields().any(|field| field.name == *column && !kind.seals(field))
                || (kind.is_sealed() && *column == "personal");
            assert!(known, "{column} of {}", kind.table());
        }
        let plain = kind.fields().filter(|field| !kind.seals(field)).count();
        assert_eq!(columns.len(), common.len() + plain + usize::from(kind.is_sealed()));
    }
}

#[tokio::test]
async fn each_wrong_field_is_named_and_its_value_is_not_repeated() {
    let database = sqlite();
    let world = world(&database).await;
    let long = "x".repeat(129);
    let cases = [
        ("name", json!("")),
        ("name", json!(" blank at the start")),
        ("name", json!(long)),
        ("name", json!("a\u{0}b")),
        ("name", json!(7)),
        ("name", Value::Null),
        ("corporate_number", json!("1123456789012")),
        ("contact_postal_code", json!("1000001")),
        ("contact_postal_code", json!("10-00001")),
        ("phone", json!("call me")),
        ("email", json!("nobody")),
        ("bank_code", json!("12a4")),
        ("branch_code", json!("1234")),
        ("account_number", json!("123456")),
        ("account_holder_kana", json!("やまだ")),
        ("deposit_kind", json!("gold")),
        ("status", json!("ACTIVE")),
        ("custodian_id", json!("00000000000000000000000000000000")),
        ("custodian_id", json!("keeper")),
        ("no/such~field", json!("x")),
    ];
    for (number, (name, value)) in cases.into_iter().enumerate() {
        let mut body = smallest(Kind::Investor);
        body[name] = value.clone();
        let answer = world.post(REGISTRAR, "/v1/investors", &format!("k{number}"), &body).await;
        assert_eq!(
            (answer.status, answer.problem()),
            (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            "{name}"
        );
        let errors = answer.body["errors"].as_array().unwrap();
        let pointer = name.replace('~', "~0");
        let pointer = if pointer.contains('/') { pointer.replace('/', "~1") } else { pointer };
        assert_eq!(errors.len(), 1, "{name} {errors:?}");
        assert_eq!(errors[0]["pointer"], format!("/{pointer}"));
        let text = answer.body.to_string();
        assert!(
            value.as_str().is_none_or(|value| value.len() < 4 || !text.contains(value)),
            "{text}"
        );
    }
    let none = world.get(REGISTRAR, "/v1/investors").await;
    assert_eq!(none.body["items"], json!([]));
    for quantity in ["-1", "01", "1.0", "18446744073709551616", "1e3", "+1"] {
        let mut body = smallest(Kind::BeneficialInterest);
        body["set_quantity"] = json!(quantity);
        body["set_date"] = json!("2026-02-29");
        body["isin"] = json!("JP3902900005");
        let answer = world.post(REGISTRAR, "/v1/beneficial-interests", "q", &body).await;
        assert_eq!(answer.body["errors"].as_array().unwrap().len(), 3, "{quantity}");
    }
}

#[tokio::test]
async fn a_request_repeated_with_its_key_is_done_once_and_another_one_is_refused() {
    for database in databases() {
        let world = world(&database).await;
        let body = smallest(Kind::Trustee);
        let first = world.post(REGISTRAR, "/v1/trustees", "key-1", &body).await;
        let again = world.post(REGISTRAR, "/v1/trustees", "key-1", &body).await;
        assert_eq!(again.status, StatusCode::CREATED);
        assert_eq!((&again.body, again.header("etag")), (&first.body, first.header("etag")));
        let mut other = body.clone();
        other["name"] = json!("Another");
        for (path, body) in [("/v1/trustees", &other), ("/v1/settlors", &body)] {
            let reused = world.post(REGISTRAR, path, "key-1", body).await;
            assert_eq!((reused.status.as_u16(), reused.problem()), (422, "idempotency-key-reused"));
        }
        // A key is a client's own.
        let theirs = world.post((Role::Registrar, "other"), "/v1/trustees", "key-1", &body).await;
        assert_ne!(theirs.id(), first.id());
        let listed = world.get(REGISTRAR, "/v1/trustees").await;
        assert_eq!(listed.body["items"].as_array().unwrap().len(), 2);
        // What was refused has not used its key.
        let refused = world.post(REGISTRAR, "/v1/trustees", "key-2", &json!({})).await;
        assert_eq!(refused.problem(), "invalid");
        let done = world.post(REGISTRAR, "/v1/trustees", "key-2", &body).await;
        assert_eq!(done.status, StatusCode::CREATED);
    }
}

#[tokio::test]
async fn requests_with_one_key_at_the_same_time_make_one_row() {
    for database in databases() {
        let world = world(&database).await;
        let body = smallest(Kind::Settlor);
        let post = || world.post(REGISTRAR, "/v1/settlors", "same", &body);
        let answers = tokio::join!(post(), post(), post(), post(), post());
        let answers = [answers.0, answers.1, answers.2, answers.3, answers.4];
        for answer in &answers {
            assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
            assert_eq!(answer.id(), answers[0].id());
        }
        let listed = world.get(REGISTRAR, "/v1/settlors").await;
        assert_eq!(listed.body["items"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn of_changes_at_the_same_time_one_wins_and_the_others_are_told() {
    for database in databases() {
        let world = world(&database).await;
        let made = world.post(REGISTRAR, "/v1/settlors", "k", &smallest(Kind::Settlor)).await;
        let path = made.header("location");
        let body = smallest(Kind::Settlor);
        let put = || world.put(REGISTRAR, path, "\"v1\"", &body);
        let answers = tokio::join!(put(), put(), put(), put());
        let statuses =
            [answers.0, answers.1, answers.2, answers.3].map(|answer| answer.status.as_u16());
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 3, "{statuses:?}");
        let past = world.get(REGISTRAR, &format!("{path}/history")).await;
        assert_eq!(past.body["items"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn preconditions_are_asked_for_and_kept() {
    let database = sqlite();
    let world = world(&database).await;
    let body = smallest(Kind::Settlor);
    let keyless = world.ask(REGISTRAR, Method::POST, "/v1/settlors", &[], Some(&body)).await;
    assert_eq!((keyless.status.as_u16(), keyless.problem()), (400, "idempotency-key-missing"));
    for key in ["", "with blank", &"k".repeat(65)] {
        let bad = world.post(REGISTRAR, "/v1/settlors", key, &body).await;
        assert_eq!((bad.status.as_u16(), bad.problem()), (400, "malformed"), "{key:?}");
    }
    let made = world.post(REGISTRAR, "/v1/settlors", "k", &body).await;
    let path = made.header("location");
    let blind = world.ask(REGISTRAR, Method::PUT, path, &[], Some(&body)).await;
    assert_eq!((blind.status.as_u16(), blind.problem()), (428, "precondition-required"));
    let weak = world.put(REGISTRAR, path, "*", &body).await;
    assert_eq!(weak.problem(), "malformed");
    let stale = world.put(REGISTRAR, path, "\"v2\"", &body).await;
    assert_eq!((stale.status.as_u16(), stale.problem()), (412, "stale"));
    let known =
        world.ask(REGISTRAR, Method::GET, path, &[("if-none-match", "\"v9\", \"v1\"")], None).await;
    assert_eq!((known.status.as_u16(), known.body), (304, Value::Null));
}

#[tokio::test]
async fn pages_have_every_row_once_and_a_query_that_is_not_understood_is_refused() {
    for database in databases() {
        let world = world(&database).await;
        for number in 0..7 {
            let key = format!("k{number}");
            world.post(REGISTRAR, "/v1/settlors", &key, &smallest(Kind::Settlor)).await;
        }
        let (mut ids, mut path) = (Vec::new(), "/v1/settlors?limit=3".to_owned());
        loop {
            let page = world.get(REGISTRAR, &path).await;
            assert_eq!(page.status, StatusCode::OK);
            let items = page.body["items"].as_array().unwrap().clone();
            ids.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            let Some(next) = page.body["next"].as_str() else { break };
            assert_eq!(items.len(), 3);
            path = next.to_owned();
        }
        let mut sorted = ids.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!((ids.len(), &sorted), (7, &ids));
        for query in ["limit=0", "limit=201", "limit=x", "cursor=x", "name=x", "limit=1&limit=2"] {
            let answer = world.get(REGISTRAR, &format!("/v1/settlors?{query}")).await;
            assert_eq!((answer.status.as_u16(), answer.problem()), (400, "malformed"), "{query}");
        }
    }
}

#[tokio::test]
async fn bodies_that_are_no_json_too_long_or_of_another_type_are_refused() {
    let database = sqlite();
    let world = world(&database).await;
    let send = async |kind: &str, body: Vec<u8>| {
        let request = Request::post("/v1/settlors")
            .header("idempotency-key", "k")
            .header("content-type", kind);
        let certificate = support::certificate(Role::Registrar, HOUSE);
        let answer = world.send(&certificate, request.body(Body::from(body)).unwrap()).await;
        (answer.status.as_u16(), answer.problem().to_owned())
    };
    let long = format!("\"{}\"", "x".repeat(65 * 1024)).into_bytes();
    let deep = "[".repeat(10_000).into_bytes();
    assert_eq!(send("application/json", long).await, (413, "too-large".into()));
    assert_eq!(send("application/json", deep).await, (400, "malformed".into()));
    assert_eq!(send("application/json", b"{".to_vec()).await, (400, "malformed".into()));
    assert_eq!(send("application/json", b"[]".to_vec()).await, (422, "invalid".into()));
    assert_eq!(send("application/json", vec![0xff, 0xfe]).await, (400, "malformed".into()));
    assert_eq!(send("text/plain", b"{}".to_vec()).await, (415, "unsupported-media-type".into()));
}

#[tokio::test]
async fn every_problem_has_a_page_and_every_answer_a_trace() {
    let database = sqlite();
    let world = world(&database).await;
    for about in sudare_api::http::problem::Problem::ALL {
        let page = world.get(REGISTRAR, &format!("/problems/{}", about.code)).await;
        assert_eq!(page.status, StatusCode::OK, "{}", about.code);
    }
    let absent = world.get(REGISTRAR, "/v1/nothing").await;
    assert_eq!((absent.status.as_u16(), absent.problem()), (404, "not-found"));
    assert_eq!(absent.body["trace_id"], absent.header("x-request-id"));
    assert_eq!(absent.header("cache-control"), "no-store");
    let unread = world.get(REGISTRAR, "/v1/settlors/%ff").await;
    assert_eq!((unread.status.as_u16(), unread.problem()), (400, "malformed"));
    let method = world.ask(REGISTRAR, Method::DELETE, "/v1/settlors", &[], None).await;
    assert_eq!((method.status.as_u16(), method.problem()), (405, "method-not-allowed"));
    assert!(method.header("allow").contains("POST"));
}

#[tokio::test]
async fn the_page_of_the_documentation_has_every_operation_and_loads_nothing() {
    let database = sqlite();
    let world = world(&database).await;
    let document = world.get(REGISTRAR, "/openapi.json").await.body;
    for path in ["/docs", "/deprecations"] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let router = world
            .api
            .router(sudare_api::http::Peer::with(&support::certificate(Role::Registrar, HOUSE)));
        let answer = tower::ServiceExt::oneshot(router, request).await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        let bytes = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
        let page = String::from_utf8(bytes.to_vec()).unwrap();
        for outside in ["<script", "http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside} in {path}");
        }
        if path == "/docs" {
            for item in document["paths"].as_object().unwrap().values() {
                for operation in item.as_object().unwrap().values() {
                    let id = operation["operationId"].as_str().unwrap();
                    assert!(page.contains(&format!("id=\"{id}\"")), "{id}");
                }
            }
        }
    }
}

/// What will go in this test alone: nothing does now.
const OLD: &[Deprecated] = &[Deprecated {
    method: "GET",
    path: "/v1/settlors/{id}",
    since: "2026-11-28",
    sunset: "2027-12-01",
    instead: "Use <nothing>.",
}];

#[tokio::test]
async fn an_operation_that_will_go_says_so_in_its_answers_the_document_and_on_the_pages() {
    let database = sqlite();
    let world = world_as(&database, |setup| setup.deprecated = OLD).await;
    let made = world.post(REGISTRAR, "/v1/settlors", "k", &smallest(Kind::Settlor)).await;
    let path = made.header("location").to_owned();
    let absent = format!("/v1/settlors/{}", "0".repeat(32));
    for (path, status) in [(&path, 200), (&absent, 404)] {
        let read = world.get(REGISTRAR, path).await;
        assert_eq!(read.status.as_u16(), status);
        assert_eq!(read.header("deprecation"), "@1795824000");
        assert_eq!(read.header("sunset"), "Wed, 01 Dec 2027 00:00:00 GMT");
        assert_eq!(read.header("link"), "</deprecations>; rel=\"deprecation\"");
    }
    // Another method of the path, and the path of another operation, stay.
    let body = smallest(Kind::Settlor);
    let changed = world.put(REGISTRAR, &path, made.header("etag"), &body).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    for other in [changed, world.get(REGISTRAR, "/v1/settlors").await] {
        assert!(
            !other.headers.contains_key("deprecation") && !other.headers.contains_key("sunset")
        );
    }
    let document = world.get(REGISTRAR, "/openapi.json").await.body;
    let mut marked = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["deprecated"] == true {
                marked.push(format!("{method} {path}"));
            }
        }
    }
    assert_eq!(marked, ["get /v1/settlors/{id}"]);
    let text = page(&world, "/deprecations").await;
    let said = "GET /v1/settlors/{id}: deprecated since 2026-11-28, gone after 2027-12-01. Use &lt;nothing&gt;.";
    assert!(text.contains(said), "{text}");
    assert_eq!(
        page(&world, "/docs").await.matches("<a href=\"/deprecations\">Will go.</a>").count(),
        1
    );
    // Without such a list nothing says so.
    let database = sqlite();
    let world = support::world(&database).await;
    assert!(page(&world, "/deprecations").await.contains("Nothing is deprecated now."));
    assert!(!page(&world, "/docs").await.contains("Will go."));
}

async fn page(world: &World, path: &str) -> String {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let peer = sudare_api::http::Peer::with(&support::certificate(Role::Registrar, HOUSE));
    let answer = tower::ServiceExt::oneshot(world.api.router(peer), request).await.unwrap();
    let bytes = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_to_wait() {
    let database = sqlite();
    let store = database.open().await;
    let client = support::client(Role::Registrar, HOUSE);
    let clock = std::sync::Arc::new(|| 1_000_000);
    let api = Api::new(
        store.clone(),
        Setup { house: HOUSE.into(), clients: vec![client], ..Setup::default() },
        clock,
    )
    .unwrap();
    let world =
        World { api, store, now: std::sync::Arc::default(), trail: std::sync::Arc::default() };
    for _ in 0..400 {
        assert_eq!(world.get(REGISTRAR, "/openapi.json").await.status, StatusCode::OK);
    }
    let refused = world.get(REGISTRAR, "/openapi.json").await;
    assert_eq!((refused.status.as_u16(), refused.problem()), (429, "too-many-requests"));
    assert_eq!(refused.header("retry-after"), "1");
}

#[tokio::test]
async fn an_id_says_nothing_of_the_person() {
    let database = sqlite();
    let world = world(&database).await;
    world.post(REGISTRAR, "/v1/investors", "k", &smallest(Kind::Investor)).await;
    let by = By { client: "a test", institution: "house", reason: "" };
    let rows = world.store.rows(Kind::Investor, &Reach::All, None, 10, by).await.unwrap();
    let rows = rows.0;
    assert_eq!(rows.len(), 1);
    let id = &rows[0].id;
    // A version 7 UUID holds a time and random bits: nothing of the person.
    assert_eq!((id.len(), &id[12..13]), (32, "7"));
}

fn assert_contains(row: &Value, values: &Value) {
    for (name, value) in values.as_object().unwrap() {
        assert_eq!(&row[name], value, "{name}");
    }
}
