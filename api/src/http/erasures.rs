//! Erasure over HTTP: what holds an investor's data, what became of its erasure, and what destroys the keys.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Api;
use super::manners::{Caller, PageOf, id_cursor, instant, page_of, page_view};
use super::problem::Problem;
use crate::access::{Action, Client, Reach};
use crate::flows::Erasing;
use crate::masters::Kind;
use crate::store::{Erased, Hold, StoreError};

/// How long to wait before keys are looked for again that could not be destroyed, or a node that could not sign.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

/// The paths of erasures and holds.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/v1/investors/{id}/erasure", get(erasure))
        .route("/v1/investors/{id}/holds", get(holds))
}

impl Api {
    /// Destroys keys that are to be destroyed and has erasures certified, for as long as the node runs: [ERA-1].
    pub async fn erase(&self) {
        loop {
            if let Err(error) = self.erase_due().await {
                tracing::error!(%error, "keys of personal data could not be destroyed");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The same once.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn erase_due(&self) -> Result<(), StoreError> {
        while self.0.store.destroy_keys(self.now()).await? {}
        let Some(node) = self.node() else { return Ok(()) };
        for (erased, key) in self.0.store.uncertified().await? {
            match node.certify(Erasing::of(&erased, &key)).await {
                Ok(file) => self.0.store.certified(&erased.id, &file).await?,
                Err(error) => tracing::warn!(%error, "the node did not certify an erasure"),
            }
        }
        Ok(())
    }

    /// The same before a request is answered, and to its end even if whoever asked goes away. What fails is done later.
    pub(super) async fn erase_now(&self) {
        let api = self.clone();
        let done = tokio::spawn(async move { api.erase_due().await }).await;
        if let Ok(Err(error)) = done {
            tracing::error!(%error, "keys of personal data could not be destroyed yet");
        }
    }
}

async fn erasure(
    State(api): State<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    within_reach(&api, client, &id).await?;
    let erased = api.0.store.erasure(&id).await?.ok_or(Problem::NotFound)?;
    Ok(Json(view(&erased)).into_response())
}

async fn holds(
    State(api): State<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
    page: PageOf,
) -> Result<Response, Problem> {
    within_reach(&api, client, &id).await?;
    let (limit, cursor) = page_of(page)?;
    let after = id_cursor(cursor)?;
    let found = api.0.store.holds(&id, after.as_deref(), limit.saturating_add(1)).await?;
    let items: Vec<Value> = found.iter().take(limit).map(hold_view).collect();
    let last = found.iter().take(limit).next_back().filter(|_| found.len() > limit);
    let next =
        last.map(|last| format!("/v1/investors/{id}/holds?limit={limit}&cursor={}", last.id));
    Ok(Json(page_view(items, next)).into_response())
}

/// [AUT-3]: an investor that the client may read.
async fn within_reach(api: &Api, client: Option<Client>, id: &str) -> Result<(), Problem> {
    let client = client.ok_or(Problem::UnknownClient)?;
    let reach = client.reach(Kind::Investor, Action::Read, &api.0.house);
    if reach == Reach::Nothing {
        return Err(Problem::Forbidden);
    }
    api.0.store.is_there(Kind::Investor, id, &reach).await?.then_some(()).ok_or(Problem::NotFound)
}

fn view(erased: &Erased) -> Value {
    let mut view = json!({
        "investor_id": erased.investor,
        "approval_id": erased.id,
        "reason": erased.reason,
        "approved_at": instant(erased.approved_at),
        "proposed_by": erased.people.0,
        "approved_by": erased.people.1,
        "state": if erased.destroyed_at.is_some() { "erased" } else { "erasing" },
    });
    if let Value::Object(members) = &mut view {
        if let Some(at) = erased.destroyed_at {
            members.insert("destroyed_at".into(), instant(at));
        }
        if let Some(file) = &erased.certificate {
            members.insert("certificate".into(), STANDARD.encode(file).into());
        }
    }
    view
}

fn hold_view(hold: &Hold) -> Value {
    let mut view = json!({
        "id": hold.id,
        "reason": hold.reason,
        "until": hold.until,
        "placed_at": instant(hold.placed_at),
        "proposed_by": hold.placed_by.0,
        "approved_by": hold.placed_by.1,
    });
    if let (Some((at, proposed, approved)), Value::Object(members)) = (&hold.lifted, &mut view) {
        members.insert("lifted_at".into(), instant(*at));
        members.insert("lift_proposed_by".into(), proposed.clone().into());
        members.insert("lift_approved_by".into(), approved.clone().into());
    }
    view
}
