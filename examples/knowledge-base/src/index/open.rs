//! Opening the database that several server processes share.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    Connection as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::Error;

/// Opens or makes the database in the state folder.
///
/// # Errors
/// [`Error::State`] with the folder's name: it can't be made or written to, or a newer version wrote the database.
pub(super) async fn open(state: &Path) -> Result<SqlitePool, Error> {
    let refuse = |problem: String| Error::State {
        path: state.to_owned(),
        problem,
    };
    let folder = state.to_owned();
    // Going from a rollback journal to a write-ahead log is the one step for which SQLite does not wait for others.
    let one_at_a_time = tokio::task::spawn_blocking(move || lock(&folder))
        .await
        .expect("the closure does not panic")
        .map_err(|error| refuse(error.to_string()))?;
    let options = options(state.join(FILE));
    prepare(&options)
        .await
        .map_err(|problem| refuse(problem.to_string()))?;
    drop(one_at_a_time);
    Ok(SqlitePoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .connect_lazy_with(options))
}

/// The lock ends with the process that holds it, however that ends.
fn lock(state: &Path) -> std::io::Result<fs::File> {
    let mut folder = fs::DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(state)?;
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(state.join(LOCK))?;
    file.lock()?;
    Ok(file)
}

fn options(file: PathBuf) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An answered `add_note` survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
}

async fn prepare(options: &SqliteConnectOptions) -> Result<(), Problem> {
    let mut connection = SqliteConnection::connect_with(options).await?;
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut connection)
        .await?;
    match version {
        0 => {
            let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::raw_sql(include_str!("schema.sql"))
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
        }
        VERSION => {}
        newer => return Err(Problem::Newer(newer)),
    }
    connection.close().await?;
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(
        "its database has layout {0}, made by another version; this one knows layout {VERSION}"
    )]
    Newer(i64),
}

const FILE: &str = "knowledge-base.sqlite";
const LOCK: &str = "knowledge-base.lock";
const VERSION: i64 = 1;
const CONNECTIONS_MAX: u32 = 4;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
