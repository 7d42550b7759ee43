//! Erasure of personal data: what two people decide in the database, what is destroyed after it, and what says so.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sqlx::{Any, AssertSqlSafe, Row as _, Transaction};
use std::sync::Arc;
use sudare_ledger::access::Handled;

use super::deeds::{member, reach};
use super::rows::{find, remember};
use super::sealed::subject;
use super::{Change, Row, Store, StoreError};
use crate::access::Role;
use crate::approvals::{Deed, Done, Performing, Proposal};
use crate::flows::Node;
use crate::masters::{Field, Form, Kind};
use crate::personal::{Destroyed, Trail};

const TABLE: &str = Kind::Investor.table();
/// How many rows are looked for at a time.
const BATCH: usize = 200;

/// Who may erase, and hold what would be erased.
pub(super) const ROLES: &[Role] =
    &[Role::Registrar, Role::Custodian, Role::DirectBroker, Role::EntrustingBroker];

/// Erases the personal data of an investor whose account is closed, from the row and from its history: [MST-5].
#[derive(Debug)]
pub struct EraseInvestor {
    /// The institution that runs the node, which may erase all.
    pub house: String,
    /// Who knows what investors hold.
    pub node: Option<Arc<dyn Node>>,
    /// Where it is recorded who erases.
    pub trail: Trail,
}

const ERASE: &[Field] = &[
    Field::needs("investor_id", Form::Reference(Kind::Investor), "the investor"),
    Field::needs("reason", Form::Text(200), "why, without personal data"),
];

/// An erasure as it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Erased {
    /// The approval's id.
    pub id: String,
    /// The row.
    pub investor: String,
    /// The institution whose row it was.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// When it was approved, in microseconds since the Unix epoch.
    pub approved_at: i64,
    /// Who proposed and who approved it.
    pub people: (String, String),
    /// How many sealed items were deleted besides the row.
    pub items: i64,
    /// In how many assets the investor had an account.
    pub accounts: i64,
    /// When its key was destroyed; soon, if not yet.
    pub destroyed_at: Option<i64>,
    /// The certificate's file, once it is signed.
    pub certificate: Option<Vec<u8>>,
}

impl Deed for EraseInvestor {
    fn name(&self) -> &'static str {
        "erase-investor"
    }

    fn about(&self) -> &'static str {
        "erases a closed investor's personal data, with its history"
    }

    fn roles(&self) -> &'static [Role] {
        ROLES
    }

    fn of_the_house(&self) -> bool {
        false
    }

    fn fields(&self) -> &'static [Field] {
        ERASE
    }

    fn perform<'a>(
        &'a self,
        tx: &'a mut Transaction<'static, Any>,
        proposal: &'a Proposal,
        change: Change<'a>,
    ) -> Performing<'a> {
        Box::pin(async move {
            let reach = reach(&self.house, change);
            let id = member(&proposal.request, "investor_id");
            let Some(row) = find(tx, Kind::Investor, id, &reach).await? else {
                return Ok(Done::Impossible("there is no such investor"));
            };
            if row.values.get("status").map(String::as_str) != Some("closed") {
                return Ok(Done::Impossible("the investor's status must be `closed` first"));
            }
            if is_erased(tx, id).await? {
                return Ok(Done::Impossible("the investor is erased already"));
            }
            if let Some(hold) = super::holds::in_force(tx, id, change.now).await? {
                return Ok(Done::Refused(hold));
            }
            if let Some(why) = under_way(tx, id).await? {
                return Ok(Done::Impossible(why));
            }
            let accounts = match self.accounts(tx, id).await? {
                Ok(accounts) => accounts,
                Err(why) => return Ok(Done::Refused(why)),
            };
            let (items, files) = erase(tx, &row, change, &proposal.id).await?;
            // [ACC-6]: before the commit, which is the caller's. After a crash between the two there is an entry and no erasure.
            let erased = files.iter().map(String::as_str).chain([id]);
            self.trail.record(change.by(), Handled::Erased, erased).await?;
            keep(tx, &row, proposal, change, (items, accounts)).await?;
            Ok(Done::with(json!({ "investor_id": id, "version": row.version.saturating_add(1) })))
        })
    }
}

impl EraseInvestor {
    /// [ERA-3]: in how many assets the investor has an account, or which units it still holds.
    async fn accounts(
        &self,
        tx: &mut Transaction<'static, Any>,
        id: &str,
    ) -> Result<Result<i64, String>, StoreError> {
        let Some(node) = &self.node else { return Ok(Ok(0)) };
        let Some(pseudonym) = super::operations::pseudonym_of(tx, id).await? else {
            return Ok(Ok(0));
        };
        let Ok(holdings) = node.holdings(pseudonym).await else {
            return Ok(Err("the node can't say now what the investor holds: try again".into()));
        };
        let held: Vec<String> = holdings
            .iter()
            .filter(|holding| holding.units > 0)
            .map(|holding| format!("{} of {}", holding.units, holding.asset))
            .collect();
        if held.is_empty() {
            Ok(Ok(i64::try_from(holdings.len()).unwrap_or(i64::MAX)))
        } else {
            Ok(Err(format!("the investor still holds units: {}", held.join(", "))))
        }
    }
}

impl Store {
    /// Destroys the keys that are to be, and says so of their erasures; whether there were any. Done again after a crash:
    /// [ERA-1].
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn destroy_keys(&self, now: i64) -> Result<bool, StoreError> {
        let text = "SELECT subject, erasure FROM key_to_destroy ORDER BY subject LIMIT 200";
        let rows = sqlx::query(text).fetch_all(&self.pool).await?;
        let mut subjects: Vec<String> = Vec::new();
        let mut erasures: Vec<String> = Vec::new();
        for row in &rows {
            subjects.push(row.try_get("subject")?);
            erasures.extend(row.try_get::<Option<String>, _>("erasure")?);
        }
        if subjects.is_empty() {
            return Ok(false);
        }
        self.keys.destroy(&subjects, now).await?;
        let mut tx = self.write().await?;
        for subject in subjects {
            let query = sqlx::query("DELETE FROM key_to_destroy WHERE subject = $1");
            query.bind(subject).execute(&mut *tx).await?;
        }
        for erasure in erasures {
            let text = "UPDATE erasure SET erased_at = $1 WHERE id = $2 AND erased_at IS NULL";
            sqlx::query(text).bind(now).bind(erasure).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Erasures that are done and have no certificate yet, each with what is known of its key.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn uncertified(&self) -> Result<Vec<(Erased, Destroyed)>, StoreError> {
        let text = "SELECT * FROM erasure WHERE erased_at IS NOT NULL AND certificate IS NULL ORDER BY id LIMIT 200";
        let rows = sqlx::query(text).fetch_all(&self.pool).await?;
        let mut found = Vec::new();
        for row in &rows {
            let erased = parse(row)?;
            let key = self.keys.destruction(&subject(TABLE, &erased.investor)).await?;
            found.push((erased, key.ok_or(StoreError::KeyMissing)?));
        }
        Ok(found)
    }

    /// Keeps the certificate of an erasure.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn certified(&self, id: &str, file: &[u8]) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE erasure SET certificate = $1 WHERE id = $2");
        query.bind(STANDARD.encode(file)).bind(id.to_owned()).execute(&self.pool).await?;
        Ok(())
    }

    /// The erasure of an investor, if it is erased.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn erasure(&self, investor: &str) -> Result<Option<Erased>, StoreError> {
        let query = sqlx::query("SELECT * FROM erasure WHERE investor_id = $1");
        let row = query.bind(investor.to_owned()).fetch_optional(&self.pool).await?;
        row.map(|row| parse(&row)).transpose()
    }

    /// Erases again what was erased after the copy was made that this database was put back from: [ERA-4].
    pub(super) async fn erase_again(&self) -> Result<(), StoreError> {
        let beginning = subject(TABLE, "");
        let destroyed = self.keys.destroyed(&beginning);
        let ids: Vec<&str> =
            destroyed.iter().filter_map(|subject| subject.strip_prefix(&beginning)).collect();
        for batch in ids.chunks(BATCH) {
            let places: Vec<String> =
                (1..).take(batch.len()).map(|place: u32| format!("${place}")).collect();
            let text = format!(
                "SELECT id FROM investor WHERE personal IS NOT NULL AND id IN ({})",
                places.join(", ")
            );
            let query = sqlx::query(AssertSqlSafe(text));
            let query = batch.iter().fold(query, |query, id| query.bind((*id).to_owned()));
            for row in query.fetch_all(&self.pool).await? {
                let id: String = row.try_get("id")?;
                let mut tx = self.write().await?;
                let sets = erased_columns();
                let text = format!("UPDATE investor SET {sets} WHERE id = $1");
                sqlx::query(AssertSqlSafe(text)).bind(id.clone()).execute(&mut *tx).await?;
                forget(&mut tx, TABLE, &id).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

/// Has a key destroyed as soon as the transaction is committed.
pub(super) async fn to_destroy(
    tx: &mut Transaction<'_, Any>,
    subject: &str,
    erasure: Option<&str>,
    now: i64,
) -> Result<(), StoreError> {
    let text = "INSERT INTO key_to_destroy (subject, at, erasure) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let query = sqlx::query(text).bind(subject.to_owned()).bind(now);
    query.bind(erasure.map(str::to_owned)).execute(&mut **tx).await?;
    Ok(())
}

async fn is_erased(tx: &mut Transaction<'static, Any>, id: &str) -> Result<bool, StoreError> {
    let query = sqlx::query("SELECT id FROM investor WHERE id = $1 AND personal IS NULL");
    Ok(query.bind(id.to_owned()).fetch_optional(&mut **tx).await?.is_some())
}

/// What is still under way for an investor.
async fn under_way(
    tx: &mut Transaction<'static, Any>,
    id: &str,
) -> Result<Option<&'static str>, StoreError> {
    // Ids have nothing that means something in a pattern.
    let text = "SELECT id FROM operation WHERE ended = 0 AND request LIKE $1 LIMIT 1";
    let query = sqlx::query(text).bind(format!("%\"investor_id\":\"{id}\"%"));
    if query.fetch_optional(&mut **tx).await?.is_some() {
        return Ok(Some("an instruction of the investor is under way: let it end first"));
    }
    let text = "SELECT f.id FROM import_row r JOIN import_file f ON f.id = r.import_id \
                WHERE r.row_id = $1 AND f.status = 'working' LIMIT 1";
    let file = sqlx::query(text).bind(id.to_owned()).fetch_optional(&mut **tx).await?;
    Ok(file
        .map(|_| "the file that the investor came with is still being worked on: let it end first"))
}

/// Keeps only what a row must have; what tells classes apart stays, as it names nobody. How many sealed items went besides, and the
/// files that the row was made of.
async fn erase(
    tx: &mut Transaction<'static, Any>,
    row: &Row,
    change: Change<'_>,
    erasure: &str,
) -> Result<(i64, Vec<String>), StoreError> {
    let version = row.version.saturating_add(1);
    let text = format!(
        "UPDATE investor SET version = $1, updated_at = $2, updated_by = $3, {} WHERE id = $4",
        erased_columns(),
    );
    sqlx::query(AssertSqlSafe(text))
        .bind(version)
        .bind(change.now)
        .bind(change.client.to_owned())
        .bind(row.id.clone())
        .execute(&mut **tx)
        .await?;
    let mut items = forget(tx, TABLE, &row.id).await?;
    let mut files = Vec::new();
    let text = "SELECT DISTINCT import_id FROM import_row WHERE row_id = $1";
    for file in sqlx::query(text).bind(row.id.clone()).fetch_all(&mut **tx).await? {
        let file: String = file.try_get("import_id")?;
        let query = sqlx::query("UPDATE import_file SET file_hash = '' WHERE id = $1");
        query.bind(file.clone()).execute(&mut **tx).await?;
        items = items.saturating_add(forget(tx, "import_file", &file).await?);
        to_destroy(tx, &subject("import_file", &file), Some(erasure), change.now).await?;
        files.push(file);
    }
    to_destroy(tx, &subject(TABLE, &row.id), Some(erasure), change.now).await?;
    remember(tx, (TABLE, &row.id, version), None, change, None).await?;
    Ok((items, files))
}

fn erased_columns() -> String {
    let own = Kind::Investor.fields().filter(|field| !field.required);
    let plain = own.filter(|field| !Kind::Investor.seals(field));
    let mut sets: Vec<String> = plain.map(|field| format!("{} = NULL", field.name)).collect();
    sets.push("personal = NULL".into());
    sets.join(", ")
}

/// Takes what is kept of a row besides itself: a request with personal data goes with them, and so does its hash.
async fn forget(tx: &mut Transaction<'_, Any>, kind: &str, id: &str) -> Result<i64, StoreError> {
    let mut items = 0_u64;
    for text in [
        "UPDATE row_history SET content = NULL WHERE kind = $1 AND id = $2 AND content IS NOT NULL",
        "DELETE FROM idempotency WHERE kind = $1 AND id = $2",
        "DELETE FROM signed_request WHERE kind = $1 AND row_id = $2",
    ] {
        let query = sqlx::query(text).bind(kind.to_owned()).bind(id.to_owned());
        items = items.saturating_add(query.execute(&mut **tx).await?.rows_affected());
    }
    Ok(i64::try_from(items).unwrap_or(i64::MAX))
}

/// Keeps that it was erased, and by whom.
async fn keep(
    tx: &mut Transaction<'static, Any>,
    row: &Row,
    proposal: &Proposal,
    change: Change<'_>,
    (items, accounts): (i64, i64),
) -> Result<(), StoreError> {
    let text = "INSERT INTO erasure (id, investor_id, owner, reason, asked_at, proposed_by, approved_by, items, accounts) \
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    sqlx::query(text)
        .bind(proposal.id.clone())
        .bind(row.id.clone())
        .bind(row.owner.clone())
        .bind(member(&proposal.request, "reason").to_owned())
        .bind(change.now)
        .bind(proposal.proposed_by.name.clone())
        .bind(change.client.to_owned())
        .bind(items)
        .bind(accounts)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn parse(row: &sqlx::any::AnyRow) -> Result<Erased, StoreError> {
    let certificate: Option<String> = row.try_get("certificate")?;
    let certificate = certificate.map(|text| STANDARD.decode(text)).transpose();
    Ok(Erased {
        id: row.try_get("id")?,
        investor: row.try_get("investor_id")?,
        owner: row.try_get("owner")?,
        reason: row.try_get("reason")?,
        approved_at: row.try_get("asked_at")?,
        people: (row.try_get("proposed_by")?, row.try_get("approved_by")?),
        items: row.try_get("items")?,
        accounts: row.try_get("accounts")?,
        destroyed_at: row.try_get("erased_at")?,
        certificate: certificate.map_err(|_| StoreError::Damaged("erasure"))?,
    })
}
