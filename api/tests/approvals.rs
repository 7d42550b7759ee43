//! Four eyes: what two people do is done once, by two, and both are on record.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::{Any, Transaction};
use sudare_api::access::Role;
use sudare_api::approvals::{
    Decision, Deed, Deeds, Done, OPEN_FOR_US, Performing, Person, Prepared, Proposal,
};
use sudare_api::masters::{Field, FieldError, Kind};
use sudare_api::personal::Trail;
use sudare_api::store::{
    AnnotateRegister, Change, EraseInvestor, LiftHold, PermitTransfers, PlaceHold, SetMarket,
};
use sudare_api::users::{CreateUser, ResetUser, UpdateUser};

use support::{
    Answer, HOUSE, ISIN, World, databases, fullest, smallest, sqlite, world, world_with,
};

const MAKER: (Role, &str) = (Role::Registrar, HOUSE);
const CHECKER: (Role, &str) = (Role::Custodian, HOUSE);

/// Renames a settlor, and tells both people a secret.
#[derive(Debug)]
struct Rename;

impl Deed for Rename {
    fn name(&self) -> &'static str {
        "rename-settlor"
    }
    fn about(&self) -> &'static str {
        "renames a settlor"
    }
    fn roles(&self) -> &'static [Role] {
        &[Role::Registrar, Role::Custodian]
    }
    fn of_the_house(&self) -> bool {
        false
    }
    fn fields(&self) -> &'static [Field] {
        &[]
    }
    fn schema(&self) -> Value {
        json!({ "type": "object" })
    }
    fn prepare(&self, request: &Value, _: Change<'_>) -> Result<Prepared, Vec<FieldError>> {
        if request["name"].is_string() {
            Ok(Prepared { request: request.clone(), code: Some("first half".into()) })
        } else {
            Err(vec![FieldError::new("name", "is required")])
        }
    }
    fn perform<'a>(
        &'a self,
        tx: &'a mut Transaction<'static, Any>,
        proposal: &'a Proposal,
        _: Change<'a>,
    ) -> Performing<'a> {
        Box::pin(async move {
            let text = "UPDATE settlor SET name = $1, version = version + 1";
            let name = proposal.request["name"].as_str().unwrap().to_owned();
            sqlx::query(text).bind(name.clone()).execute(&mut **tx).await?;
            if name == "Impossible" {
                return Ok(Done::Impossible("that name is taken"));
            }
            let result = json!({ "renamed": true });
            Ok(Done::Done { result, code: Some("second half".into()) })
        })
    }
}

async fn a_world(database: &support::Database) -> World {
    let world = world_with(database, vec![Arc::new(Rename)]).await;
    let made = world.post(MAKER, "/v1/settlors", "s", &smallest(Kind::Settlor)).await;
    assert_eq!(made.status, StatusCode::CREATED);
    world
}

async fn propose(world: &World, who: (Role, &str), key: &str, name: &str) -> Answer {
    let body = json!({ "deed": "rename-settlor", "request": { "name": name } });
    world.post(who, "/v1/approvals", key, &body).await
}

async fn decide(
    world: &World,
    who: (Role, &str),
    key: &str,
    proposal: &Answer,
    decision: &str,
) -> Answer {
    let body = json!({ "decision": decision, "hash": proposal.body["hash"] });
    world.post(who, &format!("/v1/approvals/{}/decision", proposal.id()), key, &body).await
}

async fn name(world: &World) -> (String, u64) {
    let page = world.get(MAKER, "/v1/settlors").await;
    let row = &page.body["items"][0];
    (row["name"].as_str().unwrap().to_owned(), row["version"].as_u64().unwrap())
}

#[tokio::test]
async fn what_is_proposed_by_one_is_done_once_when_another_approves_and_both_are_kept() {
    for database in databases() {
        let world = a_world(&database).await;
        let proposed = propose(&world, MAKER, "p", "New Name").await;
        assert_eq!(proposed.status, StatusCode::CREATED, "{proposed:?}");
        assert_eq!(
            (&proposed.body["state"], &proposed.body["code"]),
            (&json!("open"), &json!("first half"))
        );
        assert_eq!(name(&world).await.1, 1);
        // Not by the same person, under whatever key; and a secret is told once.
        let own = decide(&world, MAKER, "d", &proposed, "approve").await;
        assert_eq!((own.status.as_u16(), own.problem()), (403, "same-person"));
        let again = propose(&world, MAKER, "p", "New Name").await;
        assert_eq!((again.id(), &again.body["code"]), (proposed.id(), &Value::Null));
        let other_body = propose(&world, MAKER, "p", "Other Name").await;
        assert_eq!(other_body.problem(), "idempotency-key-reused");

        let done = decide(&world, CHECKER, "d", &proposed, "approve").await;
        assert_eq!(done.status, StatusCode::OK, "{done:?}");
        assert_eq!(
            (&done.body["state"], &done.body["code"]),
            (&json!("done"), &json!("second half"))
        );
        assert_eq!((&done.body["result"]["renamed"]), &json!(true));
        assert_eq!(name(&world).await, ("New Name".to_owned(), 2));
        // The same request again says so again; another one is too late.
        let same = decide(&world, CHECKER, "d", &proposed, "approve").await;
        assert_eq!((same.status.as_u16(), &same.body["code"]), (200, &Value::Null));
        let late = decide(&world, CHECKER, "e", &proposed, "approve").await;
        assert_eq!((late.status.as_u16(), late.problem()), (409, "decided"));
        assert_eq!(name(&world).await.1, 2);

        let read = world.get(MAKER, &format!("/v1/approvals/{}", proposed.id())).await;
        assert_eq!(read.body["proposed_by"], "registrar at house");
        assert_eq!(read.body["decided_by"], "custodian at house");
        assert_eq!(read.body["request"], json!({ "name": "New Name" }));
        assert!(!read.body.to_string().contains("half"), "{read:?}");
    }
}

#[tokio::test]
async fn of_two_who_approve_at_the_same_time_one_does_it() {
    for database in databases() {
        let world = a_world(&database).await;
        let proposed = propose(&world, MAKER, "p", "New Name").await;
        let decide = |key| decide(&world, CHECKER, key, &proposed, "approve");
        let answers = tokio::join!(decide("a"), decide("b"), decide("c"), decide("d"));
        let answers = [answers.0, answers.1, answers.2, answers.3];
        let done = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
        let late = answers.iter().filter(|answer| answer.status == StatusCode::CONFLICT).count();
        assert_eq!((done, late), (1, 3), "{answers:?}");
        assert_eq!(name(&world).await.1, 2);
    }
}

#[tokio::test]
async fn a_proposal_is_refused_by_another_withdrawn_by_its_own_and_ends_by_itself() {
    let database = sqlite();
    let world = a_world(&database).await;
    let one = propose(&world, MAKER, "1", "One").await;
    let not_his = decide(&world, CHECKER, "w", &one, "withdraw").await;
    assert_eq!(not_his.problem(), "same-person");
    let withdrawn = decide(&world, MAKER, "w", &one, "withdraw").await;
    assert_eq!(withdrawn.body["state"], "withdrawn");
    let two = propose(&world, MAKER, "2", "Two").await;
    assert_eq!(decide(&world, MAKER, "r", &two, "refuse").await.problem(), "same-person");
    assert_eq!(decide(&world, CHECKER, "r", &two, "refuse").await.body["state"], "refused");
    for over in [&one, &two] {
        assert_eq!(decide(&world, CHECKER, "late", over, "approve").await.problem(), "decided");
    }
    let three = propose(&world, MAKER, "3", "Three").await;
    world.now.fetch_add(OPEN_FOR_US, Ordering::Relaxed);
    let late = decide(&world, CHECKER, "x", &three, "approve").await;
    assert_eq!((late.status.as_u16(), late.problem()), (409, "decided"));
    let four = propose(&world, MAKER, "4", "Four").await;
    for (state, id) in
        [("withdrawn", &one), ("refused", &two), ("expired", &three), ("open", &four)]
    {
        let page = world.get(CHECKER, &format!("/v1/approvals?state={state}")).await;
        let items = page.body["items"].as_array().unwrap();
        assert_eq!((items.len(), &items[0]["id"]), (1, &id.body["id"]), "{state}");
        assert_eq!(items[0]["state"], state);
    }
    let page = world.get(CHECKER, "/v1/approvals?limit=3").await;
    let next = world.get(CHECKER, page.body["next"].as_str().unwrap()).await;
    assert_eq!(next.body["items"].as_array().unwrap().len(), 1);
    assert_eq!(name(&world).await.1, 1);
}

#[tokio::test]
async fn who_approves_says_what_and_what_is_impossible_changes_nothing() {
    for database in databases() {
        let world = a_world(&database).await;
        let proposed = propose(&world, MAKER, "p", "Impossible").await;
        let path = format!("/v1/approvals/{}/decision", proposed.id());
        let body = json!({ "decision": "approve", "hash": "0".repeat(64) });
        let blind = world.post(CHECKER, &path, "k", &body).await;
        assert_eq!(
            (blind.problem(), &blind.body["errors"][0]["pointer"]),
            ("invalid", &json!("/hash"))
        );
        let failed = decide(&world, CHECKER, "k", &proposed, "approve").await;
        assert_eq!((failed.status.as_u16(), failed.problem()), (409, "impossible"));
        assert_eq!(failed.body["detail"], "that name is taken");
        assert_ne!(name(&world).await.0, "Impossible");
        let read = world.get(MAKER, &format!("/v1/approvals/{}", proposed.id())).await;
        assert_eq!(read.body["state"], "open");

        let body = json!({ "deed": "rename-settlor", "request": {} });
        let wrong = world.post(MAKER, "/v1/approvals", "w", &body).await;
        assert_eq!(wrong.body["errors"][0]["pointer"], "/request/name");
        let body = json!({ "deed": "nothing", "request": {} });
        let unknown = world.post(MAKER, "/v1/approvals", "w", &body).await;
        assert_eq!(unknown.body["errors"][0]["pointer"], "/deed");
    }
}

#[tokio::test]
async fn every_cell_of_who_proposes_and_approves_holds() {
    let database = sqlite();
    let world = world(&database).await;
    let deeds = deeds();
    for deed in deeds.iter() {
        let request = match deed.name() {
            "annotate-register" => json!({ "beneficial_interest_id": "0".repeat(32) }),
            "open-market" | "close-market" => json!({}),
            "permit-transfers" => {
                json!({ "beneficial_interest_id": "0".repeat(32), "transfers": "stopped" })
            }
            "create-user" => json!({ "login": "nobody", "name": "No Body", "role": "custodian" }),
            "update-user" => json!({
                "user_id": "0".repeat(32), "login": "nobody", "name": "No Body", "role": "custodian", "status": "closed",
            }),
            "reset-user" => json!({ "user_id": "0".repeat(32) }),
            "erase-investor" => json!({ "investor_id": "0".repeat(32), "reason": "asked for" }),
            "place-hold" => {
                json!({ "investor_id": "0".repeat(32), "reason": "asked for", "until": "2031-07-18" })
            }
            "lift-hold" => json!({ "hold_id": "0".repeat(32), "reason": "asked for" }),
            other => panic!("no request for {other}"),
        };
        for role in Role::ALL {
            for institution in [HOUSE, "other"] {
                let mut request = request.clone();
                if institution == "other" && request.get("role").is_some() {
                    request["role"] = json!("entrusting-broker");
                }
                let body = json!({ "deed": deed.name(), "request": request });
                let may =
                    deed.roles().contains(&role) && (!deed.of_the_house() || institution == HOUSE);
                let at = format!("{}-{role}-{institution}", deed.name());
                let made = world.post((role, institution), "/v1/approvals", &at, &body).await;
                assert_eq!(made.status.as_u16(), if may { 201 } else { 403 }, "{at}");
                if !may {
                    continue;
                }
                // Whoever may propose it for the same institution sees it and may decide, nobody else.
                for other in Role::ALL {
                    for theirs in [HOUSE, "other"] {
                        let who = (other, theirs);
                        let within = deed.roles().contains(&other) && theirs == institution;
                        let any = deeds.iter().any(|deed| {
                            deed.roles().contains(&other)
                                && (!deed.of_the_house() || theirs == HOUSE)
                        });
                        let seen = if within {
                            200
                        } else if any {
                            404
                        } else {
                            403
                        };
                        let at = format!("{other} of {theirs} on {at}");
                        let read = world.get(who, &format!("/v1/approvals/{}", made.id())).await;
                        assert_eq!(read.status.as_u16(), seen, "{at}");
                        let own = who == (role, institution);
                        let key = format!("{}-{other}-{theirs}", &made.id()[20..]);
                        let refused = decide(&world, who, &key, &made, "refuse").await;
                        let expected = match (within, own) {
                            (true, true) => 403,
                            (true, false) => 200,
                            _ => seen,
                        };
                        // The first who may has refused it; the others are late.
                        let late = within && refused.status.as_u16() == 409;
                        assert!(late || refused.status.as_u16() == expected, "{at}: {refused:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn one_person_is_one_under_any_name_with_the_same_key() {
    let person = |name: &str, certificate: &str| Person {
        name: name.into(),
        certificate: certificate.into(),
    };
    let desk = person("desk", "aa");
    assert!(desk.may_be(&person("desk", "bb")), "one client with another key");
    assert!(desk.may_be(&person("token/desk", "aa")), "a token for the same key");
    assert!(desk.may_be(&person("user/1", "aa")), "a user beside the key");
    assert!(!desk.may_be(&person("other", "bb")));
    let (one, two) = (person("user/1", "aa"), person("user/2", "aa"));
    assert!(!one.may_be(&two) && one.may_be(&one));
    assert!(!person("user/1", "").may_be(&person("user/2", "")));
}

#[tokio::test]
async fn an_erased_investor_leaves_nothing_in_row_history_or_keys() {
    for database in databases() {
        let world = world(&database).await;
        let custodian =
            world.post(MAKER, "/v1/custodians", "c", &smallest(Kind::Custodian)).await.id();
        let place = world
            .post(MAKER, "/v1/safekeeping-places", "s", &smallest(Kind::SafekeepingPlace))
            .await
            .id();
        let mut full = fullest(Kind::Investor, |of| {
            if of == Kind::Custodian { custodian.clone() } else { place.clone() }
        });
        full["status"] = json!("active");
        let made = world.post(MAKER, "/v1/investors", "i", &full).await;
        let path = made.header("location").to_owned();
        let body = json!({ "deed": "erase-investor", "request": { "investor_id": made.id(), "reason": "asked for" } });
        let proposed = world.post(MAKER, "/v1/approvals", "p", &body).await;
        let early = decide(&world, CHECKER, "k", &proposed, "approve").await;
        assert_eq!(
            (early.problem(), &early.body["detail"]),
            ("impossible", &json!("the investor's status must be `closed` first"))
        );
        full["status"] = json!("closed");
        assert_eq!(world.put(MAKER, &path, "\"v1\"", &full).await.status, StatusCode::OK);
        let done = decide(&world, CHECKER, "k", &proposed, "approve").await;
        assert_eq!(
            (done.status.as_u16(), &done.body["result"]["version"]),
            (200, &json!(3)),
            "{done:?}"
        );

        let read = world.get(MAKER, &path).await;
        assert_eq!(
            (&read.body["name"], &read.body["address"]),
            (&json!("erased"), &json!("erased"))
        );
        assert_eq!(read.body["version"], 3);
        for field in Kind::Investor.fields().filter(|field| !field.required) {
            assert!(read.body.get(field.name).is_none(), "{}", field.name);
        }
        let past = world.get(MAKER, &format!("{path}/history")).await;
        let items = past.body["items"].as_array().unwrap();
        assert!(items.len() == 3 && items.iter().all(|item| item.get("content").is_none()));
        // What could be guessed from the key's hash is gone too: the key is free again.
        let again = world.post(MAKER, "/v1/investors", "i", &full).await;
        assert_ne!(again.id(), made.id());
        // Rows of others are as if they weren't there.
        let other = [(Role::Registrar, "other"), (Role::Custodian, "other")];
        let proposed = world.post(other[0], "/v1/approvals", "p", &body).await;
        let absent = decide(&world, other[1], "k", &proposed, "approve").await;
        assert_eq!(absent.body["detail"], "there is no such investor");
    }
}

#[tokio::test]
async fn the_register_s_annotation_is_changed_by_two_people_alone() {
    for database in databases() {
        let world = world(&database).await;
        let mut product = smallest(Kind::BeneficialInterest);
        product["register_annotation"] = json!("alone");
        let path = "/v1/beneficial-interests";
        let refused = world.post(MAKER, path, "r", &product).await;
        assert_eq!(refused.body["errors"][0]["pointer"], "/register_annotation");
        product.as_object_mut().unwrap().remove("register_annotation");
        let made = world.post(MAKER, path, "m", &product).await;
        let request = json!({ "beneficial_interest_id": made.id(), "annotation": "pledged" });
        let body = json!({ "deed": "annotate-register", "request": request });
        let proposed = world.post(MAKER, "/v1/approvals", "p", &body).await;
        // The registrar's role alone may, and the house has one registrar here: a second one approves.
        let alone = decide(&world, CHECKER, "k", &proposed, "approve").await;
        assert_eq!(alone.status.as_u16(), 404);
        let second = Person { name: "second registrar".into(), certificate: "bb".into() };
        let change = Change {
            client: &second.name,
            institution: HOUSE,
            now: 1_767_225_700_000_000,
            signed: None,
            reason: "",
        };
        let hash = proposed.body["hash"].as_str().unwrap();
        let deed: &dyn Deed = &AnnotateRegister;
        let decided = world
            .store
            .decide((&proposed.id(), hash), (Decision::Approve, deed), &second, change, ("k", "r"))
            .await
            .unwrap();
        assert!(matches!(decided, sudare_api::store::Decided::Now(..)), "{decided:?}");
        let read = world.get(MAKER, made.header("location")).await;
        assert_eq!(
            (&read.body["register_annotation"], &read.body["version"]),
            (&json!("pledged"), &json!(2))
        );
        // Whoever replaces the row's values keeps it.
        product["isin"] = json!(ISIN);
        let put = world.put(MAKER, made.header("location"), "\"v2\"", &product).await;
        assert_eq!(put.status, StatusCode::OK);
        let read = world.get(MAKER, made.header("location")).await;
        assert_eq!(read.body["register_annotation"], "pledged");
        let past = world.get(MAKER, &format!("{}/history", made.header("location"))).await;
        assert_eq!(past.body["items"][2]["content"]["register_annotation"], "pledged");
        assert_eq!(past.body["items"][1]["by"], "second registrar");
    }
}

#[test]
fn who_proposes_and_approves_stands_in_the_specification() {
    let page = include_str!("../../specs/api.md");
    let matrix = deeds().matrix();
    assert!(page.contains(&matrix), "put this into specs/api.md:\n{matrix}");
}

fn deeds() -> Deeds {
    Deeds::new(vec![
        Arc::new(AnnotateRegister),
        Arc::new(PermitTransfers),
        Arc::new(SetMarket { open: true }),
        Arc::new(SetMarket { open: false }),
        Arc::new(EraseInvestor { house: HOUSE.into(), node: None, trail: Trail::default() }),
        Arc::new(PlaceHold { house: HOUSE.into() }),
        Arc::new(LiftHold { house: HOUSE.into() }),
        Arc::new(CreateUser { users: support::users() }),
        Arc::new(UpdateUser { users: support::users() }),
        Arc::new(ResetUser),
    ])
}
