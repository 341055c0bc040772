//! Which headers pass, in both directions: lists of what may, never of what may not (CHECKLIST R13,
//! What is not listed does not exist: `Authorization`, `Cookie`, every
//! `Forwarded` and `X-…`, every name with `_`, every hop-by-hop header.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use keystile_protocol::mcp::headers as mcp;
use keystile_protocol::mutation::weakened;

/// The headers of a client's request that its upstream gets.
pub(super) fn forwarded(headers: &HeaderMap) -> HeaderMap {
    let mut out = HeaderMap::with_capacity(16);
    let nominated = headers.contains_key(header::CONNECTION);
    for (name, value) in headers {
        let passes = may_go(name) || weakened("a_121") || weakened("a_129");
        let ends_here = nominated && is_nominated(headers, name) && !weakened("a_126");
        if passes && !ends_here {
            out.append(name.clone(), value.clone());
        }
    }
    if weakened("a_121") || weakened("a_129") {
        out.remove(header::CONTENT_LENGTH);
        out.remove(header::TRANSFER_ENCODING);
    }
    out
}

/// The headers of the upstream's answer that the client gets. Most answers have one or two others.
pub(super) fn returned(mut headers: HeaderMap) -> HeaderMap {
    while let Some(name) = headers.keys().find(|name| !may_return(name)).cloned() {
        headers.remove(name);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers
}

fn may_go(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "accept"
            | "accept-language"
            | "content-type"
            | "user-agent"
            | "traceparent"
            | "tracestate"
            | mcp::PROTOCOL_VERSION
            | mcp::METHOD
            | mcp::NAME
            | mcp::SESSION_ID
    ) || (name.starts_with(mcp::PARAM_PREFIX) && !name.contains('_'))
        || (weakened("a_122") && name.starts_with("x-forwarded-"))
}

fn may_return(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "content-type"
            | "content-language"
            | "cache-control"
            | "retry-after"
            | mcp::PROTOCOL_VERSION
            | mcp::SESSION_ID
    )
}

/// Does `Connection` name this header as one for the next hop only (RFC 9110 §7.6.1)?
pub(crate) fn is_nominated(headers: &HeaderMap, name: &HeaderName) -> bool {
    let values = headers.get_all(header::CONNECTION).iter();
    let mut options = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    options.any(|option| option.trim().eq_ignore_ascii_case(name.as_str()))
}
