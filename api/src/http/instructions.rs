//! Instructions over HTTP: each kind has a path, and becomes an operation.

use axum::extract::State as Shared;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Json, Router};
use sudare_disclosure::SignedTerms;
use sudare_ledger::custodian::Investor;

use super::Api;
use super::manners::{Body, Caller, fingerprint, idempotency_key, json_of};
use super::operations;
use super::problem::Problem;
use super::signed::{Asked, Signature};
use crate::access::Reach;
use crate::flows::{Context, Flow, Node, Order, Request, Standing, State, Unanswered, ms, reach};
use crate::masters::{FieldError, Kind};
use crate::store::{Instructed, Written, investor_gate};

/// The paths of all kinds.
pub(super) fn routes() -> Router<Api> {
    Flow::ALL.into_iter().fold(Router::new(), |router, flow| {
        let instruct = move |Shared(api): Shared<Api>,
                             Extension(client): Caller,
                             Extension(signed): Signature,
                             headers: HeaderMap,
                             body: Body| async move {
            instruct(&api, (client, signed), flow, &headers, body).await
        };
        router.route(&path_of(flow), post(instruct))
    })
}

pub(super) fn path_of(flow: Flow) -> String {
    format!("/v1/instructions/{}", flow.path())
}

async fn instruct(
    api: &Api,
    (client, signed): Asked,
    flow: Flow,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let client = client.ok_or(Problem::UnknownClient)?;
    let whose = reach(&client, flow, &api.0.house);
    if whose == Reach::Nothing {
        return Err(Problem::Forbidden);
    }
    let key = idempotency_key(headers)?;
    let node = taking(api, flow)?;
    let (value, bytes) = json_of(headers, body)?;
    let request = Request::parse(flow, &value).map_err(Problem::Invalid)?;
    let change = api.change(&client, signed.as_ref());
    let print = fingerprint(&path_of(flow), &bytes);
    // What was done is told again, whatever has changed since that would speak against it now.
    match api.0.store.done_before(change.client, (&key, &print)).await? {
        Some(Written::Row(id, _)) => return accepted(api, &id, &whose).await,
        Some(_) => return Err(Problem::KeyReused),
        None => (),
    }
    let assets = node.assets().await?;
    let order = order(api, (node, &assets), flow, &request, &whose).await?;
    let (order, standing) = dated(api, flow, order).await?;
    let height = *node.heights().borrow();
    let kept = (flow, &request, &order);
    match api.0.store.instruct(kept, standing, change, height, (&key, &print)).await? {
        Instructed::Kept(id) => {
            api.0.work.notify_one();
            api.happened().await?;
            accepted(api, &id, &whose).await
        }
        Instructed::OtherRequest => Err(Problem::KeyReused),
        Instructed::TradeInUse => Err(Problem::Invalid(vec![in_use(flow)])),
    }
}

/// The node, if it takes this kind.
pub(super) fn taking(api: &Api, flow: Flow) -> Result<&dyn Node, Problem> {
    let node = api.node().filter(|node| node.role() == flow.taken_by());
    node.map(AsRef::as_ref)
        .ok_or(Problem::Impossible("the node that serves this API takes no such instructions"))
}

/// What the node is to be told.
pub(super) async fn order(
    api: &Api,
    (node, assets): (&dyn Node, &[SignedTerms]),
    flow: Flow,
    request: &Request,
    whose: &Reach,
) -> Result<Order, Problem> {
    let investor = match flow.has_investor() {
        true => Some(investor(api, flow, request, whose).await?),
        false => None,
    };
    let asset = request.values.get("asset").map_or("", String::as_str);
    if let Some(why) = api.0.store.product_gate(asset, &api.0.house, flow).await? {
        return Err(Problem::GateClosed(why));
    }
    let now = ms(api.now());
    let context = Context { node, assets, investor: investor.as_ref(), now };
    Order::of(flow, request, context).map_err(Problem::Invalid)
}

/// The pseudonym of the investor for whom it is.
async fn investor(
    api: &Api,
    flow: Flow,
    request: &Request,
    whose: &Reach,
) -> Result<Investor, Problem> {
    let id = request.values.get("investor_id").map_or("", String::as_str);
    // [AUT-3]: an investor out of reach is none.
    let row = api.0.store.plain_row(Kind::Investor, id, whose).await?;
    let absent = || {
        Problem::Invalid(vec![FieldError::new(
            "investor_id",
            "must be the id of one of the investors",
        )])
    };
    let row = row.ok_or_else(absent)?;
    if let Some(why) = investor_gate(&row.values) {
        return Err(Problem::GateClosed(why));
    }
    let pseudonym = api.0.store.pseudonym(id, flow == Flow::Account).await?;
    let no_account = || {
        let must = "must be an investor with an account: open one with /v1/instructions/accounts";
        Problem::Invalid(vec![FieldError::new("investor_id", must)])
    };
    pseudonym.ok_or_else(no_account)
}

/// What was instructed before, and can't be once more.
pub(super) fn in_use(flow: Flow) -> FieldError {
    let (field, must) = match flow {
        Flow::Issue => {
            ("reference", "must be another one: an issue with this one was instructed before")
        }
        Flow::RedemptionPermission => {
            ("trade_id", "must be another one: this redemption was permitted before")
        }
        _ => (
            "trade_id",
            "must be another one: this side of this trade with this counterparty was instructed before",
        ),
    };
    FieldError::new(field, must)
}

/// [MKT-1], [MKT-2]: the order for the day on which it can settle, and where it stands first. Without a market as it is.
pub(super) async fn dated(
    api: &Api,
    flow: Flow,
    order: Order,
) -> Result<(Order, Standing), Problem> {
    let received = Standing::at(State::Received);
    let Some(market) = api.market() else { return Ok((order, received)) };
    if !api.0.store.market().await?.open {
        return Err(Problem::GateClosed("the market is closed"));
    }
    let Some(wanted) = order.date() else { return Ok((order, received)) };
    let date = market.first_day(flow, wanted, api.now()).ok_or_else(|| {
        let must = "must be a business day, today or later";
        Problem::Invalid(vec![FieldError::new("delivery_date", must)])
    })?;
    let order = order.on(date, ms(market.cut_off(flow, date))).ok_or(Problem::Internal)?;
    let delivery_date = Some(date.to_string());
    let standing = match date == wanted {
        true => Standing { delivery_date, ..received },
        false => Standing { delivery_date, carried_over: 1, ..Standing::at(State::CarriedOver) },
    };
    Ok((order, standing))
}

/// 202 with the operation as it is now.
pub(super) async fn accepted(api: &Api, id: &str, whose: &Reach) -> Result<Response, Problem> {
    let operation = api.0.store.operation(id, whose).await?.ok_or(Problem::Internal)?;
    let location = HeaderValue::from_str(&format!("{}/{id}", operations::PATH));
    let mut answer = (StatusCode::ACCEPTED, Json(operations::view(&operation))).into_response();
    answer.headers_mut().insert(header::LOCATION, location.map_err(|_| Problem::Internal)?);
    Ok(answer)
}

/// What the node refuses by itself is told by the operation; here it can only be away.
impl From<Unanswered> for Problem {
    fn from(error: Unanswered) -> Self {
        tracing::warn!(%error, "the node did not answer the API");
        Self::Internal
    }
}
