//! Signed requests: kept with what they did, in its transaction.

use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row as _, Transaction};
use sudare_ledger::access::Handled;
use uuid::Uuid;

use super::sealed::{Lock, opened_text, sealed_text};
use super::{Change, Store, StoreError};
use crate::personal::{By, Recorded};
use crate::signed::Signed;

/// A signed request as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Evidence {
    /// Its id.
    pub id: String,
    /// When, in microseconds since the Unix epoch.
    pub at: i64,
    /// The client.
    pub by: String,
    /// The request.
    pub signed: Signed,
}

/// Keeps the request behind a change, if it was signed: [SIG-2]. `kind` and `id` name what it made or changed.
pub(super) async fn keep(
    tx: &mut Transaction<'_, Any>,
    kind: &str,
    id: &str,
    change: Change<'_>,
    lock: Lock<'_>,
) -> Result<(), StoreError> {
    let Some(signed) = change.signed else { return Ok(()) };
    let own = Uuid::now_v7().simple().to_string();
    // Base and signature are of the body's digest, from which it could be guessed: they are sealed with it.
    let said = json!([signed.base, signed.signature, signed.body]).to_string();
    let (base, signature, body) = match lock {
        Some(lock) => {
            (String::new(), String::new(), sealed_text(&place(kind, id, &own), &said, lock)?)
        }
        None => (signed.base.clone(), signed.signature.clone(), signed.body.clone()),
    };
    let text = "INSERT INTO signed_request (id, kind, row_id, at, by_client, key_id, public_key, algorithm, base, \
                signature, body) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    sqlx::query(text)
        .bind(own)
        .bind(kind.to_owned())
        .bind(id.to_owned())
        .bind(change.now)
        .bind(change.client.to_owned())
        .bind(signed.key_id.clone())
        .bind(signed.public_key.clone())
        .bind(signed.algorithm.clone())
        .bind(base)
        .bind(signature)
        .bind(body)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What a signed request is sealed for.
fn place(kind: &str, id: &str, own: &str) -> String {
    format!("{kind}/{id}/signed/{own}")
}

impl Store {
    /// Up to `limit` signed requests that made or changed a row, oldest first, after the id `after`; and whether there are more.
    /// [ACC-6]: with what is sealed in them once that is recorded.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn evidence(
        &self,
        (kind, id): (&str, &str),
        after: Option<&str>,
        limit: usize,
        by: By<'_>,
    ) -> Result<(Vec<Evidence>, bool), StoreError> {
        let more = limit.saturating_add(1);
        let text = format!(
            "SELECT * FROM signed_request WHERE kind = $1 AND row_id = $2 AND id > $3 ORDER BY id LIMIT {more}"
        );
        let query = sqlx::query(AssertSqlSafe(text))
            .bind(kind.to_owned())
            .bind(id.to_owned())
            .bind(after.unwrap_or_default().to_owned());
        let mut rows = query.fetch_all(&self.pool).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let mut sealed = false;
        for row in &rows {
            sealed |= is_sealed(row)?;
        }
        let recorded = match sealed {
            true => self.trail.record(by, Handled::Requests, [id]).await?,
            false => Recorded::shown_to_nobody(),
        };
        let found: Result<_, _> =
            rows.iter().map(|row| self.request(row, (kind, id), &recorded)).collect();
        Ok((found?, more))
    }

    fn request(
        &self,
        row: &AnyRow,
        (kind, id): (&str, &str),
        recorded: &Recorded,
    ) -> Result<Evidence, StoreError> {
        let own: String = row.try_get("id")?;
        let said: (String, String, String) =
            (row.try_get("base")?, row.try_get("signature")?, row.try_get("body")?);
        let (base, signature, body) = match said {
            (_, _, body) if is_sealed(row)? => {
                let place = place(kind, id, &own);
                let text = opened_text(&self.keys, (kind, id), &place, &body, recorded)?;
                let text = text.unwrap_or_else(|| r#"["", "", ""]"#.to_owned());
                serde_json::from_str(&text).map_err(|_| StoreError::Damaged("signed_request"))?
            }
            said => said,
        };
        Ok(Evidence {
            id: own,
            at: row.try_get("at")?,
            by: row.try_get("by_client")?,
            signed: Signed {
                key_id: row.try_get("key_id")?,
                public_key: row.try_get("public_key")?,
                algorithm: row.try_get("algorithm")?,
                base,
                signature,
                body,
            },
        })
    }
}

/// Whether a request is sealed: no signature is empty.
fn is_sealed(row: &AnyRow) -> Result<bool, StoreError> {
    Ok(row.try_get::<String, _>("signature")?.is_empty())
}
