//! The business day over HTTP.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use serde_json::{Value, json};

use super::Api;
use super::manners::{Caller, instant};
use super::problem::Problem;
use crate::calendar::Calendar;
use crate::flows::today;

/// The path of the market.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/v1/market", get(read))
}

/// Whoever is known may see it.
async fn read(State(api): State<Api>, Extension(client): Caller) -> Result<Response, Problem> {
    client.ok_or(Problem::UnknownClient)?;
    let market = api.0.market.as_ref().ok_or(Problem::NotFound)?;
    let state = api.0.store.market().await?;
    let (date, calendar) = (today(api.now()), Calendar::newest());
    let mut view = json!({
        "open": state.open,
        "since": (state.since > 0).then(|| instant(state.since)),
        "date": date,
        "is_business_day": calendar.is_business_day(date).unwrap_or(false),
        "calendar": calendar.id(),
        "cut_offs": market.cut_offs(),
    });
    if let Value::Object(members) = &mut view {
        members.retain(|_, value| !value.is_null());
    }
    Ok(Json(view).into_response())
}
