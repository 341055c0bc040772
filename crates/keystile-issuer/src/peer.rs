//! Where a request comes from, for limits and audit.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::ConnectInfo;
use http::Extensions;

/// The network address of the person's browser, as a request extension.
///
/// Whoever accepts connections behind a trusted proxy puts it there; without it the connection's own
/// address ([`ConnectInfo`]) counts. Headers are not looked at here (CHECKLIST R13).
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// The peer of a request. Requests of unknown origin count as one.
pub(crate) fn of(extensions: &Extensions) -> IpAddr {
    let declared = extensions.get::<Peer>().map(|Peer(address)| *address);
    let connected = || {
        extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip())
    };
    declared
        .or_else(connected)
        .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
        .to_canonical()
}
