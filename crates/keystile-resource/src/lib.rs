//! Protect a Rust MCP server: verify bearer tokens, answer with the right challenge, and say in
//! RFC 9728 metadata where to get a token.
//!
//! ```
//! use http::{Request, Response, StatusCode};
//! use keystile_protocol::jwt::KeySet;
//! use keystile_resource::{ProtectedResource, RequireBearerLayer, Verified, Verifier};
//! use tower::{ServiceBuilder, ServiceExt as _, service_fn};
//!
//! # async fn run() -> Result<(), std::convert::Infallible> {
//! let resource = ProtectedResource {
//!     resource: "https://mcp.example/mcp".into(),
//!     authorization_servers: vec!["https://auth.example".into()],
//!     scopes: vec!["kb:call".into()],
//!     name: "Knowledge base".into(),
//! };
//! let verifier = Verifier::new("https://auth.example", KeySet::new());
//! let service = ServiceBuilder::new()
//!     .layer(RequireBearerLayer::new(resource, verifier.into()))
//!     .service(service_fn(|request: Request<String>| async move {
//!         let caller = request.extensions().get::<Verified>();
//!         assert!(caller.is_some(), "the service behind the layer only sees callers with a token");
//!         Ok::<_, std::convert::Infallible>(Response::new(String::new()))
//!     }));
//! let answer = service.oneshot(Request::new(String::new())).await?;
//! assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
//! # Ok(())
//! # }
//! # futures_executor(run());
//! # fn futures_executor(future: impl Future<Output = Result<(), std::convert::Infallible>>) {
//! #     use std::task::{Context, Poll, Waker};
//! #     let mut future = std::pin::pin!(future);
//! #     let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
//! #         panic!("nothing here waits")
//! #     };
//! #     result.unwrap();
//! # }
//! ```

pub mod bearer;
mod future;
mod layer;
mod metadata;
mod refusal;
mod service;
mod verifier;

pub use future::ResponseFuture;
pub use layer::RequireBearerLayer;
pub use metadata::ProtectedResource;
pub use refusal::refuse;
pub use service::RequireBearer;
pub use verifier::{Verified, Verifier};
