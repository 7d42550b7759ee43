//! Rows of databases that were made before personal data was sealed.

use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Executor, Row as _, Transaction};

use super::sealed::{columns, sealed_text, subject};
use super::{Engine, SEALED, Store, StoreError};
use crate::masters::{Kind, Values};
use crate::personal::DataKey;

/// How many rows are sealed in one transaction.
const BATCH: usize = 200;
const TABLE: &str = "investor";

impl Store {
    /// Seals what older versions of the program have left in plain text; whether there was any. Done once, before the columns go
    /// that it stood in.
    pub(super) async fn seal_plain(&self) -> Result<bool, StoreError> {
        let text = "SELECT COUNT(*) AS done FROM _sqlx_migrations WHERE version > $1";
        let done = sqlx::query(text).bind(SEALED).fetch_one(&self.pool).await?;
        if done.try_get::<i64, _>("done")? > 0 {
            return Ok(false);
        }
        let (mut after, mut any) = (String::new(), false);
        loop {
            let mut tx = self.write().await?;
            let text = format!(
                "SELECT * FROM investor WHERE id > $1 AND personal IS NULL ORDER BY id LIMIT {BATCH}"
            );
            let rows = sqlx::query(AssertSqlSafe(text)).bind(after).fetch_all(&mut *tx).await?;
            let mut keys = Vec::new();
            for row in &rows {
                let id: String = row.try_get("id")?;
                let key = DataKey::random()?;
                if seal(&mut tx, row, &id, &key).await? {
                    keys.push((subject(TABLE, &id), key));
                }
            }
            let Some(last) = rows.last() else { break };
            after = last.try_get("id")?;
            any |= !keys.is_empty();
            self.keys.keep(&keys).await?;
            tx.commit().await?;
        }
        if any {
            self.forget_files().await?;
        }
        Ok(any)
    }

    /// Ends files of investors that are under way, and forgets the hashes of all.
    async fn forget_files(&self) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for text in [
            "DELETE FROM import_part WHERE import_id IN (SELECT id FROM import_file WHERE target = 'investors')",
            "UPDATE import_file SET status = 'refused', result = 'abandoned' WHERE target = 'investors' AND status IN ('receiving', 'working')",
            "UPDATE import_file SET file_hash = '' WHERE target = 'investors'",
            "DELETE FROM idempotency WHERE kind = 'import_file'",
            "DELETE FROM signed_request WHERE kind = 'import_file'",
        ] {
            sqlx::query(text).execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Writes the database anew, without what was deleted from it.
    pub(super) async fn compact(&self) -> Result<(), StoreError> {
        let texts: &[&'static str] = match self.engine {
            Engine::Sqlite => &["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"],
            Engine::Postgres => &[
                "VACUUM (FULL) investor",
                "VACUUM (FULL) row_history",
                "VACUUM (FULL) signed_request",
                "VACUUM (FULL) idempotency",
                "VACUUM (FULL) import_part",
                "CHECKPOINT",
            ],
        };
        for text in texts {
            self.pool.execute(*text).await?;
        }
        Ok(())
    }
}

/// Seals a row with its history and what it was made by; false if it was erased.
async fn seal(
    tx: &mut Transaction<'static, Any>,
    row: &AnyRow,
    id: &str,
    key: &DataKey,
) -> Result<bool, StoreError> {
    let version: i64 = row.try_get("version")?;
    let mut values = Values::new();
    for field in Kind::Investor.fields() {
        if let Some(value) = row.try_get::<Option<String>, _>(field.name)? {
            values.insert(field.name, value);
        }
    }
    let text = "SELECT version, content FROM row_history WHERE kind = $1 AND id = $2 AND content IS NOT NULL";
    let past = sqlx::query(text).bind(TABLE).bind(id.to_owned()).fetch_all(&mut **tx).await?;
    if past.is_empty() {
        // Nothing but an erasure takes the content of all versions.
        return Ok(false);
    }
    let personal = columns(Kind::Investor, (id, version), &values, Some(key))?.pop().flatten();
    let query =
        sqlx::query("UPDATE investor SET personal = $1, name = '', address = '' WHERE id = $2");
    query.bind(personal).bind(id.to_owned()).execute(&mut **tx).await?;
    for row in past {
        let (version, content): (i64, String) = (row.try_get("version")?, row.try_get("content")?);
        let sealed = sealed_text(&format!("{TABLE}/{id}/{version}/history"), &content, key)?;
        let text =
            "UPDATE row_history SET content = $1 WHERE kind = $2 AND id = $3 AND version = $4";
        let query = sqlx::query(text).bind(sealed).bind(TABLE).bind(id.to_owned()).bind(version);
        query.execute(&mut **tx).await?;
    }
    let text =
        "SELECT id, base, signature, body FROM signed_request WHERE kind = $1 AND row_id = $2";
    let signed = sqlx::query(text).bind(TABLE).bind(id.to_owned()).fetch_all(&mut **tx).await?;
    for row in signed {
        let own: String = row.try_get("id")?;
        let said: [String; 3] =
            [row.try_get("base")?, row.try_get("signature")?, row.try_get("body")?];
        let said = serde_json::json!(said).to_string();
        let sealed = sealed_text(&format!("{TABLE}/{id}/signed/{own}"), &said, key)?;
        let text = "UPDATE signed_request SET base = '', signature = '', body = $1 WHERE id = $2";
        sqlx::query(text).bind(sealed).bind(own).execute(&mut **tx).await?;
    }
    let text =
        "SELECT client, idempotency_key, request FROM idempotency WHERE kind = $1 AND id = $2";
    let known = sqlx::query(text).bind(TABLE).bind(id.to_owned()).fetch_all(&mut **tx).await?;
    for row in known {
        let request: String = row.try_get("request")?;
        let text = "UPDATE idempotency SET request = $1 WHERE client = $2 AND idempotency_key = $3";
        sqlx::query(text)
            .bind(key.tag(&request))
            .bind(row.try_get::<String, _>("client")?)
            .bind(row.try_get::<String, _>("idempotency_key")?)
            .execute(&mut **tx)
            .await?;
    }
    Ok(true)
}
