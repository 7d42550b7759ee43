//! Who stands behind lines of a register: the registrar's own rows of investors.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};
use sudare_ledger::access::Handled;

use super::sealed::personal;
use super::{Row, Store, StoreError};
use crate::access::Reach;
use crate::masters::Kind;
use crate::personal::{By, Recorded};

/// How an investor's row names a line of a register: the custodian's node, and the pseudonym there.
type LineName = (String, String);

/// Who stands behind a line of a register.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// The investor's row.
    pub id: String,
    /// The investor's name.
    pub name: String,
    /// The registered address.
    pub address: String,
}

impl Store {
    /// Who stands behind lines, by the house's own rows; [ACC-6]: once that is recorded. A line that two rows name is nobody's.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn holders(
        &self,
        house: &str,
        lines: &BTreeSet<LineName>,
        by: By<'_>,
    ) -> Result<BTreeMap<LineName, Holder>, StoreError> {
        if lines.is_empty() {
            return Ok(BTreeMap::new());
        }
        let pseudonyms: BTreeSet<&String> = lines.iter().map(|(_, pseudonym)| pseudonym).collect();
        let places: Vec<String> =
            (2..).take(pseudonyms.len()).map(|place: u32| format!("${place}")).collect();
        let text = format!(
            "SELECT id, version, personal, custodian_node, pseudonym FROM investor \
             WHERE owner = $1 AND custodian_node IS NOT NULL AND pseudonym IN ({})",
            places.join(", ")
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind(house.to_owned());
        let query = pseudonyms.into_iter().fold(query, |query, one| query.bind(one.clone()));
        let mut found: BTreeMap<LineName, Option<AnyRow>> = BTreeMap::new();
        for row in query.fetch_all(&self.pool).await? {
            let line = (row.try_get("custodian_node")?, row.try_get("pseudonym")?);
            let _ = found.entry(line).and_modify(|one| *one = None).or_insert(Some(row));
        }
        found.retain(|line, row| row.is_some() && lines.contains(line));
        let ids: Result<Vec<String>, _> =
            found.values().flatten().map(|row| row.try_get("id")).collect();
        let ids = ids?;
        let recorded = match ids.is_empty() {
            true => Recorded::shown_to_nobody(),
            false => self.trail.record(by, Handled::Named, ids.iter().map(String::as_str)).await?,
        };
        let mut holders = BTreeMap::new();
        for (line, row) in found {
            let Some(row) = row else { continue };
            holders.insert(line, self.holder(&row, &recorded)?);
        }
        Ok(holders)
    }

    fn holder(&self, row: &AnyRow, recorded: &Recorded) -> Result<Holder, StoreError> {
        let (id, version): (String, i64) = (row.try_get("id")?, row.try_get("version")?);
        let sealed: Option<String> = row.try_get("personal")?;
        let place = (id.as_str(), version);
        let mut values = personal(&self.keys, Kind::Investor, place, sealed.as_deref(), recorded)?;
        let mut value = |name| values.remove(name).unwrap_or_default();
        let (name, address) = (value("name"), value("address"));
        Ok(Holder { id, name, address })
    }

    /// The snapshot that has fixed an asset's register at a record date, if it is one.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn fixed_on(&self, isin: &str, date: &str) -> Result<Option<u32>, StoreError> {
        let text = "SELECT snapshot FROM record_date \
                    WHERE isin = $1 AND date = $2 AND snapshot IS NOT NULL ORDER BY snapshot LIMIT 1";
        let query = sqlx::query(text).bind(isin.to_owned()).bind(date.to_owned());
        let row = query.fetch_optional(&self.pool).await?;
        let number = row.map(|row| row.try_get::<i64, _>("snapshot")).transpose()?;
        let damaged = |_| StoreError::Damaged("record_date");
        number.map(|number| u32::try_from(number).map_err(damaged)).transpose()
    }

    /// The product of the house with an asset's code, if there is one.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn product(&self, isin: &str, house: &str) -> Result<Option<Row>, StoreError> {
        let reach = Reach::Isins([isin.to_owned()].into());
        let rows = self.plain_rows(Kind::BeneficialInterest, &reach, PRODUCTS_MAX).await?;
        Ok(rows.into_iter().find(|row| row.owner == house))
    }
}

/// A record date of a product of the house, as the master says it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Nominal {
    /// The product.
    pub product: String,
    /// Its asset's code.
    pub isin: String,
    /// 1 or 2.
    pub which: i64,
    /// The date, `YYYY-MM-DD`.
    pub date: String,
    /// The holiday adjustment class.
    pub adjustment: String,
}

/// A record date that is over, and what has fixed the register then.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Kept {
    /// 1 or 2.
    pub which: i64,
    /// The date as the master said it.
    pub nominal: String,
    /// The date as the calendar moved it.
    pub date: String,
    /// Which calendar.
    pub calendar: String,
    /// When it was over, in microseconds since the Unix epoch.
    pub due: i64,
    /// The snapshot; none if there was none in time.
    pub fixed: Option<Fixed>,
}

/// The snapshot of a record date.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fixed {
    /// Its number.
    pub snapshot: i64,
    /// Its index in the log.
    pub entry: i64,
    /// When it was taken, in microseconds since the Unix epoch.
    pub taken: i64,
    /// How many entries the log got between the date's end and the snapshot.
    pub entries_after: i64,
}

impl Store {
    /// Record dates up to a date of the house's products of which nothing is kept yet.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn open_record_dates(
        &self,
        house: &str,
        until: &str,
    ) -> Result<Vec<Nominal>, StoreError> {
        let mut found = Vec::new();
        for which in [1i64, 2] {
            let text = format!(
                "SELECT id, isin, record_date_{which} AS nominal, holiday_adjustment FROM beneficial_interest \
                 WHERE owner = $1 AND record_date_{which} <= $2 AND NOT EXISTS (SELECT 1 FROM record_date \
                 WHERE product = beneficial_interest.id AND which = {which} AND nominal = record_date_{which}) ORDER BY id"
            );
            let query = sqlx::query(AssertSqlSafe(text)).bind(house.to_owned());
            for row in query.bind(until.to_owned()).fetch_all(&self.pool).await? {
                found.push(Nominal {
                    product: row.try_get("id")?,
                    isin: row.try_get("isin")?,
                    which,
                    date: row.try_get("nominal")?,
                    adjustment: row.try_get("holiday_adjustment")?,
                });
            }
        }
        Ok(found)
    }

    /// Keeps what became of a record date, once.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn keep_record_date(&self, of: &Nominal, kept: &Kept) -> Result<(), StoreError> {
        let text = "INSERT INTO record_date (product, which, nominal, isin, date, calendar, due, snapshot, entry, taken, entries_after) \
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
        sqlx::query(text)
            .bind(of.product.clone())
            .bind(kept.which)
            .bind(kept.nominal.clone())
            .bind(of.isin.clone())
            .bind(kept.date.clone())
            .bind(kept.calendar.clone())
            .bind(kept.due)
            .bind(kept.fixed.map(|fixed| fixed.snapshot))
            .bind(kept.fixed.map(|fixed| fixed.entry))
            .bind(kept.fixed.map(|fixed| fixed.taken))
            .bind(kept.fixed.map(|fixed| fixed.entries_after))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// What is kept of a product's record dates, the newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn kept_record_dates(
        &self,
        product: &str,
        limit: usize,
    ) -> Result<Vec<Kept>, StoreError> {
        let text = format!(
            "SELECT * FROM record_date WHERE product = $1 ORDER BY nominal DESC, which DESC LIMIT {limit}"
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind(product.to_owned());
        let rows = query.fetch_all(&self.pool).await?;
        let kept = |row: &AnyRow| {
            let numbers: (Option<i64>, Option<i64>) =
                (row.try_get("snapshot")?, row.try_get("entry")?);
            let times: (Option<i64>, Option<i64>) =
                (row.try_get("taken")?, row.try_get("entries_after")?);
            let fixed = match (numbers, times) {
                ((Some(snapshot), Some(entry)), (Some(taken), Some(entries_after))) => {
                    Some(Fixed { snapshot, entry, taken, entries_after })
                }
                _ => None,
            };
            Ok(Kept {
                which: row.try_get("which")?,
                nominal: row.try_get("nominal")?,
                date: row.try_get("date")?,
                calendar: row.try_get("calendar")?,
                due: row.try_get("due")?,
                fixed,
            })
        };
        rows.iter().map(kept).collect()
    }
}

/// So many products with one ISIN are looked at: there should be one of each institution.
const PRODUCTS_MAX: usize = 256;
