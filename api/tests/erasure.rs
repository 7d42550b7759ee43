//! Erasure: personal data is sealed under a key of its own, two people have the key destroyed, and nothing opens it any more.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyPool, Row, SqlSafeStr};
use sudare_api::access::Role;
use sudare_api::flows::Holding;
use sudare_api::masters::Kind;
use sudare_api::personal::{DataKey, KeyBook, KeyBookError};
use sudare_crypto::derive::Seed;
use sudare_ledger::bundle::{Bundle, ErasureError};
use support::desk::{CLERK, Desk, approve};
use support::ledger::InMemory;
use support::{Answer, Database, World, databases, smallest, sqlite, world};

const SECOND: (Role, &str) = (Role::DirectBroker, support::HOUSE);
const NAME: &str = "Quillon Vexworth 8831";

fn person(status: &str) -> Value {
    let mut person = smallest(Kind::Investor);
    person["name"] = json!(NAME);
    person["phone"] = json!("+81-3-8831-4402");
    person["status"] = json!(status);
    person
}

async fn made(world: &World, key: &str, person: &Value) -> String {
    let made = world.post(CLERK, "/v1/investors", key, person).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    made.id()
}

/// What the second of two people is answered.
async fn second(world: &World, deed: &str, request: &Value, key: &str) -> Answer {
    let body = json!({ "deed": deed, "request": request });
    let proposed = world.post(CLERK, "/v1/approvals", key, &body).await;
    assert_eq!(proposed.status, StatusCode::CREATED, "{proposed:?}");
    let decision = json!({ "decision": "approve", "hash": proposed.body["hash"] });
    let path = format!("/v1/approvals/{}/decision", proposed.id());
    world.post(SECOND, &path, &format!("{key}-2"), &decision).await
}

async fn erase(world: &World, id: &str, key: &str) -> Answer {
    second(world, "erase-investor", &json!({ "investor_id": id, "reason": "asked for" }), key).await
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

fn roots(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.to_str().unwrap().to_owned());
    names.filter(|name| name.starts_with("root-")).collect()
}

#[tokio::test]
async fn a_copy_made_before_an_erasure_opens_nothing_of_the_person_and_all_of_the_others() {
    let database = sqlite();
    let before = world(&database).await;
    let id = made(&before, "one", &person("closed")).await;
    let other = made(&before, "two", &smallest(Kind::Investor)).await;
    before.store.close().await;
    let (folder, copies) = (database.folder.path(), tempfile::tempdir().unwrap());
    copy(folder, copies.path());
    copy(&database.keys, &copies.path().join("keys"));

    let now = world(&database).await;
    let erased = erase(&now, &id, "e").await;
    assert_eq!(erased.status, StatusCode::OK, "{erased:?}");
    assert_eq!(now.get(CLERK, &format!("/v1/investors/{id}")).await.body["name"], "erased");
    now.store.close().await;

    // The older database with the newest keys: everybody but the person, of whom nothing is left again.
    copy(copies.path(), folder);
    let back = world(&database).await;
    let read = back.get(CLERK, &format!("/v1/investors/{other}")).await;
    assert_eq!(read.body["name"], smallest(Kind::Investor)["name"]);
    let read = back.get(CLERK, &format!("/v1/investors/{id}")).await;
    assert_eq!((&read.body["name"], read.body.get("phone")), (&json!("erased"), None));
    let past = back.get(CLERK, &format!("/v1/investors/{id}/history")).await;
    assert!(past.body["items"][0].get("content").is_none());
    back.store.close().await;

    // The older keys, too, with the only root key that there is now.
    let old = copies.path().join("keys");
    for root in roots(&old) {
        fs::remove_file(old.join(root)).unwrap();
    }
    let [root] = roots(&database.keys).try_into().unwrap();
    for name in [root.as_str(), "root-1.key"] {
        fs::copy(database.keys.join(&root), old.join(name)).unwrap();
        let opened = KeyBook::open(&old, &Seed([9; 32])).await;
        assert!(
            matches!(opened, Err(KeyBookError::RootMissing(_) | KeyBookError::Root(_))),
            "{opened:?}"
        );
    }
}

#[tokio::test]
async fn what_is_kept_of_a_person_is_sealed_in_every_column_of_every_table() {
    for database in databases() {
        let world = world(&database).await;
        let id = made(&world, "one", &person("active")).await;
        let path = format!("/v1/investors/{id}");
        let mut changed = person("closed");
        changed["name"] = json!("Quillon Vexworth 8831 the Second");
        let put = world.put(CLERK, &path, "\"v1\"", &changed).await;
        assert_eq!(put.status, StatusCode::OK, "{put:?}");
        let again = world.post(CLERK, "/v1/investors", "one", &person("active")).await;
        assert_eq!(again.id(), id);
        sqlx::any::install_default_drivers();
        let pool = AnyPool::connect(&database.url).await.unwrap();
        let row = sqlx::query("SELECT personal FROM investor").fetch_one(&pool).await.unwrap();
        let sealed: String = row.get("personal");
        assert!(STANDARD.decode(&sealed).is_ok() && !sealed.contains("Quillon"));
        for row in sqlx::query("SELECT content FROM row_history").fetch_all(&pool).await.unwrap() {
            assert!(STANDARD.decode(row.get::<String, _>("content")).is_ok());
        }
        // What a request's hash is kept as can't be found out by trying.
        let print = ring::digest::digest(
            &ring::digest::SHA256,
            &[b"investors\0", person("active").to_string().as_bytes()].concat(),
        );
        let print: String = print.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let row = sqlx::query("SELECT request FROM idempotency").fetch_one(&pool).await.unwrap();
        assert_ne!(row.get::<String, _>("request"), print);

        assert_eq!(erase(&world, &id, "e").await.status, StatusCode::OK);
        let refused = world.put(CLERK, &path, "\"v3\"", &changed).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (409, "impossible"));
        // Put back by hand, it is gone at the next start.
        let text = "UPDATE investor SET personal = $1";
        sqlx::query(text).bind(&sealed).execute(&pool).await.unwrap();
        assert_eq!(world.get(CLERK, &path).await.body["name"], "erased");
        world.store.close().await;
        let world = support::world(&database).await;
        let row = sqlx::query("SELECT personal FROM investor").fetch_one(&pool).await.unwrap();
        assert_eq!(row.get::<Option<String>, _>("personal"), None);
        pool.close().await;
        world.store.close().await;
    }
}

#[tokio::test]
async fn a_hold_units_or_work_under_way_refuse_an_erasure_and_say_why() {
    for database in databases() {
        let desk = Desk::at(&database, Arc::new(InMemory::new())).await;
        let world = &desk.world;
        let id = desk.investor(CLERK).await;
        let mut person = smallest(Kind::Investor);
        person["status"] = json!("closed");
        world.put(CLERK, &format!("/v1/investors/{id}"), "\"v1\"", &person).await;
        let until = |until: &str, reason: &str| json!({ "investor_id": id, "reason": reason, "until": until });
        approve(world, "place-hold", &until("2026-01-03", "tax audit 7"), "h1").await;
        approve(world, "place-hold", &until("2031-07-18", "case 2031-7"), "h2").await;
        let held = erase(world, &id, "e1").await;
        assert_eq!(
            (held.problem(), &held.body["detail"]),
            ("impossible", &json!("the investor's data is held until 2031-07-18: case 2031-7"))
        );
        let path = format!("/v1/investors/{id}/holds");
        let holds = world.get(CLERK, &path).await.body["items"].as_array().unwrap().clone();
        assert_eq!((holds.len(), &holds[1]["until"]), (2, &json!("2031-07-18")));
        let lift = json!({ "hold_id": holds[1]["id"], "reason": "case closed" });
        let theirs = [(Role::Registrar, "other"), (Role::Custodian, "other")];
        let body = json!({ "deed": "lift-hold", "request": lift });
        let proposed = world.post(theirs[0], "/v1/approvals", "l", &body).await;
        let decision = json!({ "decision": "approve", "hash": proposed.body["hash"] });
        let decided = format!("/v1/approvals/{}/decision", proposed.id());
        let foreign = world.post(theirs[1], &decided, "l", &decision).await;
        assert_eq!(foreign.problem(), "impossible");
        approve(world, "lift-hold", &lift, "l1").await;
        let held = erase(world, &id, "e2").await;
        assert_eq!(
            held.body["detail"],
            "the investor's data is held until 2026-01-03: tax audit 7"
        );
        world.now.fetch_add(3 * 86_400_000_000, Ordering::Relaxed);

        desk.node.holds(vec![Holding { asset: "JPY".into(), units: 7 }]);
        let holder = erase(world, &id, "e3").await;
        assert_eq!(holder.body["detail"], "the investor still holds units: 7 of JPY");
        desk.node.is_away(true);
        let away = erase(world, &id, "e4").await;
        assert!(away.body["detail"].as_str().unwrap().contains("try again"), "{away:?}");
        desk.node.is_away(false);
        desk.node.holds(Vec::new());
        assert_eq!(world.get(CLERK, &format!("/v1/investors/{id}/erasure")).await.status, 404);
        let done = erase(world, &id, "e5").await;
        assert_eq!(done.status, StatusCode::OK, "{done:?}");
        let again = erase(world, &id, "e6").await;
        assert_eq!(again.body["detail"], "the investor is erased already");
    }
}

#[tokio::test]
async fn an_erasure_is_certified_by_the_node_once_the_key_is_destroyed() {
    for database in databases() {
        let desk = Desk::new(&database).await;
        let world = &desk.world;
        let id = desk.investor(CLERK).await;
        let mut person = smallest(Kind::Investor);
        person["status"] = json!("closed");
        world.put(CLERK, &format!("/v1/investors/{id}"), "\"v1\"", &person).await;
        assert_eq!(erase(world, &id, "e").await.status, StatusCode::OK);
        let view = world.get(CLERK, &format!("/v1/investors/{id}/erasure")).await.body;
        assert_eq!((&view["state"], &view["investor_id"]), (&json!("erased"), &json!(id)));
        let file = STANDARD.decode(view["certificate"].as_str().unwrap()).unwrap();
        let Bundle::Erasure(signed) = Bundle::parse(&file).unwrap() else { panic!("{file:?}") };
        let house = desk.node.key.id();
        signed.verify(house).unwrap();
        let erasure = &signed.erasure;
        assert_eq!((erasure.row.as_str(), erasure.reason.as_str()), (id.as_str(), "asked for"));
        assert_eq!(
            (erasure.accounts, view["approval_id"].as_str().unwrap()),
            (2, erasure.approval.as_str())
        );
        // Two versions, two idempotency keys.
        assert!(erasure.items >= 3, "{erasure:?}");
        let mut changed = signed.clone();
        changed.erasure.items += 1;
        assert_eq!(changed.verify(house), Err(ErasureError::Signature));
        let stranger = sudare_crypto::NodeKey::from_seed(&[77; 32]);
        assert_eq!(signed.verify(stranger.id()), Err(ErasureError::OtherHouse(house)));
        let mut early = erasure.clone();
        early.destroyed_at = early.approved_at - 1;
        assert!(matches!(
            early.sign(&desk.node.key).verify(house),
            Err(ErasureError::Contradiction(_))
        ));
        // Whom it doesn't concern sees none of it.
        let other = (Role::EntrustingBroker, "other");
        assert_eq!(world.get(other, &format!("/v1/investors/{id}/erasure")).await.status, 404);
        assert_eq!(world.get(other, &format!("/v1/investors/{id}/holds")).await.status, 404);
    }
}

#[tokio::test]
async fn what_a_crash_left_of_a_destruction_is_caught_up_with() {
    let folder = tempfile::tempdir().unwrap();
    let open = async || KeyBook::open(folder.path(), &Seed([1; 32])).await.unwrap();
    let book = open().await;
    let keys = ["a/1", "a/2", "b/1"].map(|one| (one.to_owned(), DataKey::random().unwrap()));
    book.keep(&keys).await.unwrap();
    let sealed = keys[0].1.seal_text("p", "text").unwrap();
    let old = fs::read(folder.path().join("root-1.key")).unwrap();
    book.destroy(&["a/2".into(), "nobody".into()], 5).await.unwrap();
    book.close().await;
    // Before the old root was removed, and before the next destruction was committed.
    fs::write(folder.path().join("root-1.key"), &old).unwrap();
    fs::write(folder.path().join("root-3.key"), &old).unwrap();
    let book = open().await;
    assert_eq!(roots(folder.path()), ["root-2.key"]);
    assert_eq!(book.key("a/1").unwrap().open_text("p", &sealed).unwrap(), "text");
    assert!(book.key("a/2").is_none() && book.is_destroyed("a/2") && !book.is_destroyed("a/1"));
    assert_eq!(book.destroyed("a/"), ["a/2"]);
    let known = book.destruction("a/2").await.unwrap().unwrap();
    assert_eq!((known.at, known.root, known.mark), (5, 1, keys[1].1.mark()));
    book.close().await;
    assert!(matches!(
        KeyBook::open(folder.path(), &Seed([2; 32])).await,
        Err(KeyBookError::Root(_))
    ));
}

#[tokio::test]
async fn keys_that_were_to_be_destroyed_when_the_node_stopped_are_destroyed_later() {
    for database in databases() {
        let first = world(&database).await;
        let id = made(&first, "one", &person("closed")).await;
        sqlx::any::install_default_drivers();
        let pool = AnyPool::connect(&database.url).await.unwrap();
        let text = "INSERT INTO key_to_destroy (subject, at, erasure) VALUES ($1, 1, NULL)";
        sqlx::query(text).bind(format!("investor/{id}")).execute(&pool).await.unwrap();
        pool.close().await;
        first.store.close().await;
        let second = world(&database).await;
        second.api.erase_due().await.unwrap();
        let read = second.get(CLERK, &format!("/v1/investors/{id}")).await;
        assert_eq!(read.body["name"], "erased");
    }
}

#[tokio::test]
async fn a_file_s_text_goes_with_its_key_and_its_hash_with_who_was_made_of_it() {
    for database in databases() {
        let world = world(&database).await;
        let text = format!(
            "name,address,safekeeping_class,status,aml_class\n{NAME},1 Planted Street,own_custody,closed,low\n"
        );
        let body = json!({
            "target": "investors", "class": "all", "size": text.len().to_string(),
            "sha256": support::hash_of(text.as_bytes()), "file_at": "2026-01-05T00:00:00Z",
        });
        let file = world.post(CLERK, "/v1/imports", "f", &body).await.id();
        let path = format!("/v1/imports/{file}");
        let content = format!("{path}/content?offset=0");
        let headers = [("content-type", "text/csv")];
        world.text(CLERK, axum::http::Method::PUT, &content, &headers, &text).await;
        sqlx::any::install_default_drivers();
        let pool = AnyPool::connect(&database.url).await.unwrap();
        let row = sqlx::query("SELECT content FROM import_part").fetch_one(&pool).await.unwrap();
        let part = STANDARD.decode(row.get::<String, _>("content")).unwrap();
        assert!(!String::from_utf8_lossy(&part).contains("Quillon"));
        let row = sqlx::query("SELECT file_hash FROM import_file").fetch_one(&pool).await.unwrap();
        assert_ne!(row.get::<String, _>("file_hash"), body["sha256"].as_str().unwrap());
        pool.close().await;

        assert!(world.api.import_next().await.unwrap());
        let read = world.get(CLERK, &path).await;
        assert_eq!((&read.body["result"], read.body.get("sha256")), (&json!("complete"), None));
        assert_eq!(world.post(CLERK, "/v1/imports", "f", &body).await.id(), file);
        let rows = world.get(CLERK, &format!("{path}/rows")).await.body;
        let id = rows["items"][0]["id"].as_str().unwrap();
        assert_eq!(erase(&world, id, "e").await.status, StatusCode::OK);
        assert_eq!(world.get(CLERK, &path).await.status, StatusCode::OK);
        world.store.close().await;
        let book = database.book().await;
        for subject in ["import_part", "import_file"] {
            assert!(book.is_destroyed(&format!("{subject}/{file}")), "{subject}");
        }
    }
}

#[tokio::test]
async fn rows_of_an_older_version_are_sealed_at_the_next_start() {
    for database in databases() {
        let (id, other) = ("0".repeat(32), "1".repeat(32));
        before_sealing(&database, &id, &other).await;
        let world = world(&database).await;
        let read = world.get(CLERK, &format!("/v1/investors/{id}")).await;
        assert_eq!((&read.body["name"], &read.body["phone"]), (&json!(NAME), &json!("+81-3-8831")));
        let past = world.get(CLERK, &format!("/v1/investors/{id}/history")).await;
        assert_eq!(past.body["items"][0]["content"]["name"], NAME);
        let signed = world.get(CLERK, &format!("/v1/investors/{id}/signatures")).await;
        assert_eq!(signed.body["items"][0]["base"], format!("base of {NAME}"));
        let gone = world.get(CLERK, &format!("/v1/investors/{other}")).await;
        assert_eq!(gone.body["name"], "erased");
        let path = format!("/v1/investors/{id}");
        let changed = world.put(CLERK, &path, "\"v1\"", &person("closed")).await;
        assert_eq!(changed.status, StatusCode::OK);
        world.store.close().await;
        let again = support::world(&database).await;
        assert_eq!(again.get(CLERK, &format!("/v1/investors/{id}")).await.body["name"], NAME);
        again.store.close().await;
        for entry in fs::read_dir(database.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let bytes = fs::read(&path).unwrap();
                let found = bytes.windows(NAME.len()).any(|window| window == NAME.as_bytes());
                assert!(!found, "{}", path.display());
            }
        }
    }
}

/// A database as version 9 of its tables left it, with an investor and an erased one.
async fn before_sealing(database: &Database, id: &str, erased: &str) {
    sqlx::any::install_default_drivers();
    let url = database.url.replace(".sqlite", ".sqlite?mode=rwc");
    let pool = AnyPool::connect(&url).await.unwrap();
    let made = [
        (1, "masters", include_str!("../migrations/0001_masters.sql")),
        (2, "approvals", include_str!("../migrations/0002_approvals.sql")),
        (3, "users", include_str!("../migrations/0003_users.sql")),
        (4, "operations", include_str!("../migrations/0004_operations.sql")),
        (5, "gates", include_str!("../migrations/0005_gates.sql")),
        (6, "market", include_str!("../migrations/0006_market.sql")),
        (7, "webhooks", include_str!("../migrations/0007_webhooks.sql")),
        (8, "signed", include_str!("../migrations/0008_signed.sql")),
        (9, "imports", include_str!("../migrations/0009_imports.sql")),
    ];
    let made = made.map(|(version, name, text)| {
        let text = text.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, text, false)
    });
    Migrator::with_migrations(made.into()).run(&pool).await.unwrap();
    for (id, name, content) in
        [(id, NAME, Some(json!({ "name": NAME }).to_string())), (erased, "erased", None)]
    {
        let text = "INSERT INTO investor (id, version, owner, name, address, phone, safekeeping_class, status, aml_class, \
                    created_at, created_by, updated_at, updated_by) \
                    VALUES ($1, 1, 'house', $2, '1 Street', '+81-3-8831', 'own_custody', 'closed', 'low', 1, 'x', 1, 'x')";
        sqlx::query(text).bind(id).bind(name).execute(&pool).await.unwrap();
        let text = "INSERT INTO row_history (kind, id, version, at, by_client, content) VALUES ('investor', $1, 1, 1, 'x', $2)";
        sqlx::query(text).bind(id).bind(content).execute(&pool).await.unwrap();
    }
    let text = "INSERT INTO signed_request (id, kind, row_id, at, by_client, key_id, public_key, algorithm, base, signature, body) \
                VALUES ($1, 'investor', $1, 1, 'x', 'k', 'p', 'ed25519', $2, 's', 'b')";
    sqlx::query(text).bind(id).bind(format!("base of {NAME}")).execute(&pool).await.unwrap();
    pool.close().await;
}

#[tokio::test]
async fn one_erasure_among_a_hundred_thousand_seals_a_few_hundred_keys_again() {
    let folder = tempfile::tempdir().unwrap();
    let book = KeyBook::open(folder.path(), &Seed([1; 32])).await.unwrap();
    let keys: Vec<(String, DataKey)> = (0..100_000)
        .map(|number| (format!("investor/{number:032x}"), DataKey::random().unwrap()))
        .collect();
    book.keep(&keys).await.unwrap();
    let url = format!("sqlite:{}", folder.path().join("keys.sqlite").display());
    let pool = AnyPool::connect(&url).await.unwrap();
    let sealed = async || {
        let rows = sqlx::query("SELECT subject, sealed FROM data_key ORDER BY subject");
        let rows = rows.fetch_all(&pool).await.unwrap();
        rows.iter()
            .map(|row| (row.get("subject"), row.get("sealed")))
            .collect::<BTreeMap<String, String>>()
    };
    let before = sealed().await;
    book.destroy(&[keys[7].0.clone()], 1).await.unwrap();
    let after = sealed().await;
    assert_eq!(after.len(), 99_999);
    let again = after.iter().filter(|(subject, sealed)| before[*subject] != **sealed).count();
    assert!((200..700).contains(&again), "{again} keys were sealed again");
    assert_eq!(book.key(&keys[8].0).unwrap().mark(), keys[8].1.mark());
}
