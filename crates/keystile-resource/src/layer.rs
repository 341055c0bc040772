//! The layer.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use keystile_protocol::scope::ScopeHierarchy;
use tower::Layer;

use crate::metadata::ProtectedResource;
use crate::service::RequireBearer;
use crate::verifier::{Verified, Verifier};

/// Lets only requests with a good token for one resource through, and answers GETs of the
/// resource's metadata document itself. See the [crate's example](crate).
#[derive(Clone)]
pub struct RequireBearerLayer {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) resource: ProtectedResource,
    pub(crate) metadata_path: String,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) now: Box<dyn Fn() -> u64 + Send + Sync>,
    pub(crate) stands: Box<dyn Fn(&Verified) -> bool + Send + Sync>,
    pub(crate) hierarchy: ScopeHierarchy,
}

impl fmt::Debug for RequireBearerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequireBearerLayer")
            .field(&self.shared.resource)
            .finish()
    }
}

impl RequireBearerLayer {
    /// Protects `resource` with tokens that `verifier` finds good.
    #[must_use]
    pub fn new(resource: ProtectedResource, verifier: Arc<Verifier>) -> Self {
        Self {
            shared: Arc::new(Shared {
                metadata_path: resource.metadata_path(),
                resource,
                verifier,
                now: Box::new(wall_clock),
                stands: Box::new(|_| true),
                hierarchy: ScopeHierarchy::flat(),
            }),
        }
    }

    /// Asks `stands` after each verification, remembered tokens included: `false` refuses.
    #[must_use]
    pub fn with_revocations(
        self,
        stands: impl Fn(&Verified) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.with(|shared| shared.stands = Box::new(stands))
    }

    /// Takes a token with a wider scope where the resource needs one that it contains.
    #[must_use]
    pub fn with_hierarchy(self, hierarchy: ScopeHierarchy) -> Self {
        self.with(|shared| shared.hierarchy = hierarchy)
    }

    /// Takes the time (seconds since 1970) from `now`.
    #[must_use]
    pub fn with_clock(self, now: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.with(|shared| shared.now = Box::new(now))
    }

    fn with(self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = Arc::into_inner(self.shared)
            .expect("a layer is configured before it is cloned or applied");
        change(&mut shared);
        Self {
            shared: Arc::new(shared),
        }
    }
}

impl<S> Layer<S> for RequireBearerLayer {
    type Service = RequireBearer<S>;

    fn layer(&self, inner: S) -> RequireBearer<S> {
        RequireBearer {
            inner,
            shared: self.shared.clone(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the published layer's default clock"
)]
fn wall_clock() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(u64::MAX, |since| since.as_secs())
}
