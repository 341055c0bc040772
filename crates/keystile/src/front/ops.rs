//! The ops listener: health and readiness, never on the public one (DESIGN §2, A-100).

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use keystile_domain::ports::People;

/// What a supervisor asks.
pub(crate) fn routes(people: Arc<dyn People>) -> Router {
    let ready = move || {
        let people = Arc::clone(&people);
        async move {
            match people.has_anybody().await {
                Ok(_) => (StatusCode::OK, "ready\n"),
                Err(error) => {
                    tracing::error!(%error, "not ready");
                    (
                        StatusCode::SERVICE_UNAVAILABLE,
                        "the store does not answer\n",
                    )
                }
            }
        }
    };
    Router::new()
        .route("/healthz", get(async || "alive\n"))
        .route("/readyz", get(ready))
}
