//! Reading one member of a metadata object, with an error that says which and what was expected.

use serde_json::{Map, Value};
use url::Url;

use crate::mutation::weakened;
use crate::strict_json::StrictJsonError;

/// Why the metadata of a client was refused. No error repeats what the client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// No JSON, or JSON that two parsers may read differently.
    #[error("the metadata is not strict JSON: {0}")]
    Json(#[from] StrictJsonError),
    /// JSON, but no object.
    #[error("the metadata is not a JSON object")]
    NotAnObject,
    /// A member that must be there.
    #[error("{member} is missing or empty")]
    Missing {
        /// Its name.
        member: &'static str,
    },
    /// A member of the wrong JSON type.
    #[error("{member} must be {expected}")]
    WrongType {
        /// Its name.
        member: &'static str,
        /// `a string`, `an array of strings`, …
        expected: &'static str,
    },
    /// A string of more than `MAX_STRING` bytes or a list of more than `MAX_LIST` entries.
    #[error(
        "{member} is too long; at most {} bytes a string and {} entries a list",
        MAX_STRING,
        MAX_LIST
    )]
    TooLong {
        /// Its name.
        member: &'static str,
    },
    /// A URL that is fetched must be https, without user name, password or fragment.
    #[error("{member} must be an https URL without user name, password and fragment")]
    NotHttps {
        /// Its name.
        member: &'static str,
    },
    /// `jwks` with symmetric or private keys.
    #[error("jwks has a private or symmetric key; only public keys belong there")]
    PrivateKey,
    /// A client without people (OAuth 2.1 §4.2) is for the operator to add.
    #[error(
        "only a client that the operator added acts for itself (client_credentials), not one that registers itself or is a document"
    )]
    ForItself,
    /// RFC 7591 §2: not both.
    #[error("jwks and jwks_uri exclude each other")]
    TwoKeySets,
}

impl MetadataError {
    /// Whether the redirect URIs are at fault: RFC 7591 §3.2.2 has an own code for that.
    #[must_use]
    pub fn is_about_redirect_uris(&self) -> bool {
        matches!(
            self,
            Self::Missing { member } | Self::WrongType { member, .. } | Self::TooLong { member }
                if *member == "redirect_uris"
        )
    }
}

/// The members of a metadata object.
pub(super) struct Members<'a>(&'a Map<String, Value>);

impl<'a> Members<'a> {
    pub(super) fn of(value: &'a Value) -> Result<Self, MetadataError> {
        value
            .as_object()
            .map(Self)
            .ok_or(MetadataError::NotAnObject)
    }

    pub(super) fn has(&self, member: &str) -> bool {
        self.0.contains_key(member)
    }

    pub(super) fn string(&self, member: &'static str) -> Result<Option<String>, MetadataError> {
        let Some(value) = self.value(member) else {
            return Ok(None);
        };
        let text = value.as_str().ok_or(MetadataError::WrongType {
            member,
            expected: "a string",
        })?;
        if text.len() > MAX_STRING {
            return Err(MetadataError::TooLong { member });
        }
        Ok(Some(text.to_owned()))
    }

    pub(super) fn strings(
        &self,
        member: &'static str,
    ) -> Result<Option<Vec<String>>, MetadataError> {
        let Some(value) = self.value(member) else {
            return Ok(None);
        };
        let wrong = MetadataError::WrongType {
            member,
            expected: "an array of strings",
        };
        let list = value.as_array().ok_or(wrong)?;
        let too_long = |text: &Value| text.as_str().is_some_and(|text| text.len() > MAX_STRING);
        if list.len() > MAX_LIST || list.iter().any(too_long) {
            return Err(MetadataError::TooLong { member });
        }
        let text = |entry: &Value| entry.as_str().map(str::to_owned).ok_or(wrong);
        list.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// `false` if absent.
    pub(super) fn flag(&self, member: &'static str) -> Result<bool, MetadataError> {
        let wrong = MetadataError::WrongType {
            member,
            expected: "true or false",
        };
        let value = self.value(member);
        value.map_or(Ok(false), |value| value.as_bool().ok_or(wrong))
    }

    pub(super) fn word<T>(
        &self,
        member: &'static str,
        expected: &'static str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, MetadataError> {
        let Some(word) = self.string(member)? else {
            return Ok(None);
        };
        read(&word)
            .map(Some)
            .ok_or(MetadataError::WrongType { member, expected })
    }

    pub(super) fn https(&self, member: &'static str) -> Result<Option<String>, MetadataError> {
        let Some(text) = self.string(member)? else {
            return Ok(None);
        };
        if is_https(&text) {
            Ok(Some(text))
        } else {
            Err(MetadataError::NotHttps { member })
        }
    }

    /// A JWK Set of public keys (RFC 7517 §5).
    pub(super) fn public_keys(&self, member: &'static str) -> Result<Option<Value>, MetadataError> {
        let Some(value) = self.value(member) else {
            return Ok(None);
        };
        let wrong = MetadataError::WrongType {
            member,
            expected: "a JWK Set",
        };
        let keys = value.get("keys").and_then(Value::as_array).ok_or(wrong)?;
        if keys.len() > MAX_LIST {
            return Err(MetadataError::TooLong { member });
        }
        for key in keys {
            let key = key.as_object().ok_or(wrong)?;
            let symmetric = key.get("kty").and_then(Value::as_str) == Some("oct");
            let private = PRIVATE_JWK_MEMBERS
                .iter()
                .any(|name| key.contains_key(*name));
            if (symmetric || private) && !weakened("n_as_10") {
                return Err(MetadataError::PrivateKey);
            }
        }
        Ok(Some(value.clone()))
    }

    fn value(&self, member: &str) -> Option<&'a Value> {
        self.0.get(member).filter(|value| !value.is_null())
    }
}

pub(super) fn is_https(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        url.scheme() == "https"
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    })
}

/// Longest string in bytes.
const MAX_STRING: usize = 2048;

/// Most entries of a list.
const MAX_LIST: usize = 32;

/// RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2.
const PRIVATE_JWK_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
