//! The institution's own database: masters, their history, and what each idempotency key did. SQLite or PostgreSQL behind one
//! set of statements.

mod approvals;
mod deeds;
mod erasures;
mod gates;
mod holds;
mod imports;
mod incoming;
mod market;
mod operations;
mod plain;
mod reads;
mod registers;
mod rows;
mod sealed;
mod signed;
pub(crate) mod users;
mod webhooks;

use std::borrow::Cow;
use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyPool, Executor, SqlSafeStr, Transaction};

use crate::personal::{KeyBook, KeyBookError, NoRandomness, Trail, Unrecorded, Unsealed};
pub use approvals::{Decided, Within};
pub use deeds::AnnotateRegister;
pub use erasures::{EraseInvestor, Erased};
pub use gates::{Gate, PermitTransfers, investor_gate};
pub use holds::{Hold, LiftHold, PlaceHold};
pub use imports::{Announced, ImportedRow, Taken, Work};
pub use incoming::{Numbered, Prepared};
pub use market::{MarketState, SetMarket};
pub use operations::{Event, Instructed, Noted, Operation, Pin};
pub use registers::{Fixed, Holder, Kept, Nominal};
pub use rows::{Change, Row, Version, Written};
pub use signed::Evidence;
pub use users::{At, Attempt};
pub use webhooks::{Secrets, WEBHOOKS_MAX, Webhook, events_of};

/// How many connections are kept to a database.
const CONNECTIONS_MAX: u32 = 8;
/// How long a request waits for a connection, or SQLite for another writer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an idempotency key is remembered, in microseconds.
const KEY_KEPT_US: i64 = 48 * 3600 * 1_000_000;

/// The migration after which rows that are not sealed yet are.
const SEALED: i64 = 13;

/// What has made the tables as they are, in order. Never changed, only added to.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "masters", include_str!("../../migrations/0001_masters.sql")),
    (2, "approvals", include_str!("../../migrations/0002_approvals.sql")),
    (3, "users", include_str!("../../migrations/0003_users.sql")),
    (4, "operations", include_str!("../../migrations/0004_operations.sql")),
    (5, "gates", include_str!("../../migrations/0005_gates.sql")),
    (6, "market", include_str!("../../migrations/0006_market.sql")),
    (7, "webhooks", include_str!("../../migrations/0007_webhooks.sql")),
    (8, "signed", include_str!("../../migrations/0008_signed.sql")),
    (9, "imports", include_str!("../../migrations/0009_imports.sql")),
    (10, "registers", include_str!("../../migrations/0010_registers.sql")),
    (11, "refused", include_str!("../../migrations/0011_refused.sql")),
    (SEALED, "sealed", include_str!("../../migrations/0013_sealed.sql")),
    (14, "no_plain_columns", include_str!("../../migrations/0014_no_plain_columns.sql")),
    (15, "access_reason", include_str!("../../migrations/0015_access_reason.sql")),
    (16, "references", include_str!("../../migrations/0016_references.sql")),
    (18, "register_lines", include_str!("../../migrations/0018_register_lines.sql")),
];

/// Two engines, one dialect: what differs stands here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Engine {
    Sqlite,
    Postgres,
}

/// An open database.
#[derive(Clone, Debug)]
pub struct Store {
    pool: AnyPool,
    /// Where transactions that write begin: with SQLite one connection, whose waiters are served in turn.
    writers: AnyPool,
    engine: Engine,
    keys: KeyBook,
    trail: Trail,
}

/// Why the database can't do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL names no engine.
    #[error("the database must be sqlite:FILE or postgres://USER@HOST/NAME")]
    Url,
    /// It is of another version of the program.
    #[error("the database's tables can't be brought up to date: {0}")]
    Migration(#[from] MigrateError),
    /// The engine failed.
    #[error("the database failed: {0}")]
    Engine(#[from] sqlx::Error),
    /// A row is not what this program wrote.
    #[error("the database holds a damaged row of {0}: restore it from a backup")]
    Damaged(&'static str),
    /// The book of keys lacks a key that was not destroyed.
    #[error(
        "the database holds personal data whose key is not in the book of keys: put back the newest copy of the book"
    )]
    KeyMissing,
    /// The book of keys.
    #[error(transparent)]
    Keys(#[from] KeyBookError),
    /// The access log, without which personal data is not handled.
    #[error("an access to personal data was not recorded: {0}")]
    Unrecorded(#[from] Unrecorded),
}

impl From<NoRandomness> for StoreError {
    fn from(error: NoRandomness) -> Self {
        Self::Keys(error.into())
    }
}

impl From<Unsealed> for StoreError {
    fn from(_: Unsealed) -> Self {
        Self::Damaged("sealed data")
    }
}

impl Store {
    /// Opens a database by its URL and brings its tables up to date. Personal data is sealed under keys of the book.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub async fn open(url: &str, keys: KeyBook) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let (engine, url) = if url.starts_with("sqlite:") {
            (Engine::Sqlite, with_create(url))
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            (Engine::Postgres, url.to_owned())
        } else {
            return Err(StoreError::Url);
        };
        let options = AnyPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(PATIENCE)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if engine == Engine::Sqlite {
                        connection.execute(SQLITE_SETTINGS).await?;
                    }
                    Ok(())
                })
            });
        let connected = async |keys| {
            let pool = options.clone().connect(&url).await?;
            let writers = match engine {
                Engine::Sqlite => options.clone().max_connections(1).connect(&url).await?,
                Engine::Postgres => pool.clone(),
            };
            Ok::<_, StoreError>(Self { pool, writers, engine, keys, trail: Trail::default() })
        };
        let before = connected(keys.clone()).await?;
        migrator(SEALED).run(&before.pool).await?;
        let sealed = before.seal_plain().await?;
        migrator(i64::MAX).run(&before.pool).await?;
        if sealed {
            before.compact().await?;
        }
        // Connections that have seen the tables as they were count their columns wrongly.
        before.writers.close().await;
        before.pool.close().await;
        let store = connected(keys).await?;
        store.erase_again().await?;
        store.name_references().await?;
        Ok(store)
    }

    /// The same, where it is recorded who handles personal data. Before, none is.
    #[must_use]
    pub fn with_trail(self, trail: Trail) -> Self {
        Self { trail, ..self }
    }

    /// Closes all connections, after what is under way.
    pub async fn close(&self) {
        self.writers.close().await;
        self.pool.close().await;
        self.keys.close().await;
    }

    /// Begins to write. SQLite has one writer at a time: it waits here, in turn, rather than fail later or be overtaken.
    async fn write(&self) -> Result<Transaction<'static, sqlx::Any>, StoreError> {
        let begin = match self.engine {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN",
        };
        Ok(self.writers.begin_with(begin).await?)
    }
}

/// The migrations up to one. A database that is further on stays as it is.
fn migrator(last: i64) -> Migrator {
    let until = MIGRATIONS.iter().filter(|(version, ..)| *version <= last);
    let migrations = until.map(|(version, name, text)| {
        let text = text.into_sql_str();
        Migration::new(*version, Cow::Borrowed(name), MigrationType::Simple, text, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.set_ignore_missing(last != i64::MAX);
    migrator
}

/// Acknowledged is durable; writers wait for each other; references hold.
pub(crate) const SQLITE_SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000; \
                               PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON";

/// A database file that isn't there is made.
fn with_create(url: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    if url.contains("mode=") { url.to_owned() } else { format!("{url}{separator}mode=rwc") }
}
