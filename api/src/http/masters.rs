//! Masters over HTTP.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::{Map, Value, json};

use super::Api;
use super::manners::{
    Body, Caller, PageOf, Why, etag, fingerprint, id_cursor, idempotency_key, if_match, instant,
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
        get(move |State(api): State<Api>,
                  Extension(client): Caller,
                  why: Why,
                  page: PageOf| async move { list(&api, (client, why), kind, page).await })
        .post(
            move |State(api): State<Api>,
                  Extension(client): Caller,
                  Extension(signed): Signature,
                  why: Why,
                  headers: HeaderMap,
                  body: Body| async move {
                create(&api, (client, signed), why, kind, &headers, body).await
            },
        );
    let one = get(
        move |State(api): State<Api>,
              Extension(client): Caller,
              Path(id): Path<String>,
              why: Why,
              headers: HeaderMap| async move {
            read(&api, (client, why), kind, &id, &headers).await
        },
    )
    .put(
        move |State(api): State<Api>,
              Extension(client): Caller,
              Extension(signed): Signature,
              Path(id): Path<String>,
              why: Why,
              headers: HeaderMap,
              body: Body| async move {
            update(&api, (client, signed), why, (kind, &id), &headers, body).await
        },
    );
    let past = get(
        move |State(api): State<Api>,
              Extension(client): Caller,
              Path(id): Path<String>,
              why: Why,
              page: PageOf| async move { history(&api, (client, why), kind, &id, page).await },
    );
    let signed = get(
        move |State(api): State<Api>,
              Extension(client): Caller,
              Path(id): Path<String>,
              why: Why,
              page: PageOf| async move {
            let (client, reach) = admit(&api, client, kind, Action::Read)?;
            within_reach(&api, kind, &id, &reach).await?;
            let path = format!("/v1/{path}");
            signatures(&api, (kind.table(), &id), &path, page, why.of(&client)).await
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
    (client, why): (Option<Client>, Why),
    kind: Kind,
    page: PageOf,
) -> Result<Response, Problem> {
    let (client, reach) = admit(api, client, kind, Action::Read)?;
    let (limit, cursor) = page_of(page)?;
    let (after, by) = (id_cursor(cursor)?, why.of(&client));
    let (rows, more) = api.0.store.rows(kind, &reach, after.as_deref(), limit, by).await?;
    let items: Vec<Value> = rows.iter().map(view).collect();
    let last = rows.last().filter(|_| more);
    let next = last.map(|row| format!("/v1/{}?limit={limit}&cursor={}", kind.path(), row.id));
    Ok(Json(page_view(items, next)).into_response())
}

async fn create(
    api: &Api,
    (client, signed): Asked,
    why: Why,
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
    let change = api.change(&client, signed.as_ref()).because(why.reason());
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
    (client, why): (Option<Client>, Why),
    kind: Kind,
    id: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let (client, reach) = admit(api, client, kind, Action::Read)?;
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if let Some(known) = known {
        // Nothing of the row is shown to who has it.
        let row = api.0.store.plain_row(kind, id, &reach).await?.ok_or(Problem::NotFound)?;
        if known.split(',').any(|one| one.trim() == etag(row.version)) {
            return tagged(StatusCode::NOT_MODIFIED.into_response(), row.version);
        }
    }
    let row = api.0.store.row(kind, id, &reach, why.of(&client)).await?;
    let row = row.ok_or(Problem::NotFound)?;
    tagged(Json(view(&row)).into_response(), row.version)
}

async fn update(
    api: &Api,
    (client, signed): Asked,
    why: Why,
    (kind, id): (Kind, &str),
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (client, own) = admit(api, client, kind, Action::Update)?;
    let expected = if_match(headers)?;
    let (value, _) = json_of(headers, body)?;
    let values = validate(kind, &value).map_err(Problem::Invalid)?;
    let reach = |of| client.reach(of, Action::Read, &api.0.house);
    let change = api.change(&client, signed.as_ref()).because(why.reason());
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
    (client, why): (Option<Client>, Why),
    kind: Kind,
    id: &str,
    page: PageOf,
) -> Result<Response, Problem> {
    let (client, reach) = admit(api, client, kind, Action::Read)?;
    let (limit, cursor) = page_of(page)?;
    let (after, by) = (version_cursor(cursor)?, why.of(&client));
    within_reach(api, kind, id, &reach).await?;
    let (versions, more) = api.0.store.history((kind.table(), id), after, limit, by).await?;
    let items: Vec<Value> = versions.iter().map(version_view).collect();
    let last = versions.last().filter(|_| more);
    let next = last.map(|last| {
        format!("/v1/{}/{id}/history?limit={limit}&cursor={}", kind.path(), last.version)
    });
    Ok(Json(page_view(items, next)).into_response())
}

/// [AUT-3]: a row out of reach is none.
async fn within_reach(api: &Api, kind: Kind, id: &str, reach: &Reach) -> Result<(), Problem> {
    api.0.store.is_there(kind, id, reach).await?.then_some(()).ok_or(Problem::NotFound)
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
