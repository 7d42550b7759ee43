//! The book of keys: which key is whose, kept apart from the databases with what is sealed under them.
//!
//! A key is sealed under the key of its bucket, that under a root key in a file of its own, and that under the node's seed. To
//! destroy a key, its bucket gets another key, all buckets another root, and the old root's file is overwritten: every older
//! copy of the book is then closed for good, while older copies of the databases stay readable with the newest book.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest, Sha256};
use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyPool, Executor, Row as _, Transaction};
use sudare_crypto::Hash;
use sudare_crypto::derive::Seed;
use tokio::sync::Mutex;

use super::key::{DataKey, NoRandomness, Unsealed, random};
use crate::store::SQLITE_SETTINGS;

/// How many buckets there are. Destroying a key seals this many keys again, and those of one bucket: for n keys the cost is
/// least near the square root of n.
const BUCKETS: i64 = 256;
const TABLES: &str = include_str!("../../migrations/keys/0001_keys.sql");

/// The keys of a house.
#[derive(Clone)]
pub struct KeyBook(Arc<Inner>);

struct Inner {
    pool: AnyPool,
    folder: PathBuf,
    master: DataKey,
    roots: Mutex<Roots>,
    known: RwLock<Known>,
}

/// What the keys are sealed under now.
struct Roots {
    epoch: i64,
    buckets: Vec<DataKey>,
}

#[derive(Default)]
struct Known {
    keys: BTreeMap<String, DataKey>,
    destroyed: BTreeSet<String>,
}

/// A key that is no more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Destroyed {
    /// What it was for.
    pub subject: String,
    /// [`DataKey::mark`].
    pub mark: Hash,
    /// When, in microseconds since the Unix epoch.
    pub at: i64,
    /// The number of the root key that has been destroyed with it.
    pub root: i64,
}

/// Why the book of keys can't do something.
#[derive(Debug, thiserror::Error)]
pub enum KeyBookError {
    /// A file.
    #[error("the file of personal data's keys {0}: {1}")]
    File(PathBuf, io::Error),
    /// The root key of the book is not there.
    #[error(
        "the root key {0} of personal data's keys is missing: put back the newest copy of the whole folder; an older one opens nothing"
    )]
    RootMissing(PathBuf),
    /// It is there, and opens nothing.
    #[error(
        "the root key {0} can't be opened with this node's seed, or was changed: put back the newest copy, and the seed that it was made with"
    )]
    Root(PathBuf),
    /// A key is not what this program wrote.
    #[error("the book of personal data's keys is damaged: put back the newest copy of its folder")]
    Damaged,
    /// The database of the book.
    #[error("the book of personal data's keys failed: {0}")]
    Engine(#[from] sqlx::Error),
    /// No random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl From<Unsealed> for KeyBookError {
    fn from(_: Unsealed) -> Self {
        Self::Damaged
    }
}

impl fmt::Debug for KeyBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyBook").field("folder", &self.0.folder).finish_non_exhaustive()
    }
}

impl KeyBook {
    /// Opens the book in a folder, or makes one. `master` is what the root key is sealed under: a seed of the house's.
    ///
    /// # Errors
    ///
    /// [`KeyBookError`].
    pub async fn open(folder: &Path, master: &Seed) -> Result<Self, KeyBookError> {
        sqlx::any::install_default_drivers();
        let file = |error| KeyBookError::File(folder.to_owned(), error);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(file)?;
        let path = folder.join("keys.sqlite");
        let options = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        options.map_err(|error| KeyBookError::File(path.clone(), error))?;
        let options = AnyPoolOptions::new().max_connections(2).after_connect(|connection, _| {
            Box::pin(async move { connection.execute(SQLITE_SETTINGS).await.map(drop) })
        });
        let pool = options.connect(&format!("sqlite:{}", path.display())).await?;
        pool.execute(TABLES).await?;
        let master = DataKey::of(master.child(b"personal", b"root keys").0);
        let mut known = Known::default();
        let roots = match read(&pool, folder, &master, &mut known).await? {
            Some(roots) => roots,
            None => make(&pool, folder, &master).await?,
        };
        shred_others(folder, roots.epoch)?;
        let (roots, known) = (Mutex::new(roots), RwLock::new(known));
        Ok(Self(Arc::new(Inner { pool, folder: folder.to_owned(), master, roots, known })))
    }

    /// Closes the book.
    pub async fn close(&self) {
        self.0.pool.close().await;
    }

    /// The key of a subject, if there is one.
    #[must_use]
    pub fn key(&self, subject: &str) -> Option<DataKey> {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        known.keys.get(subject).cloned()
    }

    /// Whether a subject's key has been destroyed.
    #[must_use]
    pub fn is_destroyed(&self, subject: &str) -> bool {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        known.destroyed.contains(subject)
    }

    /// All subjects whose keys have been destroyed, with one beginning.
    #[must_use]
    pub fn destroyed(&self, beginning: &str) -> Vec<String> {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        let from = known.destroyed.range(beginning.to_owned()..);
        from.take_while(|subject| subject.starts_with(beginning)).cloned().collect()
    }

    /// Keeps keys for subjects; on disk before this returns. Nothing is sealed under a key before.
    ///
    /// # Errors
    ///
    /// [`KeyBookError`].
    pub async fn keep(&self, keys: &[(String, DataKey)]) -> Result<(), KeyBookError> {
        if keys.is_empty() {
            return Ok(());
        }
        let roots = self.0.roots.lock().await;
        let mut tx = self.0.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (subject, key) in keys {
            write_key(&mut tx, &roots, subject, key).await?;
        }
        tx.commit().await?;
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        known.keys.extend(keys.iter().cloned());
        Ok(())
    }

    /// Destroys the keys of subjects, so that no copy of the book made before opens them again: [ERA-2]. What was destroyed
    /// before stays as it was.
    ///
    /// # Errors
    ///
    /// [`KeyBookError`].
    pub async fn destroy(&self, subjects: &[String], now: i64) -> Result<(), KeyBookError> {
        let mut roots = self.0.roots.lock().await;
        let found: Vec<(String, DataKey)> =
            subjects.iter().filter_map(|one| Some((one.clone(), self.key(one)?))).collect();
        if found.is_empty() {
            return Ok(());
        }
        let mut next =
            Roots { epoch: roots.epoch.saturating_add(1), buckets: roots.buckets.clone() };
        let root = DataKey::random()?;
        write_root(&self.0.folder, next.epoch, &self.0.master, &root)?;
        let mut tx = self.0.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (subject, key) in &found {
            sqlx::query("DELETE FROM data_key WHERE subject = $1")
                .bind(subject.clone())
                .execute(&mut *tx)
                .await?;
            let text = "INSERT INTO destroyed (subject, at, root, mark) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
            sqlx::query(text)
                .bind(subject.clone())
                .bind(now)
                .bind(roots.epoch)
                .bind(key.mark().to_string())
                .execute(&mut *tx)
                .await?;
        }
        let touched: BTreeSet<i64> = found.iter().map(|(subject, _)| bucket_of(subject)).collect();
        for number in touched {
            let place = usize::try_from(number).map_err(|_| KeyBookError::Damaged)?;
            *next.buckets.get_mut(place).ok_or(KeyBookError::Damaged)? = DataKey::random()?;
            self.seal_again(&mut tx, number, &next).await?;
        }
        write_buckets(&mut tx, &root, &next.buckets).await?;
        let query = sqlx::query("UPDATE book SET epoch = $1 WHERE one = 1").bind(next.epoch);
        query.execute(&mut *tx).await?;
        tx.commit().await?;
        *roots = next;
        let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
        for (subject, _) in found {
            known.keys.remove(&subject);
            known.destroyed.insert(subject);
        }
        drop(known);
        shred_others(&self.0.folder, roots.epoch)
    }

    /// What is known of a key that has been destroyed.
    ///
    /// # Errors
    ///
    /// [`KeyBookError`].
    pub async fn destruction(&self, subject: &str) -> Result<Option<Destroyed>, KeyBookError> {
        let query = sqlx::query("SELECT at, root, mark FROM destroyed WHERE subject = $1");
        let row = query.bind(subject.to_owned()).fetch_optional(&self.0.pool).await?;
        let Some(row) = row else { return Ok(None) };
        let mark: String = row.try_get("mark")?;
        Ok(Some(Destroyed {
            subject: subject.to_owned(),
            mark: Hash::from_hex(&mark).ok_or(KeyBookError::Damaged)?,
            at: row.try_get("at")?,
            root: row.try_get("root")?,
        }))
    }

    /// Seals the keys that are left in a bucket under its next key.
    async fn seal_again(
        &self,
        tx: &mut Transaction<'_, Any>,
        bucket: i64,
        next: &Roots,
    ) -> Result<(), KeyBookError> {
        let query = sqlx::query("SELECT subject FROM data_key WHERE bucket = $1").bind(bucket);
        for row in query.fetch_all(&mut **tx).await? {
            let subject: String = row.try_get("subject")?;
            let key = self.key(&subject).ok_or(KeyBookError::Damaged)?;
            write_key(tx, next, &subject, &key).await?;
        }
        Ok(())
    }
}

/// The bucket that a subject's key is in.
fn bucket_of(subject: &str) -> i64 {
    Sha256::digest(subject).first().map_or(0, |byte| i64::from(*byte)) % BUCKETS
}

async fn write_key(
    tx: &mut Transaction<'_, Any>,
    roots: &Roots,
    subject: &str,
    key: &DataKey,
) -> Result<(), KeyBookError> {
    let number = bucket_of(subject);
    let bucket = usize::try_from(number).ok().and_then(|place| roots.buckets.get(place));
    let sealed = bucket.ok_or(KeyBookError::Damaged)?.seal(subject, key.bytes())?;
    let text = "INSERT INTO data_key (subject, bucket, sealed) VALUES ($1, $2, $3) \
                ON CONFLICT (subject) DO UPDATE SET sealed = excluded.sealed";
    let query = sqlx::query(text).bind(subject.to_owned()).bind(number).bind(sealed);
    query.execute(&mut **tx).await?;
    Ok(())
}

async fn write_buckets(
    tx: &mut Transaction<'_, Any>,
    root: &DataKey,
    buckets: &[DataKey],
) -> Result<(), KeyBookError> {
    for (number, bucket) in sudare_crypto::numbered(buckets) {
        let sealed = root.seal(&format!("bucket/{number}"), bucket.bytes())?;
        let text = "INSERT INTO bucket (number, sealed) VALUES ($1, $2) ON CONFLICT (number) DO UPDATE SET sealed = excluded.sealed";
        sqlx::query(text).bind(i64::from(number)).bind(sealed).execute(&mut **tx).await?;
    }
    Ok(())
}

/// What a book holds; none if it is new.
async fn read(
    pool: &AnyPool,
    folder: &Path,
    master: &DataKey,
    known: &mut Known,
) -> Result<Option<Roots>, KeyBookError> {
    let row = sqlx::query("SELECT epoch FROM book WHERE one = 1").fetch_optional(pool).await?;
    let Some(row) = row else { return Ok(None) };
    let epoch: i64 = row.try_get("epoch")?;
    let path = root_path(folder, epoch);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(KeyBookError::RootMissing(path));
        }
        Err(error) => return Err(KeyBookError::File(path, error)),
    };
    let root = opened(master, &format!("root/{epoch}"), text.trim())
        .map_err(|_| KeyBookError::Root(path))?;
    let mut buckets = Vec::new();
    let rows = sqlx::query("SELECT number, sealed FROM bucket ORDER BY number");
    for row in rows.fetch_all(pool).await? {
        let number: i64 = row.try_get("number")?;
        let sealed: String = row.try_get("sealed")?;
        buckets.push(opened(&root, &format!("bucket/{number}"), &sealed)?);
    }
    let rows = sqlx::query("SELECT subject, bucket, sealed FROM data_key").fetch_all(pool).await?;
    for row in &rows {
        let subject: String = row.try_get("subject")?;
        let number: i64 = row.try_get("bucket")?;
        let sealed: String = row.try_get("sealed")?;
        let bucket = usize::try_from(number).ok().and_then(|place| buckets.get(place));
        let key = opened(bucket.ok_or(KeyBookError::Damaged)?, &subject, &sealed)?;
        known.keys.insert(subject, key);
    }
    for row in &sqlx::query("SELECT subject FROM destroyed").fetch_all(pool).await? {
        known.destroyed.insert(row.try_get("subject")?);
    }
    Ok(Some(Roots { epoch, buckets }))
}

/// A new book.
async fn make(pool: &AnyPool, folder: &Path, master: &DataKey) -> Result<Roots, KeyBookError> {
    let root = DataKey::random()?;
    write_root(folder, 1, master, &root)?;
    let buckets = (0..BUCKETS).map(|_| DataKey::random()).collect::<Result<Vec<_>, _>>()?;
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    write_buckets(&mut tx, &root, &buckets).await?;
    sqlx::query("INSERT INTO book (one, epoch) VALUES (1, 1)").execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(Roots { epoch: 1, buckets })
}

fn opened(under: &DataKey, place: &str, sealed: &str) -> Result<DataKey, Unsealed> {
    let bytes = under.open(place, sealed)?;
    Ok(DataKey::of(bytes.as_slice().try_into().map_err(|_| Unsealed)?))
}

fn root_path(folder: &Path, epoch: i64) -> PathBuf {
    folder.join(format!("root-{epoch}.key"))
}

/// Writes a root key, on disk before this returns.
fn write_root(
    folder: &Path,
    epoch: i64,
    master: &DataKey,
    root: &DataKey,
) -> Result<(), KeyBookError> {
    let path = root_path(folder, epoch);
    let text = master.seal(&format!("root/{epoch}"), root.bytes())?;
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| File::open(folder)?.sync_all());
    written.map_err(|error| KeyBookError::File(path, error))
}

/// Overwrites and removes all root keys but one: what a crash has left is caught up with at the next start.
fn shred_others(folder: &Path, epoch: i64) -> Result<(), KeyBookError> {
    let kept = root_path(folder, epoch);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| KeyBookError::File(path, error)
    };
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let is_root = name.is_some_and(|name| name.starts_with("root-") && name.ends_with(".key"));
        if is_root && path != kept {
            shred(&path).map_err(failed(&path))?;
        }
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))
}

/// Overwrites a file where it lies, with random bytes and then with zeros, and removes it.
fn shred(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(0).min(4096);
    let mut noise: [u8; 4096] = random().map_err(io::Error::other)?;
    for _ in 0..2 {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(noise.get(..length).unwrap_or_default())?;
        file.sync_all()?;
        noise = [0; 4096];
    }
    fs::remove_file(path)
}
