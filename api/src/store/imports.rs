//! Files of rows in the database: announced, received part by part, made into rows a batch at a time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Row as _, Transaction};
use sudare_ledger::access::Handled;
use uuid::Uuid;

use super::erasures::to_destroy;
use super::rows::{broken_references, claim_locked, insert};
use super::sealed::{opened_text, sealed_text, subject};
use super::{Change, Store, StoreError, Written};
use crate::access::{Action, Client};
use crate::imports::{Class, Import, Line, Outcome, Rows, Sheet, SheetError, Status, Target};
use crate::masters::{FieldError, Kind, Values};
use crate::personal::{DataKey, Recorded};

/// The name of what idempotency keys are for here.
const KIND: &str = "import_file";
/// What the key of a file's text is for, which is destroyed when the file is done.
const PART: &str = "import_part";
/// How many rows are made in one transaction, where each counts by itself.
pub(super) const BATCH: usize = 200;
/// How long a file may wait for its next part, in microseconds.
const KEPT_US: i64 = 48 * 3600 * 1_000_000;
const DAMAGED: StoreError = StoreError::Damaged(KIND);

/// What a client says of a file before it brings it.
#[derive(Clone, Copy, Debug)]
pub struct Announced<'a> {
    /// What is made of its rows.
    pub target: Target,
    /// What becomes of it if rows are wrong.
    pub class: Class,
    /// How long it is, in bytes.
    pub size: i64,
    /// Its SHA-256, in hexadecimal digits.
    pub hash: &'a str,
    /// When it was made, in microseconds since the Unix epoch.
    pub file_at: i64,
}

/// What became of a part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Taken {
    /// It is there, now or since before.
    Now(Box<Import>),
    /// There is no such file.
    Absent,
    /// The next part begins elsewhere, or the file is shorter.
    Elsewhere,
    /// The file is no longer received.
    Over,
}

/// What became of a row of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ImportedRow {
    /// Its number in the file, from 1.
    pub number: i64,
    /// The row that was made of it.
    pub row_id: Option<String>,
    /// What is wrong with it, as JSON.
    pub errors: Option<String>,
}

/// A file that is being worked on: its rows, or why it has none.
#[derive(Debug)]
pub struct Work {
    pub(super) import: Import,
    pub(super) rows: Result<Rows, Outcome>,
    pub(super) client: Client,
    house: String,
}

impl Store {
    /// Keeps what a client says of a file, once for a key of the client.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn announce(
        &self,
        announced: Announced<'_>,
        client: &Client,
        change: Change<'_>,
        key: (&str, &str),
    ) -> Result<Written, StoreError> {
        let mut tx = self.write().await?;
        let id = Uuid::now_v7().simple().to_string();
        // One key for what is kept of the file, one for its text, which goes earlier.
        let locks = match announced.target.is_sealed() {
            true => Some((DataKey::random()?, DataKey::random()?)),
            false => None,
        };
        let lock = locks.as_ref().map(|(own, _)| own);
        let before = claim_locked(&mut tx, (KIND, &id), change, key, (&self.keys, lock));
        if let Some(before) = before.await? {
            return Ok(before);
        }
        let hash = match lock {
            Some(lock) => sealed_text(&hash_place(&id), announced.hash, lock)?,
            None => announced.hash.to_owned(),
        };
        let text = "INSERT INTO import_file (id, owner, target, processing_class, file_size, file_hash, file_at, status, received, \
                    rows_done, rows_refused, client, created_at, created_by, updated_at, access_reason) \
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, 0, $9, $10, $11, $12, $13)";
        sqlx::query(text)
            .bind(id.clone())
            .bind(change.institution.to_owned())
            .bind(announced.target.path())
            .bind(announced.class.name())
            .bind(announced.size)
            .bind(hash)
            .bind(announced.file_at)
            .bind(Status::Receiving.name())
            .bind(serde_json::to_string(client).map_err(|_| DAMAGED)?)
            .bind(change.now)
            .bind(change.client.to_owned())
            .bind(change.now)
            .bind(change.reason.to_owned())
            .execute(&mut *tx)
            .await?;
        if let Some((own, text)) = locks {
            self.trail.record(change.by(), Handled::Made, [id.as_str()]).await?;
            self.keys.keep(&[(subject(KIND, &id), own), (subject(PART, &id), text)]).await?;
        }
        tx.commit().await?;
        Ok(Written::Row(id, 1))
    }

    /// Takes a part of a file: [IMP-1]. With the last one the file is whole, and its rows can be made.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn take_part(
        &self,
        id: &str,
        offset: i64,
        bytes: &[u8],
        change: Change<'_>,
    ) -> Result<Taken, StoreError> {
        let (owner, now) = (change.institution, change.now);
        let mut tx = self.write().await?;
        let found = find(&mut tx, owner, id).await?;
        let Some(import) = found else { return Ok(Taken::Absent) };
        let content = STANDARD.encode(bytes);
        if offset < import.received {
            return self.taken_before(&mut tx, import, offset, &content).await;
        }
        if import.status != Status::Receiving {
            return Ok(Taken::Over);
        }
        let length = i64::try_from(bytes.len()).map_err(|_| DAMAGED)?;
        let received = import.received.saturating_add(length);
        if offset != import.received || received > import.size || bytes.is_empty() {
            return Ok(Taken::Elsewhere);
        }
        let sealed = match self.keys.key(&subject(PART, id)) {
            Some(lock) => sealed_text(&part_place(id, offset), &content, &lock)?,
            None if import.target.is_sealed() => return Err(StoreError::KeyMissing),
            None => content.clone(),
        };
        let text = "INSERT INTO import_part (import_id, first_byte, content) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        let query = sqlx::query(text).bind(id.to_owned()).bind(offset).bind(sealed);
        if query.execute(&mut *tx).await?.rows_affected() != 1 {
            // Another request with a part for this place was faster: what it has done can be seen now.
            let import = find(&mut tx, owner, id).await?.ok_or(DAMAGED)?;
            return self.taken_before(&mut tx, import, offset, &content).await;
        }
        let status = if received == import.size { Status::Working } else { Status::Receiving };
        let text = "UPDATE import_file SET received = $1, status = $2, updated_at = $3 WHERE id = $4 AND received = $5";
        let query = sqlx::query(text).bind(received).bind(status.name()).bind(now);
        let moved = query.bind(id.to_owned()).bind(offset).execute(&mut *tx).await?;
        if moved.rows_affected() != 1 {
            // It was, and the file is worked on or done by now.
            return Ok(Taken::Elsewhere);
        }
        let now = find(&mut tx, owner, id).await?.ok_or(DAMAGED)?;
        if import.target.is_sealed() {
            self.trail.record(change.by(), Handled::Changed, [id]).await?;
        }
        tx.commit().await?;
        Ok(Taken::Now(Box::new(now)))
    }

    /// A part as it came; none if its key is gone.
    fn part(
        &self,
        import: &Import,
        offset: i64,
        content: String,
    ) -> Result<Option<String>, StoreError> {
        if !import.target.is_sealed() {
            return Ok(Some(content));
        }
        let id = import.id.as_str();
        let nobody = Recorded::shown_to_nobody();
        opened_text(&self.keys, (PART, id), &part_place(id, offset), &content, &nobody)
    }

    /// [IMP-1]: a part that came before is there if it is the same.
    async fn taken_before(
        &self,
        tx: &mut Transaction<'_, Any>,
        import: Import,
        offset: i64,
        content: &str,
    ) -> Result<Taken, StoreError> {
        let text = "SELECT content FROM import_part WHERE import_id = $1 AND first_byte = $2";
        let query = sqlx::query(text).bind(import.id.clone()).bind(offset);
        let before = query.fetch_optional(&mut **tx).await?;
        let before = before.map(|row| row.try_get::<String, _>("content")).transpose()?;
        let before = before.map(|part| self.part(&import, offset, part)).transpose()?.flatten();
        Ok(match before {
            Some(before) if before == content => Taken::Now(Box::new(import)),
            _ => Taken::Elsewhere,
        })
    }

    /// The bytes of a file that is whole.
    async fn whole(
        &self,
        tx: &mut Transaction<'_, Any>,
        import: &Import,
    ) -> Result<Vec<u8>, StoreError> {
        let text =
            "SELECT first_byte, content FROM import_part WHERE import_id = $1 ORDER BY first_byte";
        let mut bytes = Vec::new();
        for row in sqlx::query(text).bind(import.id.clone()).fetch_all(&mut **tx).await? {
            let part = self.part(import, row.try_get("first_byte")?, row.try_get("content")?)?;
            let part = STANDARD.decode(part.unwrap_or_default());
            bytes.extend(part.map_err(|_| StoreError::Damaged("import_part"))?);
        }
        Ok(bytes)
    }

    /// A file of an institution.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn import(&self, owner: &str, id: &str) -> Result<Option<Import>, StoreError> {
        let query = sqlx::query("SELECT * FROM import_file WHERE owner = $1 AND id = $2");
        let row = query.bind(owner.to_owned()).bind(id.to_owned());
        row.fetch_optional(&self.pool).await?.map(|row| parse(&row)).transpose()
    }

    /// Up to `limit` files of an institution for these targets, by id, after the id `after`.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn imports(
        &self,
        owner: &str,
        targets: &[Target],
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Import>, StoreError> {
        // Names of targets are the program's own words, so they stand in the text.
        let targets: Vec<String> =
            targets.iter().map(|target| format!("'{}'", target.path())).collect();
        let text = format!(
            "SELECT * FROM import_file WHERE owner = $1 AND id > $2 AND target IN ({}) ORDER BY id LIMIT {limit}",
            targets.join(", ")
        );
        let query = sqlx::query(AssertSqlSafe(text));
        let rows = query.bind(owner.to_owned()).bind(after.unwrap_or_default().to_owned());
        rows.fetch_all(&self.pool).await?.iter().map(parse).collect()
    }

    /// What became of up to `limit` rows of a file, by number, after the number `after`; all, or those that were refused.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn imported_rows(
        &self,
        id: &str,
        refused: bool,
        after: i64,
        limit: usize,
    ) -> Result<Vec<ImportedRow>, StoreError> {
        let which = if refused { " AND errors IS NOT NULL" } else { "" };
        let text = format!(
            "SELECT * FROM import_row WHERE import_id = $1 AND row_number > $2{which} ORDER BY row_number LIMIT {limit}"
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind(id.to_owned()).bind(after);
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter()
            .map(|row| {
                Ok(ImportedRow {
                    number: row.try_get("row_number")?,
                    row_id: row.try_get("row_id")?,
                    errors: row.try_get("errors")?,
                })
            })
            .collect()
    }

    /// Ends files whose parts stopped coming, and gives the oldest one that is whole, if there is one, with its rows. `house` is
    /// the institution that runs the node.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn next_import(&self, house: &str, now: i64) -> Result<Option<Work>, StoreError> {
        let mut tx = self.write().await?;
        self.abandon(&mut tx, now).await?;
        let query = sqlx::query("SELECT * FROM import_file WHERE status = $1 ORDER BY id LIMIT 1");
        let row = query.bind(Status::Working.name()).fetch_optional(&mut *tx).await?;
        let Some(row) = row else {
            tx.commit().await?;
            return Ok(None);
        };
        let client: String = row.try_get("client")?;
        let import = parse(&row)?;
        let bytes = self.whole(&mut tx, &import).await?;
        tx.commit().await?;
        let hash: String =
            Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let rows = if self.announced_hash(&import, &row)?.as_ref() == Some(&hash) {
            Rows::parse(import.target, &bytes).map_err(|error| match error {
                SheetError::Count => Outcome::Count,
                SheetError::Text | SheetError::Heading => Outcome::Form,
            })
        } else {
            Err(Outcome::OtherHash)
        };
        let client = serde_json::from_str(&client).map_err(|_| DAMAGED)?;
        Ok(Some(Work { import, rows, client, house: house.to_owned() }))
    }

    /// Goes on with a file of masters: with all of its rows, or the next ones where each counts by itself: [IMP-2]. Whether it is
    /// done; so is a file in which there are no rows.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn go_on(&self, work: &mut Work, now: i64) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let mut keys = Vec::new();
        let ended = match (&work.rows, work.import.class) {
            (Err(outcome), _) => Some((*outcome, (0, 0))),
            // Whoever has messages goes on with what they instruct.
            (Ok(Rows::Messages(_)), _) => None,
            (Ok(Rows::Sheet(sheet)), Class::All) => {
                Some(work.all(&mut tx, sheet, now, &mut keys).await?)
            }
            (Ok(Rows::Sheet(sheet)), Class::Rows) => {
                let (done, refused, last) = work.batch(&mut tx, sheet, now, &mut keys).await?;
                work.gone_on(&mut tx, (done, refused), last, now).await?
            }
        };
        if !keys.is_empty() {
            // [ACC-6]: before the commit, as if the client had made each row by itself.
            let made = keys.iter().filter_map(|(subject, _)| Some(subject.split_once('/')?.1));
            self.trail.record(work.import.by(), Handled::Made, made).await?;
        }
        if let Some((outcome, rows)) = ended {
            self.end(&mut tx, &work.import, outcome, rows, now).await?;
        }
        self.keys.keep(&keys).await?;
        tx.commit().await?;
        Ok(ended.is_some())
    }

    /// The hash that was announced of a file; none if it is forgotten.
    fn announced_hash(&self, import: &Import, row: &AnyRow) -> Result<Option<String>, StoreError> {
        let sealed: String = row.try_get("file_hash")?;
        if !import.target.is_sealed() || sealed.is_empty() {
            return Ok(import.hash.clone());
        }
        let place = hash_place(&import.id);
        let nobody = Recorded::shown_to_nobody();
        opened_text(&self.keys, (KIND, &import.id), &place, &sealed, &nobody)
    }

    /// Ends a file: its text goes.
    pub(super) async fn end(
        &self,
        tx: &mut Transaction<'_, Any>,
        import: &Import,
        outcome: Outcome,
        (done, refused): (i64, i64),
        now: i64,
    ) -> Result<(), StoreError> {
        let id = import.id.as_str();
        let status = match outcome {
            Outcome::Complete | Outcome::Partial => Status::Done,
            _ => Status::Refused,
        };
        let text = "UPDATE import_file SET status = $1, result = $2, rows_done = $3, rows_refused = $4, updated_at = $5 WHERE id = $6";
        let query = sqlx::query(text).bind(status.name()).bind(outcome.name());
        let query = query.bind(done).bind(refused).bind(now).bind(id.to_owned());
        query.execute(&mut **tx).await?;
        let query = sqlx::query("DELETE FROM import_part WHERE import_id = $1").bind(id.to_owned());
        query.execute(&mut **tx).await?;
        if import.target.is_sealed() {
            self.trail.record(import.by(), Handled::Erased, [id]).await?;
        }
        to_destroy(tx, &subject(PART, id), None, now).await
    }

    /// Ends files whose parts stopped coming.
    async fn abandon(&self, tx: &mut Transaction<'_, Any>, now: i64) -> Result<(), StoreError> {
        let query = sqlx::query("SELECT * FROM import_file WHERE status = $1 AND updated_at < $2");
        let query = query.bind(Status::Receiving.name()).bind(now.saturating_sub(KEPT_US));
        for row in query.fetch_all(&mut **tx).await? {
            self.end(tx, &parse(&row)?, Outcome::Abandoned, (0, 0), now).await?;
        }
        Ok(())
    }
}

impl Work {
    /// Notes how many rows are made and refused by now, and what became of the file if these were the last.
    pub(super) async fn gone_on(
        &mut self,
        tx: &mut Transaction<'_, Any>,
        (done, refused): (i64, i64),
        last: bool,
        now: i64,
    ) -> Result<Option<(Outcome, (i64, i64))>, StoreError> {
        let text = "UPDATE import_file SET rows_done = $1, rows_refused = $2, updated_at = $3 WHERE id = $4";
        let query = sqlx::query(text).bind(done).bind(refused).bind(now);
        query.bind(self.import.id.clone()).execute(&mut **tx).await?;
        let outcome = if refused == 0 { Outcome::Complete } else { Outcome::Partial };
        (self.import.rows_done, self.import.rows_refused) = (done, refused);
        Ok(last.then_some((outcome, (done, refused))))
    }

    /// All rows, or what is wrong with those that are.
    async fn all(
        &self,
        tx: &mut Transaction<'_, Any>,
        sheet: &Sheet,
        now: i64,
        keys: &mut Vec<(String, DataKey)>,
    ) -> Result<(Outcome, (i64, i64)), StoreError> {
        let mut refused = 0_i64;
        for (number, line) in &sheet.lines {
            if let Err(errors) = self.right(tx, line).await? {
                self.say(tx, *number, Err(&errors)).await?;
                refused = refused.saturating_add(1);
            }
        }
        if refused > 0 {
            return Ok((Outcome::Rows, (0, refused)));
        }
        let mut done = 0;
        for (number, line) in &sheet.lines {
            let Ok(values) = line else { continue };
            self.make(tx, (*number, values), now, keys).await?;
            done = *number;
        }
        Ok((Outcome::Complete, (done, 0)))
    }

    /// The next rows, each by itself: how many are made and refused by now, and whether these were the last.
    async fn batch(
        &self,
        tx: &mut Transaction<'_, Any>,
        sheet: &Sheet,
        now: i64,
        keys: &mut Vec<(String, DataKey)>,
    ) -> Result<(i64, i64, bool), StoreError> {
        let (mut done, mut refused) = (self.import.rows_done, self.import.rows_refused);
        let before = usize::try_from(done.saturating_add(refused)).map_err(|_| DAMAGED)?;
        for (number, line) in sheet.lines.iter().skip(before).take(BATCH) {
            match self.right(tx, line).await? {
                Err(errors) => {
                    self.say(tx, *number, Err(&errors)).await?;
                    refused = refused.saturating_add(1);
                }
                Ok(values) => {
                    self.make(tx, (*number, values), now, keys).await?;
                    done = done.saturating_add(1);
                }
            }
        }
        Ok((done, refused, before.saturating_add(BATCH) >= sheet.lines.len()))
    }

    /// A line's values, if nothing is wrong with them.
    async fn right<'a>(
        &self,
        tx: &mut Transaction<'_, Any>,
        line: &'a Line,
    ) -> Result<Result<&'a Values, Vec<FieldError>>, StoreError> {
        let values = match line {
            Ok(values) => values,
            Err(errors) => return Ok(Err(errors.clone())),
        };
        let reach = |of| self.client.reach(of, Action::Read, &self.house);
        let errors = broken_references(tx, self.kind()?, values, reach).await?;
        Ok(if errors.is_empty() { Ok(values) } else { Err(errors) })
    }

    /// Makes a row of a line that is right.
    async fn make(
        &self,
        tx: &mut Transaction<'_, Any>,
        (number, values): (i64, &Values),
        now: i64,
        keys: &mut Vec<(String, DataKey)>,
    ) -> Result<(), StoreError> {
        let id = Uuid::now_v7().simple().to_string();
        let target = self.kind()?;
        let lock = if target.is_sealed() { Some(DataKey::random()?) } else { None };
        let (client, institution) = (&self.import.created_by, &self.import.owner);
        let change = Change { client, institution, now, signed: None, reason: &self.import.reason };
        insert(tx, target, &id, values, change, lock.as_ref()).await?;
        keys.extend(lock.map(|lock| (subject(target.table(), &id), lock)));
        self.say(tx, number, Ok(&id)).await
    }

    fn kind(&self) -> Result<Kind, StoreError> {
        match self.import.target {
            Target::Masters(kind) => Ok(kind),
            Target::Instructions => Err(DAMAGED),
        }
    }

    /// Writes what became of a row.
    pub(super) async fn say(
        &self,
        tx: &mut Transaction<'_, Any>,
        number: i64,
        made: Result<&str, &[FieldError]>,
    ) -> Result<(), StoreError> {
        let text = "INSERT INTO import_row (import_id, row_number, row_id, errors) VALUES ($1, $2, $3, $4)";
        sqlx::query(text)
            .bind(self.import.id.clone())
            .bind(number)
            .bind(made.ok().map(str::to_owned))
            .bind(made.err().map(|errors| json!(errors).to_string()))
            .execute(&mut **tx)
            .await?;
        Ok(())
    }
}

async fn find(
    tx: &mut Transaction<'_, Any>,
    owner: &str,
    id: &str,
) -> Result<Option<Import>, StoreError> {
    let query = sqlx::query("SELECT * FROM import_file WHERE owner = $1 AND id = $2");
    let row = query.bind(owner.to_owned()).bind(id.to_owned()).fetch_optional(&mut **tx).await?;
    row.map(|row| parse(&row)).transpose()
}

fn hash_place(id: &str) -> String {
    format!("{KIND}/{id}/hash")
}

fn part_place(id: &str, offset: i64) -> String {
    format!("{PART}/{id}/{offset}")
}

fn parse(row: &AnyRow) -> Result<Import, StoreError> {
    let target: String = row.try_get("target")?;
    let class: String = row.try_get("processing_class")?;
    let status: String = row.try_get("status")?;
    let result: Option<String> = row.try_get("result")?;
    let target = Target::named(&target).ok_or(DAMAGED)?;
    let id: String = row.try_get("id")?;
    let hash: String = row.try_get("file_hash")?;
    let hash = Some(hash).filter(|hash| !target.is_sealed() && !hash.is_empty());
    Ok(Import {
        id,
        owner: row.try_get("owner")?,
        target,
        class: Class::named(&class).ok_or(DAMAGED)?,
        size: row.try_get("file_size")?,
        hash,
        file_at: row.try_get("file_at")?,
        status: Status::named(&status).ok_or(DAMAGED)?,
        result: result.map(|name| Outcome::named(&name).ok_or(DAMAGED)).transpose()?,
        received: row.try_get("received")?,
        rows_done: row.try_get("rows_done")?,
        rows_refused: row.try_get("rows_refused")?,
        created_at: row.try_get("created_at")?,
        created_by: row.try_get("created_by")?,
        updated_at: row.try_get("updated_at")?,
        reason: row.try_get("access_reason")?,
    })
}
