//! Where a server of 2024-11-05 wants its messages posted.

use http::Uri;
use keystile_protocol::mutation::weakened;
use url::Url;

use crate::{relay::Failure, stdio::printable};

/// The URI that an `endpoint` event names, which may be relative to that of the stream. It must have the stream's own
/// origin: what is posted there may be for nobody else's eyes (CHECKLIST A-139).
///
/// # Errors
/// [`Failure::ForeignEndpoint`].
pub(super) fn resolve(stream: &Uri, named: &[u8]) -> Result<Uri, Failure> {
    let foreign = || Failure::ForeignEndpoint(printable(without_query(named), SHOWN));
    let base = Url::parse(&stream.to_string()).map_err(|_| foreign())?;
    // A browser's parser sees more in a backslash or a tab than others do; no URI has one (RFC 3986 §2).
    let is_uri = named.len() <= LONGEST
        && named
            .iter()
            .all(|byte| byte.is_ascii_graphic() && *byte != b'\\');
    let named = str::from_utf8(named).ok().filter(|_| is_uri);
    let url = named
        .and_then(|named| base.join(named).ok())
        .ok_or_else(foreign)?;
    let anonymous = url.username().is_empty() && url.password().is_none();
    if weakened("a_139") {
        return url.as_str().parse().map_err(|_| foreign());
    }
    if url.origin() != base.origin() || !anonymous {
        return Err(foreign());
    }
    // Its path and query only, so that there is one place that is ever dialled.
    let mut parts = stream.clone().into_parts();
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    parts.path_and_query = Some(target.parse().map_err(|_| foreign())?);
    Uri::from_parts(parts).map_err(|_| foreign())
}

/// Without what may be the id of a session.
fn without_query(named: &[u8]) -> &[u8] {
    let mut parts = named.split(|byte| matches!(byte, b'?' | b'#'));
    parts.next().unwrap_or_default()
}

/// Bytes of an endpoint.
const LONGEST: usize = 8 * 1024;
/// Characters of it in the log.
const SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(named: &str) -> Result<String, Failure> {
        let stream = Uri::from_static("http://127.0.0.1:3000/app/sse?key=1");
        resolve(&stream, named.as_bytes()).map(|uri| uri.to_string())
    }

    #[test]
    fn an_endpoint_may_be_relative_or_absolute() {
        for (named, uri) in [
            ("/messages?sessionId=1", "/messages?sessionId=1"),
            ("messages/?session_id=1", "/app/messages/?session_id=1"),
            ("?sessionId=1", "/app/sse?sessionId=1"),
            ("http://127.0.0.1:3000/m#part", "/m"),
            ("//127.0.0.1:3000/m", "/m"),
            ("../../m", "/m"),
        ] {
            let whole = format!("http://127.0.0.1:3000{uri}");
            assert_eq!(resolved(named).as_deref(), Ok(&*whole), "{named}");
        }
    }

    #[test]
    fn the_log_is_told_no_session() {
        let Err(failure) = resolved("http://evil.example/m?sessionId=secret") else {
            panic!("it is foreign")
        };
        assert!(failure.to_string().contains("http://evil.example/m"));
        assert!(!failure.to_string().contains("secret"));
    }
}
