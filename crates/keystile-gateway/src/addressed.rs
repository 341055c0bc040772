//! What a request says about the address that it was sent to.

use http::header::{HOST, HeaderName};
use http::request::Parts;
use keystile_domain::decide::diagnose::proxy::Addressed;

/// Reads `Host` and what proxies add. For explanations only: nothing is decided by it (CHECKLIST
/// R15).
#[must_use]
pub fn addressed(parts: &Parts) -> Addressed<'_> {
    let first = |name: HeaderName| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        value.split(',').next().map(str::trim)
    };
    let forwarded = first(HeaderName::from_static("forwarded"));
    let of_forwarded = |name: &str| {
        let mut pairs = forwarded?
            .split(';')
            .filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(known, _)| known.trim().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().trim_matches('"'))
    };
    let line = parts.uri.authority().map(|authority| authority.as_str());
    let host = HeaderName::from_static("x-forwarded-host");
    let proto = HeaderName::from_static("x-forwarded-proto");
    Addressed {
        host: line.or_else(|| first(HOST)),
        forwarded_host: first(host).or_else(|| of_forwarded("host")),
        forwarded_proto: first(proto).or_else(|| of_forwarded("proto")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_proxy_is_the_one_that_people_reach() {
        let request = http::Request::get("/kb/mcp")
            .header("host", "localhost:7717")
            .header(
                "forwarded",
                "for=1.2.3.4;Host=\"mcp.example.com\";proto=https, host=inner",
            )
            .body(())
            .expect("a request");
        let (parts, ()) = request.into_parts();
        let found = addressed(&parts);
        assert_eq!(found.host, Some("localhost:7717"));
        assert_eq!(found.forwarded_host, Some("mcp.example.com"));
        assert_eq!(found.forwarded_proto, Some("https"));
    }
}
