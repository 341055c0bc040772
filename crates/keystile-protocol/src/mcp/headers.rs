//! The headers that mirror a message, and their agreement with it (MCP 2026-07-28, streamable HTTP;
//! SEP-2243). Nothing is ever decided on them: they must agree, and then the body counts.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName};

use super::envelope::{Envelope, Kind};
use super::error::RpcError;
use super::method::{self, NamedBy};
use super::revision::{Era, Revision};
use crate::mutation::weakened;

/// `MCP-Protocol-Version`
pub const PROTOCOL_VERSION: &str = "mcp-protocol-version";
/// `Mcp-Method`
pub const METHOD: &str = "mcp-method";
/// `Mcp-Name`
pub const NAME: &str = "mcp-name";
/// `Mcp-Session-Id`
pub const SESSION_ID: &str = "mcp-session-id";
/// `Last-Event-ID`
pub const LAST_EVENT_ID: &str = "last-event-id";
/// `Mcp-Param-…`
pub const PARAM_PREFIX: &str = "mcp-param-";

/// What the headers of a request say, once they are known to agree with its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct McpHeaders {
    /// The revision that the client named; `None` when it named none, as before 2025-06-18.
    pub revision: Option<Revision>,
}

impl McpHeaders {
    /// Reads the headers of a request that has no body (GET, DELETE).
    ///
    /// # Errors
    /// −32022 for a revision that nobody knows, −32020 for a doubled header. Status 400.
    pub fn read(headers: &HeaderMap) -> Result<Self, RpcError<'static>> {
        Self::read_among(headers, &Revision::ALL)
    }

    /// As [`read`](Self::read); an unknown revision is answered with these.
    fn read_among(headers: &HeaderMap, supported: &[Revision]) -> Result<Self, RpcError<'static>> {
        let revision = match single(headers, &PROTOCOL_VERSION_NAME, "MCP-Protocol-Version")? {
            Some(date) => Some(known(date, supported)?),
            None => None,
        };
        single(headers, &SESSION_ID_NAME, "Mcp-Session-Id")?;
        Ok(Self { revision })
    }

    /// Reads the headers of a POST and compares them with its message.
    ///
    /// # Errors
    /// −32020 where they disagree or one is missing or doubled, −32022 for an unknown revision,
    /// −32602 where `_meta` lacks what 2026-07-28 demands. Status 400, all of them. The error has
    /// no id yet.
    pub fn agree(headers: &HeaderMap, message: &Envelope<'_>) -> Result<Self, RpcError<'static>> {
        let meta = &message.params().meta;
        let in_body = meta.protocol_version.as_deref();
        // Whoever says its revision in the body has no handshake: the error agrees with `server/discover`.
        let supported: &[Revision] = match in_body {
            Some(_) => &[Revision::V2026_07_28],
            None => &Revision::ALL,
        };
        let read = Self::read_among(headers, supported)?;
        let stateless = read.revision.map(Revision::era) == Some(Era::Stateless)
            || in_body.is_some()
            || message.method() == Some("server/discover");
        if let Some(in_body) = in_body {
            let in_header = read.revision.map(Revision::as_str);
            if in_header != Some(in_body) && !weakened("n_tr_06") {
                return match in_header {
                    Some(_) => Err(mismatch(
                        "MCP-Protocol-Version and _meta protocolVersion differ",
                    )),
                    None => Err(mismatch(
                        "_meta protocolVersion without MCP-Protocol-Version",
                    )),
                };
            }
        }
        if stateless && message.kind() == Kind::Request {
            let lacking = match (in_body, meta.client_capabilities) {
                (None, _) => Some("protocolVersion"),
                (_, None) => Some("clientCapabilities"),
                _ => None,
            };
            if let Some(key) = lacking.filter(|_| !weakened("n_rs_21")) {
                let reason = format!("_meta lacks io.modelcontextprotocol/{key}");
                return Err(RpcError::new(RpcError::INVALID_PARAMS, reason));
            }
        }
        if !weakened("a_107") && !weakened("n_tr_07") {
            mirrors(headers, message, stateless)?;
        }
        Ok(read)
    }

    /// Reads the headers of a batch, which can mirror no one message of it.
    ///
    /// # Errors
    /// As [`read`](Self::read), and −32020 for a header that mirrors a message. Status 400.
    pub fn of_batch(headers: &HeaderMap) -> Result<Self, RpcError<'static>> {
        let mirrors = |name: &HeaderName| {
            let name = name.as_str();
            name == METHOD || name == NAME || name.starts_with(PARAM_PREFIX)
        };
        if headers.keys().any(mirrors) {
            return Err(mismatch("a header that mirrors one message, and a batch"));
        }
        Self::read(headers)
    }

    /// The era that the request belongs to.
    #[must_use]
    pub fn era(self) -> Era {
        self.revision.map_or(Era::Legacy, Revision::era)
    }
}

/// `Mcp-Method` and `Mcp-Name`: demanded of 2026-07-28, compared in every revision.
fn mirrors(
    headers: &HeaderMap,
    message: &Envelope<'_>,
    demanded: bool,
) -> Result<(), RpcError<'static>> {
    let Some(in_body) = message.method() else {
        return Ok(());
    };
    match single(headers, &METHOD_NAME, "Mcp-Method")? {
        Some(in_header) if !is_same(in_header, in_body) => {
            return Err(mismatch("Mcp-Method and the body's method differ"));
        }
        None if demanded => return Err(mismatch("Mcp-Method is missing")),
        _ => {}
    }
    let params = message.params();
    let named = match method::named_by(in_body) {
        Some(NamedBy::Name) => params.name.as_deref(),
        Some(NamedBy::Uri) => params.uri.as_deref(),
        Some(NamedBy::TaskId) => params.task_id.as_deref(),
        None => return Ok(()),
    };
    match (single(headers, &NAME_NAME, "Mcp-Name")?, named) {
        (Some(in_header), Some(in_body)) => match decode(in_header) {
            Some(name) if is_same(&name, in_body) => Ok(()),
            Some(_) => Err(mismatch("Mcp-Name and the name in the body differ")),
            None => Err(mismatch("Mcp-Name is not valid Base64 of UTF-8")),
        },
        (Some(_), None) => Err(mismatch("Mcp-Name is sent but the body names nothing")),
        (None, Some(_)) if demanded => Err(mismatch("Mcp-Name is missing")),
        (None, _) => Ok(()),
    }
}

/// Header names ignore case, their values do not (MCP 2026-07-28, streamable HTTP).
fn is_same(in_header: &str, in_body: &str) -> bool {
    in_header == in_body || (weakened("n_tr_11") && in_header.eq_ignore_ascii_case(in_body))
}

/// The value of a mirrored header: plain, or `=?base64?…?=` where the value can't stand in a header.
///
/// `None` when the sentinel is there and what it wraps is not Base64 of UTF-8.
///
/// ```
/// use keystile_protocol::mcp::headers::decode;
///
/// assert_eq!(decode("read").as_deref(), Some("read"));
/// assert_eq!(decode("=?base64?w7xiZXI=?=").as_deref(), Some("über"));
/// assert_eq!(decode("=?base64?%%?="), None);
/// ```
#[must_use]
pub fn decode(value: &str) -> Option<Cow<'_, str>> {
    let wrapped = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    match wrapped.filter(|_| !weakened("n_tr_08")) {
        None => Some(Cow::Borrowed(value)),
        Some(encoded) => {
            let bytes = STANDARD.decode(encoded).ok()?;
            String::from_utf8(bytes).ok().map(Cow::Owned)
        }
    }
}

/// The value of [`NAME`] for `name`, so that [`decode`] gives it back.
///
/// ```
/// use keystile_protocol::mcp::headers::{decode, encode};
///
/// for name in ["read", "über", " padded ", "=?base64?eA==?=", ""] {
///     assert_eq!(decode(&encode(name)).as_deref(), Some(name));
/// }
/// ```
#[must_use]
pub fn encode(name: &str) -> Cow<'_, str> {
    let padded = name.starts_with([' ', '\t']) || name.ends_with([' ', '\t']);
    let plain = name.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    if (plain && !padded && !name.starts_with("=?base64?")) || weakened("a_128") {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("=?base64?{}?=", STANDARD.encode(name)))
    }
}

/// The only value of a header, or none. Two are a mismatch waiting to happen: readers differ in
/// which one they take.
fn single<'a>(
    headers: &'a HeaderMap,
    header: &HeaderName,
    spelled: &str,
) -> Result<Option<&'a str>, RpcError<'static>> {
    let mut values = headers.get_all(header).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(mismatch_owned(format!("{spelled} is sent twice")));
    }
    value
        .to_str()
        .map(Some)
        .map_err(|_| mismatch_owned(format!("{spelled} has characters that a header can't have")))
}

// Parsed once: every request looks for them.
static PROTOCOL_VERSION_NAME: HeaderName = HeaderName::from_static(PROTOCOL_VERSION);
static SESSION_ID_NAME: HeaderName = HeaderName::from_static(SESSION_ID);
static METHOD_NAME: HeaderName = HeaderName::from_static(METHOD);
static NAME_NAME: HeaderName = HeaderName::from_static(NAME);

fn known(date: &str, supported: &[Revision]) -> Result<Revision, RpcError<'static>> {
    Revision::parse(date).ok_or_else(|| {
        let supported: Vec<_> = supported
            .iter()
            .map(|revision| format!("\"{}\"", revision.as_str()))
            .collect();
        let supported = supported.join(",");
        let requested = serde_json::Value::from(date);
        RpcError::new(
            RpcError::UNSUPPORTED_VERSION,
            "this protocol version is not spoken here",
        )
        .with_data(format!(
            "{{\"supported\":[{supported}],\"requested\":{requested}}}"
        ))
    })
}

fn mismatch(reason: &'static str) -> RpcError<'static> {
    RpcError::new(RpcError::HEADER_MISMATCH, reason)
}

fn mismatch_owned(reason: String) -> RpcError<'static> {
    RpcError::new(RpcError::HEADER_MISMATCH, reason)
}

#[cfg(test)]
mod tests;
