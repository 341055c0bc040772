//! Opening a database, and what is said when that is not possible.
#![expect(
    clippy::unwrap_used,
    reason = "the shared parts of these tests may fail like the tests"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use keystile_domain::ports::People;
use keystile_domain::time::Timestamp;
use keystile_store::{OpenError, Store};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

async fn refusal(path: &Path) -> OpenError {
    match Store::open(path, NOW).await {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

async fn sql(path: &Path, statement: &'static str) {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::query(statement)
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn its_files_are_for_the_owner_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keystile.db");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(&path, NOW).await.unwrap();
    assert!(!store.has_anybody().await.unwrap());
    let mut files = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.path());
        files += 1;
    }
    assert_eq!(files, 3, "database, log and shared memory");
    store.close().await;
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "a closed one needs no log"
    );
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let error = refusal(Path::new("/proc/no-such-folder/keystile.db")).await;
    assert!(matches!(error, OpenError::Unwritable { .. }), "{error}");
    assert!(
        error.to_string().contains("/proc/no-such-folder"),
        "{error}"
    );
}

#[tokio::test]
async fn garbage_is_not_taken_for_a_database() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keystile.db");
    fs::write(&path, "not a database at all, but long enough ".repeat(100)).unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn a_damaged_schema_is_found() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keystile.db");
    Store::open(&path, NOW).await.unwrap().close().await;
    let mut bytes = fs::read(&path).unwrap();
    bytes[100..4000].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn a_database_of_another_program_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keystile.db");
    sql(&path, "CREATE TABLE diary (entry TEXT)").await;
    let before = fs::read(&path).unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap().len(), before.len());
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_number() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keystile.db");
    Store::open(&path, NOW).await.unwrap().close().await;
    sql(
        &path,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', TRUE, x'00', 0)",
    )
    .await;
    let error = refusal(&path).await;
    assert!(
        matches!(error, OpenError::Newer { found: 9999, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_database_that_somebody_writes_to_is_locked() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keystile.db");
    let mut other = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    let held = other.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    let error = refusal(&path).await;
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    held.rollback().await.unwrap();
    Store::open(&path, NOW).await.unwrap().close().await;
}
