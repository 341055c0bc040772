//! The full-text index and the notes, in one SQLite database that several processes share.

mod open;
mod refresh;

use std::path::Path;

use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::Mutex;

use crate::{Error, corpus::Corpus, query::Query};

/// What the server asks; each question first makes sure that the index matches the folder.
#[derive(Debug)]
pub(crate) struct Index {
    pool: SqlitePool,
    corpus: Corpus,
    key: String,
    /// Held while refreshing, so that one process reads the folder once for many requests; true once an embedded
    /// corpus, which can't change, is known to be indexed.
    settled: Mutex<bool>,
}

/// A document or note that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) title: String,
    pub(crate) text: String,
}

/// A document or note in a list.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) title: String,
    /// Of the text, in bytes.
    pub(crate) size: i64,
}

/// A page that answers a query.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct Found {
    pub(crate) path: String,
    pub(crate) title: String,
    pub(crate) snippet: String,
    /// Higher is better; only comparable within one answer.
    pub(crate) score: f64,
}

impl Index {
    /// Opens the database; the documents are indexed at the first question, so that starting stays fast.
    ///
    /// # Errors
    /// [`Error::State`] if the state folder can't be used.
    pub(crate) async fn open(corpus: Corpus, state: &Path) -> Result<Self, Error> {
        let pool = open::open(state).await?;
        let key = corpus.key();
        Ok(Self {
            pool,
            corpus,
            key,
            settled: Mutex::new(false),
        })
    }

    /// The best `limit` pages for a query, the best one first. Pages with all the words are preferred; only when there
    /// is none are pages with some of them given, which the flag says.
    pub(crate) async fn search(
        &self,
        query: &Query,
        limit: u32,
    ) -> Result<(Vec<Found>, bool), Error> {
        self.refresh().await?;
        let found = self.matching(&query.all(), limit).await?;
        match query.any() {
            Some(any) if found.is_empty() => Ok((self.matching(&any, limit).await?, true)),
            _ => Ok((found, false)),
        }
    }

    async fn matching(&self, expression: &str, limit: u32) -> Result<Vec<Found>, Error> {
        Ok(sqlx::query_as(
            "SELECT pages.path, pages.title, \
             snippet(page_words, 1, '**', '**', '…', 32) AS snippet, \
             -bm25(page_words, 4.0, 1.0) AS score \
             FROM page_words JOIN pages ON pages.id = page_words.rowid \
             WHERE page_words MATCH ?1 AND pages.corpus IN (?2, 'notes') \
             ORDER BY score DESC, pages.path LIMIT ?3",
        )
        .bind(expression)
        .bind(&self.key)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?)
    }

    /// A page by its path, never by anything of the file system.
    ///
    /// # Errors
    /// [`Error::Request`] if there is no such page, with paths that end alike, or if the file has a problem.
    pub(crate) async fn read(&self, path: &str) -> Result<Page, Error> {
        self.refresh().await?;
        let row: Option<(String, String, Option<String>)> = sqlx::query_as(
            "SELECT title, text, problem FROM pages WHERE path = ?1 AND corpus IN (?2, 'notes')",
        )
        .bind(path)
        .bind(&self.key)
        .fetch_optional(&self.pool)
        .await?;
        match row {
            Some((title, text, None)) => Ok(Page {
                path: path.to_owned(),
                title,
                text,
            }),
            Some((_, _, Some(problem))) => Err(Error::Request(format!(
                "“{path}” can't be read: {problem}."
            ))),
            None => Err(self.missing(path).await?),
        }
    }

    async fn missing(&self, path: &str) -> Result<Error, Error> {
        let alike: Vec<String> = sqlx::query_scalar(
            "SELECT path FROM pages WHERE corpus IN (?2, 'notes') AND problem IS NULL \
             AND substr(path, -length(?1) - 1) = '/' || ?1 ORDER BY path LIMIT 3",
        )
        .bind(path.trim_start_matches('/'))
        .bind(&self.key)
        .fetch_all(&self.pool)
        .await?;
        let hint = if alike.is_empty() {
            "Use the `search` tool or list the resources to see what there is.".to_owned()
        } else {
            format!("Did you mean {}?", alike.join(" or "))
        };
        Ok(Error::Request(format!(
            "There is no document “{path}”. {hint}"
        )))
    }

    /// One part of the list of all pages, documents by path and then notes by age.
    pub(crate) async fn list(&self, offset: u32, limit: u32) -> Result<Vec<Entry>, Error> {
        self.refresh().await?;
        Ok(sqlx::query_as(
            "SELECT path, title, length(CAST(text AS BLOB)) AS size FROM pages \
             WHERE corpus IN (?1, 'notes') AND problem IS NULL \
             ORDER BY corpus = 'notes', CASE corpus WHEN 'notes' THEN id END, path \
             LIMIT ?2 OFFSET ?3",
        )
        .bind(&self.key)
        .bind(limit)
        .bind(offset)
        .fetch_all(&self.pool)
        .await?)
    }

    /// Keeps a note. It is on disk, and found by every process of this state folder, when this returns.
    ///
    /// # Errors
    /// [`Error::Request`] if the title or text is empty, too long or has control characters, or if there are too many
    /// notes already.
    pub(crate) async fn add_note(&self, title: &str, text: &str) -> Result<Page, Error> {
        let title = note_title(title)?;
        let text = format!("# {title}\n\n{}\n", note_text(text)?);
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let number = next_note(&mut transaction).await?;
        let path = format!("notes/{number}");
        sqlx::query(
            "INSERT INTO pages (corpus, path, title, text, stamp) VALUES ('notes', ?1, ?2, ?3, '')",
        )
        .bind(&path)
        .bind(title)
        .bind(&text)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Page {
            path,
            title: title.to_owned(),
            text,
        })
    }
}

async fn next_note(connection: &mut SqliteConnection) -> Result<i64, Error> {
    let last: i64 = sqlx::query_scalar(
        "SELECT coalesce(max(CAST(substr(path, 7) AS INTEGER)), 0) FROM pages WHERE corpus = 'notes'",
    )
    .fetch_one(connection)
    .await?;
    if last >= NOTES_MAX {
        return Err(Error::Request(format!(
            "There are {NOTES_MAX} notes already, and no more are kept."
        )));
    }
    Ok(last + 1)
}

fn note_title(title: &str) -> Result<&str, Error> {
    let title = title.trim();
    let chars = title.chars().count();
    if chars == 0 || chars > TITLE_CHARS_MAX || title.chars().any(char::is_control) {
        return Err(Error::Request(format!(
            "The title must be one line of 1 to {TITLE_CHARS_MAX} characters."
        )));
    }
    Ok(title)
}

fn note_text(text: &str) -> Result<&str, Error> {
    let text = text.trim_end();
    if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(Error::Request(format!(
            "The text must have 1 to {TEXT_BYTES_MAX} bytes; this one has {}.",
            text.len()
        )));
    }
    if text
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
    {
        return Err(Error::Request(
            "The text has control characters. Send it as plain text or Markdown.".to_owned(),
        ));
    }
    Ok(text)
}

const NOTES_MAX: i64 = 10_000;
const TITLE_CHARS_MAX: usize = 200;
const TEXT_BYTES_MAX: usize = 64 * 1024;
