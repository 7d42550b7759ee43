//! Webhooks over HTTP: where an institution wants its events sent.

use axum::extract::{Path, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};

use super::Api;
use super::events::number;
use super::fetch::Target;
use super::manners::{
    Body, Caller, PageOf, fingerprint, id_cursor, idempotency_key, instant, json_of, page_of,
    page_view,
};
use super::operations::admit;
use super::problem::Problem;
use super::signed::Signature;
use crate::flows::SECRET;
use crate::masters::{Field, FieldError, Form, validate_fields};
use crate::store::{Webhook, Written};

/// The path of all webhooks.
pub(super) const PATH: &str = "/v1/webhooks";
/// How long the secret before the newest signs too, in microseconds: a day.
const FORMER_SIGNS_US: i64 = 24 * 3_600_000_000;

/// What makes a webhook.
pub(super) const FIELDS: &[Field] = &[
    Field::needs("url", Form::Code(500), "where to send events: https, without a user"),
    Field::may(
        "after",
        Form::Code(18),
        "the number of the event after which to begin; from now on if absent",
    ),
];

/// The paths of webhooks.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route(PATH, get(list).post(make))
        .route("/v1/webhooks/{id}", get(read).delete(remove))
        .route("/v1/webhooks/{id}/secret", post(renew))
}

async fn list(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    page: PageOf,
) -> Result<Response, Problem> {
    let (client, _) = admit(&api, client)?;
    let (limit, cursor) = page_of(page)?;
    let after = id_cursor(cursor)?.unwrap_or_default();
    let more = limit.saturating_add(1);
    let found = api.0.store.webhooks(&client.institution, &after, more).await?;
    let items: Vec<Value> = found.iter().take(limit).map(view).collect();
    let last = found.iter().take(limit).next_back().filter(|_| found.len() > limit);
    let next = last.map(|last| format!("{PATH}?limit={limit}&cursor={}", last.id));
    Ok(Json(page_view(items, next)).into_response())
}

/// The secret is told now alone: a request that is repeated is told of the webhook, not of its secret.
async fn make(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Extension(signed): Signature,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (client, _) = admit(&api, client)?;
    let key = idempotency_key(&headers)?;
    if api.dial().is_none() {
        return Err(Problem::Impossible("the node's configuration has no `[api.webhooks]`"));
    }
    let (body, bytes) = json_of(&headers, body)?;
    let values = validate_fields(FIELDS.iter(), &body).map_err(Problem::Invalid)?;
    let url = values.get("url").map_or("", String::as_str);
    if Target::parse(url).is_none() {
        let error = FieldError::new("url", "must be https://HOST/PATH without a user");
        return Err(Problem::Invalid(vec![error]));
    }
    let newest = api.0.store.pin(None).await?.ok_or(Problem::Internal)?.event;
    let after = match values.get("after") {
        None => newest,
        Some(text) => number(text).ok().filter(|after| *after <= newest).ok_or_else(|| {
            Problem::Invalid(vec![FieldError::new("after", "must be the number of an event")])
        })?,
    };
    let secret = secret()?;
    let change = api.change(&client, signed.as_ref());
    let print = fingerprint(PATH, &bytes);
    let made = api.0.store.make_webhook((url, &secret, after), change, (&key, &print)).await?;
    let (id, new) = match made {
        Some((Written::Row(id, _), new)) => (id, new),
        Some(_) => return Err(Problem::KeyReused),
        None => return Err(Problem::Impossible("the institution has as many webhooks as it may")),
    };
    let webhook = api.0.store.webhook(&id, &client.institution).await?;
    let mut shown = view(&webhook.ok_or(Problem::NotFound)?);
    tell(&mut shown, &secret, new);
    let mut answer = (StatusCode::CREATED, Json(shown)).into_response();
    let location = HeaderValue::from_str(&format!("{PATH}/{id}")).map_err(|_| Problem::Internal)?;
    answer.headers_mut().insert(header::LOCATION, location);
    Ok(answer)
}

async fn read(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (client, _) = admit(&api, client)?;
    let webhook = api.0.store.webhook(&id, &client.institution).await?;
    Ok(Json(view(&webhook.ok_or(Problem::NotFound)?)).into_response())
}

async fn remove(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (client, _) = admit(&api, client)?;
    match api.0.store.remove_webhook(&id, &client.institution).await? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(Problem::NotFound),
    }
}

/// Another secret, told in the answer alone; also tries again what was given up. Each request gives another one, so the key
/// only keeps two from being made by one that is repeated.
async fn renew(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Extension(signed): Signature,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (client, _) = admit(&api, client)?;
    let key = idempotency_key(&headers)?;
    let (body, bytes) = json_of(&headers, body)?;
    validate_fields([].into_iter(), &body).map_err(Problem::Invalid)?;
    let absent = api.0.store.webhook(&id, &client.institution).await?.is_none();
    if absent {
        return Err(Problem::NotFound);
    }
    let change = api.change(&client, signed.as_ref());
    let print = fingerprint(&format!("{PATH}/{id}/secret"), &bytes);
    let secret = secret()?;
    let new = match api.0.store.claim_key(&id, change, (&key, &print)).await? {
        None => {
            let until = change.now.saturating_add(FORMER_SIGNS_US);
            api.0.store.renew_secret(&id, &client.institution, &secret, until).await?
        }
        Some(Written::OtherRequest) => return Err(Problem::KeyReused),
        Some(_) => false,
    };
    let webhook = api.0.store.webhook(&id, &client.institution).await?;
    let mut shown = view(&webhook.ok_or(Problem::NotFound)?);
    tell(&mut shown, &secret, new);
    Ok(Json(shown).into_response())
}

/// 256 random bits, as the standard writes them.
fn secret() -> Result<String, Problem> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Problem::Internal)?;
    Ok(format!("{SECRET}{}", STANDARD.encode(bytes)))
}

fn tell(view: &mut Value, secret: &str, new: bool) {
    if let (true, Value::Object(members)) = (new, view) {
        members.insert("secret".into(), secret.into());
    }
}

fn view(webhook: &Webhook) -> Value {
    let waits = webhook.attempts > 0 && !webhook.stopped;
    let mut view = json!({
        "id": webhook.id,
        "url": webhook.url,
        "made_at": instant(webhook.made_at),
        "made_by": webhook.made_by,
        "sent": webhook.sent,
        "attempts": webhook.attempts,
        "next_at": waits.then(|| instant(webhook.next_at)),
        "problem": webhook.problem,
        "stopped": webhook.stopped,
    });
    if let Value::Object(members) = &mut view {
        members.retain(|_, value| !value.is_null());
    }
    view
}
