//! What could not be fetched, as the operator may know it. A stranger may not: it would tell them what
//! is on the network behind this server (CHECKLIST A-054).

use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::flow::without_query;
use keystile_fetch::{FetchError, KeysError, LookupError};
use keystile_protocol::client_id_url::ClientIdUrl;
use url::Url;

/// The keys at a `jwks_uri`.
pub(crate) fn keys(uri: &Url, error: KeysError) -> Diagnosis {
    let found = format!("{}: {error}.", place(uri));
    match error {
        KeysError::Closed => Diagnosis::named("client_keys_not_fetched", found),
        KeysError::Fetch(FetchError::ForbiddenAddress(_)) => {
            let host = uri.host_str().unwrap_or_default();
            Diagnosis::named("client_keys_address_not_public", found).filled("HOST", host)
        }
        KeysError::Fetch(_) => Diagnosis::named("client_keys_unavailable", found),
        KeysError::Invalid(_) => Diagnosis::named("client_keys", found),
    }
}

/// The document at a `client_id`.
pub(crate) fn document(url: &ClientIdUrl, error: LookupError) -> Diagnosis {
    let uri = url.url();
    let found = format!("{}: {error}.", place(uri));
    match error {
        LookupError::NotPinned => Diagnosis::named("client_document_not_fetched", found),
        LookupError::NotListed => not_listed(uri, found),
        LookupError::Fetch(FetchError::ForbiddenAddress(_)) => {
            let host = uri.host_str().unwrap_or_default();
            Diagnosis::named("client_document_address_not_public", found).filled("HOST", host)
        }
        LookupError::Fetch(error) if error.is_about_answer() => {
            Diagnosis::named("client_document_answer", found)
        }
        LookupError::Fetch(_) => Diagnosis::named("client_document_unreachable", found),
        LookupError::Invalid(_) => Diagnosis::named("client_document_invalid", found),
    }
}

/// A registration's keys are at a host that is not listed, or nothing is fetched at all.
pub(crate) fn keys_not_listed(uri: &Url, open: bool) -> Diagnosis {
    match open {
        true => not_listed(uri, format!("{}: {}.", place(uri), LookupError::NotListed)),
        false => keys(uri, KeysError::Closed),
    }
}

fn not_listed(uri: &Url, found: String) -> Diagnosis {
    Diagnosis::named("client_host_not_listed", found).filled("HOST", &host(uri))
}

/// As `--trust-client-host` takes it: a port other than 443 is a part of it.
pub(crate) fn host(uri: &Url) -> String {
    let host = uri.host_str().unwrap_or_default();
    match uri.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn place(uri: &Url) -> String {
    format!("'{}'", without_query(uri.as_str()))
}
