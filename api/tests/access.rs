//! Who may do what with which rows, cell by cell of the matrix.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

mod support;

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;
use sudare_api::access::{Action, Role, Scope, matrix, scope};
use sudare_api::http::{Api, ClientsError, Setup};
use sudare_api::masters::Kind;

use support::{HOUSE, OTHER_ISIN, World, client, smallest, sqlite, world};

/// A row of the house, one of the other institution; both of a registrar, who may make all kinds.
async fn rows(world: &World, kind: Kind) -> [String; 2] {
    let path = format!("/v1/{}", kind.path());
    let mut theirs = smallest(kind);
    if kind == Kind::BeneficialInterest {
        theirs["isin"] = json!(OTHER_ISIN);
    }
    let house =
        world.post((Role::Registrar, HOUSE), &path, &format!("h-{path}"), &smallest(kind)).await;
    let other = world.post((Role::Registrar, "other"), &path, &format!("o-{path}"), &theirs).await;
    assert_eq!((house.status, other.status), (StatusCode::CREATED, StatusCode::CREATED));
    [house.id(), other.id()]
}

#[tokio::test]
async fn every_cell_of_the_matrix_holds_for_rows_of_the_own_and_of_other_institutions() {
    let database = sqlite();
    let world = world(&database).await;
    for kind in Kind::ALL {
        let path = format!("/v1/{}", kind.path());
        let [house, other] = rows(&world, kind).await;
        for role in Role::ALL {
            for (institution, owns) in [(HOUSE, [true, false]), ("other", [false, true])] {
                let who = (role, institution);
                for (id, is_own, is_asset) in [(&house, owns[0], true), (&other, owns[1], false)] {
                    let one = format!("{path}/{id}");
                    let at = format!("{role} of {institution} on {one}");
                    let expect = |action| match scope(role, kind, action) {
                        Scope::Nothing => 403,
                        Scope::House if institution == HOUSE || is_own => 200,
                        Scope::Own if is_own => 200,
                        Scope::Assets if is_asset => 200,
                        _ => 404,
                    };
                    let read = world.get(who, &one).await;
                    assert_eq!(read.status.as_u16(), expect(Action::Read), "read, {at}");
                    let past = world.get(who, &format!("{one}/history")).await;
                    assert_eq!(past.status.as_u16(), expect(Action::Read), "history, {at}");
                    let listed = world.get(who, &format!("{path}?limit=200")).await;
                    match scope(role, kind, Action::Read) {
                        Scope::Nothing => assert_eq!(listed.status.as_u16(), 403, "list, {at}"),
                        _ => {
                            let items = listed.body["items"].as_array().unwrap();
                            let seen = items.iter().any(|item| item["id"] == **id);
                            assert_eq!(seen, expect(Action::Read) == 200, "list, {at}");
                        }
                    }
                    let etag =
                        world.get((Role::Registrar, HOUSE), &one).await.header("etag").to_owned();
                    let row = world.get((Role::Registrar, HOUSE), &one).await.body;
                    let mut body = smallest(kind);
                    if kind == Kind::BeneficialInterest {
                        body["isin"] = row["isin"].clone();
                    }
                    let written = world.put(who, &one, &etag, &body).await;
                    assert_eq!(written.status.as_u16(), expect(Action::Update), "update, {at}");
                }
                let key = format!("{role}-{institution}-{path}");
                let made = world.post(who, &path, &key, &smallest(kind)).await;
                let expected = match scope(role, kind, Action::Create) {
                    Scope::Nothing => 403,
                    _ => 201,
                };
                assert_eq!(made.status.as_u16(), expected, "create, {key}");
                if expected == 201 {
                    let owner = world.get((Role::Registrar, HOUSE), made.header("location")).await;
                    assert_eq!(owner.body["owner"], institution);
                }
            }
        }
    }
}

#[tokio::test]
async fn what_belongs_to_others_answers_as_if_it_were_not_there() {
    let database = sqlite();
    let world = world(&database).await;
    let [house, _] = rows(&world, Kind::Investor).await;
    let broker = (Role::EntrustingBroker, "other");
    let theirs = world.get(broker, &format!("/v1/investors/{house}")).await;
    let absent = world.get(broker, &format!("/v1/investors/{}", "0".repeat(32))).await;
    let plain = |mut answer: support::Answer| {
        answer.body["trace_id"] = json!("");
        (answer.status, answer.body)
    };
    assert_eq!(plain(theirs), plain(absent));
    // Not by an `ETag` either, nor by a reference.
    let path = format!("/v1/investors/{house}");
    let (right, wrong) = (
        world.put(broker, &path, "\"v1\"", &smallest(Kind::Investor)).await,
        world.put(broker, &path, "\"v7\"", &smallest(Kind::Investor)).await,
    );
    assert_eq!(plain(right), plain(wrong));
    let [place, _] = rows(&world, Kind::SafekeepingPlace).await;
    let mut refers = Vec::new();
    for id in [place, "0".repeat(32)] {
        let mut body = smallest(Kind::Investor);
        body["safekeeping_place_id"] = json!(id);
        refers.push(plain(world.post(broker, "/v1/investors", "k", &body).await));
    }
    assert_eq!(refers[0].0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refers[0], refers[1]);
}

#[tokio::test]
async fn a_certificate_that_no_client_has_gets_nothing() {
    let database = sqlite();
    let world = world(&database).await;
    for path in ["/v1/investors", "/openapi.json", "/problems/stale", "/v1/nothing"] {
        let request = axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let answer = world.send(b"somebody else's", request).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (401, "unknown-client"), "{path}");
    }
}

#[tokio::test]
async fn clients_that_can_not_be_told_apart_are_refused() {
    let database = sqlite();
    let world = world(&database).await;
    let new = |clients| {
        Api::new(
            world.store.clone(),
            Setup { house: HOUSE.into(), clients, ..Setup::default() },
            Arc::new(|| 0),
        )
    };
    let (one, mut two) = (client(Role::Issuer, "a"), client(Role::Issuer, "b"));
    two.certificate.clone_from(&one.certificate);
    assert!(matches!(new(vec![one.clone(), two.clone()]), Err(ClientsError::Twice(_))));
    two = client(Role::Issuer, "b");
    two.name.clone_from(&one.name);
    assert!(matches!(new(vec![one.clone(), two.clone()]), Err(ClientsError::Twice(_))));
    two = client(Role::Issuer, "b");
    two.certificate = two.certificate.to_uppercase();
    assert!(matches!(new(vec![one.clone(), two]), Err(ClientsError::Certificate(_))));
    for (name, institution) in [("n".repeat(129), HOUSE.into()), ("n".into(), "i".repeat(65))] {
        let long = sudare_api::access::Client { name, institution, ..one.clone() };
        assert!(matches!(new(vec![long]), Err(ClientsError::Long(_))));
    }
}

#[test]
fn the_matrix_in_the_specification_is_the_one_in_force() {
    let page = include_str!("../../specs/api.md");
    assert!(page.contains(&matrix()), "put this into specs/api.md:\n{}", matrix());
}
