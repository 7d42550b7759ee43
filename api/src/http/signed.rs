//! Signatures over HTTP: checked before a request is handled, shown with what it did.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::manners::{PageOf, id_cursor, instant, page_of, page_view};
use super::problem::Problem;
use super::{Api, BODY_BYTES_MAX};
use crate::access::Client;
use crate::imports::PART_BYTES_MAX;
use crate::personal::By;
use crate::signed::{Signed, check_digest, verify};
use crate::store::Evidence;

/// The signature of a request, if it has one that holds.
pub(super) type Signature = Extension<Option<Arc<Signed>>>;

/// Who asks, and the request if he signed it.
pub(super) type Asked = (Option<Client>, Option<Arc<Signed>>);

/// [SIG-1]: checks digest and signature of a client's request. What it finds goes with the request to where it is handled.
pub(super) async fn checked(
    client: Option<&Client>,
    request: Request,
    now: i64,
) -> Result<Request, Problem> {
    let signs =
        ["signature", "signature-input"].iter().any(|name| request.headers().contains_key(*name));
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if client.is_some_and(|client| client.must_sign) && changes && !signs {
        return Err(Problem::SignatureRequired);
    }
    let mut request = request;
    if !signs && !request.headers().contains_key("content-digest") {
        request.extensions_mut().insert(None::<Arc<Signed>>);
        return Ok(request);
    }
    let (mut parts, body) = request.into_parts();
    let body =
        to_bytes(body, BODY_BYTES_MAX.max(PART_BYTES_MAX)).await.map_err(|_| Problem::TooLarge)?;
    check_digest(&parts.headers, &body).map_err(|_| Problem::DigestMismatch)?;
    let mut signed = None;
    if signs {
        let said = (&parts.method, &parts.uri, &parts.headers);
        let found = verify(client.map_or(&[], |client| &client.keys), said, &body, now)
            .map_err(Problem::SignatureRefused)?;
        signed = Some(Arc::new(found));
    }
    parts.extensions.insert(signed);
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// A page of the signed requests behind a row that the client may read.
pub(super) async fn page(
    api: &Api,
    (kind, id): (&str, &str),
    path: &str,
    page: PageOf,
    by: By<'_>,
) -> Result<Response, Problem> {
    let (limit, cursor) = page_of(page)?;
    let after = id_cursor(cursor)?;
    let (found, more) = api.0.store.evidence((kind, id), after.as_deref(), limit, by).await?;
    let items: Vec<Value> = found.iter().map(view).collect();
    let last = found.last().filter(|_| more);
    let next = last.map(|last| format!("{path}/{id}/signatures?limit={limit}&cursor={}", last.id));
    Ok(Json(page_view(items, next)).into_response())
}

fn view(evidence: &Evidence) -> Value {
    let signed = &evidence.signed;
    json!({
        "id": evidence.id,
        "at": instant(evidence.at),
        "by": evidence.by,
        "key_id": signed.key_id,
        "public_key": signed.public_key,
        "algorithm": signed.algorithm,
        "base": signed.base,
        "signature": signed.signature,
        "body": signed.body,
    })
}
