//! What became of instructions: read, listed as of one moment, cancelled.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use sudare_crypto::NodeId;
use sudare_ledger::messages::Reason;

use super::Api;
use super::instructions::{accepted, taking};
use super::manners::{
    Body, Caller, PageOf, by, fingerprint, idempotency_key, instant, json_of, limit_of, page_view,
};
use super::problem::Problem;
use super::signed::{Signature, page as signed_requests};
use crate::access::{Client, Reach};
use crate::flows::{Outgoing, Saying, State, Unanswered, ms, widest};
use crate::masters::{is_id, validate_fields};
use crate::store::{Operation, Pin, Written};

/// The path of all operations.
pub(super) const PATH: &str = "/v1/operations";

/// Which page of which state.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    limit: Option<usize>,
    cursor: Option<String>,
    state: Option<String>,
}

/// The paths of operations.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route(PATH, get(list))
        .route("/v1/operations/{id}", get(read))
        .route("/v1/operations/{id}/cancellation", post(cancel))
        .route("/v1/operations/{id}/messages/{message}", get(message))
        .route("/v1/operations/{id}/hops", get(hops))
        .route("/v1/operations/{id}/signatures", get(signatures))
}

async fn list(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let (_, whose) = admit(&api, client)?;
    let Query(query) = query.map_err(|_| {
        Problem::Malformed("the query takes `limit`, `cursor` and `state` alone, once each".into())
    })?;
    let limit = limit_of(query.limit)?;
    let state = match &query.state {
        None => None,
        Some(name) => Some(State::named(name).ok_or_else(|| {
            let names = State::ALL.map(State::name).join(", ");
            Problem::Malformed(format!("`state` must be one of: {names}"))
        })?),
    };
    let (pin, after) = moment(&api, query.cursor.as_deref()).await?;
    let more = limit.saturating_add(1);
    let found = api.0.store.operations(&whose, pin, state, &after, more).await?;
    let items: Vec<Value> = found.iter().take(limit).map(view).collect();
    let last = found.iter().take(limit).next_back().filter(|_| found.len() > limit);
    let of_state = query.state.map_or_else(String::new, |state| format!("&state={state}"));
    let next =
        last.map(|last| format!("{PATH}?limit={limit}&cursor={}-{}{of_state}", pin.event, last.id));
    let mut page = page_view(items, next);
    if let Value::Object(members) = &mut page {
        members.insert("as_of".into(), json!({ "event": pin.event, "height": pin.height }));
    }
    Ok(Json(page).into_response())
}

/// The moment that a cursor has pinned, and after which id it goes on; without one now, from the start.
async fn moment(api: &Api, cursor: Option<&str>) -> Result<(Pin, String), Problem> {
    let wrong = || Problem::Malformed("`cursor` must be one that a page has given".into());
    let Some(cursor) = cursor else {
        let pin = api.0.store.pin(None).await?.ok_or(Problem::Internal)?;
        return Ok((pin, String::new()));
    };
    let (event, after) = cursor.split_once('-').filter(|(_, id)| is_id(id)).ok_or_else(wrong)?;
    let plain = event.len() <= 18 && event.bytes().all(|byte| byte.is_ascii_digit());
    let event = event.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
    // It has the form of one, and was given by no page.
    let pin = api.0.store.pin(Some(event)).await?.ok_or(Problem::NotFound)?;
    Ok((pin, after.to_owned()))
}

async fn read(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (operation, _) = found(&api, client, &id).await?;
    Ok(Json(view(&operation)).into_response())
}

/// [AUT-3]: an operation within reach, and who asks for it.
async fn found(
    api: &Api,
    client: Option<Client>,
    id: &str,
) -> Result<(Operation, Client), Problem> {
    let (client, whose) = admit(api, client)?;
    let operation = api.0.store.operation(id, &whose).await?.ok_or(Problem::NotFound)?;
    Ok((operation, client))
}

/// A trade as a message: its status, that it settled, what became of the request to cancel it.
async fn message(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Path((id, message)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (operation, _) = found(&api, client, &id).await?;
    let saying = Saying::named(&message).ok_or(Problem::NotFound)?;
    let node = taking(&api, operation.flow)?;
    let assets = node.assets().await?;
    let name_of = |id: &NodeId| node.name_of(id);
    let trade = Outgoing::of_operation(&operation, api.house(), &assets, name_of)
        .ok_or(Problem::Impossible("messages are about trades alone: read the operation"))?;
    let text = match trade.message(saying) {
        Ok(Some(message)) => message.to_xml(),
        Ok(None) => return Err(Problem::Impossible(saying.absent())),
        Err(fault) => {
            let detail = format!("the trade doesn't fit the message: {fault}; read the operation");
            return Err(Problem::Refused(detail));
        }
    };
    Ok(([(header::CONTENT_TYPE, "application/xml")], text).into_response())
}

/// [FLOW-7]: whose delay it was, by this node's clock.
async fn hops(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (operation, _) = found(&api, client, &id).await?;
    let node = taking(&api, operation.flow)?;
    let own = node.member(api.house()).map(|(own, _)| own).ok_or(Problem::Internal)?;
    let found = operation.order.hops(node, own).await?;
    let found =
        found.ok_or(Problem::Impossible("only trades have hops: read the operation instead"))?;
    let (now, at) = (ms(api.now()), |ms: u64| instant(micros(ms)));
    let items = found.iter().map(|hop| {
        let until = hop.until.unwrap_or(now);
        let mut item = json!({
            "party": node.name_of(&hop.party),
            "step": hop.step,
            "from": at(hop.from),
            "took_ms": until.saturating_sub(hop.from),
            "signed": hop.signed,
        });
        if let (Some(until), Value::Object(members)) = (hop.until, &mut item) {
            members.insert("until".into(), at(until));
        }
        item
    });
    let items: Vec<Value> = items.collect();
    Ok(Json(json!({ "items": items, "clock": api.house() })).into_response())
}

async fn signatures(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
    page: PageOf,
) -> Result<Response, Problem> {
    let (_, client) = found(&api, client, &id).await?;
    signed_requests(&api, ("operation", &id), PATH, page, by(&client)).await
}

/// Asks for a trade, an issue or a permission to be cancelled: done once the other sides ask too, unless it is signed by then. Asking
/// again does no harm, so that an answer that was lost is asked for again.
async fn cancel(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Extension(signed): Signature,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (client, whose) = admit(&api, client)?;
    let key = idempotency_key(&headers)?;
    let (body, bytes) = json_of(&headers, body)?;
    validate_fields([].into_iter(), &body).map_err(Problem::Invalid)?;
    let operation = api.0.store.operation(&id, &whose).await?.ok_or(Problem::NotFound)?;
    let node = taking(&api, operation.flow)?;
    let wish = match operation.newest.standing.state.is_at_node() {
        true => Some(operation.order.cancellation().ok_or(Problem::Impossible(
            "an account that the node has can't be cancelled: close the investor's row instead",
        ))?),
        false => None,
    };
    let change = api.change(&client, signed.as_ref());
    let print = fingerprint(&format!("{PATH}/{id}/cancellation"), &bytes);
    if api.0.store.claim_key(&id, change, (&key, &print)).await? == Some(Written::OtherRequest) {
        return Err(Problem::KeyReused);
    }
    let asked = match wish {
        Some(wish) => node.instruct(wish).await,
        None => Ok(api.0.store.want_cancelled(&id).await?),
    };
    match asked {
        Ok(()) => {
            api.0.work.notify_one();
            accepted(&api, &id, &whose).await
        }
        Err(Unanswered::Refused(Reason::NoMatch)) => {
            Err(Problem::Impossible("the node has refused the instruction"))
        }
        Err(Unanswered::Refused(Reason::TooLate)) => Err(Problem::Impossible(
            "it is signed or settled and can't be cancelled any more: reverse it with a new one",
        )),
        Err(other) => Err(other.into()),
    }
}

/// [AUT-2]: the caller, and whose operations it may read and cancel.
pub(super) fn admit(api: &Api, client: Option<Client>) -> Result<(Client, Reach), Problem> {
    let client = client.ok_or(Problem::UnknownClient)?;
    match widest(&client, &api.0.house, api.node().map(|node| node.role())) {
        Reach::Nothing => Err(Problem::Forbidden),
        whose => Ok((client, whose)),
    }
}

fn micros(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1000)
}

/// An operation, without what is null.
pub(super) fn view(operation: &Operation) -> Value {
    let (newest, standing) = (&operation.newest, &operation.newest.standing);
    let at = |ms: u64| instant(micros(ms));
    let mut view = json!({
        "id": operation.id,
        "kind": operation.flow.path(),
        "institution": operation.institution,
        "instructed_at": instant(operation.instructed_at),
        "instructed_by": operation.instructed_by,
        "instruction": operation.request,
        "state": standing.state.name(),
        "ended": standing.state.is_ended(),
        "progress": standing.state.progress().map(|(step, of)| json!({ "step": step, "of": of })),
        "since": standing.since_ms.map_or_else(|| instant(newest.at), at),
        "delivery_date": standing.delivery_date,
        "carried_over": (standing.carried_over > 0).then_some(standing.carried_over),
        "event": newest.number,
        "height": newest.height,
        "waiting_for": standing.waiting_for,
        "reason": standing.reason,
        "explanation": standing.explanation,
        "transaction": standing.transaction,
        "notarised_at": standing.notarised_ms.map(at),
        "cancel_requested_at": standing.cancel_requested_ms.map(at),
        "counterparty_cancel_requested_at": standing.counterparty_cancel_requested_ms.map(at),
    });
    if let Value::Object(members) = &mut view {
        members.retain(|_, value| !value.is_null());
    }
    view
}
