//! The rest of a refused request.

use std::time::Duration;

use axum::body::Body;
use http::{header, request::Parts};
use http_body_util::{BodyExt as _, Limited};

use crate::inspect::MAX_BODY;

/// As much as is read of it. It is dropped as it comes, so this bounds work and not memory; whoever means well sends
/// less by mistake, and who does not can send the same over a new connection.
const MOST: usize = 64 * MAX_BODY;

/// As long as it may take to come: as long as that of a request that is taken.
const LONGEST: Duration = Duration::from_secs(30);

/// Reads and drops the body of a request that is refused without it.
///
/// A server that answers before the body came has to close the connection (RFC 9112 §9.3: "a server … MUST either
/// read the entire request message body or close the connection"), and what the client is still sending then meets a
/// reset instead of an answer. Many clients write head and body apart, and few read before they have written all.
pub(crate) async fn drain(parts: &Parts, body: &mut Body) {
    // It waits for leave to send the body, which it does not get (RFC 9110 §10.1.1).
    if parts.headers.contains_key(header::EXPECT) {
        return;
    }
    let mut rest = Limited::new(body, MOST);
    let read = async { while let Some(Ok(_)) = rest.frame().await {} };
    // What is longer or slower ends with the connection.
    drop(tokio::time::timeout(LONGEST, read).await);
}
