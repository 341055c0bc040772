//! Host, Origin and CORS, for every listener and every path (DESIGN §2, CHECKLIST N-TR-01, N-TR-02).
//!
//! A page that a browser shows can make it talk to loopback (DNS rebinding). It can't lie about
//! where it comes from, nor choose another `Host` than the name it used: so both must be ours.

use axum::body::Body;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode, Version};
use keystile_domain::decide::diagnose::proxy;
use keystile_protocol::issuer::{Issuer, is_loopback_host};
use keystile_protocol::mutation::weakened;

use crate::addressed::addressed;
use crate::forward::is_nominated;
use crate::refusal::{Code, Refusal};

/// Which names and which origins are ours.
#[derive(Debug, Clone)]
pub struct Guard {
    public: Issuer,
    authorities: Vec<String>,
    origins: Vec<String>,
}

/// An `Origin` that may read our answers, if the request has one.
#[derive(Debug, Clone)]
pub struct AllowedOrigin {
    origin: Option<HeaderValue>,
    /// The operator named it; otherwise it is our own or one of this computer.
    listed: bool,
}

impl Guard {
    /// Ours are the public URL and, for each of `loopback_ports` on which we listen, the names of
    /// loopback. `origins` are those of the configuration: scheme, host, port.
    #[must_use]
    pub fn new(public: &Issuer, loopback_ports: &[u16], origins: &[String]) -> Self {
        let mut authorities = vec![public.authority().to_owned()];
        let default_port = if public.is_https() { 443 } else { 80 };
        let has_port = public
            .authority()
            .rsplit_once(':')
            .is_some_and(|(_, port)| {
                !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
            });
        if !has_port {
            authorities.push(format!("{}:{default_port}", public.authority()));
        }
        for port in loopback_ports {
            let names = ["localhost", "127.0.0.1", "[::1]"];
            authorities.extend(names.map(|name| format!("{name}:{port}")));
        }
        Self {
            public: public.clone(),
            authorities,
            origins: origins.to_vec(),
        }
    }

    /// Lets a request through that means us and comes from us.
    ///
    /// # Errors
    /// 421 for another host, 400 for none or two and for a transfer coding, 501 for another protocol,
    /// 403 for another origin.
    pub fn check(&self, parts: &Parts) -> Result<AllowedOrigin, Refusal> {
        self.check_address(parts)?;
        let origin = self.origin(&parts.headers)?;
        tunnel(&parts.headers)?;
        Ok(origin)
    }

    /// As [`check`](Self::check), without the origin: for those who look at it themselves.
    ///
    /// # Errors
    /// 421 for another host, 400 for none or two and for a transfer coding.
    pub fn check_address(&self, parts: &Parts) -> Result<(), Refusal> {
        framing(parts)?;
        self.host(parts)
    }

    /// One host, and it is ours: in the request line (HTTP/2, absolute form) and in `Host`
    /// (RFC 9112 §3.2).
    fn host(&self, parts: &Parts) -> Result<(), Refusal> {
        let mut hosts = parts.headers.get_all(header::HOST).iter();
        let (host, second) = (hosts.next(), hosts.next());
        let line = parts
            .uri
            .authority()
            .map(|authority| authority.as_str().as_bytes());
        if second.is_some() || (host.is_none() && line.is_none()) {
            let sentence = "A request needs exactly one Host header.";
            return Err(Refusal::new(Code::BadHost, sentence));
        }
        let mut named = host.map(HeaderValue::as_bytes).into_iter().chain(line);
        if named.all(|name| self.is_ours(name)) || weakened("n_tr_02") {
            return Ok(());
        }
        let sentence = format!(
            "This server is {}: use that URL. If you did, a proxy on the way changes Host, and has to pass it on.",
            self.public
        );
        let diagnosis = proxy::refused(&self.public, &addressed(parts));
        Err(Refusal::new(Code::WrongHost, sentence).with_diagnosis(diagnosis))
    }

    fn is_ours(&self, host: &[u8]) -> bool {
        self.authorities
            .iter()
            .any(|ours| ours.as_bytes().eq_ignore_ascii_case(host))
    }

    fn origin(&self, headers: &HeaderMap) -> Result<AllowedOrigin, Refusal> {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return Ok(AllowedOrigin::none());
        };
        let known = origin.to_str().is_ok_and(|origin| self.trusts(origin));
        if (!known || origins.next().is_some()) && !weakened("n_tr_01") {
            let sentence = "Web pages of this origin may not call this server; its operator can allow the origin with --origin.";
            return Err(Refusal::new(Code::ForeignOrigin, sentence).with_detail(told(origin)));
        }
        let listed = self.origins.iter().any(|listed| origin == listed.as_str());
        Ok(AllowedOrigin {
            origin: Some(origin.clone()),
            listed,
        })
    }

    fn trusts(&self, origin: &str) -> bool {
        if origin == self.public.as_str() || self.origins.iter().any(|listed| listed == origin) {
            return true;
        }
        let Some(rest) = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))
        else {
            return false;
        };
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !rest.ends_with(']') => (host, port),
            _ => (rest, "0"),
        };
        let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        is_loopback_host(host) && is_port
    }
}

impl AllowedOrigin {
    /// Nobody may read the answer from another one.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            origin: None,
            listed: false,
        }
    }

    /// Only for pages that the operator named, and for what is no page: any page that a browser
    /// shows could register a client otherwise (CHECKLIST A-066).
    ///
    /// # Errors
    /// 403 for our own and other loopback origins, too.
    pub fn require_listed(&self) -> Result<(), Refusal> {
        match &self.origin {
            Some(origin) if !self.listed && !weakened("a_066") => {
                let sentence = "Web pages may not register clients here; the operator of this server can allow the origin of one with --origin.";
                Err(Refusal::new(Code::ForeignOrigin, sentence).with_detail(told(origin)))
            }
            _ => Ok(()),
        }
    }

    /// Lets the origin read the answer. Never with credentials (DESIGN §5).
    pub fn expose(&self, response: &mut Response<Body>) {
        let Some(origin) = &self.origin else { return };
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version"),
        );
    }

    /// The answer to a preflight (Fetch §3.2.2), or to an `OPTIONS` of something that is no browser.
    #[must_use]
    pub fn preflight(&self, asked: &HeaderMap, methods: &'static str) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        if self.origin.is_some() {
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static(methods),
            );
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, request_headers(asked));
            headers.insert(
                header::ACCESS_CONTROL_MAX_AGE,
                HeaderValue::from_static("600"),
            );
        }
        response
    }
}

/// `chunked`, once and alone, and of HTTP/1.1 (RFC 9112 §6.1). hyper reads what ends in it; others on
/// the way may understand what stands before it otherwise, or not at all.
///
/// A body of HTTP/1.0 with a `Content-Length` is taken: nginx before 1.29.7 forwards nothing else
/// unless told to.
fn framing(parts: &Parts) -> Result<(), Refusal> {
    let mut codings = parts.headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else {
        return Ok(());
    };
    let alone = codings.next().is_none() && parts.version >= Version::HTTP_11;
    if (coding.as_bytes().eq_ignore_ascii_case(b"chunked") && alone) || weakened("a_127") {
        return Ok(());
    }
    let sentence = "The only transfer coding that is taken here is chunked.";
    Err(Refusal::new(Code::BadFraming, sentence))
}

/// Nothing but HTTP is spoken on a connection: behind another protocol no call could be looked at
/// (CHECKLIST A-137). An offer of HTTP/2 is ignored (RFC 9110 §7.8): Java's client makes it with each request.
fn tunnel(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut offers = headers.get_all(header::UPGRADE).iter();
    let asked = is_nominated(headers, &header::UPGRADE);
    if !asked
        || offers.all(|offer| offer.as_bytes().eq_ignore_ascii_case(b"h2c"))
        || weakened("a_137b")
    {
        return Ok(());
    }
    let sentence = "Only HTTP is spoken here: no WebSocket, and no other protocol either.";
    Err(Refusal::new(Code::UpgradeNotServed, sentence))
}

/// For the log, which an operator copies it from.
fn told(origin: &HeaderValue) -> String {
    let origin = String::from_utf8_lossy(origin.as_bytes());
    origin
        .chars()
        .take(200)
        .flat_map(char::escape_default)
        .collect()
}

/// Whether a request is an `OPTIONS`.
pub(crate) fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
}

/// The headers that MCP clients send, and those of the asked ones that mirror parameters.
fn request_headers(asked: &HeaderMap) -> HeaderValue {
    let mut list = String::from(
        "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, \
         Mcp-Name, Last-Event-ID",
    );
    let wanted = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
    let names = wanted
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    for name in names.split(',').map(str::trim).take(64) {
        let mirrors = name
            .get(..10)
            .is_some_and(|start| start.eq_ignore_ascii_case("mcp-param-"));
        if mirrors && HeaderName::from_bytes(name.as_bytes()).is_ok() {
            list.push_str(", ");
            list.push_str(name);
        }
    }
    HeaderValue::try_from(list).expect("header names are header values")
}
