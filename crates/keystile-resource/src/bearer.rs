//! Where a token may stand: in one `Authorization` header and nowhere else (RFC 6750 §2; MCP
//! authorization: "MUST NOT be included in the URI query string").

use http::HeaderMap;
use http::header::AUTHORIZATION;
use keystile_protocol::error::{ErrorCode, OAuthError};
use keystile_protocol::mutation::weakened;

/// The token of a request; `None` when it shows no bearer credentials at all.
///
/// Cookies and bodies are never looked at.
///
/// # Errors
/// `invalid_request` (RFC 6750 §3.1) for two headers, a token in the query, or a malformed one.
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
/// use keystile_resource::bearer;
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(bearer::token(&headers, None).unwrap(), None);
/// headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer abc.def.ghi"));
/// assert_eq!(bearer::token(&headers, Some("x=1")).unwrap(), Some("abc.def.ghi"));
/// assert!(bearer::token(&headers, Some("access_token=x")).is_err());
/// ```
pub fn token<'a>(
    headers: &'a HeaderMap,
    query: Option<&str>,
) -> Result<Option<&'a str>, OAuthError> {
    if query.is_some_and(names_a_token) && !weakened("n_rs_10") {
        return Err(malformed(
            "A token in the URL ends up in logs: send it in the Authorization header only.",
        ));
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() && !weakened("n_rs_10") {
        return Err(malformed("There are two Authorization headers; send one."));
    }
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| {
        malformed("The Authorization header has characters that a token can't have.")
    })?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = token.trim_matches(' ');
    // Without an early end: a token has hundreds of bytes, and this looks at many at a time.
    if token.is_empty() || !token.bytes().fold(true, |good, byte| good & in_token(byte)) {
        return Err(malformed(
            "The Authorization header must be: Bearer, one space, the token.",
        ));
    }
    Ok(Some(token))
}

/// A character of a token (RFC 6750 §2.1).
const fn in_token(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let digit = byte.wrapping_sub(b'0') < 10;
    let sign = (byte == b'-') | (byte == b'.') | (byte == b'_') | (byte == b'~');
    letter | digit | sign | (byte == b'+') | (byte == b'/') | (byte == b'=')
}

/// Is one of the query's names `access_token`, in whatever percent-encoding?
fn names_a_token(query: &str) -> bool {
    query.split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        decoded(name.as_bytes()).eq_ignore_ascii_case(b"access_token")
    })
}

fn decoded(name: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(name.len());
    let mut at = 0;
    while let Some(byte) = name.get(at) {
        match (byte, digit(name.get(at + 1)), digit(name.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high << 4 | low).unwrap_or_default());
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

fn malformed(description: &'static str) -> OAuthError {
    OAuthError::new(ErrorCode::InvalidRequest, description)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn ask(headers: &[&str], query: Option<&str>) -> Result<Option<String>, ErrorCode> {
        let mut map = HeaderMap::new();
        for value in headers {
            map.append(
                AUTHORIZATION,
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        token(&map, query)
            .map(|token| token.map(str::to_owned))
            .map_err(|error| error.code)
    }

    #[test]
    fn a_token_is_only_taken_from_one_authorization_header() {
        assert_eq!(ask(&["bEaReR a.b-c_d"], None), Ok(Some("a.b-c_d".into())));
        assert_eq!(ask(&["Basic abc"], None), Ok(None));
        for headers in [
            &["Bearer a", "Bearer a"][..],
            &["Bearer"],
            &["Bearer "],
            &["Bearer a b"],
            &["Bearer a,b"],
            &["Bearer \u{e9}"],
        ] {
            assert_eq!(
                ask(headers, None),
                Err(ErrorCode::InvalidRequest),
                "{headers:?}"
            );
        }
        for query in [
            "access_token=x",
            "a=b&access_token",
            "access%5Ftoken=x",
            "%61ccess_token=",
            "ACCESS_TOKEN=x",
            "a;access_token=x",
        ] {
            assert_eq!(
                ask(&["Bearer a"], Some(query)),
                Err(ErrorCode::InvalidRequest),
                "{query}"
            );
        }
        assert_eq!(
            ask(&["Bearer a"], Some("x_access_token=1&y=%")),
            Ok(Some("a".into()))
        );
    }
}
