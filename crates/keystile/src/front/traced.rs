//! What the front door keeps for `keystile doctor`: refusals of all rooms, and what only it can see.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use http::Response;
use http::request::Parts;
use keystile_domain::decide::diagnose::{Diagnosis, difference, proxy};
use keystile_domain::flow::{FlowBook, Noted, Stage, Whose};
use keystile_domain::ports::Clock as _;
use keystile_domain::secrets::Secrets;
use keystile_domain::secrets::reference::Reference;
use keystile_gateway::addressed;
use keystile_protocol::issuer::Issuer;

use crate::ambient::{SystemClock, SystemRng};

/// Keeps refusals in the book of flows.
pub(crate) struct Traced {
    flows: Arc<FlowBook>,
    public: Issuer,
    secrets: Arc<Secrets>,
    /// When a proxy was last seen that names another address.
    noticed: AtomicI64,
}

/// A proxy names its address in every request: said once in so many milliseconds.
const PAUSE: i64 = 60_000;

impl Traced {
    pub(crate) const fn new(flows: Arc<FlowBook>, public: Issuer, secrets: Arc<Secrets>) -> Self {
        Self {
            flows,
            public,
            secrets,
            noticed: AtomicI64::new(i64::MIN),
        }
    }

    /// Keeps what a room left on its response.
    pub(crate) fn keep(&self, response: &mut Response<Body>) {
        if let Some(noted) = response.extensions_mut().remove::<Noted>() {
            let whose = response.extensions_mut().remove::<Whose>();
            let whose = whose.unwrap_or_default().known_by(&self.secrets);
            self.flows.refused_of(noted, whose, SystemClock.now());
        }
    }

    /// Nothing refuses a request whose `Host` a proxy rewrote to ours; but clients that came by the
    /// proxy's name find another one in all metadata, and stop without a word.
    pub(crate) fn look_at_address(&self, parts: &Parts) {
        let addressed = addressed(parts);
        if addressed.forwarded_host.is_none() && addressed.forwarded_proto.is_none() {
            return;
        }
        let Some(diagnosis) = proxy::diagnose(&self.public, &addressed) else {
            return;
        };
        let now = SystemClock.now();
        let last = self.noticed.load(Ordering::Relaxed);
        let again = now.0.saturating_sub(last) < PAUSE;
        let turn = |last| {
            let order = Ordering::Relaxed;
            self.noticed.compare_exchange(last, now.0, order, order)
        };
        if again || turn(last).is_err() {
            return;
        }
        let reference = Reference::new(&SystemRng);
        tracing::warn!(
            reference = reference.as_str(),
            reason = &*diagnosis.reason,
            detail = %diagnosis,
            "a proxy in front is reached at another address than the public URL; clients will stop"
        );
        let noted = Noted {
            reference,
            stage: Stage::Address,
            diagnosis,
        };
        self.flows.refused(noted, now);
    }

    /// A program came to a path where nothing is, perhaps only a slash away from one that is meant.
    pub(crate) fn wrong_path(&self, path: &str, mcp_urls: &[String]) -> Reference {
        let asked = self.public.at(path);
        let known = mcp_urls.iter().map(String::as_str);
        let diagnosis: Diagnosis = difference::diagnose("path", "unknown_path", &asked, known);
        let reference = Reference::new(&SystemRng);
        tracing::info!(
            reference = reference.as_str(),
            reason = &*diagnosis.reason,
            detail = %diagnosis,
            "refused: nothing lives at this path"
        );
        let noted = Noted {
            reference: reference.clone(),
            stage: Stage::Address,
            diagnosis,
        };
        self.flows.refused(noted, SystemClock.now());
        reference
    }
}
