//! Where events are sent, and how far each place has them.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::rows::claim;
use super::{Change, Store, StoreError, Written};
use crate::access::Reach;

/// How many webhooks an institution may have.
pub const WEBHOOKS_MAX: i64 = 16;

/// A place that events are sent to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Webhook {
    /// Its id: 32 hexadecimal digits.
    pub id: String,
    /// Whose it is.
    pub institution: String,
    /// Where.
    pub url: String,
    /// When it was made, in microseconds since the Unix epoch.
    pub made_at: i64,
    /// By whom.
    pub made_by: String,
    /// The number of the last event that was taken.
    pub sent: i64,
    /// How often the next one was tried.
    pub attempts: i64,
    /// When it is tried again, in microseconds since the Unix epoch.
    pub next_at: i64,
    /// Why it was not taken.
    pub problem: Option<String>,
    /// Whether it is not tried any more.
    pub stopped: bool,
}

/// The keys that sign for a webhook: the newest, and the one before while it still counts.
#[derive(Clone, Eq, PartialEq)]
#[allow(missing_debug_implementations, reason = "holds secrets")]
pub struct Secrets {
    /// The newest.
    pub secret: String,
    /// The one before, and until when it signs too.
    pub former: Option<(String, i64)>,
}

impl Store {
    /// Makes a webhook, once for a key of a client, and says whether it did so now; none if there are enough.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn make_webhook(
        &self,
        (url, secret, after): (&str, &str, i64),
        change: Change<'_>,
        key: (&str, &str),
    ) -> Result<Option<(Written, bool)>, StoreError> {
        let mut tx = self.write().await?;
        let id = Uuid::now_v7().simple().to_string();
        if let Some(before) = claim(&mut tx, "webhook", &id, change, key, &self.keys).await? {
            return Ok(Some((before, false)));
        }
        let text = "SELECT COUNT(*) AS number FROM webhook WHERE institution = $1";
        let query = sqlx::query(text).bind(change.institution.to_owned());
        if query.fetch_one(&mut *tx).await?.try_get::<i64, _>("number")? >= WEBHOOKS_MAX {
            return Ok(None);
        }
        let text = "INSERT INTO webhook (id, institution, url, secret, former_until, made_at, made_by, sent, attempts, \
                    next_at, stopped) VALUES ($1, $2, $3, $4, 0, $5, $6, $7, 0, 0, 0)";
        sqlx::query(text)
            .bind(id.clone())
            .bind(change.institution.to_owned())
            .bind(url.to_owned())
            .bind(secret.to_owned())
            .bind(change.now)
            .bind(change.client.to_owned())
            .bind(after)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Some((Written::Row(id, 1), true)))
    }

    /// Gives a webhook another secret, and tries again what waits; the one before signs too until `until`. Whether there is one.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn renew_secret(
        &self,
        id: &str,
        institution: &str,
        secret: &str,
        until: i64,
    ) -> Result<bool, StoreError> {
        let text = "UPDATE webhook SET former_secret = secret, former_until = $1, secret = $2, attempts = 0, next_at = 0, \
                    stopped = 0 WHERE id = $3 AND institution = $4";
        let done = sqlx::query(text)
            .bind(until)
            .bind(secret.to_owned())
            .bind(id.to_owned())
            .bind(institution.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes a webhook; whether there was one.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn remove_webhook(&self, id: &str, institution: &str) -> Result<bool, StoreError> {
        let text = "DELETE FROM webhook WHERE id = $1 AND institution = $2";
        let query = sqlx::query(text).bind(id.to_owned()).bind(institution.to_owned());
        Ok(query.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// An institution's webhooks by id, up to `limit` after `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn webhooks(
        &self,
        institution: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<Webhook>, StoreError> {
        let text = format!(
            "SELECT * FROM webhook WHERE institution = $1 AND id > $2 ORDER BY id LIMIT {limit}"
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind(institution.to_owned());
        let rows = query.bind(after.to_owned()).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok(parse(row)?.0)).collect()
    }

    /// An institution's webhook.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn webhook(
        &self,
        id: &str,
        institution: &str,
    ) -> Result<Option<Webhook>, StoreError> {
        let text = "SELECT * FROM webhook WHERE id = $1 AND institution = $2";
        let query = sqlx::query(text).bind(id.to_owned()).bind(institution.to_owned());
        let row = query.fetch_optional(&self.pool).await?;
        row.map(|row| Ok(parse(&row)?.0)).transpose()
    }

    /// The webhooks to which something may be due, with their secrets.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn due_webhooks(&self, now: i64) -> Result<Vec<(Webhook, Secrets)>, StoreError> {
        let text = "SELECT * FROM webhook WHERE stopped = 0 AND next_at <= $1 \
                    AND sent < (SELECT number FROM event_count WHERE one = 1) ORDER BY id";
        let rows = sqlx::query(text).bind(now).fetch_all(&self.pool).await?;
        rows.iter().map(parse).collect()
    }

    /// Notes how far a webhook is.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn note_webhook(&self, webhook: &Webhook) -> Result<(), StoreError> {
        let text = "UPDATE webhook SET sent = $1, attempts = $2, next_at = $3, problem = $4, stopped = $5 WHERE id = $6";
        sqlx::query(text)
            .bind(webhook.sent)
            .bind(webhook.attempts)
            .bind(webhook.next_at)
            .bind(webhook.problem.clone())
            .bind(i64::from(webhook.stopped))
            .bind(webhook.id.clone())
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// Whose events a webhook gets: those that its institution's clients could read.
#[must_use]
pub fn events_of(institution: &str, house: &str) -> Reach {
    if institution == house { Reach::All } else { Reach::Owner(institution.to_owned()) }
}

fn parse(row: &AnyRow) -> Result<(Webhook, Secrets), StoreError> {
    let former: Option<String> = row.try_get("former_secret")?;
    let until: i64 = row.try_get("former_until")?;
    let secrets =
        Secrets { secret: row.try_get("secret")?, former: former.map(|former| (former, until)) };
    let webhook = Webhook {
        id: row.try_get("id")?,
        institution: row.try_get("institution")?,
        url: row.try_get("url")?,
        made_at: row.try_get("made_at")?,
        made_by: row.try_get("made_by")?,
        sent: row.try_get("sent")?,
        attempts: row.try_get("attempts")?,
        next_at: row.try_get("next_at")?,
        problem: row.try_get("problem")?,
        stopped: row.try_get::<i64, _>("stopped")? != 0,
    };
    Ok((webhook, secrets))
}
