//! Parameters of authorization and token requests: each at most once.

use thiserror::Error;

use crate::mutation::weakened;

/// The most parameters that a request may carry.
const MOST: usize = 64;

/// The parameters of one request, each at most once, but `resource` (RFC 8707 §2).
///
/// A parameter without a value counts as absent (RFC 6749 §3.1).
///
/// ```
/// use keystile_protocol::form::Params;
/// let params = Params::parse(b"state=a%20b&scope=").unwrap();
/// assert_eq!(params.one("state"), Some("a b"));
/// assert_eq!(params.one("scope"), None);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

/// Why a query or a form is refused as a whole.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ParamsError {
    /// OAuth 2.1 §3.1: "Request and response parameters … MUST NOT be included more than once".
    #[error("the parameter {0} is there more than once")]
    Repeated(String),
    /// Not percent-encoded UTF-8.
    #[error("the parameters are not percent-encoded UTF-8")]
    Encoding,
    /// More than any client sends.
    #[error("there are more than {MOST} parameters")]
    TooMany,
}

impl Params {
    /// Parses `application/x-www-form-urlencoded` bytes: a query without `?`, or a form body.
    ///
    /// # Errors
    /// [`ParamsError`]: answer with `invalid_request`, and never redirect.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParamsError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in bytes
            .split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty())
        {
            if pairs.len() == MOST {
                return Err(ParamsError::TooMany);
            }
            let cut = pair
                .iter()
                .position(|byte| *byte == b'=')
                .unwrap_or(pair.len());
            let (name, value) = pair.split_at(cut);
            let name = decode(name).ok_or(ParamsError::Encoding)?;
            let value = decode(value.get(1..).unwrap_or_default()).ok_or(ParamsError::Encoding)?;
            let once = name != "resource" && !weakened("a_010");
            if once && pairs.iter().any(|(other, _)| *other == name) {
                return Err(ParamsError::Repeated(name.chars().take(32).collect()));
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The value of a parameter, if it is there and not empty.
    #[must_use]
    pub fn one(&self, name: &str) -> Option<&str> {
        let wanted = |(other, value): &&(String, String)| other == name && !value.is_empty();
        self.0.iter().find(wanted).map(|(_, value)| value.as_str())
    }

    /// The values of a parameter that may be repeated.
    pub fn many<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let wanted = move |(other, value): &&(String, String)| other == name && !value.is_empty();
        self.0
            .iter()
            .filter(wanted)
            .map(|(_, value)| value.as_str())
    }
}

/// One name or value by itself, as in the user-id and password of a client (RFC 6749 §2.3.1): `None`
/// for what does not decode, and for the `&` and `=` that nobody who encoded would have left.
#[must_use]
pub fn decode_part(text: &str) -> Option<String> {
    if text.contains(['&', '=']) && !weakened("a_090") {
        return None;
    }
    decode(text.split('&').next().unwrap_or_default().as_bytes())
}

/// `+` is a space, `%xx` a byte; the whole must be UTF-8. A `%` without two digits is an error.
fn decode(text: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
                let value = digit(rest.next())? * 16 + digit(rest.next())?;
                u8::try_from(value).ok()?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_parameter_is_refused_but_resource_is_not() {
        let twice = Params::parse(b"client_id=a&state=x&client_id=b").unwrap_err();
        assert_eq!(twice, ParamsError::Repeated("client_id".into()));
        let params = Params::parse(b"resource=a&resource=b").unwrap();
        assert_eq!(params.many("resource").collect::<Vec<_>>(), ["a", "b"]);
        assert!(matches!(
            Params::parse(b"st%61te=a&state=b"),
            Err(ParamsError::Repeated(_))
        ));
    }

    #[test]
    fn broken_escapes_and_floods_are_refused() {
        for bad in [&b"a=%4"[..], b"a=%zz", b"a=%ff"] {
            assert_eq!(Params::parse(bad).unwrap_err(), ParamsError::Encoding);
        }
        let flood = (0..65)
            .map(|n| format!("p{n}=1"))
            .collect::<Vec<_>>()
            .join("&");
        assert_eq!(
            Params::parse(flood.as_bytes()).unwrap_err(),
            ParamsError::TooMany
        );
    }
}
