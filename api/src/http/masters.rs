//! Masters over HTTP.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::{Map, Value, json};

use super::Api;
use super::manners::{
    Body, Caller, PageOf, etag, fingerprint, id_cursor, idempotency_key, if_match, instant,
    json_of, page_of, page_view, tagged, version_cursor, version_view,
};
use super::problem::Problem;
use super::signed::{Asked, Signature, page as signatures};
use crate::access::{Action, Client, Reach};
use crate::masters::{Kind, validate};
use crate::store::{Row, Written};

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
                  Extension(signed): Signature,
                  headers: HeaderMap,
                  body: Body| async move {
                create(&api, (client, signed), kind, &headers, body).await
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
              Extension(signed): Signature,
              Path(id): Path<String>,
              headers: HeaderMap,
              body: Body| async move {
            update(&api, (client, signed), kind, &id, &headers, body).await
        },
    );
    let past = get(
        move |State(api): State<Api>,
              Extension(client): Caller,
              Path(id): Path<String>,
              page: PageOf| async move { history(&api, client, kind, &id, page).await },
    );
    let signed = get(
        move |State(api): State<Api>,
              Extension(client): Caller,
              Path(id): Path<String>,
              page: PageOf| async move {
            let (_, reach) = admit(&api, client, kind, Action::Read)?;
            api.0.store.row(kind, &id, &reach).await?.ok_or(Problem::NotFound)?;
            signatures(&api, (kind.table(), &id), &format!("/v1/{path}"), page).await
        },
    );
    Router::new()
        .route(&format!("/v1/{path}"), all)
        .route(&format!("/v1/{path}/{{id}}"), one)
        .route(&format!("/v1/{path}/{{id}}/history"), past)
        .route(&format!("/v1/{path}/{{id}}/signatures"), signed)
}

async fn list(
    api: &Api,
    client: Option<Client>,
    kind: Kind,
    page: PageOf,
) -> Result<Response, Problem> {
    let (_, reach) = admit(api, client, kind, Action::Read)?;
    let (limit, cursor) = page_of(page)?;
    let after = id_cursor(cursor)?;
    let rows = api.0.store.rows(kind, &reach, after.as_deref(), limit.saturating_add(1)).await?;
    let more = rows.len() > limit;
    let items: Vec<Value> = rows.iter().take(limit).map(view).collect();
    let last = rows.iter().take(limit).next_back().filter(|_| more);
    let next = last.map(|row| format!("/v1/{}?limit={limit}&cursor={}", kind.path(), row.id));
    Ok(Json(page_view(items, next)).into_response())
}

async fn create(
    api: &Api,
    (client, signed): Asked,
    kind: Kind,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (client, _) = admit(api, client, kind, Action::Create)?;
    let key = idempotency_key(headers)?;
    let (value, bytes) = json_of(headers, body)?;
    let values = validate(kind, &value).map_err(Problem::Invalid)?;
    let request = fingerprint(kind.path(), &bytes);
    let reach = |of| client.reach(of, Action::Read, &api.0.house);
    let change = api.change(&client, signed.as_ref());
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
        Written::Absent | Written::Stale(_) | Written::Erased => Err(Problem::Internal),
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
    (client, signed): Asked,
    kind: Kind,
    id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (client, own) = admit(api, client, kind, Action::Update)?;
    let expected = if_match(headers)?;
    let (value, _) = json_of(headers, body)?;
    let values = validate(kind, &value).map_err(Problem::Invalid)?;
    let reach = |of| client.reach(of, Action::Read, &api.0.house);
    let change = api.change(&client, signed.as_ref());
    match api.0.store.update(kind, (id, expected), &values, change, reach, &own).await? {
        Written::Row(id, version) => {
            tagged(Json(json!({ "id": id, "version": version })).into_response(), version)
        }
        Written::Absent => Err(Problem::NotFound),
        Written::Stale(_) => Err(Problem::Stale),
        Written::Erased => Err(Problem::Impossible("the investor is erased")),
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
    let after = version_cursor(cursor)?;
    api.0.store.row(kind, id, &reach).await?.ok_or(Problem::NotFound)?;
    let versions = api.0.store.history(kind.table(), id, after, limit.saturating_add(1)).await?;
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
