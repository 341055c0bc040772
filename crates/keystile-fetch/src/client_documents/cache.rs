//! What is known about documents, bounded in number.

use std::sync::Arc;

use http::header::ETAG;
use http::{HeaderMap, HeaderValue};
use keystile_protocol::client_id_url::ClientIdUrl;
use keystile_protocol::mutation::weakened;

use super::freshness::{self, Freshness};
use super::{Document, LookupError};

/// Good documents and recent failures, apart: a flood of failures pushes no document out.
pub(super) struct Cache {
    documents: moka::sync::Cache<ClientIdUrl, Kept>,
    failures: moka::sync::Cache<ClientIdUrl, Failure>,
}

#[derive(Clone)]
struct Kept {
    document: Arc<Document>,
    /// Those that matter for keeping it.
    headers: HeaderMap,
    freshness: Freshness,
    /// Used although stale, and not asked about again, until then.
    excused_until: i64,
}

#[derive(Clone, Copy)]
struct Failure {
    error: LookupError,
    until: i64,
}

/// What the cache can answer by itself.
pub(super) enum Known {
    Document(Arc<Document>),
    Failure(LookupError),
    Nothing,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            documents: moka::sync::Cache::new(MAX_DOCUMENTS),
            failures: moka::sync::Cache::new(MAX_FAILURES),
        }
    }

    pub(super) fn known(&self, id: &ClientIdUrl, now: i64) -> Known {
        let usable = |kept: &Kept| now < kept.freshness.fresh_until || now < kept.excused_until;
        if let Some(kept) = self.documents.get(id).filter(usable) {
            return Known::Document(kept.document);
        }
        match self.failures.get(id) {
            Some(failure) if now < failure.until => Known::Failure(failure.error),
            _ => Known::Nothing,
        }
    }

    /// What to send as `If-None-Match`.
    pub(super) fn entity_tag(&self, id: &ClientIdUrl) -> Option<HeaderValue> {
        let kept = self.documents.get(id).filter(|_| !weakened("n_as_09c"))?;
        kept.headers.get(ETAG).cloned()
    }

    /// Keeps a new document if its headers permit it.
    pub(super) fn keep(
        &self,
        id: &ClientIdUrl,
        document: Arc<Document>,
        headers: &HeaderMap,
        now: i64,
    ) {
        self.failures.invalidate(id);
        let headers = freshness::relevant(headers);
        match freshness::of(&headers, now) {
            Some(freshness) => {
                let kept = Kept {
                    document,
                    headers,
                    freshness,
                    excused_until: 0,
                };
                self.documents.insert(id.clone(), kept);
            }
            None => self.documents.invalidate(id),
        }
    }

    /// The document did not change: its headers replace the old ones (RFC 9111 §4.3.4).
    pub(super) fn confirm(
        &self,
        id: &ClientIdUrl,
        headers: &HeaderMap,
        now: i64,
    ) -> Option<Arc<Document>> {
        let Kept {
            document,
            headers: mut merged,
            ..
        } = self.documents.get(id)?;
        freshness::merge(&mut merged, headers);
        self.keep(id, Arc::clone(&document), &merged, now);
        Some(document)
    }

    /// Remembers a failure. If the host only `fails`, a document that may be used even though it is
    /// stale is the answer; any other failure makes it forgotten.
    pub(super) fn fail(
        &self,
        id: &ClientIdUrl,
        error: LookupError,
        fails: bool,
        now: i64,
    ) -> Option<Arc<Document>> {
        let until = now + FAILURE_MS;
        if let Some(mut kept) = self.documents.get(id) {
            let usable_until = kept.freshness.usable_until;
            if fails && (now < usable_until || weakened("a_061")) {
                kept.excused_until = until.min(usable_until);
                let document = Arc::clone(&kept.document);
                self.documents.insert(id.clone(), kept);
                return Some(document);
            }
            self.documents.invalidate(id);
        }
        self.failures.insert(id.clone(), Failure { error, until });
        None
    }
}

/// About 10 MB if each is as large as it may be.
const MAX_DOCUMENTS: u64 = 1024;

const MAX_FAILURES: u64 = 4096;

/// How long a failure is the answer without asking again.
const FAILURE_MS: i64 = 30_000;
