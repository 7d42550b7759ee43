//! Masters over HTTP.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Api;
use super::problem::Problem;
use crate::access::{Action, Client, Reach};
use crate::masters::{Kind, Values, is_id, validate};
use crate::store::{Change, Row, Version, Written};

/// The most rows of a page, and how many it has if nobody says.
pub(super) const PAGE: (usize, usize) = (200, 50);
/// The longest idempotency key.
pub(super) const KEY_MAX: usize = 64;

type Caller = Extension<Option<Client>>;
type Body = Result<Bytes, BytesRejection>;

/// Which page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    limit: Option<usize>,
    cursor: Option<String>,
}

type PageOf = Result<Query<PageQuery>, QueryRejection>;

/// The paths of all kinds.
pub(super) fn routes() -> Router<Api> {
    Kind::ALL.into_iter().fold(Router::new(), |router, kind| router.merge(routes_of(kind)))
}

fn routes_of(kind: Kind) -> Router<Api> {
    let path = kind.path();
    let all =
        get(move |State(api): State<Api>, Extension(client): Caller, page: PageOf| async move {
            list(&api, client, kind, page).await
        })
        .post(
            move |State(api): State<Api>,
                  Extension(client): Caller,
                  headers: HeaderMap,
                  body: Body| async move {
                create(&api, client, kind, &headers, body).await
            },
        );
    let one = get(
        move |State(api): State<Api>,
              Extension(client): Caller,
              Path(id): Path<String>,
              headers: HeaderMap| async move { read(&api, client, kind, &id, &headers).await },
    )
    .put(
        move |State(api): State<Api>,
              Extension(client): Caller,
              Path(id): Path<String>,
              headers: HeaderMap,
              body: Body| async move { update(&api, client, kind, &id, &headers, body).await },
    );
    let past = get(
        move |State(api): State<Api>,
              Extension(client): Caller,
              Path(id): Path<String>,
              page: PageOf| async move { history(&api, client, kind, &id, page).await },
    );
    Router::new()
        .route(&format!("/v1/{path}"), all)
        .route(&format!("/v1/{path}/{{id}}"), one)
        .route(&format!("/v1/{path}/{{id}}/history"), past)
}

async fn list(
    api: &Api,
    client: Option<Client>,
    kind: Kind,
    page: PageOf,
) -> Result<Response, Problem> {
    let (_, reach) = admit(api, client, kind, Action::Read)?;
    let (limit, cursor) = page_of(page)?;
    let after = cursor.filter(|cursor| !cursor.is_empty());
    if after.as_deref().is_some_and(|after| !is_id(after)) {
        return Err(Problem::Malformed("`cursor` must be one that a page has given".into()));
    }
    let rows = api.0.store.rows(kind, &reach, after.as_deref(), limit.saturating_add(1)).await?;
    let more = rows.len() > limit;
    let items: Vec<Value> = rows.iter().take(limit).map(view).collect();
    let last = rows.iter().take(limit).next_back().filter(|_| more);
    let next = last.map(|row| format!("/v1/{}?limit={limit}&cursor={}", kind.path(), row.id));
    Ok(Json(page_view(items, next)).into_response())
}

async fn create(
    api: &Api,
    client: Option<Client>,
    kind: Kind,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (client, _) = admit(api, client, kind, Action::Create)?;
    let key = idempotency_key(headers)?;
    let bytes = body_of(headers, body)?;
    let values = values_of(kind, &bytes)?;
    let request = fingerprint(kind, &bytes);
    let reach = |of| client.reach(of, Action::Read, &api.0.house);
    let change = change(api, &client);
    match api.0.store.create(kind, &values, change, (&key, &request), reach).await? {
        Written::Row(id, version) => {
            let location = format!("/v1/{}/{id}", kind.path());
            let mut answer = (StatusCode::CREATED, Json(json!({ "id": id, "version": version })))
                .into_response();
            let value = HeaderValue::from_str(&location).map_err(|_| Problem::Internal)?;
            answer.headers_mut().insert(header::LOCATION, value);
            tagged(answer, version)
        }
        Written::OtherRequest => Err(Problem::KeyReused),
        Written::Fields(errors) => Err(Problem::Invalid(errors)),
        Written::Absent | Written::Stale(_) => Err(Problem::Internal),
    }
}

async fn read(
    api: &Api,
    client: Option<Client>,
    kind: Kind,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let (_, reach) = admit(api, client, kind, Action::Read)?;
    let row = api.0.store.row(kind, id, &reach).await?.ok_or(Problem::NotFound)?;
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim() == etag(row.version))) {
        return tagged(StatusCode::NOT_MODIFIED.into_response(), row.version);
    }
    tagged(Json(view(&row)).into_response(), row.version)
}

async fn update(
    api: &Api,
    client: Option<Client>,
    kind: Kind,
    id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (client, own) = admit(api, client, kind, Action::Update)?;
    let expected = if_match(headers)?;
    let bytes = body_of(headers, body)?;
    let values = values_of(kind, &bytes)?;
    let reach = |of| client.reach(of, Action::Read, &api.0.house);
    let change = change(api, &client);
    match api.0.store.update(kind, (id, expected), &values, change, reach, &own).await? {
        Written::Row(id, version) => {
            tagged(Json(json!({ "id": id, "version": version })).into_response(), version)
        }
        Written::Absent => Err(Problem::NotFound),
        Written::Stale(_) => Err(Problem::Stale),
        Written::Fields(errors) => Err(Problem::Invalid(errors)),
        Written::OtherRequest => Err(Problem::Internal),
    }
}

async fn history(
    api: &Api,
    client: Option<Client>,
    kind: Kind,
    id: &str,
    page: PageOf,
) -> Result<Response, Problem> {
    let (_, reach) = admit(api, client, kind, Action::Read)?;
    let (limit, cursor) = page_of(page)?;
    let after = cursor.map_or(Ok(0), |cursor| cursor.parse::<u32>());
    let after = after
        .map_err(|_| Problem::Malformed("`cursor` must be one that a page has given".into()))?;
    api.0.store.row(kind, id, &reach).await?.ok_or(Problem::NotFound)?;
    let versions = api.0.store.history(kind, id, i64::from(after), limit.saturating_add(1)).await?;
    let more = versions.len() > limit;
    let items: Vec<Value> = versions.iter().take(limit).map(version_view).collect();
    let last = versions.iter().take(limit).next_back().filter(|_| more);
    let next = last.map(|last| {
        format!("/v1/{}/{id}/history?limit={limit}&cursor={}", kind.path(), last.version)
    });
    Ok(Json(page_view(items, next)).into_response())
}

/// The caller and the rows that it may do this with; refused if there can be none.
fn admit(
    api: &Api,
    client: Option<Client>,
    kind: Kind,
    action: Action,
) -> Result<(Client, Reach), Problem> {
    let client = client.ok_or(Problem::UnknownClient)?;
    match client.reach(kind, action, &api.0.house) {
        Reach::Nothing => Err(Problem::Forbidden),
        reach => Ok((client, reach)),
    }
}

fn change<'a>(api: &Api, client: &'a Client) -> Change<'a> {
    Change { client: &client.name, institution: &client.institution, now: api.now() }
}

fn page_of(page: PageOf) -> Result<(usize, Option<String>), Problem> {
    let malformed = |text: String| Problem::Malformed(text);
    let Query(page) = page
        .map_err(|_| malformed("the query takes `limit` and `cursor` alone, once each".into()))?;
    let limit = page.limit.unwrap_or(PAGE.1);
    if limit == 0 || limit > PAGE.0 {
        return Err(malformed(format!("`limit` must be 1 to {}", PAGE.0)));
    }
    Ok((limit, page.cursor))
}

fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let key = values.next().ok_or(Problem::KeyMissing)?.to_str().unwrap_or_default();
    let good =
        (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if !good || values.next().is_some() {
        let text =
            format!("`Idempotency-Key` must be 1 to {KEY_MAX} visible ASCII characters, once");
        return Err(Problem::Malformed(text));
    }
    Ok(key.to_owned())
}

fn if_match(headers: &HeaderMap) -> Result<i64, Problem> {
    let value = headers.get(header::IF_MATCH).ok_or(Problem::PreconditionRequired)?;
    let version = value
        .to_str()
        .ok()
        .and_then(|text| text.strip_prefix("\"v")?.strip_suffix('"')?.parse().ok());
    version.ok_or_else(|| {
        Problem::Malformed("`If-Match` must be the `ETag` of the row, such as \"v1\"".into())
    })
}

fn body_of(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|text| text.split(';').next()).map(str::trim);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return Err(Problem::UnsupportedMediaType);
    }
    body.map_err(|error| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge,
        _ => Problem::Malformed("the body broke off".into()),
    })
}

fn values_of(kind: Kind, body: &[u8]) -> Result<Values, Problem> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        Problem::Malformed(format!("the body is no JSON at line {}", error.line()))
    })?;
    validate(kind, &value).map_err(Problem::Invalid)
}

/// What an idempotency key is for: the request, without keeping what it says.
fn fingerprint(kind: Kind, body: &[u8]) -> String {
    let hash = Sha256::new().chain_update(kind.path()).chain_update([0]).chain_update(body);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn etag(version: i64) -> String {
    format!("\"v{version}\"")
}

fn tagged(mut answer: Response, version: i64) -> Result<Response, Problem> {
    let value = HeaderValue::from_str(&etag(version)).map_err(|_| Problem::Internal)?;
    answer.headers_mut().insert(header::ETAG, value);
    Ok(answer)
}

fn page_view(items: Vec<Value>, next: Option<String>) -> Value {
    let mut page = json!({ "items": items });
    if let (Some(next), Value::Object(page)) = (next, &mut page) {
        page.insert("next".into(), next.into());
    }
    page
}

fn view(row: &Row) -> Value {
    let mut view: Map<String, Value> =
        row.values.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
    view.insert("id".into(), row.id.clone().into());
    view.insert("version".into(), row.version.into());
    view.insert("owner".into(), row.owner.clone().into());
    view.insert("created_at".into(), instant(row.created_at));
    view.insert("created_by".into(), row.created_by.clone().into());
    view.insert("updated_at".into(), instant(row.updated_at));
    view.insert("updated_by".into(), row.updated_by.clone().into());
    Value::Object(view)
}

fn version_view(version: &Version) -> Value {
    let mut view =
        json!({ "version": version.version, "at": instant(version.at), "by": version.by });
    if let (Some(content), Value::Object(view)) = (&version.content, &mut view) {
        view.insert("content".into(), content.clone());
    }
    view
}

/// RFC 3339, in UTC.
fn instant(micros: i64) -> Value {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros).saturating_mul(1000));
    at.ok().and_then(|at| at.format(&Rfc3339).ok()).into()
}
