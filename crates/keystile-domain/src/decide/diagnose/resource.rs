//! A `resource` that is not served here, and how it differs from one that is (RFC 8707 §2).

use keystile_protocol::error::OAuthError;
use keystile_protocol::resource::ResourceTable;

use super::difference;

/// The reason of a resource that nothing here has.
pub const NOT_SERVED: &str = "resource_not_served";

/// Adds to a refusal how the resource differs. What is served here stands in public metadata, so the
/// client may hear it, too.
#[must_use]
pub fn explain<'a>(
    error: OAuthError,
    mut asked: impl Iterator<Item = &'a str>,
    resources: &ResourceTable,
) -> OAuthError {
    let unknown = asked.find(|text| resources.find(text).is_none());
    let Some(unknown) = unknown.filter(|_| error.reason() == NOT_SERVED) else {
        return error;
    };
    let served = resources.iter().map(|entry| entry.resource.as_str());
    difference::diagnose("resource", NOT_SERVED, unknown, served).explain(error)
}
