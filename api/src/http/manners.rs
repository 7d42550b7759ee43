//! What requests and answers of all operations have in common: pages, keys, versions, instants.

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::problem::Problem;
use crate::access::Client;
use crate::masters::is_id;
use crate::personal::By;
use crate::store::Version;

/// The most rows of a page, and how many it has if nobody says.
pub(super) const PAGE: (usize, usize) = (200, 50);
/// The longest reason of an access.
pub(super) const REASON_MAX: usize = 64;
/// The longest idempotency key.
pub(super) const KEY_MAX: usize = 64;

/// Who asks: [AUT-1].
pub(super) type Caller = Extension<Option<Client>>;
pub(super) type Body = Result<Bytes, BytesRejection>;

/// Which page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    pub(super) limit: Option<usize>,
    pub(super) cursor: Option<String>,
}

pub(super) type PageOf = Result<Query<PageQuery>, QueryRejection>;

/// How many items of which page.
pub(super) fn page_of(page: PageOf) -> Result<(usize, Option<String>), Problem> {
    let Query(page) = page.map_err(|_| {
        Problem::Malformed("the query takes `limit` and `cursor` alone, once each".into())
    })?;
    Ok((limit_of(page.limit)?, page.cursor))
}

/// A cursor of a page that is sorted by versions.
pub(super) fn version_cursor(cursor: Option<String>) -> Result<i64, Problem> {
    let after = cursor.map_or(Ok(0), |cursor| cursor.parse::<u32>());
    let wrong = |_| Problem::Malformed("`cursor` must be one that a page has given".into());
    after.map(i64::from).map_err(wrong)
}

/// How many items a page is to have.
pub(super) fn limit_of(limit: Option<usize>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(PAGE.1);
    if limit == 0 || limit > PAGE.0 {
        return Err(Problem::Malformed(format!("`limit` must be 1 to {}", PAGE.0)));
    }
    Ok(limit)
}

/// A cursor of a page that is sorted by ids.
pub(super) fn id_cursor(cursor: Option<String>) -> Result<Option<String>, Problem> {
    if cursor.as_deref().is_some_and(|after| !is_id(after)) {
        return Err(Problem::Malformed("`cursor` must be one that a page has given".into()));
    }
    Ok(cursor)
}

pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<String, Problem> {
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

/// [ACC-6]: why a client handles personal data, by a code of its own; empty if it doesn't say.
#[derive(Debug)]
pub(super) struct Why(String);

impl Why {
    /// Who handles personal data, and why.
    pub(super) fn of<'a>(&'a self, client: &'a Client) -> By<'a> {
        By { reason: &self.0, ..by(client) }
    }

    pub(super) fn reason(&self) -> &str {
        &self.0
    }
}

/// Who reads what has nothing personal in it.
pub(super) fn by(client: &Client) -> By<'_> {
    By { client: &client.name, institution: &client.institution, reason: "" }
}

impl<S: Sync> FromRequestParts<S> for Why {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all("access-reason").iter();
        let Some(value) = values.next() else { return Ok(Self(String::new())) };
        let reason = value.to_str().unwrap_or_default();
        let good = (1..=REASON_MAX).contains(&reason.len())
            && reason.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._/:#".contains(&byte));
        if !good || values.next().is_some() {
            return Err(Problem::Malformed(format!(
                "`Access-Reason` must be a code of 1 to {REASON_MAX} letters, digits and `-._/:#`, once"
            )));
        }
        Ok(Self(reason.to_owned()))
    }
}

pub(super) fn if_match(headers: &HeaderMap) -> Result<i64, Problem> {
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

/// The body as JSON.
pub(super) fn json_of(headers: &HeaderMap, body: Body) -> Result<(Value, Bytes), Problem> {
    let bytes = body_of(headers, body)?;
    let value = serde_json::from_slice(&bytes).map_err(|error| {
        Problem::Malformed(format!("the body is no JSON at line {}", error.line()))
    })?;
    Ok((value, bytes))
}

/// What an idempotency key is for: the request, without keeping what it says.
pub(super) fn fingerprint(path: &str, body: &[u8]) -> String {
    hex(&Sha256::new().chain_update(path).chain_update([0]).chain_update(body).finalize())
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn etag(version: i64) -> String {
    format!("\"v{version}\"")
}

pub(super) fn tagged(mut answer: Response, version: i64) -> Result<Response, Problem> {
    let value = HeaderValue::from_str(&etag(version)).map_err(|_| Problem::Internal)?;
    answer.headers_mut().insert(header::ETAG, value);
    Ok(answer)
}

pub(super) fn page_view(items: Vec<Value>, next: Option<String>) -> Value {
    let mut page = json!({ "items": items });
    if let (Some(next), Value::Object(page)) = (next, &mut page) {
        page.insert("next".into(), next.into());
    }
    page
}

/// RFC 3339, in UTC.
pub(super) fn instant(micros: i64) -> Value {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros).saturating_mul(1000));
    at.ok().and_then(|at| at.format(&Rfc3339).ok()).into()
}

/// A version of a row's history.
pub(super) fn version_view(version: &Version) -> Value {
    let mut view =
        json!({ "version": version.version, "at": instant(version.at), "by": version.by });
    if let (Some(content), Value::Object(view)) = (&version.content, &mut view) {
        view.insert("content".into(), content.clone());
    }
    view
}
