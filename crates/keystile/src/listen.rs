//! The listeners: loopback by default, both families, and a busy port that names its holder.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::port_holder;

/// Binds 127.0.0.1 and, where the host has IPv6, ::1, on the same port. Port 0 takes a free one.
///
/// # Errors
/// `port_in_use` (a port taken on either family is an error) or `cannot_listen`.
pub(crate) async fn loopback(port: u16) -> Result<Vec<TcpListener>, Failure> {
    let everywhere = keystile_protocol::mutation::weakened("n_tr_03");
    let ip = match everywhere {
        false => Ipv4Addr::LOCALHOST,
        true => Ipv4Addr::UNSPECIFIED,
    };
    let first = bind(SocketAddr::from((ip, port)), "--port").await?;
    let address = first.local_addr();
    let address = SocketAddr::from((
        Ipv6Addr::LOCALHOST,
        address.map_or(port, |address| address.port()),
    ));
    match TcpListener::bind(address).await {
        Ok(second) => Ok(vec![first, second]),
        Err(error) if no_ipv6(&error) => Ok(vec![first]),
        Err(error) => Err(refused(address, &error, "--port")),
    }
}

/// Binds one address, which the operator chooses with `flag`.
///
/// # Errors
/// `port_in_use` or `cannot_listen`.
pub(crate) async fn bind(address: SocketAddr, flag: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| refused(address, &error, flag))
}

fn no_ipv6(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported
    )
}

fn refused(address: SocketAddr, error: &io::Error, flag: &str) -> Failure {
    if error.kind() != io::ErrorKind::AddrInUse {
        return Failure::failed(
            "cannot_listen",
            format!("can't listen on {address}: {error}"),
            format!("choose another address or port with {flag}"),
        );
    }
    let holder = match port_holder::of(address) {
        Some(holder) => format!("process {} ({})", holder.pid, holder.name),
        None => "a process of another user, or one that this user can't see".to_owned(),
    };
    let what = match flag {
        "--ops-listen" => format!("{address}, for health and readiness,"),
        _ => address.to_string(),
    };
    Failure::failed(
        "port_in_use",
        format!("{what} is taken by {holder}"),
        format!("end that process, or choose another port with {flag}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn n_tr_03_the_default_listens_on_loopback_only() {
        for listener in loopback(0).await.unwrap() {
            let address = listener.local_addr().unwrap();
            assert!(address.ip().is_loopback(), "{address}");
        }
    }

    #[tokio::test]
    async fn a_busy_port_names_the_process_that_holds_it() {
        let held = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = held.local_addr().unwrap().port();
        let refused = loopback(port).await.unwrap_err();
        assert_eq!((refused.code.as_str(), refused.exit), ("port_in_use", 1));
        assert!(
            refused
                .message
                .contains(&format!("process {}", std::process::id())),
            "{}",
            refused.message
        );
    }
}
