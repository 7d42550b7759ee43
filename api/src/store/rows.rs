//! Rows of masters: made and changed, each with its history in the same transaction.

use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row as _, Transaction};
use sudare_ledger::access::Handled;
use uuid::Uuid;

use super::reads::{parse, select};
use super::sealed::{Lock, columns, names, sealed_content, subject};
use super::signed::keep;
use super::{KEY_KEPT_US, Store, StoreError};
use crate::access::Reach;
use crate::masters::{FieldError, Form, Kind, Values};
use crate::personal::{By, DataKey, KeyBook};
use crate::signed::Signed;

/// A row of a master.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// Its id: 32 hexadecimal digits, a UUID of version 7.
    pub id: String,
    /// Counts from 1, one more with every change.
    pub version: i64,
    /// The institution that made it.
    pub owner: String,
    /// Its values.
    pub values: Values,
    /// When it was made, in microseconds since the Unix epoch.
    pub created_at: i64,
    /// The client that made it.
    pub created_by: String,
    /// When it was last changed, in microseconds since the Unix epoch.
    pub updated_at: i64,
    /// The client that changed it last.
    pub updated_by: String,
}

/// One version of a row, as its history keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version {
    /// Its number.
    pub version: i64,
    /// When it was written, in microseconds since the Unix epoch.
    pub at: i64,
    /// By whom.
    pub by: String,
    /// What was written; gone after an erasure.
    pub content: Option<Value>,
}

/// Who writes, and when.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The client's name.
    pub client: &'a str,
    /// Its institution.
    pub institution: &'a str,
    /// Microseconds since the Unix epoch.
    pub now: i64,
    /// The request, if the client signed it.
    pub signed: Option<&'a Signed>,
    /// Why, if personal data is handled: a code that the client gave; empty if none.
    pub reason: &'a str,
}

impl<'a> Change<'a> {
    /// Who handles personal data with it.
    #[must_use]
    pub const fn by(&self) -> By<'a> {
        By { client: self.client, institution: self.institution, reason: self.reason }
    }

    /// The same for a reason.
    #[must_use]
    pub const fn because(self, reason: &'a str) -> Self {
        Self { reason, ..self }
    }
}

/// What became of a request to make or change a row.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Written {
    /// Done; also if the same request was done before.
    Row(String, i64),
    /// The idempotency key was used for another request.
    OtherRequest,
    /// References that lead nowhere, or to rows out of reach.
    Fields(Vec<FieldError>),
    /// The row is not there, or out of reach.
    Absent,
    /// The row has another version.
    Stale(i64),
    /// The row's personal data was erased: nothing is written to it any more.
    Erased,
}

impl Store {
    /// Makes a row, once for a key of a client: [MST-3]. `request` says which request the key is for.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn create(
        &self,
        kind: Kind,
        values: &Values,
        change: Change<'_>,
        key: (&str, &str),
        reach: impl Fn(Kind) -> Reach,
    ) -> Result<Written, StoreError> {
        let mut tx = self.write().await?;
        let id = Uuid::now_v7().simple().to_string();
        let lock = if kind.is_sealed() { Some(DataKey::random()?) } else { None };
        let lock = lock.as_ref();
        let before = claim_locked(&mut tx, (kind.table(), &id), change, key, (&self.keys, lock));
        if let Some(before) = before.await? {
            return Ok(before);
        }
        let errors = broken_references(&mut tx, kind, values, reach).await?;
        if !errors.is_empty() {
            return Ok(Written::Fields(errors));
        }
        insert(&mut tx, kind, &id, values, change, lock).await?;
        if let Some(lock) = lock {
            // [ACC-6]: before the commit. After a crash between the two there is an entry and no row.
            self.trail.record(change.by(), Handled::Made, [id.as_str()]).await?;
            self.keys.keep(&[(subject(kind.table(), &id), lock.clone())]).await?;
        }
        tx.commit().await?;
        Ok(Written::Row(id, 1))
    }

    /// Replaces the values of a row, if it has the version that goes with the id: [MST-2].
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn update(
        &self,
        kind: Kind,
        (id, expected): (&str, i64),
        values: &Values,
        change: Change<'_>,
        reach: impl Fn(Kind) -> Reach,
        own: &Reach,
    ) -> Result<Written, StoreError> {
        let mut tx = self.write().await?;
        let Some(row) = find(&mut tx, kind, id, own).await? else { return Ok(Written::Absent) };
        if row.version != expected {
            return Ok(Written::Stale(row.version));
        }
        let errors = broken_references(&mut tx, kind, values, reach).await?;
        if !errors.is_empty() {
            return Ok(Written::Fields(errors));
        }
        let mut values = values.clone();
        let guarded = kind.fields().filter(|field| field.guarded).map(|field| field.name);
        values.extend(guarded.filter_map(|name| Some((name, row.values.get(name)?.clone()))));
        let version = expected.saturating_add(1);
        let lock = match self.lock_of(kind, id)? {
            Some(None) => return Ok(Written::Erased),
            other => other.flatten(),
        };
        let names = names(kind);
        let sets: Vec<String> =
            (5..).take(names.len()).map(|place: u32| format!("${place}")).collect();
        let sets: Vec<String> = sudare_crypto::pairs(&names, &sets)
            .ok_or(StoreError::Damaged(kind.table()))?
            .map(|(name, place)| format!("{name} = {place}"))
            .collect();
        let text = format!(
            "UPDATE {} SET version = version + 1, updated_at = $1, updated_by = $2, {} WHERE id = $3 AND version = $4",
            kind.table(),
            sets.join(", "),
        );
        let mut query = sqlx::query(AssertSqlSafe(text))
            .bind(change.now)
            .bind(change.client.to_owned())
            .bind(id.to_owned())
            .bind(expected);
        for value in columns(kind, (id, version), &values, lock.as_ref())? {
            query = query.bind(value);
        }
        let changed = query.execute(&mut *tx).await?.rows_affected();
        if changed != 1 {
            // Another writer was faster.
            return Ok(Written::Stale(version));
        }
        remember(&mut tx, (kind.table(), id, version), Some(&values), change, lock.as_ref())
            .await?;
        keep(&mut tx, kind.table(), id, change, lock.as_ref()).await?;
        if lock.is_some() {
            self.trail.record(change.by(), Handled::Changed, [id]).await?;
        }
        tx.commit().await?;
        Ok(Written::Row(id.to_owned(), version))
    }

    /// The key of a row: none if rows of the kind have none; none within if it has been destroyed.
    fn lock_of(&self, kind: Kind, id: &str) -> Result<Option<Option<DataKey>>, StoreError> {
        if !kind.is_sealed() {
            return Ok(None);
        }
        let subject = subject(kind.table(), id);
        match self.keys.key(&subject) {
            Some(key) => Ok(Some(Some(key))),
            None if self.keys.is_destroyed(&subject) => Ok(Some(None)),
            None => Err(StoreError::KeyMissing),
        }
    }
}

/// Writes a new row and its history.
pub(super) async fn insert(
    tx: &mut Transaction<'_, Any>,
    kind: Kind,
    id: &str,
    values: &Values,
    change: Change<'_>,
    lock: Lock<'_>,
) -> Result<(), StoreError> {
    let names = names(kind);
    let places: Vec<String> = (7..).take(names.len()).map(|place| format!("${place}")).collect();
    let text = format!(
        "INSERT INTO {} (id, version, owner, created_at, created_by, updated_at, updated_by, {}) \
         VALUES ($1, 1, $2, $3, $4, $5, $6, {})",
        kind.table(),
        names.join(", "),
        places.join(", "),
    );
    let mut query = sqlx::query(AssertSqlSafe(text))
        .bind(id.to_owned())
        .bind(change.institution.to_owned())
        .bind(change.now)
        .bind(change.client.to_owned())
        .bind(change.now)
        .bind(change.client.to_owned());
    for value in columns(kind, (id, 1), values, lock)? {
        query = query.bind(value);
    }
    query.execute(&mut **tx).await?;
    remember(tx, (kind.table(), id, 1), Some(values), change, lock).await
}

/// Takes the key for this request, with its signature, or says what it did before. Another request under way with the key is
/// waited for.
pub(super) async fn claim(
    tx: &mut Transaction<'_, Any>,
    kind: &str,
    id: &str,
    change: Change<'_>,
    key: (&str, &str),
    keys: &KeyBook,
) -> Result<Option<Written>, StoreError> {
    claim_locked(tx, (kind, id), change, key, (keys, None)).await
}

/// The same for a request that is kept under a key: what is kept of it says nothing without that.
pub(super) async fn claim_locked(
    tx: &mut Transaction<'_, Any>,
    (kind, id): (&str, &str),
    change: Change<'_>,
    (key, request): (&str, &str),
    (keys, lock): (&KeyBook, Lock<'_>),
) -> Result<Option<Written>, StoreError> {
    let forgotten = change.now.saturating_sub(KEY_KEPT_US);
    sqlx::query("DELETE FROM idempotency WHERE at < $1").bind(forgotten).execute(&mut **tx).await?;
    let text = "INSERT INTO idempotency (client, idempotency_key, request, at, kind, id) \
                VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let claimed = sqlx::query(text)
        .bind(change.client.to_owned())
        .bind(key.to_owned())
        .bind(lock.map_or_else(|| request.to_owned(), |lock| lock.tag(request)))
        .bind(change.now)
        .bind(kind.to_owned())
        .bind(id.to_owned())
        .execute(&mut **tx)
        .await?;
    if claimed.rows_affected() == 1 {
        keep(tx, kind, id, change, lock).await?;
        return Ok(None);
    }
    let text =
        "SELECT request, kind, id FROM idempotency WHERE client = $1 AND idempotency_key = $2";
    let query = sqlx::query(text).bind(change.client.to_owned()).bind(key.to_owned());
    let before = query.fetch_one(&mut **tx).await?;
    same_request(keys, &before, request).map(Some)
}

/// Whether what an idempotency key did before is this request.
pub(super) fn same_request(
    keys: &KeyBook,
    before: &AnyRow,
    request: &str,
) -> Result<Written, StoreError> {
    let (kind, id): (String, String) = (before.try_get("kind")?, before.try_get("id")?);
    let kept: String = before.try_get("request")?;
    let lock = keys.key(&subject(&kind, &id));
    let same = kept == lock.map_or_else(|| request.to_owned(), |lock| lock.tag(request));
    Ok(if same { Written::Row(id, 1) } else { Written::OtherRequest })
}

/// Writes a version into a row's history; without values if it is an erasure.
pub(super) async fn remember(
    tx: &mut Transaction<'_, Any>,
    (table, id, version): (&str, &str, i64),
    values: Option<&Values>,
    change: Change<'_>,
    lock: Lock<'_>,
) -> Result<(), StoreError> {
    let content = values.map(|values| sealed_content((table, id, version), values, lock));
    let text = "INSERT INTO row_history (kind, id, version, at, by_client, content) VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(text)
        .bind(table.to_owned())
        .bind(id.to_owned())
        .bind(version)
        .bind(change.now)
        .bind(change.client.to_owned())
        .bind(content.transpose()?)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// A row within reach, without what is sealed in it.
pub(super) async fn find(
    tx: &mut Transaction<'_, Any>,
    kind: Kind,
    id: &str,
    reach: &Reach,
) -> Result<Option<Row>, StoreError> {
    let mut statement = select(kind, reach);
    statement.and("id", id);
    let row = statement.query().fetch_optional(&mut **tx).await?;
    row.map(|row| parse(kind, &row)).transpose()
}

/// [AUT-3]: a reference to a row out of reach is as wrong as one to a row that isn't there.
pub(super) async fn broken_references(
    tx: &mut Transaction<'_, Any>,
    kind: Kind,
    values: &Values,
    reach: impl Fn(Kind) -> Reach,
) -> Result<Vec<FieldError>, StoreError> {
    let mut errors = Vec::new();
    for field in kind.fields() {
        let (Form::Reference(of), Some(id)) = (field.form, values.get(field.name)) else {
            continue;
        };
        if find(tx, of, id, &reach(of)).await?.is_none() {
            errors.push(FieldError::new(
                field.name,
                format!("must be the id of one of the {}", of.path()),
            ));
        }
    }
    Ok(errors)
}
