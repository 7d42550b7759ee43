//! Four eyes over HTTP: proposals, and what second persons say to them.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Api;
use super::manners::{
    Body, Caller, PageOf, Why, by, fingerprint, id_cursor, idempotency_key, instant, json_of,
    limit_of, page_view,
};
use super::problem::Problem;
use super::signed::Signature;
use crate::access::Client;
use crate::approvals::{Decision, Person, Proposal, State};
use crate::masters::FieldError;
use crate::store::{Decided, Within, Written};

const PATH: &str = "/v1/approvals";

/// Which page of which state.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    limit: Option<usize>,
    cursor: Option<String>,
    state: Option<String>,
}

/// The paths of approvals.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route(PATH, get(list).post(propose))
        .route("/v1/approvals/{id}", get(read))
        .route("/v1/approvals/{id}/decision", post(decide))
        .route("/v1/approvals/{id}/signatures", get(signatures))
}

async fn list(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let (client, deeds) = admit(&api, client)?;
    let Query(query) = query.map_err(|_| {
        Problem::Malformed("the query takes `limit`, `cursor` and `state` alone, once each".into())
    })?;
    let limit = limit_of(query.limit)?;
    let after = id_cursor(query.cursor)?;
    let state = match &query.state {
        None => None,
        Some(name) => Some(State::named(name).ok_or_else(|| {
            Problem::Malformed(format!(
                "`state` must be one of: {}",
                State::ALL.map(State::name).join(", ")
            ))
        })?),
    };
    let within = Within { institution: &client.institution, deeds: &deeds };
    let more = limit.saturating_add(1);
    let found = api.0.store.proposals(within, state, after.as_deref(), more, api.now()).await?;
    let items: Vec<Value> = found.iter().take(limit).map(view).collect();
    let last = found.iter().take(limit).next_back().filter(|_| found.len() > limit);
    let of_state = query.state.map_or_else(String::new, |state| format!("&state={state}"));
    let next = last.map(|last| format!("{PATH}?limit={limit}&cursor={}{of_state}", last.id));
    Ok(Json(page_view(items, next)).into_response())
}

async fn propose(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Extension(signed): Signature,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (client, deeds) = admit(&api, client)?;
    let key = idempotency_key(&headers)?;
    let (body, bytes) = json_of(&headers, body)?;
    let members = object(&body, &["deed", "request"])?;
    let (name, request) = (text(members, "deed")?, members.get("request"));
    let unknown = || {
        Problem::Invalid(vec![FieldError::new("deed", "must be the name of what two people do")])
    };
    let deed = api.0.deeds.named(name).ok_or_else(unknown)?;
    if !deeds.contains(&deed.name()) {
        return Err(Problem::Forbidden);
    }
    let change = api.change(&client, signed.as_ref());
    let request =
        request.ok_or_else(|| Problem::Invalid(vec![FieldError::new("request", "is required")]))?;
    let prepared =
        deed.prepare(request, change).map_err(|errors| Problem::Invalid(within_request(errors)))?;
    let print = fingerprint(PATH, &bytes);
    let written = api
        .0
        .store
        .propose(deed.name(), prepared, &Person::of(&client), change, (&key, &print))
        .await?;
    let (id, code) = match written {
        (Written::Row(id, _), code) => (id, code),
        (Written::OtherRequest, _) => return Err(Problem::KeyReused),
        _ => return Err(Problem::Internal),
    };
    let within = Within { institution: &client.institution, deeds: &deeds };
    let proposal = api.0.store.proposal(&id, within, api.now()).await?.ok_or(Problem::Internal)?;
    let mut answer = (StatusCode::CREATED, Json(with_code(view(&proposal), code))).into_response();
    let location = HeaderValue::from_str(&format!("{PATH}/{id}")).map_err(|_| Problem::Internal)?;
    answer.headers_mut().insert(header::LOCATION, location);
    Ok(answer)
}

async fn read(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (client, deeds) = admit(&api, client)?;
    let within = Within { institution: &client.institution, deeds: &deeds };
    let proposal = api.0.store.proposal(&id, within, api.now()).await?;
    Ok(Json(view(&proposal.ok_or(Problem::NotFound)?)).into_response())
}

async fn signatures(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
    page: PageOf,
) -> Result<Response, Problem> {
    let (client, deeds) = admit(&api, client)?;
    let within = Within { institution: &client.institution, deeds: &deeds };
    api.0.store.proposal(&id, within, api.now()).await?.ok_or(Problem::NotFound)?;
    super::signed::page(&api, ("approval", &id), PATH, page, by(&client)).await
}

async fn decide(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Extension(signed): Signature,
    Path(id): Path<String>,
    why: Why,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (client, deeds) = admit(&api, client)?;
    let key = idempotency_key(&headers)?;
    let (body, bytes) = json_of(&headers, body)?;
    let members = object(&body, &["decision", "hash"])?;
    let decision = match text(members, "decision")? {
        "approve" => Decision::Approve,
        "refuse" => Decision::Refuse,
        "withdraw" => Decision::Withdraw,
        _ => {
            return Err(Problem::Invalid(vec![FieldError::new(
                "decision",
                "must be approve, refuse or withdraw",
            )]));
        }
    };
    let hash = text(members, "hash")?;
    let within = Within { institution: &client.institution, deeds: &deeds };
    let found = api.0.store.proposal(&id, within, api.now()).await?.ok_or(Problem::NotFound)?;
    let deed = api.0.deeds.named(&found.deed).ok_or(Problem::NotFound)?;
    let change = api.change(&client, signed.as_ref()).because(why.reason());
    let print = fingerprint(&format!("{PATH}/{id}/decision"), &bytes);
    let person = Person::of(&client);
    let decided =
        api.0.store.decide((&id, hash), (decision, deed), &person, change, (&key, &print));
    match decided.await? {
        Decided::Now(proposal, code) => {
            api.erase_now().await;
            Ok(Json(with_code(view(&proposal), code)).into_response())
        }
        Decided::OtherRequest => Err(Problem::KeyReused),
        Decided::Absent => Err(Problem::NotFound),
        Decided::OtherHash => Err(Problem::Invalid(vec![FieldError::new(
            "hash",
            "must be the `hash` of the proposal",
        )])),
        Decided::Over => Err(Problem::Decided),
        Decided::Person => Err(Problem::SamePerson),
        Decided::Impossible(why) => Err(Problem::Impossible(why)),
        Decided::Refused(why) => Err(Problem::Refused(why)),
    }
}

/// [AUT-2]: the caller and the deeds that it may propose and approve; refused if there are none.
fn admit(api: &Api, client: Option<Client>) -> Result<(Client, Vec<&'static str>), Problem> {
    let client = client.ok_or(Problem::UnknownClient)?;
    let deeds = api.0.deeds.of(&client, &api.0.house);
    if deeds.is_empty() { Err(Problem::Forbidden) } else { Ok((client, deeds)) }
}

fn object<'a>(body: &'a Value, names: &[&str]) -> Result<&'a Map<String, Value>, Problem> {
    let root = |detail: &str| FieldError { pointer: String::new(), detail: detail.into() };
    let Value::Object(members) = body else {
        return Err(Problem::Invalid(vec![root("must be an object")]));
    };
    let unknown = members.keys().find(|name| !names.contains(&name.as_str()));
    match unknown {
        Some(_) => {
            Err(Problem::Invalid(vec![root(&format!("takes {} alone", names.join(" and ")))]))
        }
        None => Ok(members),
    }
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, Problem> {
    let wrong = |detail: &str| Problem::Invalid(vec![FieldError::new(name, detail)]);
    let value = members.get(name).ok_or_else(|| wrong("is required"))?;
    value.as_str().ok_or_else(|| wrong("must be a string"))
}

/// Errors of a deed's request point into the body that holds it.
fn within_request(mut errors: Vec<FieldError>) -> Vec<FieldError> {
    for error in &mut errors {
        error.pointer.insert_str(0, "/request");
    }
    errors
}

fn with_code(mut view: Value, code: Option<String>) -> Value {
    if let (Some(code), Value::Object(members)) = (code, &mut view) {
        members.insert("code".into(), code.into());
    }
    view
}

fn view(proposal: &Proposal) -> Value {
    let mut view = json!({
        "id": proposal.id,
        "deed": proposal.deed,
        "request": proposal.request,
        "hash": proposal.hash,
        "state": proposal.state.name(),
        "proposed_at": instant(proposal.proposed_at),
        "proposed_by": proposal.proposed_by.name,
        "expires_at": instant(proposal.expires_at),
    });
    if let Value::Object(members) = &mut view {
        if let Some((at, by)) = &proposal.decided {
            members.insert("decided_at".into(), instant(*at));
            members.insert("decided_by".into(), by.name.clone().into());
        }
        if let Some(result) = &proposal.result {
            members.insert("result".into(), result.clone());
        }
    }
    view
}
