//! The fetcher and the documents against a hostile TLS host and a lying resolver, on loopback.

mod addresses;
mod caching;
mod client_keys;
mod documents;
mod flood;
mod names;
mod redirects;
mod transport;
mod trust;

use std::sync::Arc;
use std::time::Duration;

use keystile_fetch::{Allow, ClientDocuments, FetchOptions, Fetcher, Limits};
use keystile_protocol::client_id_url::ClientIdUrl;
use keystile_testkit::hostile::Hostile;
use names::Names;

/// 2026-05-28, in milliseconds since 1970.
const NOW: i64 = 1_780_000_000_000;

/// All tests resolve `client.example` and `other.example` to the hostile host.
fn names(host: &Hostile) -> Arc<Names> {
    let names = Names::default();
    for name in ["client.example", "other.example"] {
        names.always(name, &[host.ip()]);
    }
    Arc::new(names)
}

/// A fetcher that may go to the hostile host and believes its authority.
fn fetcher(host: &Hostile, names: &Arc<Names>, limits: Limits) -> Fetcher {
    let options = FetchOptions {
        danger_allow: vec![Allow::Net(host.ip().into())],
        extra_ca_file: Some(host.ca_file()),
        resolver: Some(names.clone()),
        limits,
    };
    Fetcher::new(options).expect("a fetcher")
}

fn documents(host: &Hostile) -> ClientDocuments {
    ClientDocuments::fetching(fetcher(host, &names(host), Limits::default()))
}

/// For hosts that never answer: the fetch ends of itself, so it may as well end soon.
fn impatient() -> Limits {
    Limits {
        total: Duration::from_secs(1),
        ..Limits::default()
    }
}

fn id(text: &str) -> ClientIdUrl {
    ClientIdUrl::parse(text).expect(text)
}
