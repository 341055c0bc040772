//! HTTP+SSE servers that say what the test wants.

use std::{convert::Infallible, net::SocketAddr};

use axum::{Router, body::Body};
use bytes::Bytes;
use futures_util::stream;
use http::{Method, Request, StatusCode};
use tokio::{net::TcpListener, sync::watch};

use crate::http_sse_server::{events_of, status};

/// A server that begins each stream with one text, and goes on with another once a message was posted to it.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    /// Messages that were posted to it.
    pub(crate) posted: watch::Receiver<usize>,
}

impl Scripted {
    /// `begins` gets the server's own address.
    pub(crate) async fn start(
        begins: impl FnOnce(SocketAddr) -> String,
        then: impl Into<String>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("it is bound");
        let (posts, posted) = watch::channel(0);
        let (begins, then) = (begins(address), then.into());
        let router = Router::new().fallback(move |request: Request<Body>| {
            let texts = [begins.clone(), then.clone()];
            let posts = posts.clone();
            async move {
                if request.method() == Method::POST {
                    posts.send_modify(|count| *count += 1);
                    return status(StatusCode::ACCEPTED);
                }
                let begun = (0, texts, posts.subscribe());
                let said = stream::unfold(begun, |(count, texts, mut posts)| async move {
                    match count {
                        0 => {}
                        1 => drop(posts.wait_for(|count| *count > 0).await.ok()?),
                        _ => std::future::pending().await,
                    }
                    let text = Bytes::from(texts[count].clone());
                    Some((Ok::<_, Infallible>(text), (count + 1, texts, posts)))
                });
                events_of(Body::from_stream(said))
            }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, posted }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/sse", self.address)
    }
}
