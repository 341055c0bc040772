//! The service's future.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;

/// The answer of [`RequireBearer`](crate::RequireBearer): the inner service's, or a refusal.
#[derive(Debug)]
pub struct ResponseFuture<F, R>(State<F, R>);

#[derive(Debug)]
enum State<F, R> {
    Ready(Option<Box<Response<R>>>),
    Inner(Pin<Box<F>>),
}

impl<F, R> ResponseFuture<F, R> {
    pub(crate) fn ready(response: Response<R>) -> Self {
        Self(State::Ready(Some(Box::new(response))))
    }

    pub(crate) fn inner(future: F) -> Self {
        Self(State::Inner(Box::pin(future)))
    }
}

// Neither state is pinned in place: the response is only moved out, the future has its own box.
impl<F, R> Unpin for ResponseFuture<F, R> {}

impl<F, R, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Ready(response) => Poll::Ready(Ok(*response
                .take()
                .expect("polled again after it was ready"))),
            State::Inner(future) => future.as_mut().poll(context),
        }
    }
}
