//! Users over HTTP: log on, log off, passwords, activation; who they are and what they did.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Extension, Json, Router};
use serde_json::{Map, Value, json};

use super::manners::{
    Body, Caller, PageOf, by, id_cursor, instant, json_of, page_of, page_view, tagged,
    version_cursor, version_view,
};
use super::problem::Problem;
use super::{Api, Peer};
use crate::access::{Client, Role};
use crate::masters::FieldError;
use crate::store::{At, Attempt};
use crate::users::{Password, User, UsersConfig, token, token_hash};

/// The paths of users.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/v1/sessions", post(log_on))
        .route("/v1/sessions/current", delete(log_off))
        .route("/v1/passwords", post(change_password))
        .route("/v1/activations", post(activate))
        .route("/v1/users", get(list))
        .route("/v1/users/{id}", get(read))
        .route("/v1/users/{id}/history", get(history))
        .route("/v1/audit", get(audit))
}

/// Somebody who says who he is.
struct Somebody {
    institution: String,
    login: String,
    certificate: String,
    now: i64,
}

impl Somebody {
    fn at(&self) -> At<'_> {
        At {
            institution: &self.institution,
            login: &self.login,
            certificate: &self.certificate,
            now: self.now,
        }
    }
}

async fn log_on(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let config = users_of(&api)?;
    let mut texts = texts(&headers, body, &["institution", "login", "password"])?;
    let password = password_of(&mut texts, "password");
    let who = somebody(&api, &peer, config, &mut texts)?;
    let _turn = api.0.hashing.acquire().await.map_err(|_| Problem::Internal)?;
    let found = api.0.store.attempt(who.at(), "tried to log on", config).await?;
    let (found, right) = checked(found, move |found| Attempt::is(found, &password)).await?;
    let user = found.filter(|_| right).map(|found| found.user).ok_or(Problem::LogOnRefused)?;
    if config.of(&user.owner).is_none_or(|of| !of.roles.contains(&user.role)) {
        return Err(Problem::LogOnRefused);
    }
    let good_until = config.good_until(user.password_at);
    if good_until <= who.now {
        return Err(Problem::PasswordExpired);
    }
    let token = token().ok_or(Problem::Internal)?;
    let hash = token_hash(&token).ok_or(Problem::Internal)?;
    let expires_at = who.now.saturating_add(config.session_us()).min(good_until);
    if !api.0.store.log_on(&user, who.at(), &hash, expires_at).await? {
        return Err(Problem::LogOnRefused);
    }
    let session = json!({
        "token": token,
        "expires_at": instant(expires_at),
        "user_id": user.id,
        "role": user.role,
        "password_expires_at": instant(good_until),
    });
    Ok((StatusCode::CREATED, Json(session)).into_response())
}

async fn log_off(
    State(api): State<Api>,
    Extension(client): Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let client = client.ok_or(Problem::UnknownClient)?;
    let hash = super::peer::bearer(&headers)?.and_then(token_hash).ok_or(Problem::NotFound)?;
    let at = At {
        institution: &client.institution,
        login: "",
        certificate: &client.certificate,
        now: api.now(),
    };
    api.0.store.log_off(&hash, &client.name, at).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn change_password(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let config = users_of(&api)?;
    let names = ["institution", "login", "password", "new_password"];
    let mut texts = texts(&headers, body, &names)?;
    let password = password_of(&mut texts, "password");
    let next = password_of(&mut texts, "new_password");
    let who = somebody(&api, &peer, config, &mut texts)?;
    let _turn = api.0.hashing.acquire().await.map_err(|_| Problem::Internal)?;
    let found = api.0.store.attempt(who.at(), "tried to change the password", config).await?;
    let (found, right) = checked(found, move |found| Attempt::is(found, &password)).await?;
    let found = found.filter(|_| right).ok_or(Problem::LogOnRefused)?;
    set(&api, &who, found, next, "changed the password").await
}

async fn activate(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let config = users_of(&api)?;
    let names = ["institution", "login", "code_1", "code_2", "new_password"];
    let mut texts = texts(&headers, body, &names)?;
    let next = password_of(&mut texts, "new_password");
    let codes = ["code_1", "code_2"].map(|name| texts.remove(name).unwrap_or_default());
    let who = somebody(&api, &peer, config, &mut texts)?;
    let _turn = api.0.hashing.acquire().await.map_err(|_| Problem::Internal)?;
    let found = api.0.store.attempt(who.at(), "tried to activate", config).await?;
    let [one, two] = &codes;
    let found = found.filter(|found| found.has_codes([one, two], who.now));
    set(&api, &who, found.ok_or(Problem::LogOnRefused)?, next, "activated").await
}

/// Gives a user the new password that he may have.
async fn set(
    api: &Api,
    who: &Somebody,
    found: Attempt,
    next: Password,
    event: &str,
) -> Result<Response, Problem> {
    let (found, hash) =
        checked(Some(found), move |found| found.map(|found| found.next_password(&next))).await?;
    let (Some(found), Some(hash)) = (found, hash) else { return Err(Problem::Internal) };
    let hash = hash.map_err(|refusal| {
        Problem::Invalid(vec![FieldError::new("new_password", refusal.to_string())])
    })?;
    let hash = hash.ok_or(Problem::Internal)?;
    if api.0.store.set_password(&found.user, who.at(), &hash, event).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(Problem::LogOnRefused)
    }
}

/// Runs what takes a core for a while where it keeps nobody waiting.
async fn checked<T: Send + 'static>(
    found: Option<Attempt>,
    check: impl FnOnce(Option<&Attempt>) -> T + Send + 'static,
) -> Result<(Option<Attempt>, T), Problem> {
    let found = Arc::new(found);
    let shared = Arc::clone(&found);
    let run = tokio::task::spawn_blocking(move || check(shared.as_ref().as_ref()));
    let result = run.await.map_err(|_| Problem::Internal)?;
    Ok((Arc::unwrap_or_clone(found), result))
}

async fn list(
    State(api): State<Api>,
    Extension(client): Caller,
    page: PageOf,
) -> Result<Response, Problem> {
    let client = administrator(&api, client)?;
    let (limit, cursor) = page_of(page)?;
    let after = id_cursor(cursor)?;
    let more = limit.saturating_add(1);
    let users = api.0.store.users(&client.institution, after.as_deref(), more).await?;
    let items: Vec<Value> = users.iter().take(limit).map(view).collect();
    let last = users.iter().take(limit).next_back().filter(|_| users.len() > limit);
    let next = last.map(|last| format!("/v1/users?limit={limit}&cursor={}", last.id));
    Ok(Json(page_view(items, next)).into_response())
}

async fn read(
    State(api): State<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let client = administrator(&api, client)?;
    let user = api.0.store.user(&client.institution, &id).await?.ok_or(Problem::NotFound)?;
    tagged(Json(view(&user)).into_response(), user.version)
}

async fn history(
    State(api): State<Api>,
    Extension(client): Caller,
    Path(id): Path<String>,
    page: PageOf,
) -> Result<Response, Problem> {
    let client = administrator(&api, client)?;
    let (limit, cursor) = page_of(page)?;
    let after = version_cursor(cursor)?;
    api.0.store.user(&client.institution, &id).await?.ok_or(Problem::NotFound)?;
    let of = ("login_user", id.as_str());
    let (versions, more) = api.0.store.history(of, after, limit, by(&client)).await?;
    let items: Vec<Value> = versions.iter().map(version_view).collect();
    let last = versions.last().filter(|_| more);
    let next =
        last.map(|last| format!("/v1/users/{id}/history?limit={limit}&cursor={}", last.version));
    Ok(Json(page_view(items, next)).into_response())
}

async fn audit(
    State(api): State<Api>,
    Extension(client): Caller,
    page: PageOf,
) -> Result<Response, Problem> {
    let client = administrator(&api, client)?;
    let (limit, cursor) = page_of(page)?;
    let after = id_cursor(cursor)?;
    let more = limit.saturating_add(1);
    let records = api.0.store.audit(&client.institution, after.as_deref(), more).await?;
    let item = |(id, at, who, event): &(String, i64, String, String)| json!({ "id": id, "at": instant(*at), "by": who, "event": event });
    let items: Vec<Value> = records.iter().take(limit).map(item).collect();
    let last = records.iter().take(limit).next_back().filter(|_| records.len() > limit);
    let next = last.map(|(id, ..)| format!("/v1/audit?limit={limit}&cursor={id}"));
    Ok(Json(page_view(items, next)).into_response())
}

/// [AUT-2]: administrators see the users of their institution.
fn administrator(api: &Api, client: Option<Client>) -> Result<Client, Problem> {
    let client = client.ok_or(Problem::UnknownClient)?;
    if client.role != Role::Administrator {
        return Err(Problem::Forbidden);
    }
    users_of(api)?;
    Ok(client)
}

fn users_of(api: &Api) -> Result<&UsersConfig, Problem> {
    api.0.users.as_ref().ok_or(Problem::NotFound)
}

/// Who somebody says he is, unless too many say so. One whose institution has no users over this connection is looked for like
/// any other, where nobody is: [USR-2].
fn somebody(
    api: &Api,
    peer: &Peer,
    config: &UsersConfig,
    texts: &mut BTreeMap<String, String>,
) -> Result<Somebody, Problem> {
    let now = api.now();
    let certificate = peer.certificate();
    let known = config.institutions.iter().any(|of| of.takes(certificate.as_deref()));
    let bucket = certificate.clone().filter(|_| known).unwrap_or_default();
    api.0.log_ons.take(&bucket, now).map_err(Problem::TooMany)?;
    let institution = texts.remove("institution").unwrap_or_default();
    let takes = config.of(&institution).is_some_and(|of| of.takes(certificate.as_deref()));
    Ok(Somebody {
        institution: if takes { institution } else { String::new() },
        login: texts.remove("login").unwrap_or_default(),
        certificate: certificate.unwrap_or_default(),
        now,
    })
}

/// The members of a body, which are texts of up to 256 characters, all of them there and no others.
fn texts(
    headers: &HeaderMap,
    body: Body,
    names: &[&str],
) -> Result<BTreeMap<String, String>, Problem> {
    let (body, _) = json_of(headers, body)?;
    let Value::Object(members) = body else {
        let error = FieldError { pointer: String::new(), detail: "must be an object".into() };
        return Err(Problem::Invalid(vec![error]));
    };
    let mut errors: Vec<FieldError> = names
        .iter()
        .filter(|name| !members.contains_key(**name))
        .map(|name| FieldError::new(name, "is required"))
        .collect();
    let mut texts = BTreeMap::new();
    for (name, value) in members {
        match value {
            _ if !names.contains(&name.as_str()) => {
                let short: String = name.chars().take(64).collect();
                errors.push(FieldError::new(&short, "is no field of this"));
            }
            Value::String(text)
                if (1..=256).contains(&text.chars().count()) && !text.contains('\0') =>
            {
                texts.insert(name, text);
            }
            _ => errors.push(FieldError::new(&name, "must be 1 to 256 characters")),
        }
    }
    if errors.is_empty() { Ok(texts) } else { Err(Problem::Invalid(errors)) }
}

fn password_of(texts: &mut BTreeMap<String, String>, name: &str) -> Password {
    Password::new(texts.remove(name).unwrap_or_default())
}

fn view(user: &User) -> Value {
    let mut view: Map<String, Value> = user
        .values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone().into()))
        .collect();
    view.extend([
        ("id".to_owned(), user.id.clone().into()),
        ("version".to_owned(), user.version.into()),
        ("status".to_owned(), user.status.clone().into()),
        ("has_password".to_owned(), user.has_password.into()),
        ("failed_attempts".to_owned(), user.failed_attempts.into()),
        ("created_at".to_owned(), instant(user.created.0)),
        ("created_by".to_owned(), user.created.1.clone().into()),
        ("updated_at".to_owned(), instant(user.updated.0)),
        ("updated_by".to_owned(), user.updated.1.clone().into()),
    ]);
    let times = [
        ("password_at", user.password_at),
        ("locked_until", user.locked_until),
        ("last_log_on", user.last_log_on),
    ];
    view.extend(
        times
            .into_iter()
            .filter(|(_, at)| *at > 0)
            .map(|(name, at)| (name.to_owned(), instant(at))),
    );
    Value::Object(view)
}
