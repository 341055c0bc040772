//! The service.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Method, Request, Response};
use keystile_protocol::error::{ErrorCode, OAuthError};
use tower::Service;

use crate::bearer;
use crate::future::ResponseFuture;
use crate::layer::Shared;
use crate::refusal::refuse;
use crate::verifier::Verified;

/// What [`RequireBearerLayer`](crate::RequireBearerLayer) makes of a service. Requests that reach
/// the inner one have a [`Verified`] among their extensions and no `Authorization` header.
#[derive(Clone)]
pub struct RequireBearer<S> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared>,
}

impl<S: fmt::Debug> fmt::Debug for RequireBearer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequireBearer").field(&self.inner).finish()
    }
}

impl<S, B, R> Service<Request<B>> for RequireBearer<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if request.method() == Method::GET && request.uri().path() == self.shared.metadata_path {
            return ResponseFuture::ready(self.shared.resource.response());
        }
        match self.shared.admit(&request) {
            Ok(verified) => {
                request.extensions_mut().insert(verified);
                request.headers_mut().remove(http::header::AUTHORIZATION);
                ResponseFuture::inner(self.inner.call(request))
            }
            Err(error) => ResponseFuture::ready(refuse(&self.shared.resource, error.as_ref())),
        }
    }
}

impl Shared {
    fn admit<B>(&self, request: &Request<B>) -> Result<Verified, Option<OAuthError>> {
        let token = bearer::token(request.headers(), request.uri().query()).map_err(Some)?;
        let token = token.ok_or(None)?;
        let no_good = || {
            let sentence =
                "The access token is not good here: expired, revoked, or for another resource.";
            OAuthError::new(ErrorCode::InvalidToken, sentence)
        };
        let verified = self
            .verifier
            .verify(token, &self.resource.resource, (self.now)())
            .map_err(|_| no_good())?;
        if !(self.stands)(&verified) {
            return Err(Some(no_good()));
        }
        if self
            .resource
            .scopes
            .iter()
            .all(|scope| verified.allows(scope, &self.hierarchy))
        {
            return Ok(verified);
        }
        let sentence = format!("This needs the scope {}.", self.resource.scope());
        Err(Some(OAuthError::new(
            ErrorCode::InsufficientScope,
            sentence,
        )))
    }
}
