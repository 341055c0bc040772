//! The rest of a refused request.
//!
//! Whoever answers before a body came has to read it or to close the connection (RFC 9112 §9.3), and
//! what the client is still sending then meets a reset instead of the answer. Many write all before
//! they read.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody as _};
use axum::extract::Request;
use axum::response::Response;
use futures_util::{Stream as _, StreamExt as _};
use http::header::EXPECT;
use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;

use crate::routes::LARGEST_BODY;

/// As much as is read and dropped: what somebody sends by mistake. Work is bounded by it, not memory.
const MOST: usize = 256 * LARGEST_BODY;

/// As long as it may take to come.
const LONGEST: Duration = Duration::from_secs(10);

/// Answers, and reads what was not read of a request that was refused.
pub(crate) async fn rest(
    request: Request,
    answer: impl AsyncFnOnce(Request) -> Response,
) -> Response {
    // Who waits for leave to send a body does not send it when refused (RFC 9110 §10.1.1).
    if request.body().is_end_stream() || request.headers().contains_key(EXPECT) {
        return answer(request).await;
    }
    let (parts, body) = request.into_parts();
    let body = Arc::new(Mutex::new(body.into_data_stream()));
    let lent = lend(Arc::clone(&body));
    let response = answer(Request::from_parts(parts, lent)).await;
    if response.status().is_client_error() && !weakened("a_151b") {
        // What is longer or slower ends with the connection.
        drop(tokio::time::timeout(LONGEST, drop_up_to(MOST, lend(body))).await);
    }
    response
}

/// The same body, wherever it has come to.
fn lend(body: Arc<Mutex<BodyDataStream>>) -> Body {
    Body::from_stream(futures_util::stream::poll_fn(move |context| {
        Pin::new(&mut *body.lock()).poll_next(context)
    }))
}

async fn drop_up_to(mut left: usize, body: Body) {
    let mut body = body.into_data_stream();
    while let Some(Ok(chunk)) = body.next().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
