//! Ports for programs that have to be told one.

use std::net::TcpListener;

/// Free a moment ago.
pub(crate) fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it listens").port()
}
