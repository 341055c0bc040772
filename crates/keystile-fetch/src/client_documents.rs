//! Client ID Metadata Documents: fetched, kept by HTTP's rules, or known without asking.

mod cache;
mod freshness;
mod pinned;
mod trusted_host;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use keystile_protocol::client_id_url::ClientIdUrl;
use keystile_protocol::client_metadata::{self, ClientMetadata, DocumentError};
use keystile_protocol::mutation::weakened;
use sha2::{Digest, Sha256};
use url::Url;

use crate::flights::{Flights, free};
use crate::{FetchError, Fetched, Fetcher, Get, SetupError};
use cache::{Cache, Known};

pub use freshness::MAX_FRESH_MS;
pub use trusted_host::{TrustedHost, TrustedHostError};

/// The documents of clients whose `client_id` is a URL. Cheap to clone; clones share what they know.
///
/// A document is kept as long as its HTTP headers say (RFC 9111), at most [`MAX_FRESH_MS`]; without
/// a word about it, five minutes. There is no lower bound: `no-store` is never kept, `no-cache` and
/// `max-age=0` are asked about each time, so a withdrawn redirect URI is dead when its owner says
/// so. What a sign-in in progress relies on is its own snapshot (CHECKLIST A-059), not this cache.
///
/// When the host fails (no answer, 429, 5xx), the last document is used for another ten minutes, or
/// as long as its `stale-if-error` says, but never past [`MAX_FRESH_MS`] after it was last
/// confirmed, and not if it said `no-cache` or `must-revalidate`. When the host denies that there
/// is a document, or sends a bad one, what was known is forgotten. A failure is remembered for
/// thirty seconds. Lookups of the same document at the same time are one request.
#[derive(Clone)]
pub struct ClientDocuments {
    shared: Arc<Documents>,
}

struct Documents {
    fetcher: Option<Fetcher>,
    hosts: ClientHosts,
    cache: Cache,
    flights: Flights<ClientIdUrl, Answer>,
}

/// Which hosts clients may have their documents at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientHosts {
    /// Those that the operator trusts.
    pub trusted: Vec<TrustedHost>,
    /// Whether no other is asked, not even for a look (CHECKLIST N-AS-13).
    pub no_other: bool,
}

/// How much is known of the client behind a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Its document ships with this program.
    Pinned,
    /// The operator trusts its host.
    TrustedHost,
    /// Nothing but its host's word.
    Unknown,
}

type Answer = Result<Arc<Document>, LookupError>;

/// What stands at a `client_id` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it says.
    pub metadata: ClientMetadata,
    /// SHA-256 of its bytes: another digest is another document.
    pub digest: [u8; 32],
    /// Where it is from.
    pub source: Source,
}

/// Where a document is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From its host.
    Fetched,
    /// Shipped with this program.
    Pinned,
}

/// Why there is no document. To the client each of these is `invalid_client`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Documents are not fetched here, and this one is not among the shipped ones.
    #[error("client metadata documents are not fetched here, and this client is not a known one")]
    NotPinned,
    /// The operator listed the hosts of clients, and this one's is not among them.
    #[error(
        "only clients of listed hosts are let in here, and this client's host is not listed; an operator lists it with --trust-client-host"
    )]
    NotListed,
    /// It could not be fetched.
    #[error("the client metadata document could not be fetched: {0}")]
    Fetch(#[from] FetchError),
    /// It was fetched, and is no good.
    #[error("the client metadata document is not valid: {0}")]
    Invalid(#[from] DocumentError),
}

impl LookupError {
    /// What a stranger may read. The text of `Display` is for the operator: it tells names inside a
    /// network from names that do not exist.
    ///
    /// ```
    /// use keystile_fetch::{FetchError, LookupError};
    ///
    /// let inside = LookupError::Fetch(FetchError::ForbiddenAddress([10, 0, 0, 1].into()));
    /// let unknown = LookupError::Fetch(FetchError::Unresolvable);
    /// assert_eq!(inside.public_message(), unknown.public_message());
    /// ```
    #[must_use]
    pub fn public_message(&self) -> String {
        match self {
            Self::Fetch(error) if !error.is_about_answer() => {
                "the client metadata document could not be fetched".to_owned()
            }
            _ => self.to_string(),
        }
    }
}

impl ClientDocuments {
    /// Fetches documents.
    #[must_use]
    pub fn fetching(fetcher: Fetcher) -> Self {
        Self::new(Some(fetcher), ClientHosts::default())
    }

    /// Fetches documents and knows some hosts better than others.
    #[must_use]
    pub fn fetching_from(fetcher: Fetcher, hosts: ClientHosts) -> Self {
        Self::new(Some(fetcher), hosts)
    }

    /// Knows the shipped documents and never sends a packet: air-gapped, or CIMD switched off.
    #[must_use]
    pub fn pinned_only() -> Self {
        Self::new(None, ClientHosts::default())
    }

    fn new(fetcher: Option<Fetcher>, hosts: ClientHosts) -> Self {
        let (cache, flights) = (Cache::new(), Flights::new());
        Self {
            shared: Arc::new(Documents {
                fetcher,
                hosts,
                cache,
                flights,
            }),
        }
    }

    /// Whether any client's document will do; `client_id_metadata_document_supported` says so.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.shared.fetcher.is_some() || weakened("n_as_05")
    }

    /// What the operator and this program know of a client, whatever its document says.
    #[must_use]
    pub fn tier(&self, id: &ClientIdUrl) -> Tier {
        if pinned::document(id).is_some() {
            return Tier::Pinned;
        }
        if self.shared.hosts.trust(id.url()) {
            return Tier::TrustedHost;
        }
        Tier::Unknown
    }

    /// Whether this client's host may be asked. Where it may not, only the shipped documents count
    /// and nothing is sent.
    #[must_use]
    pub fn may_fetch(&self, id: &ClientIdUrl) -> bool {
        self.may_fetch_from(id.url())
    }

    /// The same of an address that a client named itself: the `jwks_uri` of a registration leads to
    /// no host that its document could not be at.
    #[must_use]
    pub fn may_fetch_from(&self, url: &Url) -> bool {
        self.is_open() && self.shared.hosts.may_ask(url)
    }

    /// [`Fetcher::prepare`], if anything is fetched at all.
    ///
    /// # Errors
    /// [`SetupError::NoAuthorities`]: no document can be fetched.
    pub async fn prepare(&self) -> Result<(), SetupError> {
        match &self.shared.fetcher {
            Some(fetcher) => fetcher.prepare().await,
            None => Ok(()),
        }
    }

    /// The document of a client. `now` is in milliseconds since 1970.
    ///
    /// # Errors
    /// [`LookupError`]: the client cannot be used, at least not now.
    pub async fn lookup(&self, id: &ClientIdUrl, now: i64) -> Answer {
        let found = self.lookup_for(id, now, free).await;
        found.unwrap_or_else(|error| match error {})
    }

    /// The same for somebody who has to `pay` when a request of their own is sent: nothing is known
    /// that may be used, and no other caller is asking.
    ///
    /// # Errors
    /// Those of `pay`: nothing was sent then.
    pub async fn lookup_for<E>(
        &self,
        id: &ClientIdUrl,
        now: i64,
        pay: impl FnOnce() -> Result<(), E>,
    ) -> Result<Answer, E> {
        let Some(fetcher) = &self.shared.fetcher else {
            return Ok(pinned::document(id).ok_or(LookupError::NotPinned));
        };
        if !self.shared.hosts.may_ask(id.url()) {
            return Ok(pinned::document(id).ok_or(LookupError::NotListed));
        }
        let answer = match self.shared.known(id, now) {
            Some(answer) => answer,
            None => {
                let (shared, fetcher, own) = (&self.shared, fetcher.clone(), id.clone());
                let landed = || shared.known(id, now);
                let busy = Err(FetchError::Busy.into());
                let flight = shared.flights.join(id, landed, busy, pay, || {
                    let shared = Arc::clone(shared);
                    async move { shared.refresh(&fetcher, &own, now).await }
                })?;
                flight.await
            }
        };
        Ok(answer.or_else(|error| without_host(id, error)))
    }
}

impl ClientHosts {
    fn trust(&self, url: &Url) -> bool {
        self.trusted.iter().any(|host| host.is_of(url))
    }

    fn may_ask(&self, url: &Url) -> bool {
        !self.no_other || self.trust(url) || weakened("n_as_13")
    }
}

impl Documents {
    fn known(&self, id: &ClientIdUrl, now: i64) -> Option<Answer> {
        match self.cache.known(id, now) {
            Known::Document(document) => Some(Ok(document)),
            Known::Failure(error) => Some(Err(error)),
            Known::Nothing => None,
        }
    }

    async fn refresh(&self, fetcher: &Fetcher, id: &ClientIdUrl, now: i64) -> Answer {
        let get = Get {
            url: id.url(),
            accept: "application/json",
            max_bytes: MAX_DOCUMENT_BYTES,
            if_none_match: self.cache.entity_tag(id),
        };
        let answer = match fetcher.get(get).await {
            Ok(Fetched::Body { headers, body }) => self.read(id, &headers, &body, now),
            Ok(Fetched::NotModified { headers }) => self
                .cache
                .confirm(id, &headers, now)
                .ok_or(FetchError::Status(304).into()),
            Err(error) => Err(error.into()),
        };
        answer.or_else(|error| {
            let fails = matches!(error, LookupError::Fetch(error) if error.is_transient());
            // What stands behind a question mark may be a secret.
            let document = id.as_str().split('?').next();
            tracing::info!(document, %error, "client document not available: {error}");
            self.cache
                .fail(id, error, fails || weakened("a_061"), now)
                .ok_or(error)
        })
    }

    fn read(&self, id: &ClientIdUrl, headers: &HeaderMap, body: &Bytes, now: i64) -> Answer {
        let metadata = client_metadata::document(id, body)?;
        let digest = Sha256::digest(body).into();
        let document = Arc::new(Document {
            metadata,
            digest,
            source: Source::Fetched,
        });
        self.cache.keep(id, Arc::clone(&document), headers, now);
        Ok(document)
    }
}

/// The shipped document, if the host failed or let us not in. If it denied that there is one, or
/// sent another that is no good, its word counts.
fn without_host(id: &ClientIdUrl, error: LookupError) -> Answer {
    match error {
        LookupError::Fetch(cause) if cause.is_transient() || cause.is_turned_away() => {
            pinned::document(id).ok_or(error)
        }
        _ => Err(error),
    }
}

/// The draft's own suggestion (§6.6).
pub const MAX_DOCUMENT_BYTES: usize = 5 * 1024;
