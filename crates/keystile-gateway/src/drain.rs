//! The rest of a refused request.

use std::time::Duration;

use axum::body::Body;
use http_body_util::{BodyExt as _, Limited};

/// As much as is read of it.
const MOST: usize = 64 * 1024;

/// As long as it may take to come.
const LONGEST: Duration = Duration::from_secs(1);

/// Reads and drops the body of a request that is refused without it.
///
/// A server that answers before the body came has to close the connection, and a client that uses
/// it again meanwhile sees it break off instead of an answer (RFC 9112 §9.3: "a server … MUST either
/// read the entire request message body or close the connection"). Many clients write head and body
/// apart, so this is no rare case.
pub(crate) async fn drain(body: Body) {
    let mut rest = Limited::new(body, MOST);
    let read = async { while let Some(Ok(_)) = rest.frame().await {} };
    // What is longer or slower ends with the connection.
    drop(tokio::time::timeout(LONGEST, read).await);
}
