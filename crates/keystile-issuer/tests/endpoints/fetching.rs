//! Documents and keys that are really fetched.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use keystile_fetch::{Allow, ClientDocuments, ClientKeys, FetchOptions, Fetcher, Limits, Resolve};
use keystile_testkit::hostile::Hostile;
use keystile_testkit::issuer::TestApp;

/// Every name leads to this computer.
struct Here;

impl Resolve for Here {
    fn resolve(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        async { Ok(vec![IpAddr::from([127, 0, 0, 1])]) }.boxed()
    }
}

/// An issuer that fetches.
pub(crate) fn fetching(options: FetchOptions) -> TestApp {
    TestApp::new().with(|app| {
        let fetcher = Fetcher::new(options).expect("a fetcher");
        app.documents = ClientDocuments::fetching(fetcher.clone());
        app.client_keys = ClientKeys::fetching(fetcher);
    })
}

/// From this host, and from whatever else is on this computer.
pub(crate) fn beside(host: &Hostile) -> FetchOptions {
    FetchOptions {
        danger_allow: vec![Allow::Net(host.ip().into())],
        extra_ca_file: Some(host.ca_file()),
        resolver: Some(Arc::new(Here)),
        limits: Limits::default(),
    }
}
