//! Users, their sessions, and the record of both.

use serde_json::{Value, json};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row as _, Transaction};
use uuid::Uuid;

use super::rows::remember;
use super::{Change, Store, StoreError};
use crate::access::Role;
use crate::masters::Values;
use crate::users::{FIELDS, Password, Refusal, User, UsersConfig, matches_code};

/// The table's name, also in histories.
const TABLE: &str = "login_user";
/// For how long codes can be used, in microseconds.
const CODES_FOR_US: i64 = 72 * 3600 * 1_000_000;

/// What became of a change of a user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Replaced {
    /// Done; his version now.
    Version(i64),
    /// There is no such user.
    Absent,
    /// Another one has the login.
    Taken,
}

/// Where somebody tries to log on: his institution, the login, and the certificate's hash of the connection, if any.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// His institution.
    pub institution: &'a str,
    /// What he calls himself.
    pub login: &'a str,
    /// The connection's certificate.
    pub certificate: &'a str,
    /// Microseconds since the Unix epoch.
    pub now: i64,
}

/// A user whose attempt counts, with what his password is checked against.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The user.
    pub user: User,
    password: Option<String>,
    before: [Option<String>; 2],
    codes: [Option<String>; 2],
    codes_until: i64,
}

impl Attempt {
    /// Whether this is a user's password; takes as long if there is no user.
    #[must_use]
    pub fn is(attempt: Option<&Self>, password: &Password) -> bool {
        password.is(attempt.and_then(|attempt| attempt.password.as_deref()))
    }

    /// Whether these are a user's codes, in any order, in time.
    #[must_use]
    pub fn has_codes(&self, given: [&str; 2], now: i64) -> bool {
        let [Some(one), Some(two)] = &self.codes else { return false };
        let [a, b] = given;
        let straight = matches_code(a, one) & matches_code(b, two);
        let crossed = matches_code(b, one) & matches_code(a, two);
        (straight | crossed) && now < self.codes_until
    }

    /// Whether a password may be his new one, and its hash.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn next_password(&self, password: &Password) -> Result<Option<String>, Refusal> {
        password.check(self.user.values.get("login").map_or("", String::as_str))?;
        let [one, two] = &self.before;
        let had = [&self.password, one, two].into_iter().flatten();
        if had.fold(false, |had, hash| had | password.is(Some(hash))) {
            return Err(Refusal::Before);
        }
        Ok(password.hash())
    }
}

impl Store {
    /// Counts an attempt to be a user before it is known whether it succeeds, so that attempts at the same time count too, and
    /// records it; [USR-1]. Nothing if there is no such user or he can't log on now.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn attempt(
        &self,
        at: At<'_>,
        event: &str,
        config: &UsersConfig,
    ) -> Result<Option<Attempt>, StoreError> {
        let mut tx = self.write().await?;
        // Takes the row, so that attempts at the same time wait for each other.
        let text = "UPDATE login_user SET failed_attempts = failed_attempts WHERE owner = $1 AND login = $2";
        let query = sqlx::query(text).bind(at.institution.to_owned()).bind(at.login.to_owned());
        query.execute(&mut *tx).await?;
        let text = "SELECT * FROM login_user WHERE owner = $1 AND login = $2";
        let query = sqlx::query(text).bind(at.institution.to_owned()).bind(at.login.to_owned());
        let found = query.fetch_optional(&mut *tx).await?;
        let found = found.map(|row| parse_attempt(&row)).transpose()?;
        let who =
            found.as_ref().map_or_else(String::new, |found| format!("user/{}", found.user.id));
        record(&mut tx, at, &who, event).await?;
        let may =
            |found: &Attempt| found.user.status == "active" && found.user.locked_until <= at.now;
        let Some(found) = found.filter(may) else {
            tx.commit().await?;
            return Ok(None);
        };
        // A lock that is over has had its attempts.
        let before = if found.user.locked_until > 0 { 0 } else { found.user.failed_attempts };
        let failed = before.saturating_add(1);
        let locked = failed >= i64::from(config.attempts);
        let until = if locked { at.now.saturating_add(config.lock_us()) } else { 0 };
        let text = "UPDATE login_user SET failed_attempts = $1, locked_until = $2 WHERE id = $3";
        let query = sqlx::query(text).bind(failed).bind(until).bind(found.user.id.clone());
        query.execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Some(found))
    }

    /// Begins a session of a user whose attempt has succeeded. False if he has been changed meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn log_on(
        &self,
        user: &User,
        at: At<'_>,
        token: &str,
        expires_at: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let text = "UPDATE login_user SET failed_attempts = 0, locked_until = 0, last_log_on = $1 \
                    WHERE id = $2 AND version = $3 AND password_at = $4";
        let query = sqlx::query(text).bind(at.now).bind(user.id.clone()).bind(user.version);
        if query.bind(user.password_at).execute(&mut *tx).await?.rows_affected() != 1 {
            return Ok(false);
        }
        let over = sqlx::query("DELETE FROM session WHERE expires_at <= $1").bind(at.now);
        over.execute(&mut *tx).await?;
        let text = "INSERT INTO session (token, user_id, certificate, made_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
        let query = sqlx::query(text).bind(token.to_owned()).bind(user.id.clone());
        let query = query.bind(at.certificate.to_owned()).bind(at.now).bind(expires_at);
        query.execute(&mut *tx).await?;
        record(&mut tx, at, &format!("user/{}", user.id), "logged on").await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Gives a user whose attempt has succeeded a new password, and ends his sessions. False if he has been changed meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn set_password(
        &self,
        user: &User,
        at: At<'_>,
        hash: &str,
        event: &str,
    ) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let text = "UPDATE login_user SET password_before_that = password_before, password_before = password, password = $1, \
                    password_at = $2, failed_attempts = 0, locked_until = 0, code_1 = NULL, code_2 = NULL, codes_until = 0 \
                    WHERE id = $3 AND version = $4 AND password_at = $5 AND codes_until = $6";
        let changed = sqlx::query(text)
            .bind(hash.to_owned())
            .bind(at.now)
            .bind(user.id.clone())
            .bind(user.version)
            .bind(user.password_at)
            .bind(user.codes_until)
            .execute(&mut *tx)
            .await?;
        if changed.rows_affected() != 1 {
            return Ok(false);
        }
        end_sessions(&mut tx, &user.id).await?;
        record(&mut tx, at, &format!("user/{}", user.id), event).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The user of a session that is not over, begun over a connection with this certificate, or without one.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn session(
        &self,
        token: &str,
        certificate: &str,
        now: i64,
    ) -> Result<Option<User>, StoreError> {
        let text = "SELECT login_user.* FROM session JOIN login_user ON login_user.id = session.user_id \
                    WHERE session.token = $1 AND session.certificate = $2 AND session.expires_at > $3 \
                    AND login_user.status = 'active'";
        let query = sqlx::query(text).bind(token.to_owned()).bind(certificate.to_owned()).bind(now);
        let row = query.fetch_optional(&self.pool).await?;
        row.map(|row| parse(&row)).transpose()
    }

    /// Ends a session.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn log_off(&self, token: &str, who: &str, at: At<'_>) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let query = sqlx::query("DELETE FROM session WHERE token = $1").bind(token.to_owned());
        query.execute(&mut *tx).await?;
        record(&mut tx, at, who, "logged off").await?;
        tx.commit().await?;
        Ok(())
    }

    /// A user of an institution.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn user(&self, institution: &str, id: &str) -> Result<Option<User>, StoreError> {
        let text = "SELECT * FROM login_user WHERE owner = $1 AND id = $2";
        let query = sqlx::query(text).bind(institution.to_owned()).bind(id.to_owned());
        let row = query.fetch_optional(&self.pool).await?;
        row.map(|row| parse(&row)).transpose()
    }

    /// Up to `limit` users of an institution by id, after the id `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn users(
        &self,
        institution: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<User>, StoreError> {
        let text = format!(
            "SELECT * FROM login_user WHERE owner = $1 AND id > $2 ORDER BY id LIMIT {limit}"
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind(institution.to_owned());
        let rows = query.bind(after.unwrap_or_default().to_owned()).fetch_all(&self.pool).await?;
        rows.iter().map(parse).collect()
    }

    /// Up to `limit` records of an institution's users, oldest first, after the id `after`: id, time, who, event.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn audit(
        &self,
        institution: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, i64, String, String)>, StoreError> {
        let text = format!(
            "SELECT * FROM audit WHERE institution = $1 AND id > $2 ORDER BY id LIMIT {limit}"
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind(institution.to_owned());
        let rows = query.bind(after.unwrap_or_default().to_owned()).fetch_all(&self.pool).await?;
        let read = |row: &AnyRow| {
            Ok((row.try_get("id")?, row.try_get("at")?, row.try_get("who")?, row.try_get("event")?))
        };
        rows.iter().map(read).collect()
    }
}

/// Makes a user who has codes and no password; nothing if the login is taken.
pub(crate) async fn insert(
    tx: &mut Transaction<'static, Any>,
    values: &Values,
    codes: (&str, &str),
    change: Change<'_>,
) -> Result<Option<String>, StoreError> {
    if taken(tx, "", values, change).await? {
        return Ok(None);
    }
    let id = Uuid::now_v7().simple().to_string();
    let names: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
    let places: Vec<String> = (9..).take(names.len()).map(|place| format!("${place}")).collect();
    let text = format!(
        "INSERT INTO login_user (id, version, owner, status, password_at, failed_attempts, locked_until, last_log_on, code_1, \
         code_2, codes_until, created_at, created_by, updated_at, updated_by, {}) \
         VALUES ($1, 1, $2, 'active', 0, 0, 0, 0, $3, $4, $5, $6, $7, $6, $8, {})",
        names.join(", "),
        places.join(", "),
    );
    let mut query = sqlx::query(AssertSqlSafe(text))
        .bind(id.clone())
        .bind(change.institution.to_owned())
        .bind(codes.0.to_owned())
        .bind(codes.1.to_owned())
        .bind(change.now.saturating_add(CODES_FOR_US))
        .bind(change.now)
        .bind(change.client.to_owned())
        .bind(change.client.to_owned());
    for name in names {
        query = query.bind(values.get(name).cloned());
    }
    query.execute(&mut **tx).await?;
    remember(tx, (TABLE, &id, 1), Some(&with_status(values, "active")), change, None).await?;
    Ok(Some(id))
}

/// Replaces what a user is, and ends his sessions.
pub(crate) async fn replace(
    tx: &mut Transaction<'static, Any>,
    id: &str,
    values: &Values,
    status: &str,
    change: Change<'_>,
) -> Result<Replaced, StoreError> {
    if taken(tx, id, values, change).await? {
        return Ok(Replaced::Taken);
    }
    let names: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
    let places: Vec<u32> = (6..).take(names.len()).collect();
    let sets: Vec<String> = sudare_crypto::pairs(&names, &places)
        .ok_or(StoreError::Damaged(TABLE))?
        .map(|(name, place)| format!("{name} = ${place}"))
        .collect();
    let text = format!(
        "UPDATE login_user SET version = version + 1, status = $1, updated_at = $2, updated_by = $3, {} \
         WHERE id = $4 AND owner = $5",
        sets.join(", "),
    );
    let mut query = sqlx::query(AssertSqlSafe(text))
        .bind(status.to_owned())
        .bind(change.now)
        .bind(change.client.to_owned())
        .bind(id.to_owned())
        .bind(change.institution.to_owned());
    for name in names {
        query = query.bind(values.get(name).cloned());
    }
    if query.execute(&mut **tx).await?.rows_affected() != 1 {
        return Ok(Replaced::Absent);
    }
    end_sessions(tx, id).await?;
    let version = version(tx, id).await?;
    remember(tx, (TABLE, id, version), Some(&with_status(values, status)), change, None).await?;
    Ok(Replaced::Version(version))
}

/// Takes a user's password and lock, and gives him new codes; nothing if there is no such user.
pub(crate) async fn reset(
    tx: &mut Transaction<'static, Any>,
    id: &str,
    codes: (&str, &str),
    change: Change<'_>,
) -> Result<Option<i64>, StoreError> {
    let text = "UPDATE login_user SET version = version + 1, password_before_that = password_before, password_before = password, \
                password = NULL, failed_attempts = 0, locked_until = 0, code_1 = $1, code_2 = $2, codes_until = $3, \
                updated_at = $4, updated_by = $5 WHERE id = $6 AND owner = $7";
    let done = sqlx::query(text)
        .bind(codes.0.to_owned())
        .bind(codes.1.to_owned())
        .bind(change.now.saturating_add(CODES_FOR_US))
        .bind(change.now)
        .bind(change.client.to_owned())
        .bind(id.to_owned())
        .bind(change.institution.to_owned())
        .execute(&mut **tx)
        .await?;
    if done.rows_affected() != 1 {
        return Ok(None);
    }
    end_sessions(tx, id).await?;
    Ok(Some(version(tx, id).await?))
}

async fn taken(
    tx: &mut Transaction<'static, Any>,
    id: &str,
    values: &Values,
    change: Change<'_>,
) -> Result<bool, StoreError> {
    let text = "SELECT id FROM login_user WHERE owner = $1 AND login = $2 AND id <> $3";
    let query = sqlx::query(text)
        .bind(change.institution.to_owned())
        .bind(values.get("login").cloned())
        .bind(id.to_owned());
    Ok(query.fetch_optional(&mut **tx).await?.is_some())
}

async fn version(tx: &mut Transaction<'static, Any>, id: &str) -> Result<i64, StoreError> {
    let query = sqlx::query("SELECT version FROM login_user WHERE id = $1").bind(id.to_owned());
    Ok(query.fetch_one(&mut **tx).await?.try_get("version")?)
}

async fn end_sessions(tx: &mut Transaction<'static, Any>, id: &str) -> Result<(), StoreError> {
    let query = sqlx::query("DELETE FROM session WHERE user_id = $1").bind(id.to_owned());
    query.execute(&mut **tx).await?;
    Ok(())
}

async fn record(
    tx: &mut Transaction<'static, Any>,
    at: At<'_>,
    who: &str,
    event: &str,
) -> Result<(), StoreError> {
    let text = "INSERT INTO audit (id, at, institution, who, certificate, event) VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(text)
        .bind(Uuid::now_v7().simple().to_string())
        .bind(at.now)
        .bind(at.institution.to_owned())
        .bind(who.to_owned())
        .bind(at.certificate.to_owned())
        .bind(event.to_owned())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn with_status(values: &Values, status: &str) -> Values {
    let mut values = values.clone();
    values.insert("status", status.to_owned());
    values
}

fn parse_attempt(row: &AnyRow) -> Result<Attempt, StoreError> {
    Ok(Attempt {
        user: parse(row)?,
        password: row.try_get("password")?,
        before: [row.try_get("password_before")?, row.try_get("password_before_that")?],
        codes: [row.try_get("code_1")?, row.try_get("code_2")?],
        codes_until: row.try_get("codes_until")?,
    })
}

fn parse(row: &AnyRow) -> Result<User, StoreError> {
    let mut values = Values::new();
    for field in FIELDS {
        if let Some(value) = row.try_get::<Option<String>, _>(field.name)? {
            values.insert(field.name, value);
        }
    }
    let role = values.get("role").map_or(Value::Null, |role| json!(role));
    let role: Role = serde_json::from_value(role).map_err(|_| StoreError::Damaged(TABLE))?;
    Ok(User {
        id: row.try_get("id")?,
        version: row.try_get("version")?,
        owner: row.try_get("owner")?,
        values,
        status: row.try_get("status")?,
        role,
        has_password: row.try_get::<Option<String>, _>("password")?.is_some(),
        password_at: row.try_get("password_at")?,
        failed_attempts: row.try_get("failed_attempts")?,
        locked_until: row.try_get("locked_until")?,
        last_log_on: row.try_get("last_log_on")?,
        codes_until: row.try_get("codes_until")?,
        created: (row.try_get("created_at")?, row.try_get("created_by")?),
        updated: (row.try_get("updated_at")?, row.try_get("updated_by")?),
    })
}
