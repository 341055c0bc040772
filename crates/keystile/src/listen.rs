//! The listeners: loopback by default, both families, and a busy port that names its holder.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::failure::Failure;
use crate::port_holder;

/// Binds 127.0.0.1 and, where the host has IPv6, ::1, on the same port. Port 0 takes a free one.
///
/// # Errors
/// `port_in_use` (a port taken on either family is an error) or `cannot_listen`.
pub(crate) async fn loopback(port: u16) -> Result<Vec<TcpListener>, Failure> {
    let first = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let port = first
        .local_addr()
        .map_err(|error| cannot(port, &error))?
        .port();
    match TcpListener::bind((IpAddr::V6(Ipv6Addr::LOCALHOST), port)).await {
        Ok(second) => Ok(vec![first, second]),
        Err(error) if no_ipv6(&error) => Ok(vec![first]),
        Err(error) => Err(refused(
            SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
            &error,
        )),
    }
}

/// Binds one address.
///
/// # Errors
/// `port_in_use` or `cannot_listen`.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| refused(address, &error))
}

fn no_ipv6(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported
    )
}

fn refused(address: SocketAddr, error: &io::Error) -> Failure {
    if error.kind() != io::ErrorKind::AddrInUse {
        return cannot(address.port(), error);
    }
    let holder = match port_holder::of(address) {
        Some(holder) => format!("process {} ({})", holder.pid, holder.name),
        None => "a process of another user, or one that this user can't see".to_owned(),
    };
    Failure::failed(
        "port_in_use",
        format!("{address} is taken by {holder}"),
        "end that process, or choose another port with --port",
    )
}

fn cannot(port: u16, error: &io::Error) -> Failure {
    Failure::failed(
        "cannot_listen",
        format!("can't listen on port {port}: {error}"),
        "choose another port with --port",
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
