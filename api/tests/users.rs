//! Users with passwords: who can log on, what a session may do, and what two administrators do with users.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

mod support;

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use sudare_api::access::Role;
use sudare_api::masters::Kind;

use support::{
    Answer, HOUSE, World, certificate, databases, second_certificate, smallest, sqlite, world,
};

const PASSWORD: &str = "correct horse battery";
const ADMINISTRATOR: (Role, &str) = (Role::Administrator, HOUSE);
const MINUTE: i64 = 60_000_000;

/// Sends JSON over a connection with a certificate, or without one if it is empty.
async fn send(
    world: &World,
    certificate: &[u8],
    (method, path): (Method, &str),
    token: Option<&str>,
    key: &str,
    body: &Value,
) -> Answer {
    let mut request =
        Request::builder().method(method).uri(path).header("content-type", "application/json");
    if !key.is_empty() {
        request = request.header("idempotency-key", key);
    }
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    world.send(certificate, request.body(body).unwrap()).await
}

async fn post(world: &World, certificate: &[u8], path: &str, body: &Value) -> Answer {
    send(world, certificate, (Method::POST, path), None, "", body).await
}

/// Two administrators do something: what both were told.
async fn together(
    world: &World,
    institution: &str,
    deed: &str,
    key: &str,
    request: &Value,
) -> (Answer, Answer) {
    let body = json!({ "deed": deed, "request": request });
    let one = certificate(Role::Administrator, institution);
    let proposed = send(world, &one, (Method::POST, "/v1/approvals"), None, key, &body).await;
    assert_eq!(proposed.status, StatusCode::CREATED, "{proposed:?}");
    let path = format!("/v1/approvals/{}/decision", proposed.id());
    let body = json!({ "decision": "approve", "hash": proposed.body["hash"] });
    let own = send(world, &one, (Method::POST, &path), None, key, &body).await;
    assert_eq!(own.problem(), "idempotency-key-reused");
    let two = second_certificate(institution);
    let done = send(world, &two, (Method::POST, &path), None, key, &body).await;
    (proposed, done)
}

/// Every field of the source requirements' table 14.
#[tokio::test]
async fn each_of_a_user_s_fields_is_kept_and_shown_to_administrators_but_his_passwords() {
    for database in databases() {
        let world = world(&database).await;
        let request = json!({
            "login": "alice", "name": "Alice Demo", "role": "custodian", "branch_code": "001", "branch_name": "Demo Branch",
            "section": "Settlement 2", "employee_number": "E-7391",
        });
        let (one, two) = together(&world, HOUSE, "create-user", "alice", &request).await;
        let path = format!("/v1/users/{}", two.body["result"]["user_id"].as_str().unwrap());
        let passwords = ["planted battery one", "planted battery two", "planted battery three"];
        let done = activate(&world, "alice", [&one, &two], passwords[0]).await;
        assert_eq!(done.status, StatusCode::NO_CONTENT, "{done:?}");
        for pair in passwords.windows(2) {
            let body = json!({
                "institution": HOUSE, "login": "alice", "password": pair[0], "new_password": pair[1],
            });
            let changed = post(&world, &[], "/v1/passwords", &body).await;
            assert_eq!(changed.status, StatusCode::NO_CONTENT, "{changed:?}");
        }
        // The last three are remembered.
        let body = json!({
            "institution": HOUSE, "login": "alice", "password": passwords[2], "new_password": passwords[0],
        });
        assert_eq!(post(&world, &[], "/v1/passwords", &body).await.problem(), "invalid");
        let log_on = |password: &str| json!({ "institution": HOUSE, "login": "alice", "password": password });
        let began = post(&world, &[], "/v1/sessions", &log_on(passwords[2])).await;
        assert_eq!(began.status, StatusCode::CREATED, "{began:?}");
        let failed = post(&world, &[], "/v1/sessions", &log_on("planted wrong one")).await;
        assert_eq!(failed.problem(), "log-on-refused");
        let read = world.get(ADMINISTRATOR, &path).await;
        for (name, value) in request.as_object().unwrap() {
            assert_eq!(&read.body[name], value, "{name}");
        }
        let shown = |name: &str| read.body[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (read.body["failed_attempts"].as_i64(), shown("status")),
            (Some(1), "active".into())
        );
        for name in ["last_log_on", "password_at", "created_at", "updated_at"] {
            assert!(shown(name).starts_with("2026-01-01T"), "{name}: {read:?}");
        }
        assert!(shown("last_log_on") > shown("password_at"));
        assert!(shown("password_at") > shown("created_at"));
        for name in ["created_by", "updated_by"] {
            assert_eq!(shown(name), "second administrator at house", "{name}");
        }
        assert_eq!(read.body["has_password"], true);
        assert!(!read.body.to_string().contains("planted"), "{read:?}");
    }
}

/// Makes a user of the house who has set his password.
async fn alice(world: &World) -> String {
    let request = json!({ "login": "alice", "name": "Alice Demo", "role": "custodian", "branch_code": "001" });
    let (one, two) = together(world, HOUSE, "create-user", "alice", &request).await;
    let done = activate(world, "alice", [&one, &two], PASSWORD).await;
    assert_eq!(done.status, StatusCode::NO_CONTENT, "{done:?}");
    two.body["result"]["user_id"].as_str().unwrap().to_owned()
}

async fn activate(world: &World, login: &str, told: [&Answer; 2], password: &str) -> Answer {
    let [one, two] = told.map(|answer| answer.body["code"].clone());
    let body = json!({ "institution": HOUSE, "login": login, "code_1": one, "code_2": two, "new_password": password });
    post(world, &[], "/v1/activations", &body).await
}

async fn log_on(world: &World, certificate: &[u8], login: &str, password: &str) -> Answer {
    let body = json!({ "institution": HOUSE, "login": login, "password": password });
    post(world, certificate, "/v1/sessions", &body).await
}

async fn get(world: &World, certificate: &[u8], token: &str, path: &str) -> Answer {
    send(world, certificate, (Method::GET, path), Some(token), "", &Value::Null).await
}

fn token(answer: &Answer) -> String {
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    answer.body["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_user_activates_himself_logs_on_does_what_his_role_may_and_logs_off() {
    for database in databases() {
        let world = world(&database).await;
        let id = alice(&world).await;
        let session = token(&log_on(&world, &[], "alice", PASSWORD).await);
        let made = send(
            &world,
            &[],
            (Method::POST, "/v1/investors"),
            Some(&session),
            "i",
            &smallest(Kind::Investor),
        )
        .await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        let read = get(&world, &[], &session, made.header("location")).await;
        assert_eq!(
            (&read.body["created_by"], &read.body["owner"]),
            (&json!(format!("user/{id}")), &json!(HOUSE))
        );
        // His role is a custodian's, not an administrator's or registrar's.
        for path in ["/v1/users", "/v1/settlors"] {
            assert_eq!(get(&world, &[], &session, path).await.problem(), "forbidden");
        }
        let left = send(
            &world,
            &[],
            (Method::DELETE, "/v1/sessions/current"),
            Some(&session),
            "",
            &Value::Null,
        )
        .await;
        assert_eq!(left.status, StatusCode::NO_CONTENT);
        let over = get(&world, &[], &session, "/v1/investors").await;
        assert_eq!((over.status.as_u16(), over.problem()), (401, "token-refused"));
        assert!(over.header("www-authenticate").contains("invalid_token"));

        let user = world.get(ADMINISTRATOR, &format!("/v1/users/{id}")).await;
        assert_eq!(
            (&user.body["login"], &user.body["branch_code"]),
            (&json!("alice"), &json!("001"))
        );
        assert!(user.body["last_log_on"].is_string() && user.body["has_password"] == json!(true));
        assert!(!user.body.to_string().contains("argon2"));
        let audit = world.get(ADMINISTRATOR, "/v1/audit").await;
        let events: Vec<&str> = audit.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["event"].as_str().unwrap())
            .collect();
        assert_eq!(
            events,
            ["tried to activate", "activated", "tried to log on", "logged on", "logged off"]
        );
        let theirs = world.get((Role::Administrator, "other"), "/v1/audit").await;
        assert_eq!(theirs.body["items"], json!([]));
        let absent = world.get((Role::Administrator, "other"), &format!("/v1/users/{id}")).await;
        assert_eq!(absent.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn whoever_can_not_log_on_learns_nothing_of_who_can() {
    let database = sqlite();
    let world = world(&database).await;
    alice(&world).await;
    let plain = |mut answer: Answer| {
        answer.body["trace_id"] = json!("");
        (answer.status.as_u16(), answer.body)
    };
    let wrong = plain(log_on(&world, &[], "alice", "wrong horse battery").await);
    assert_eq!((wrong.0, &wrong.1["type"]), (401, &json!("/problems/log-on-refused")));
    assert_eq!(plain(log_on(&world, &[], "nobody", PASSWORD).await), wrong);
    // Another institution, one without users, one that doesn't log on without its certificate.
    for institution in ["other", "nowhere", ""] {
        let body = json!({ "institution": institution, "login": "alice", "password": PASSWORD });
        let answer = post(&world, &[], "/v1/sessions", &body).await;
        if institution.is_empty() {
            assert_eq!(answer.problem(), "invalid");
        } else {
            assert_eq!(plain(answer), wrong);
        }
    }
    // The certificate of no institution with users.
    let stranger = certificate(Role::Issuer, HOUSE);
    assert_eq!(plain(log_on(&world, &stranger, "alice", PASSWORD).await), wrong);
    let codes = json!({ "institution": HOUSE, "login": "alice", "code_1": "a", "code_2": "b", "new_password": PASSWORD });
    assert_eq!(plain(post(&world, &[], "/v1/activations", &codes).await), wrong);
    let change = json!({ "institution": HOUSE, "login": "nobody", "password": PASSWORD, "new_password": "another horse battery" });
    assert_eq!(plain(post(&world, &[], "/v1/passwords", &change).await), wrong);
}

#[tokio::test]
async fn failed_attempts_lock_a_user_even_when_they_come_at_once_until_time_or_administrators_unlock()
 {
    for database in databases() {
        let world = world(&database).await;
        let id = alice(&world).await;
        let wrong = || log_on(&world, &[], "alice", "wrong horse battery");
        let refused = tokio::join!(wrong(), wrong(), wrong(), wrong());
        for answer in [refused.0, refused.1, refused.2, refused.3] {
            assert_eq!(answer.problem(), "log-on-refused");
        }
        assert_eq!(log_on(&world, &[], "alice", PASSWORD).await.problem(), "log-on-refused");
        let user = world.get(ADMINISTRATOR, &format!("/v1/users/{id}")).await;
        assert!(user.body["locked_until"].is_string(), "{user:?}");
        world.now.fetch_add(30 * MINUTE, Ordering::Relaxed);
        token(&log_on(&world, &[], "alice", PASSWORD).await);

        for _ in 0..3 {
            wrong().await;
        }
        let (one, two) =
            together(&world, HOUSE, "reset-user", "r", &json!({ "user_id": id })).await;
        assert_eq!(two.status, StatusCode::OK, "{two:?}");
        assert_eq!(log_on(&world, &[], "alice", PASSWORD).await.problem(), "log-on-refused");
        let again = activate(&world, "alice", [&one, &two], PASSWORD).await;
        assert_eq!(
            again.body["errors"][0]["pointer"], "/new_password",
            "he had that one: {again:?}"
        );
        let other = activate(&world, "alice", [&two, &one], "second horse battery").await;
        assert_eq!(other.status, StatusCode::NO_CONTENT, "{other:?}");
        let twice = activate(&world, "alice", [&one, &two], "third horse battery").await;
        assert_eq!(twice.problem(), "log-on-refused");
        token(&log_on(&world, &[], "alice", "second horse battery").await);
    }
}

#[tokio::test]
async fn neither_administrator_alone_can_be_the_user() {
    let database = sqlite();
    let world = world(&database).await;
    let request = json!({ "login": "bob", "name": "Bob Demo", "role": "custodian" });
    let (one, two) = together(&world, HOUSE, "create-user", "b", &request).await;
    assert!(one.body["code"].is_string() && two.body["code"].is_string());
    assert_ne!(one.body["code"], two.body["code"]);
    for told in [[&one, &one], [&two, &two]] {
        assert_eq!(activate(&world, "bob", told, PASSWORD).await.problem(), "log-on-refused");
    }
    // What both can read later has neither code.
    let read = world.get(ADMINISTRATOR, &format!("/v1/approvals/{}", one.id())).await;
    for code in [&one.body["code"], &two.body["code"]] {
        assert!(!read.body.to_string().contains(code.as_str().unwrap()));
    }
    // Codes end too.
    world.now.fetch_add(72 * 60 * MINUTE, Ordering::Relaxed);
    assert_eq!(activate(&world, "bob", [&one, &two], PASSWORD).await.problem(), "log-on-refused");
    let again = json!({ "deed": "create-user", "request": request });
    let proposed = world.post(ADMINISTRATOR, "/v1/approvals", "again", &again).await;
    let path = format!("/v1/approvals/{}/decision", proposed.id());
    let body = json!({ "decision": "approve", "hash": proposed.body["hash"] });
    let second = second_certificate(HOUSE);
    let taken = send(&world, &second, (Method::POST, &path), None, "t", &body).await;
    assert_eq!(taken.body["detail"], "another user has this login");
}

#[tokio::test]
async fn passwords_age_are_not_used_again_and_a_change_ends_all_sessions() {
    for database in databases() {
        let world = world(&database).await;
        alice(&world).await;
        let change = async |old: &str, new: &str| {
            let body = json!({ "institution": HOUSE, "login": "alice", "password": old, "new_password": new });
            post(&world, &[], "/v1/passwords", &body).await
        };
        let session = token(&log_on(&world, &[], "alice", PASSWORD).await);
        let second = "second horse battery";
        assert_eq!(change(PASSWORD, second).await.status, StatusCode::NO_CONTENT);
        assert_eq!(get(&world, &[], &session, "/v1/investors").await.problem(), "token-refused");
        for new in [second, PASSWORD, "short", "the alice password"] {
            let refused = change(second, new).await;
            assert_eq!(refused.body["errors"][0]["pointer"], "/new_password", "{new}");
            token(&log_on(&world, &[], "alice", second).await);
        }
        let third = "third horse battery";
        assert_eq!(change(second, third).await.status, StatusCode::NO_CONTENT);
        assert_eq!(change(third, PASSWORD).await.problem(), "invalid");
        assert_eq!(change(third, "fourth horse battery").await.status, StatusCode::NO_CONTENT);
        // The last three are refused; the first is free again.
        assert_eq!(change("fourth horse battery", PASSWORD).await.status, StatusCode::NO_CONTENT);

        world.now.fetch_add(90 * 1440 * MINUTE, Ordering::Relaxed);
        let old = log_on(&world, &[], "alice", PASSWORD).await;
        assert_eq!((old.status.as_u16(), old.problem()), (403, "password-expired"));
        assert_eq!(
            log_on(&world, &[], "alice", "wrong horse battery").await.problem(),
            "log-on-refused"
        );
        assert_eq!(change(PASSWORD, "fifth horse battery").await.status, StatusCode::NO_CONTENT);
        token(&log_on(&world, &[], "alice", "fifth horse battery").await);
    }
}

#[tokio::test]
async fn a_session_is_good_on_its_own_connection_for_its_time_while_the_user_is_active() {
    let database = sqlite();
    let world = world(&database).await;
    let id = alice(&world).await;
    let card = certificate(Role::Custodian, HOUSE);
    let session = token(&log_on(&world, &card, "alice", PASSWORD).await);
    assert_eq!(get(&world, &card, &session, "/v1/investors").await.status, StatusCode::OK);
    for other in [Vec::new(), certificate(Role::Registrar, HOUSE)] {
        let stolen = get(&world, &other, &session, "/v1/investors").await;
        assert_eq!(stolen.problem(), "token-refused");
    }
    // A wrong token gets nothing, even where the certificate alone would.
    for wrong in ["sdr_", "x", &session.replace("sdr_", "sdr-")] {
        assert_eq!(get(&world, &card, wrong, "/v1/investors").await.problem(), "token-refused");
    }
    // The database holds no token that could be used.
    let kept = sqlx_tokens(&database.url).await;
    assert!(!kept.is_empty() && kept.iter().all(|kept| !session.contains(kept.as_str())));
    world.now.fetch_add(60 * MINUTE, Ordering::Relaxed);
    assert_eq!(get(&world, &card, &session, "/v1/investors").await.problem(), "token-refused");

    let session = token(&log_on(&world, &card, "alice", PASSWORD).await);
    let request = json!({ "user_id": id, "login": "alice", "name": "Alice Demo", "role": "custodian", "status": "suspended" });
    let (_, done) = together(&world, HOUSE, "update-user", "s", &request).await;
    assert_eq!(done.body["result"]["version"], 2, "{done:?}");
    assert_eq!(get(&world, &card, &session, "/v1/investors").await.problem(), "token-refused");
    assert_eq!(log_on(&world, &card, "alice", PASSWORD).await.problem(), "log-on-refused");
    let past = world.get(ADMINISTRATOR, &format!("/v1/users/{id}/history")).await;
    assert_eq!(past.body["items"][1]["content"]["status"], "suspended");
}

#[tokio::test]
async fn users_have_no_role_that_the_configuration_does_not_give_their_institution() {
    let database = sqlite();
    let world = world(&database).await;
    for (institution, role) in
        [("other", "registrar"), (HOUSE, "registrar"), ("other", "regulator")]
    {
        let request = json!({ "login": "carol", "name": "Carol Demo", "role": role });
        let body = json!({ "deed": "create-user", "request": request });
        let refused =
            world.post((Role::Administrator, institution), "/v1/approvals", role, &body).await;
        assert_eq!(refused.body["errors"][0]["pointer"], "/request/role", "{institution} {role}");
    }
}

#[tokio::test]
async fn those_who_try_to_log_on_too_often_wait_and_take_nothing_from_others() {
    let database = sqlite();
    let world = world(&database).await;
    let mut seen = 0;
    for _ in 0..60 {
        // Each look at the clock is a second later, so the clock is held back.
        world.now.store(1_767_225_600_000_000, Ordering::Relaxed);
        let body = json!({ "institution": HOUSE, "login": "x", "password": "y" });
        let answer = post(&world, &[], "/v1/sessions", &body).await;
        if answer.problem() == "too-many-requests" {
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
    let card = certificate(Role::Custodian, HOUSE);
    assert_eq!(log_on(&world, &card, "nobody", PASSWORD).await.problem(), "log-on-refused");
}

#[tokio::test]
async fn those_without_a_certificate_get_documentation_and_log_on_alone() {
    let database = sqlite();
    let world = world(&database).await;
    for path in ["/openapi.json", "/problems/stale"] {
        assert_eq!(
            send(&world, &[], (Method::GET, path), None, "", &Value::Null).await.status,
            StatusCode::OK
        );
    }
    for path in ["/v1/investors", "/v1/users", "/v1/approvals", "/v1/nothing", "/nothing"] {
        let refused = send(&world, &[], (Method::GET, path), None, "", &Value::Null).await;
        assert_eq!((refused.status.as_u16(), refused.problem()), (401, "unknown-client"), "{path}");
    }
}

async fn sqlx_tokens(url: &str) -> Vec<String> {
    use sqlx::Row;
    let pool = sqlx::AnyPool::connect(url).await.unwrap();
    let rows = sqlx::query("SELECT token FROM session").fetch_all(&pool).await.unwrap();
    rows.iter().map(|row| row.get("token")).collect()
}
