//! What the front door alone can see, for log and `keystile doctor`.

use std::sync::Arc;

use http::request::Parts;
use keystile_domain::decide::diagnose::{Diagnosis, difference, proxy};
use keystile_domain::flow::{FlowBook, Line, Noted, Stage};
use keystile_domain::ports::Clock as _;
use keystile_domain::secrets::reference::Reference;
use keystile_domain::time::Timestamp;
use keystile_gateway::addressed;
use keystile_protocol::issuer::Issuer;
use tracing::Level;

use super::seldom::Seldom;
use crate::ambient::{SystemClock, SystemRng};

/// Keeps what it sees in the book of flows.
pub(crate) struct Traced {
    flows: Arc<FlowBook>,
    public: Issuer,
    /// A proxy names its address in every request.
    proxies: Seldom,
}

impl Traced {
    pub(crate) fn new(flows: Arc<FlowBook>, public: Issuer) -> Self {
        Self {
            flows,
            public,
            proxies: Seldom::default(),
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
        if self
            .proxies
            .is_due(&diagnosis.reason, &diagnosis.found, now)
        {
            let seen = "a proxy in front is reached at another address than the public URL; clients will stop";
            self.keep(diagnosis, Line::said(Level::WARN, seen), now);
        }
    }

    /// A program came to a path where nothing is, perhaps only a slash away from one that is meant.
    pub(crate) fn wrong_path(&self, path: &str, mcp_urls: &[String]) -> Reference {
        let asked = self.public.at(path);
        let known = mcp_urls.iter().map(String::as_str);
        let diagnosis: Diagnosis = difference::diagnose("path", "unknown_path", &asked, known);
        let line = Line::refused("nothing lives at this path");
        self.keep(diagnosis, line, SystemClock.now())
    }

    fn keep(&self, diagnosis: Diagnosis, line: Line, now: Timestamp) -> Reference {
        let reference = Reference::new(&SystemRng);
        let noted = Noted {
            reference: reference.clone(),
            stage: Stage::Address,
            diagnosis,
            line,
        };
        self.flows.refused(noted, now);
        reference
    }
}
