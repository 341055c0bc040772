//! One GET, with everything that can go wrong bounded.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use keystile_protocol::mutation::weakened;
use reqwest::dns::{Addrs, Name, Resolving};
use rustls::pki_types::CertificateDer;
use tokio::sync::OnceCell;
use url::{Host, Url};

use crate::gate::Gate;
use crate::{Allow, FetchError, Resolve, SetupError, SystemResolver, address, tls};

/// What an operator, or a test, decides about fetching.
#[derive(Clone, Default)]
pub struct FetchOptions {
    /// `danger_fetch_allow`: what may be fetched although it is not on the public internet.
    pub danger_allow: Vec<Allow>,
    /// `extra_ca_file`: PEM certificates believed besides those of the machine.
    pub extra_ca_file: Option<PathBuf>,
    /// `None` is [`SystemResolver`].
    pub resolver: Option<Arc<dyn Resolve>>,
    /// Bounds.
    pub limits: Limits,
}

/// How much time and how many places fetching may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one fetch, from waiting for a place to the last byte. Default 3 s.
    pub total: Duration,
    /// Fetches under way at once. Default 32.
    pub concurrent: usize,
    /// Of these, to one host and to one address. Default 4.
    pub concurrent_per_host: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: Duration::from_secs(3),
            concurrent: 32,
            concurrent_per_host: 4,
        }
    }
}

/// One document to be fetched.
#[derive(Debug, Clone)]
pub struct Get<'a> {
    /// Where it is.
    pub url: &'a Url,
    /// The media type it must have: `application/json` includes `application/*+json`.
    pub accept: &'static str,
    /// Most bytes of the body.
    pub max_bytes: usize,
    /// The entity tag of what is known already.
    pub if_none_match: Option<HeaderValue>,
}

/// What came.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// 200: the whole body.
    Body {
        /// The header of the answer.
        headers: HeaderMap,
        /// At most [`Get::max_bytes`] bytes.
        body: Bytes,
    },
    /// 304, and we had asked with [`Get::if_none_match`].
    NotModified {
        /// The header of the answer.
        headers: HeaderMap,
    },
}

/// The one fetcher (CHECKLIST R7). Cheap to clone; clones share their limits.
#[derive(Clone)]
pub struct Fetcher {
    shared: Arc<Shared>,
}

struct Shared {
    allow: Vec<Allow>,
    extra_authorities: Vec<CertificateDer<'static>>,
    /// The machine's authorities are read when they are first needed.
    tls: OnceCell<rustls::ClientConfig>,
    resolver: Arc<dyn Resolve>,
    limits: Limits,
    gate: Gate,
}

impl Fetcher {
    /// Reads `extra_ca_file`; nothing is sent, and the machine's own certificates are read later.
    ///
    /// # Errors
    /// [`SetupError`] if the file is no good.
    pub fn new(options: FetchOptions) -> Result<Self, SetupError> {
        let FetchOptions {
            danger_allow: allow,
            extra_ca_file,
            resolver,
            limits,
        } = options;
        let extra_authorities = extra_ca_file
            .as_deref()
            .map(tls::certificates)
            .transpose()?;
        let resolver = resolver.unwrap_or_else(|| Arc::new(SystemResolver::default()));
        let gate = Gate::new(limits.concurrent, limits.concurrent_per_host);
        Ok(Self {
            shared: Arc::new(Shared {
                allow,
                extra_authorities: extra_authorities.unwrap_or_default(),
                tls: OnceCell::new(),
                resolver,
                limits,
                gate,
            }),
        })
    }

    /// Reads the machine's certificate authorities, which the first fetch would do otherwise.
    ///
    /// It takes some milliseconds, so it is not part of [`Self::new`]: call it once the server
    /// answers, to have its failure in the log.
    ///
    /// # Errors
    /// [`SetupError::NoAuthorities`]: no fetch over TLS can succeed.
    pub async fn prepare(&self) -> Result<(), SetupError> {
        self.shared.tls().await.map(drop)
    }

    /// Fetches one document.
    ///
    /// # Errors
    /// The first thing that is not as it should be; see [`FetchError`].
    pub async fn get(&self, get: Get<'_>) -> Result<Fetched, FetchError> {
        let host = self.shared.host(get.url)?;
        let tls = self.shared.tls().await.map_err(|_| FetchError::Tls)?;
        let fetch = self.shared.get(get, host, tls);
        if weakened("a_060b") {
            return fetch.await;
        }
        tokio::time::timeout(self.shared.limits.total, fetch)
            .await
            .unwrap_or(Err(FetchError::Timeout))
    }
}

impl Shared {
    async fn get(
        &self,
        get: Get<'_>,
        host: Host<String>,
        tls: rustls::ClientConfig,
    ) -> Result<Fetched, FetchError> {
        let _place_at_host = self.gate.enter(&host.to_string()).await?;
        let addresses = self.judged_addresses(get.url, &host).await?;
        let _place_at_address = self.gate.enter(&address_key(&addresses)).await?;
        let _place = self.gate.enter_all().await?;
        let client = self.client(tls, addresses)?;
        let mut request = client
            .get(get.url.clone())
            .header(ACCEPT, get.accept)
            .header(ACCEPT_ENCODING, "identity");
        let conditional = get.if_none_match.is_some();
        if let Some(tag) = get.if_none_match {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let response = request.send().await.map_err(failure)?;
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED && conditional {
            return Ok(Fetched::NotModified {
                headers: response.headers().clone(),
            });
        }
        if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
            return Err(FetchError::Redirected(status.as_u16()));
        }
        if status != StatusCode::OK {
            return Err(FetchError::Status(status.as_u16()));
        }
        let headers = response.headers().clone();
        if headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .any(|coding| coding != "identity")
        {
            return Err(FetchError::Encoded);
        }
        if !has_media_type(&headers, get.accept) {
            return Err(FetchError::ContentType);
        }
        let body = body(response, get.max_bytes).await?;
        Ok(Fetched::Body { headers, body })
    }

    /// The host of a URL that may be fetched at all. Costs nothing, so it comes before any waiting.
    fn host(&self, url: &Url) -> Result<Host<String>, FetchError> {
        let plain = || self.allow.iter().any(|allow| allow.permits_plain(url));
        let anonymous = url.username().is_empty() && url.password().is_none();
        if !anonymous || (url.scheme() != "https" && !plain()) {
            return Err(FetchError::Url);
        }
        let host = url.host().ok_or(FetchError::Url)?.to_owned();
        // The resolver hook of the HTTP client is not called for these (CHECKLIST A-051).
        match host {
            Host::Domain(_) => {}
            Host::Ipv4(address) if !weakened("a_051") => self.judge(url, address.into())?,
            Host::Ipv6(address) if !weakened("a_051") => self.judge(url, address.into())?,
            Host::Ipv4(_) | Host::Ipv6(_) => {}
        }
        Ok(host)
    }

    /// All addresses of the host. One that is not permitted spoils them all: a name that points
    /// both ways is an attack or a mistake, and either way the next answer may be the other one.
    async fn judged_addresses(&self, url: &Url, host: &Host<String>) -> Result<Judged, FetchError> {
        let addresses = match host {
            Host::Ipv4(address) => vec![IpAddr::from(*address)],
            Host::Ipv6(address) => vec![IpAddr::from(*address)],
            Host::Domain(name) => {
                let answer = self.resolver.resolve(name).await;
                let addresses = answer.map_err(|_| FetchError::Unresolvable)?;
                for address in &addresses {
                    self.judge(url, *address)?;
                }
                addresses
            }
        };
        if addresses.is_empty() {
            Err(FetchError::Unresolvable)
        } else {
            Ok(Judged(addresses))
        }
    }

    fn judge(&self, url: &Url, address: IpAddr) -> Result<(), FetchError> {
        let permitted = address::is_public(address)
            || self
                .allow
                .iter()
                .any(|allow| allow.permits_address(url, address));
        if permitted {
            Ok(())
        } else {
            Err(FetchError::ForbiddenAddress(address))
        }
    }

    async fn tls(&self) -> Result<rustls::ClientConfig, SetupError> {
        let read = async || {
            let extra = self.extra_authorities.clone();
            let reading = tokio::task::spawn_blocking(|| tls::believing(extra));
            reading.await.expect("reading certificates does not panic")
        };
        self.tls.get_or_try_init(read).await.cloned()
    }

    /// A client for one request that knows no other addresses than these.
    fn client(
        &self,
        tls: rustls::ClientConfig,
        addresses: Judged,
    ) -> Result<reqwest::Client, FetchError> {
        let redirects = if weakened("a_054") {
            reqwest::redirect::Policy::limited(5)
        } else {
            reqwest::redirect::Policy::none()
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the one place it is meant for"
        )]
        let builder = reqwest::Client::builder();
        let builder = if weakened("a_053") {
            builder.dns_resolver(Arc::new(AskedAgain(Arc::clone(&self.resolver))))
        } else {
            builder.dns_resolver(Arc::new(addresses))
        };
        builder
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("keystile/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(redirects)
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .pool_max_idle_per_host(0)
            // Shared among the addresses, so that a dead one leaves time for the next.
            .connect_timeout(self.limits.total / 2)
            .build()
            .map_err(|_| FetchError::Tls)
    }
}

/// Addresses that have been judged and found permitted for one host.
struct Judged(Vec<IpAddr>);

impl reqwest::dns::Resolve for Judged {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses = without_ports(&self.0);
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// The mistake of CHECKLIST A-053, for the test-only build: what was judged is not what is used.
struct AskedAgain(Arc<dyn Resolve>);

impl reqwest::dns::Resolve for AskedAgain {
    fn resolve(&self, name: Name) -> Resolving {
        let answer = self.0.resolve(name.as_str());
        Box::pin(async move { Ok(without_ports(&answer.await?)) })
    }
}

fn without_ports(addresses: &[IpAddr]) -> Addrs {
    let addresses: Vec<_> = addresses.iter().map(|ip| SocketAddr::new(*ip, 0)).collect();
    Box::new(addresses.into_iter())
}

/// One machine may have many names; an IPv6 network counts as one machine.
fn address_key(addresses: &Judged) -> String {
    match addresses.0.first() {
        Some(IpAddr::V6(address)) => (address.to_bits() >> 64).to_string(),
        Some(IpAddr::V4(address)) => address.to_string(),
        None => String::new(),
    }
}

async fn body(mut response: reqwest::Response, max_bytes: usize) -> Result<Bytes, FetchError> {
    let too_large = |length: usize| length > max_bytes && !weakened("a_060");
    let announced = response.content_length().unwrap_or_default();
    if usize::try_from(announced).map_or(true, too_large) {
        return Err(FetchError::TooLarge(max_bytes));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failure)? {
        if too_large(body.len() + chunk.len()) {
            return Err(FetchError::TooLarge(max_bytes));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

/// RFC 9110 §8.3; `application/json` is also meant by the suffix `+json` (RFC 6839 §3.1).
fn has_media_type(headers: &HeaderMap, wanted: &str) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else {
        return false;
    };
    let essence = only
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let suffixed = wanted == "application/json"
        && essence.starts_with("application/")
        && essence.ends_with("+json");
    essence == wanted || suffixed
}

/// What kind of failure it was. The text of the error stays here: it may quote the other side.
fn failure(error: reqwest::Error) -> FetchError {
    if error.is_timeout() {
        return FetchError::Timeout;
    }
    if is_tls(&error) {
        return FetchError::Tls;
    }
    if error.is_connect() {
        FetchError::Unreachable
    } else {
        FetchError::Http
    }
}

/// An I/O error hides the one it wraps from `source`, so it has to be opened.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let wrapped = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    let wrapped = wrapped.map(|error| error as &(dyn Error + 'static));
    error.is::<rustls::Error>() || wrapped.or_else(|| error.source()).is_some_and(is_tls)
}
