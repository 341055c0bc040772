//! The ops listener: health and readiness, never on the public one (DESIGN §2, A-100).

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{HOST, ORIGIN};
use keystile_domain::ports::People;
use keystile_gateway::Gateway;
use keystile_store::audit::AuditLog;

/// What a supervisor asks.
pub(crate) fn routes(
    people: Arc<dyn People>,
    audit: Arc<AuditLog>,
    gateway: Arc<Gateway>,
) -> Router {
    let ready = move || {
        let (people, audit) = (Arc::clone(&people), Arc::clone(&audit));
        let gateway = Arc::clone(&gateway);
        async move {
            if let Err(error) = people.has_anybody().await {
                tracing::error!(%error, "not ready");
                return (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the store does not answer\n".to_owned(),
                );
            }
            match audit.failing() {
                None => (StatusCode::OK, of_servers(&gateway.unhealthy())),
                Some(error) => {
                    tracing::error!(error, "not ready");
                    (
                        StatusCode::SERVICE_UNAVAILABLE,
                        "the audit trail can't be written, so everything is refused\n".to_owned(),
                    )
                }
            }
        }
    };
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .layer(from_fn(no_web_page))
}

/// One server's bad answers take nothing from the others: we are ready.
fn of_servers(unhealthy: &[&str]) -> String {
    let lines = unhealthy.iter().map(|name| format!("unhealthy: {name}\n"));
    std::iter::once("ready\n".to_owned()).chain(lines).collect()
}

/// A page in a browser can't ask: it has an origin, or a name that was rebound to us (N-TR-01, N-TR-02).
async fn no_web_page(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    if headers.contains_key(ORIGIN) || !host.is_some_and(is_address) {
        let sentence = "ask by address, not by name, and not from a web page\n";
        return (StatusCode::FORBIDDEN, sentence).into_response();
    }
    next.run(request).await
}

/// `localhost` or an IP address, with or without a port: no name that somebody else can point here.
fn is_address(host: &str) -> bool {
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => bare,
        _ => host,
    };
    let bare = bare.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_ready_says_which_server_is_not() {
        assert_eq!(of_servers(&[]), "ready\n");
        let said = of_servers(&["git", "kb"]);
        assert_eq!(said, "ready\nunhealthy: git\nunhealthy: kb\n");
    }

    #[test]
    fn a_name_is_no_address() {
        for host in [
            "127.0.0.1:7718",
            "127.0.0.1",
            "[::1]:7718",
            "localhost:7718",
            "10.0.0.5",
        ] {
            assert!(is_address(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:7718",
            "127.0.0.1.evil.example",
            "",
        ] {
            assert!(!is_address(host), "{host}");
        }
    }
}
