//! Files of rows over HTTP: announced, brought part by part, and what became of each row.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State as Shared};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Extension, Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::incoming::ImportError;
use super::instructions::taking;
use super::manners::{
    Body, Caller, PageOf, Why, fingerprint, id_cursor, idempotency_key, instant, json_of, limit_of,
    page_of, page_view, version_cursor,
};
use super::problem::Problem;
use super::signed::{Signature, page as signed_requests};
use crate::access::{Action, Client, Reach};
use crate::flows::{Flow, reach};
use crate::imports::{ANNOUNCE, Class, FILE_BYTES_MAX, Import, PART_BYTES_MAX, Target};
use crate::masters::{FieldError, instant_of, validate_fields};
use crate::store::{Announced, ImportedRow, StoreError, Taken, Written};

/// The path of all files.
const PATH: &str = "/v1/imports";
/// How long to wait for a file if nobody brings one, so that those that were left are given up.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// How long to wait for a node that gives no answer.
const NODE_PAUSE: Duration = Duration::from_secs(1);

/// Where a part begins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PartQuery {
    offset: u32,
}

/// Which rows of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RowsQuery {
    limit: Option<usize>,
    cursor: Option<String>,
    refused: Option<bool>,
}

/// The paths of files.
pub(super) fn routes() -> Router<Api> {
    let content = put(take).layer(DefaultBodyLimit::max(PART_BYTES_MAX));
    Router::new()
        .route(PATH, get(list).post(announce))
        .route("/v1/imports/{id}", get(read))
        .route("/v1/imports/{id}/content", content)
        .route("/v1/imports/{id}/rows", get(rows))
        .route("/v1/imports/{id}/signatures", get(signatures))
}

impl Api {
    /// Makes rows of files that are whole, one file after the other, for as long as the API runs.
    pub async fn import(&self) {
        loop {
            match self.import_next().await {
                Ok(true) => (),
                Ok(false) => {
                    let _ = tokio::time::timeout(LOOK_AGAIN, self.0.files.notified()).await;
                }
                Err(ImportError::Node | ImportError::Store(StoreError::Unrecorded(_))) => {
                    tokio::time::sleep(NODE_PAUSE).await;
                }
                Err(error) => {
                    tracing::error!(%error, "a file could not be imported");
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
        }
    }

    /// Makes rows of the oldest file that is whole; whether there was one.
    ///
    /// # Errors
    ///
    /// [`ImportError`].
    pub async fn import_next(&self) -> Result<bool, ImportError> {
        let Some(mut work) = self.0.store.next_import(&self.0.house, self.now()).await? else {
            return Ok(false);
        };
        while !self.go_on(&mut work).await? {}
        // The key of the file's text.
        self.erase_now().await;
        Ok(true)
    }
}

async fn announce(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Extension(signed): Signature,
    why: Why,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let (client, targets) = admit(&api, client)?;
    let key = idempotency_key(&headers)?;
    let (body, bytes) = json_of(&headers, body)?;
    let values = validate_fields(ANNOUNCE.iter(), &body).map_err(Problem::Invalid)?;
    let text = |name| values.get(name).map_or("", String::as_str);
    let target = Target::named(text("target")).filter(|target| targets.contains(target));
    let target = target.ok_or(Problem::Forbidden)?;
    if target == Target::Instructions {
        let _ = taking(&api, Flow::Transfer)?;
    }
    let size = text("size").parse().ok().filter(|size| (1..=FILE_BYTES_MAX).contains(size));
    let too_long = || {
        let must = format!("must be 1 to {FILE_BYTES_MAX}");
        Problem::Invalid(vec![FieldError::new("size", must)])
    };
    let announced = Announced {
        target,
        class: Class::named(text("class")).ok_or(Problem::Internal)?,
        size: size.ok_or_else(too_long)?,
        hash: text("sha256"),
        file_at: instant_of(text("file_at")).ok_or(Problem::Internal)?,
    };
    let change = api.change(&client, signed.as_ref()).because(why.reason());
    let print = fingerprint(PATH, &bytes);
    let id = match api.0.store.announce(announced, &client, change, (&key, &print)).await? {
        Written::Row(id, _) => id,
        Written::OtherRequest => return Err(Problem::KeyReused),
        _ => return Err(Problem::Internal),
    };
    let import = api.0.store.import(&client.institution, &id).await?.ok_or(Problem::Internal)?;
    let mut answer = (StatusCode::CREATED, Json(view(&import))).into_response();
    let location = HeaderValue::from_str(&format!("{PATH}/{id}")).map_err(|_| Problem::Internal)?;
    answer.headers_mut().insert(header::LOCATION, location);
    Ok(answer)
}

async fn take(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
    query: Result<Query<PartQuery>, QueryRejection>,
    why: Why,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let (client, targets) = admit(&api, client)?;
    let Query(PartQuery { offset }) = query.map_err(|_| {
        Problem::Malformed("the query takes `offset` alone: the part's first byte".into())
    })?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if !Target::ALL.iter().any(|target| kind == Some(target.media())) {
        return Err(Problem::UnsupportedMediaType);
    }
    let body = body.map_err(|_| Problem::TooLarge)?;
    let import = found(&api, &client, &targets, &id).await?;
    if kind != Some(import.target.media()) {
        return Err(Problem::Impossible(
            "the parts of a file for masters are `text/csv`, those for instructions `application/xml`",
        ));
    }
    let change = api.change(&client, None).because(why.reason());
    match api.0.store.take_part(&id, i64::from(offset), &body, change).await? {
        Taken::Now(import) => {
            api.0.files.notify_one();
            Ok(Json(view(&import)).into_response())
        }
        Taken::Absent => Err(Problem::NotFound),
        Taken::Elsewhere => Err(Problem::Impossible(
            "the next part begins at `received`, isn't empty and doesn't go beyond `size`",
        )),
        Taken::Over => {
            Err(Problem::Impossible("the file is whole or given up: nothing more comes"))
        }
    }
}

async fn list(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    page: PageOf,
) -> Result<Response, Problem> {
    let (client, targets) = admit(&api, client)?;
    let (limit, cursor) = page_of(page)?;
    let after = id_cursor(cursor)?;
    let more = limit.saturating_add(1);
    let found = api.0.store.imports(&client.institution, &targets, after.as_deref(), more).await?;
    let items: Vec<Value> = found.iter().take(limit).map(view).collect();
    let last = found.iter().take(limit).next_back().filter(|_| found.len() > limit);
    let next = last.map(|last| format!("{PATH}?limit={limit}&cursor={}", last.id));
    Ok(Json(page_view(items, next)).into_response())
}

async fn read(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (client, targets) = admit(&api, client)?;
    Ok(Json(view(&found(&api, &client, &targets, &id).await?)).into_response())
}

async fn rows(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
    query: Result<Query<RowsQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let (client, targets) = admit(&api, client)?;
    let Query(query) = query.map_err(|_| {
        Problem::Malformed(
            "the query takes `limit`, `cursor` and `refused` alone, once each".into(),
        )
    })?;
    let limit = limit_of(query.limit)?;
    let after = version_cursor(query.cursor)?;
    found(&api, &client, &targets, &id).await?;
    let refused = query.refused.unwrap_or(false);
    let rows = api.0.store.imported_rows(&id, refused, after, limit.saturating_add(1)).await?;
    let items: Result<Vec<Value>, Problem> = rows.iter().take(limit).map(row_view).collect();
    let last = rows.iter().take(limit).next_back().filter(|_| rows.len() > limit);
    let next = last.map(|last| {
        format!("{PATH}/{id}/rows?limit={limit}&cursor={}&refused={refused}", last.number)
    });
    Ok(Json(page_view(items?, next)).into_response())
}

async fn signatures(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
    why: Why,
    page: PageOf,
) -> Result<Response, Problem> {
    let (client, targets) = admit(&api, client)?;
    found(&api, &client, &targets, &id).await?;
    signed_requests(&api, ("import_file", &id), PATH, page, why.of(&client)).await
}

/// [AUT-2]: the caller, and what it may make; refused if that is nothing.
fn admit(api: &Api, client: Option<Client>) -> Result<(Client, Vec<Target>), Problem> {
    let client = client.ok_or(Problem::UnknownClient)?;
    let house = &api.0.house;
    let may = |target: &Target| {
        let whose = match target {
            Target::Masters(kind) => client.reach(*kind, Action::Create, house),
            Target::Instructions => reach(&client, Flow::Transfer, house),
        };
        whose != Reach::Nothing
    };
    let targets: Vec<Target> = Target::ALL.into_iter().filter(may).collect();
    if targets.is_empty() { Err(Problem::Forbidden) } else { Ok((client, targets)) }
}

/// [AUT-3]: a file of the client's institution, for rows that the client may make.
async fn found(
    api: &Api,
    client: &Client,
    targets: &[Target],
    id: &str,
) -> Result<Import, Problem> {
    let import = api.0.store.import(&client.institution, id).await?;
    import.filter(|import| targets.contains(&import.target)).ok_or(Problem::NotFound)
}

fn view(import: &Import) -> Value {
    let mut view = json!({
        "id": import.id,
        "target": import.target.path(),
        "class": import.class.name(),
        "size": import.size.to_string(),
        "file_at": instant(import.file_at),
        "status": import.status.name(),
        "received": import.received.to_string(),
        "rows_done": import.rows_done,
        "rows_refused": import.rows_refused,
        "created_at": instant(import.created_at),
        "created_by": import.created_by,
        "updated_at": instant(import.updated_at),
    });
    if let Value::Object(members) = &mut view {
        let hash = import.hash.clone().map(|hash| ("sha256".to_owned(), hash.into()));
        members.extend(hash);
        members.extend(import.result.map(|one| ("result".to_owned(), one.name().into())));
    }
    view
}

fn row_view(row: &ImportedRow) -> Result<Value, Problem> {
    let mut view = json!({ "row": row.number });
    if let Value::Object(members) = &mut view {
        if let Some(id) = &row.row_id {
            members.insert("id".into(), id.clone().into());
        }
        if let Some(errors) = &row.errors {
            let errors: Value = serde_json::from_str(errors).map_err(|_| Problem::Internal)?;
            members.insert("errors".into(), errors);
        }
    }
    Ok(view)
}
