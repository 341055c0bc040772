//! Making the index match the documents again.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::Index;
use crate::{
    Error,
    corpus::{self, Corpus, Listed, Text},
};

impl Index {
    /// Compares names and stamps, and reads only what differs. Several processes may do this at once: each writes what
    /// it saw, and whoever looks next repairs what has changed since.
    pub(super) async fn refresh(&self) -> Result<(), Error> {
        let mut settled = self.settled.lock().await;
        if *settled {
            return Ok(());
        }
        let corpus = self.corpus.clone();
        let listed = blocking(move || corpus.list()).await?;
        let mut known = self.known().await?;
        let changed: Vec<Listed> = listed
            .into_iter()
            .filter(|found| known.remove(&found.path).as_ref() != Some(&found.stamp))
            .collect();
        for batch in changed.chunks(BATCH) {
            self.replace(batch.to_vec()).await?;
        }
        // What is still known was not listed.
        self.remove(known.into_keys()).await?;
        *settled = matches!(self.corpus, Corpus::Embedded);
        Ok(())
    }

    async fn known(&self) -> Result<BTreeMap<String, String>, Error> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT path, stamp FROM pages WHERE corpus = ?1")
                .bind(&self.key)
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().collect())
    }

    /// Reads the files before it takes the write lock, which others wait for.
    async fn replace(&self, batch: Vec<Listed>) -> Result<(), Error> {
        let corpus = self.corpus.clone();
        let read = blocking(move || {
            batch
                .into_iter()
                .map(|found| (corpus.text(&found.path), found))
                .collect::<Vec<_>>()
        })
        .await;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (text, found) in &read {
            if let Err(problem) = text {
                tracing::warn!(
                    document.path = found.path,
                    "left out of the index: {problem}"
                );
            }
            write(&mut transaction, &self.key, found, text).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn remove(&self, paths: impl ExactSizeIterator<Item = String>) -> Result<(), Error> {
        if paths.len() == 0 {
            return Ok(());
        }
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for path in paths {
            sqlx::query("DELETE FROM pages WHERE corpus = ?1 AND path = ?2")
                .bind(&self.key)
                .bind(path)
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }
}

async fn write(
    connection: &mut SqliteConnection,
    key: &str,
    found: &Listed,
    text: &Text,
) -> Result<(), Error> {
    let (title, words, problem) = match text {
        Ok(text) => (corpus::title(&found.path, text), text.as_str(), None),
        Err(problem) => ("", "", Some(problem)),
    };
    sqlx::query(
        "INSERT INTO pages (corpus, path, title, text, stamp, problem) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
         ON CONFLICT (corpus, path) DO UPDATE SET \
         title = excluded.title, text = excluded.text, stamp = excluded.stamp, problem = excluded.problem",
    )
    .bind(key)
    .bind(&found.path)
    .bind(title)
    .bind(words)
    .bind(&found.stamp)
    .bind(problem)
    .execute(connection)
    .await?;
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .expect("reading documents does not panic")
}

/// Bounds what is held in memory at once: this many documents of at most 1 MiB.
const BATCH: usize = 32;
