//! Codes whose grant needs not be carried around.

use keystile_domain::ids::GrantId;
use keystile_domain::secrets::code::AuthorizationCode;
use keystile_domain::secrets::digest::Digest;

/// A code of this text, of a grant whose id comes from the text too.
pub(crate) fn code_of(text: &str) -> AuthorizationCode {
    let digest = Digest::of(text);
    let grant = digest.as_bytes().first_chunk().expect("it is longer");
    let grant = GrantId::from_bytes(*grant);
    AuthorizationCode { grant, digest }
}
