//! From a path to an open database, or to a sentence that says what is wrong with it.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keystile_domain::time::Timestamp;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, SqlitePool};
use thiserror::Error;

use crate::failure::{BUSY, CANNOT_OPEN, CORRUPT, FULL, NOT_A_DATABASE, READ_ONLY, primary_code};
use crate::feed::{MEMORY, RevocationFeed};
use crate::row;

/// The database cannot be used.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The file or its folder cannot be read and written.
    #[error(
        "{path} cannot be opened for writing: {source}; give this user the folder or choose another with --data-dir"
    )]
    Unwritable {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not a database, or a damaged one.
    #[error("{path} is no intact database ({detail}); restore it from a backup or move it away")]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// A database of another program.
    #[error("{path} is a database of another program; choose another --data-dir")]
    Foreign {
        /// The database file.
        path: PathBuf,
    },
    /// No room.
    #[error("there is no room left on the disk of {path}; free some and start again")]
    DiskFull {
        /// The database file.
        path: PathBuf,
    },
    /// Somebody else writes to it.
    #[error("{path} is locked by another process; only one may own a data directory")]
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// Written by a newer version.
    #[error(
        "{path} has schema {found}, this version knows up to {known}; start the newer version or restore a backup made by this one"
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The last one that this program knows.
        known: i64,
    },
    /// Anything else.
    #[error("{path} cannot be opened: {source}")]
    Other {
        /// The database file.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

pub(super) struct Opened {
    pub(super) options: SqliteConnectOptions,
    pub(super) connection: SqliteConnection,
    pub(super) readers: SqlitePool,
    pub(super) feed: RevocationFeed,
}

pub(super) async fn open(path: &Path, now: Timestamp) -> Result<Opened, OpenError> {
    make_private(path).map_err(|source| OpenError::Unwritable {
        path: path.to_owned(),
        source,
    })?;
    let options = writer_options(path);
    let explain = |error| explain(path, error);
    let mut connection = options.connect().await.map_err(explain)?;
    refuse_foreign(path, &mut connection).await?;
    MIGRATIONS
        .run_direct(None, &mut connection, false)
        .await
        .map_err(|error| explain_migration(path, error))?;
    let feed = recent_revocations(&mut connection, now)
        .await
        .map_err(explain)?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .test_before_acquire(false)
        .acquire_timeout(PATIENCE)
        .connect_lazy_with(
            options
                .clone()
                .read_only(true)
                .thread_name(|n| format!("store-read-{n}")),
        );
    Ok(Opened {
        options,
        connection,
        readers,
        feed,
    })
}

/// The file exists and is nobody else's; SQLite gives `-wal` and `-shm` the same mode.
fn make_private(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// WAL with `synchronous=FULL`: COMMIT returns when the log is on disk (DESIGN §4).
fn writer_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .pragma("cache_size", PAGE_CACHE)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .thread_name(|_| "store-write".to_owned())
        .disable_statement_logging()
}

async fn refuse_foreign(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let (application, tables): (i64, i64) = sqlx::query_as(
        "SELECT application_id, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id",
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(|error| explain(path, error))?;
    match (application, tables) {
        (APPLICATION, _) => Ok(()),
        (0, 0) => {
            sqlx::query(MARK)
                .execute(connection)
                .await
                .map_err(|error| explain(path, error))?;
            Ok(())
        }
        _ => Err(OpenError::Foreign {
            path: path.to_owned(),
        }),
    }
}

async fn recent_revocations(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<RevocationFeed, sqlx::Error> {
    let since = now
        .0
        .saturating_sub(i64::try_from(MEMORY.as_millis()).unwrap_or(i64::MAX));
    let feed = RevocationFeed::new();
    let grants: Vec<(String, i64)> = sqlx::query_as(
        "SELECT id, revoked_at FROM grants WHERE revoked_at >= $1
         UNION ALL SELECT id, revoked_at FROM service_grants WHERE revoked_at >= $1
         ORDER BY revoked_at",
    )
    .bind(since)
    .fetch_all(&mut *connection)
    .await?;
    for same_moment in grants.chunk_by(|one, other| one.1 == other.1) {
        let ids = same_moment
            .iter()
            .map(|(id, _)| row::parse(id, "grants.id"));
        let ids = ids
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| sqlx::Error::Decode(error.into()))?;
        let at = same_moment.first().map_or(now.0, |(_, at)| *at);
        feed.revoke(&ids, Timestamp(at));
    }
    let people: Vec<(String, i64)> =
        sqlx::query_as("SELECT id, disabled_at FROM people WHERE disabled_at >= $1")
            .bind(since)
            .fetch_all(&mut *connection)
            .await?;
    for (person, at) in people {
        feed.disable_person(&person, Timestamp(at));
    }
    let clients: Vec<(String, i64, Option<i64>)> =
        sqlx::query_as("SELECT client_id, disabled_at, enabled_at FROM disabled_clients")
            .fetch_all(&mut *connection)
            .await?;
    for (client, at, enabled_at) in clients {
        feed.keep_out(&client, Timestamp(at));
        if enabled_at.is_some() {
            feed.let_in(&client);
        }
    }
    Ok(feed)
}

fn explain(path: &Path, error: sqlx::Error) -> OpenError {
    let path = path.to_owned();
    let code = error.as_database_error().and_then(primary_code);
    match code {
        Some(CORRUPT | NOT_A_DATABASE) => OpenError::Corrupt {
            path,
            detail: error.to_string(),
        },
        Some(FULL) => OpenError::DiskFull { path },
        Some(BUSY) => OpenError::Locked { path },
        Some(READ_ONLY | CANNOT_OPEN) => OpenError::Unwritable {
            path,
            source: io::Error::other(error),
        },
        _ => OpenError::Other {
            path,
            source: Box::new(error),
        },
    }
}

fn explain_migration(path: &Path, error: MigrateError) -> OpenError {
    let path_buf = path.to_owned();
    match error {
        MigrateError::VersionMissing(found) | MigrateError::VersionTooNew(found, _) => {
            let known = MIGRATIONS
                .iter()
                .map(|migration| migration.version)
                .max()
                .unwrap_or(0);
            OpenError::Newer {
                path: path_buf,
                found,
                known,
            }
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            explain(path, error)
        }
        other => OpenError::Other {
            path: path_buf,
            source: Box::new(other),
        },
    }
}

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// `application_id` of SQLite's header: "KSTL".
const APPLICATION: i64 = 0x4b53_544c;
const MARK: &str = "PRAGMA application_id = 1263752268";
/// Reads are few: pages, administration, sessions. Each connection is a thread.
const READERS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(5);
/// Negative: KiB. Taken only as pages are touched.
const PAGE_CACHE: &str = "-16384";
/// 16 MiB of log between checkpoints: a page that many refreshes touch is copied once.
const CHECKPOINT_PAGES: &str = "4000";
