//! Rows of masters read: [ACC-6] what is sealed in them is opened once it is recorded who reads it.

use std::collections::BTreeSet;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, Row as _};
use sudare_ledger::access::Handled;

use super::rows::{Row, Version};
use super::sealed::{is_sealed, names, opened_content, personal};
use super::{Store, StoreError};
use crate::access::Reach;
use crate::masters::{Kind, Values};
use crate::personal::{By, Recorded};

impl Store {
    /// The row with this id, if it is within reach; [ACC-6]: with what is sealed in it once that is recorded.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn row(
        &self,
        kind: Kind,
        id: &str,
        reach: &Reach,
        by: By<'_>,
    ) -> Result<Option<Row>, StoreError> {
        let Some(row) = self.selected(kind, id, reach).await? else { return Ok(None) };
        let recorded = self.recorded(kind, std::slice::from_ref(&row), Handled::Read, by).await?;
        self.opened(kind, &row, &recorded).map(Some)
    }

    /// The row with this id, if it is within reach, without what is sealed in it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn plain_row(
        &self,
        kind: Kind,
        id: &str,
        reach: &Reach,
    ) -> Result<Option<Row>, StoreError> {
        let row = self.selected(kind, id, reach).await?;
        row.map(|row| parse(kind, &row)).transpose()
    }

    /// Whether there is a row within reach.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn is_there(&self, kind: Kind, id: &str, reach: &Reach) -> Result<bool, StoreError> {
        Ok(self.selected(kind, id, reach).await?.is_some())
    }

    async fn selected(
        &self,
        kind: Kind,
        id: &str,
        reach: &Reach,
    ) -> Result<Option<AnyRow>, StoreError> {
        let mut statement = select(kind, reach);
        statement.and("id", id);
        Ok(statement.query().fetch_optional(&self.pool).await?)
    }

    /// Has it recorded that what is sealed in rows is about to be read. Erased ones have nothing sealed.
    async fn recorded(
        &self,
        kind: Kind,
        rows: &[AnyRow],
        what: Handled,
        by: By<'_>,
    ) -> Result<Recorded, StoreError> {
        let mut sealed: Vec<String> = Vec::new();
        for row in rows.iter().filter(|_| kind.is_sealed()) {
            if row.try_get::<Option<String>, _>("personal")?.is_some() {
                sealed.push(row.try_get("id")?);
            }
        }
        if sealed.is_empty() {
            return Ok(Recorded::shown_to_nobody());
        }
        Ok(self.trail.record(by, what, sealed.iter().map(String::as_str)).await?)
    }

    /// A row with what is sealed in it.
    fn opened(&self, kind: Kind, row: &AnyRow, recorded: &Recorded) -> Result<Row, StoreError> {
        let mut parsed = parse(kind, row)?;
        if kind.is_sealed() {
            let sealed: Option<String> = row.try_get("personal")?;
            let place = (parsed.id.as_str(), parsed.version);
            let values = personal(&self.keys, kind, place, sealed.as_deref(), recorded)?;
            parsed.values.extend(values);
        }
        Ok(parsed)
    }

    /// Up to `limit` rows within reach, by id, after the id `after`; and whether there are more.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn rows(
        &self,
        kind: Kind,
        reach: &Reach,
        after: Option<&str>,
        limit: usize,
        by: By<'_>,
    ) -> Result<(Vec<Row>, bool), StoreError> {
        let mut rows = self.page(kind, reach, after, limit.saturating_add(1)).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let recorded = self.recorded(kind, &rows, Handled::Listed, by).await?;
        let opened: Result<_, _> =
            rows.iter().map(|row| self.opened(kind, row, &recorded)).collect();
        Ok((opened?, more))
    }

    /// The same without what is sealed in them.
    pub(super) async fn plain_rows(
        &self,
        kind: Kind,
        reach: &Reach,
        limit: usize,
    ) -> Result<Vec<Row>, StoreError> {
        self.page(kind, reach, None, limit).await?.iter().map(|row| parse(kind, row)).collect()
    }

    async fn page(
        &self,
        kind: Kind,
        reach: &Reach,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let mut statement = select(kind, reach);
        statement.arguments.push(Some(after.unwrap_or_default().to_owned()));
        let place = statement.arguments.len();
        statement.text.push_str(&format!(" AND id > ${place} ORDER BY id LIMIT {limit}"));
        Ok(statement.query().fetch_all(&self.pool).await?)
    }

    /// All versions of a row, oldest first, up to `limit` after the version `after`; and whether there are more.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn history(
        &self,
        (table, id): (&str, &str),
        after: i64,
        limit: usize,
        by: By<'_>,
    ) -> Result<(Vec<Version>, bool), StoreError> {
        let more = limit.saturating_add(1);
        let text = format!(
            "SELECT version, at, by_client, content FROM row_history \
             WHERE kind = $1 AND id = $2 AND version > $3 ORDER BY version LIMIT {more}"
        );
        let query =
            sqlx::query(AssertSqlSafe(text)).bind(table.to_owned()).bind(id.to_owned()).bind(after);
        let rows = query.fetch_all(&self.pool).await?;
        let more = rows.len() > limit;
        let mut sealed = false;
        for row in rows.iter().take(limit) {
            sealed |=
                row.try_get::<Option<String>, _>("content")?.is_some_and(|one| is_sealed(&one));
        }
        let recorded = match sealed {
            true => self.trail.record(by, Handled::Past, [id]).await?,
            false => Recorded::shown_to_nobody(),
        };
        let shown = rows.iter().take(limit);
        let versions: Result<_, _> =
            shown.map(|row| self.version(row, (table, id), &recorded)).collect();
        Ok((versions?, more))
    }

    fn version(
        &self,
        row: &AnyRow,
        (table, id): (&str, &str),
        recorded: &Recorded,
    ) -> Result<Version, StoreError> {
        let version: i64 = row.try_get("version")?;
        let content: Option<String> = row.try_get("content")?;
        let content = opened_content(&self.keys, (table, id, version), content, recorded)?;
        let content = content.map(|text| serde_json::from_str(&text)).transpose();
        Ok(Version {
            version,
            at: row.try_get("at")?,
            by: row.try_get("by_client")?,
            content: content.map_err(|_| StoreError::Damaged("row_history"))?,
        })
    }
}

/// A text with the values that it takes.
pub(super) struct Statement {
    text: String,
    arguments: Vec<Option<String>>,
}

pub(super) fn select(kind: Kind, reach: &Reach) -> Statement {
    // By name: how many columns `*` stands for a connection may know from before another one changed the table.
    let text = format!(
        "SELECT id, version, owner, created_at, created_by, updated_at, updated_by, {} FROM {} WHERE 1 = 1",
        names(kind).join(", "),
        kind.table(),
    );
    let mut statement = Statement { text, arguments: Vec::new() };
    match reach {
        Reach::All => (),
        Reach::Nothing => statement.text.push_str(" AND 1 = 0"),
        Reach::Owner(owner) => statement.and("owner", owner),
        Reach::Isins(isins) => statement.and_one_of("isin", isins),
    }
    statement
}

impl Statement {
    pub(super) fn and(&mut self, column: &str, value: &str) {
        self.arguments.push(Some(value.to_owned()));
        self.text.push_str(&format!(" AND {column} = ${}", self.arguments.len()));
    }

    fn and_one_of(&mut self, column: &str, values: &BTreeSet<String>) {
        let mut places = Vec::new();
        for value in values {
            self.arguments.push(Some(value.clone()));
            places.push(format!("${}", self.arguments.len()));
        }
        if places.is_empty() {
            self.text.push_str(" AND 1 = 0");
        } else {
            self.text.push_str(&format!(" AND {column} IN ({})", places.join(", ")));
        }
    }

    pub(super) fn query(self) -> Query<'static, Any, AnyArguments> {
        let query = sqlx::query(AssertSqlSafe(self.text));
        self.arguments.into_iter().fold(query, Query::bind)
    }
}

pub(super) fn parse(kind: Kind, row: &AnyRow) -> Result<Row, StoreError> {
    let mut values = Values::new();
    for field in kind.fields().filter(|field| !kind.seals(field)) {
        if let Some(value) = row.try_get::<Option<String>, _>(field.name)? {
            values.insert(field.name, value);
        }
    }
    Ok(Row {
        id: row.try_get("id")?,
        version: row.try_get("version")?,
        owner: row.try_get("owner")?,
        values,
        created_at: row.try_get("created_at")?,
        created_by: row.try_get("created_by")?,
        updated_at: row.try_get("updated_at")?,
        updated_by: row.try_get("updated_by")?,
    })
}
