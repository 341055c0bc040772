//! The front door: one origin serves all (DESIGN §2). Host and Origin first, on every path; then the
//! gateway for what is its own; then the issuer and its pages.

pub(crate) mod ops;
mod patience;
mod seldom;
pub(crate) mod serve;
pub(crate) mod traced;
pub(crate) mod workers;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::IntoResponse as _;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use ipnet::IpNet;
use keystile_gateway::{AllowedOrigin, Gateway};
use keystile_protocol::resource::ResourceTable;
use tower::ServiceExt as _;

use self::traced::Traced;
use crate::ambient::SystemRng;

/// Everything that answers on the public listener.
pub(crate) struct Front {
    gateway: Arc<Gateway>,
    issuer: Router,
    directory: String,
    mcp_urls: Vec<String>,
    proxies: Arc<[IpNet]>,
    traced: Traced,
}

impl Front {
    pub(crate) fn new(
        gateway: Arc<Gateway>,
        issuer: Router,
        resources: &ResourceTable,
        proxies: Arc<[IpNet]>,
        traced: Traced,
    ) -> Self {
        let mcp_urls: Vec<String> = resources
            .iter()
            .map(|entry| entry.resource.to_string())
            .collect();
        let list = mcp_urls
            .iter()
            .map(|url| format!("  {url}\n"))
            .collect::<String>();
        let directory = format!(
            "Keystile guards these MCP endpoints:\n\n{list}\nGive one of them to your MCP client. Your connected apps: /ks/account\n"
        );
        Self {
            gateway,
            issuer,
            directory,
            mcp_urls,
            proxies,
            traced,
        }
    }

    /// Answers one request, and keeps why if it refuses.
    pub(crate) async fn answer(&self, request: Request<Body>, peer: SocketAddr) -> Response<Body> {
        let (parts, body) = request.into_parts();
        self.traced.look_at_address(&parts);
        let mut response = self.answered(parts, body, peer).await;
        self.gateway.keep(&mut response);
        response
    }

    async fn answered(&self, mut parts: Parts, body: Body, peer: SocketAddr) -> Response<Body> {
        // There is no access log: paths may have codes in them, headers have tokens.
        if keystile_protocol::mutation::weakened("a_169") {
            tracing::debug!(uri = %parts.uri, headers = ?parts.headers, "a request");
        }
        let person = person(peer.ip(), &parts.headers, &self.proxies);
        if let Some(place) = self.gateway.place(parts.uri.path()) {
            let request = Request::from_parts(parts, body);
            return self.gateway.answer(place, request, Some(person)).await;
        }
        let guard = self.gateway.guard();
        let checked = match parts.uri.path().starts_with("/ks/") {
            // The pages look at the origin themselves, and refuse on a page.
            true => guard.check_address(&parts).map(|()| AllowedOrigin::none()),
            false => guard.check(&parts),
        };
        let origin = match checked {
            Ok(origin) => origin,
            Err(refusal) => return refusal.respond_outside_mcp(&parts.headers, &SystemRng),
        };
        let register = ["/oauth/register", "/register"].contains(&parts.uri.path());
        if register && let Err(refusal) = origin.require_listed() {
            return refusal.respond_outside_mcp(&parts.headers, &SystemRng);
        }
        let readable = parts.uri.path().starts_with("/.well-known/")
            || parts.uri.path().starts_with("/oauth/")
            || parts.uri.path() == "/token"
            || register;
        if parts.method == Method::OPTIONS && readable {
            let mut response = origin.preflight(&parts.headers, "GET, POST, OPTIONS");
            origin.expose(&mut response);
            return response;
        }
        // The issuer says itself what is not there.
        let own = ["/ks/", "/oauth/"];
        let issuers = register || own.iter().any(|own| parts.uri.path().starts_with(own));
        let strange = (!issuers).then(|| (parts.method.clone(), parts.uri.path().to_owned()));
        let person = ConnectInfo(SocketAddr::new(person, peer.port()));
        parts.extensions.insert(person);
        let answered = self
            .issuer
            .clone()
            .oneshot(Request::from_parts(parts, body))
            .await;
        let mut response = match answered {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if response.status() == StatusCode::NOT_FOUND
            && let Some((method, path)) = strange
        {
            response = self.elsewhere(&method, &path);
        }
        if readable {
            origin.expose(&mut response);
        }
        response
    }

    /// Nothing lives at this path: say what does.
    fn elsewhere(&self, method: &Method, path: &str) -> Response<Body> {
        if path == "/" && (method == Method::GET || method == Method::HEAD) {
            return (
                [(CONTENT_TYPE, "text/plain; charset=utf-8")],
                self.directory.clone(),
            )
                .into_response();
        }
        let mut why = format!(
            "Nothing lives at this path. MCP endpoints here: {}",
            self.mcp_urls.join(" ")
        );
        if method == Method::POST {
            // Programs post; browsers look for icons, and strangers for what might be there.
            let reference = self.traced.wrong_path(path, &self.mcp_urls);
            why = format!("{why} ({reference})");
        }
        let body = serde_json::json!({ "error": "not_found", "error_description": why });
        (StatusCode::NOT_FOUND, axum::Json(body)).into_response()
    }
}

/// The person's address: the connection's, or, from a trusted proxy, the last address in
/// `X-Forwarded-For` that is not a proxy of ours (CHECKLIST R13).
fn person(connected: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let connected = connected.to_canonical();
    let trusted = |ip: &IpAddr| proxies.iter().any(|network| network.contains(ip));
    if !trusted(&connected) {
        return connected;
    }
    // From the end: what stands further left was written by whoever connected, and may be anything.
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let hops = lines
        .map_while(|line| line.to_str().ok())
        .flat_map(|line| line.rsplit(','));
    hops.map_while(address)
        .find(|hop| !trusted(hop))
        .unwrap_or(connected)
}

/// One hop of `X-Forwarded-For`; some proxies add the port.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let ip = hop.parse().ok();
    ip.or_else(|| hop.parse().ok().map(|address: SocketAddr| address.ip()))
        .map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_trusted_proxy_added_is_believed() {
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        let seen = |connected: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            person(connected.parse().unwrap(), &headers, &proxies).to_string()
        };
        assert_eq!(seen("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            seen("10.0.0.1", &["198.51.100.1, 10.0.0.2"]),
            "198.51.100.1"
        );
        // What the person wrote stands to the left of what the proxy added, or in an earlier line.
        for forged in [
            "127.0.0.1, 198.51.100.1",
            "nonsense, 198.51.100.1",
            ",, 198.51.100.1",
        ] {
            assert_eq!(seen("10.0.0.1", &[forged]), "198.51.100.1", "{forged}");
        }
        assert_eq!(
            seen("10.0.0.1", &["\u{e9}", "198.51.100.1:4711"]),
            "198.51.100.1"
        );
        assert_eq!(seen("10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
    }
}
