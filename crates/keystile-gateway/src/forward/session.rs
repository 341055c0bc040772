//! Sessions of an HTTP upstream belong to who began them (CHECKLIST N-RS-16, R4).
//!
//! The upstream knows one caller: us. So a client never gets the upstream's own `Mcp-Session-Id`, but
//! one that is bound to person, client and server; it is opened again on the way in. Nothing is kept:
//! it outlives the token and a restart of ours. A request outside of a session costs nothing.

use std::sync::Arc;

use axum::body::Body;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response};
use keystile_domain::secrets::Secrets;
use keystile_domain::secrets::session_id::SessionOwner;
use keystile_protocol::mcp::{Era, Revision, headers};
use keystile_protocol::mutation::weakened;

use crate::admit::Permit;
use crate::refusal::{Code, Refusal};

/// Binds the session ids of upstreams, and opens them.
pub(crate) struct Sessions(Arc<Secrets>);

/// The session that a request is in.
pub(crate) struct InSession {
    /// As the client knows it.
    shown: HeaderValue,
    /// As the upstream does.
    theirs: HeaderValue,
    /// Begun with a revision of its own.
    revision: Option<Revision>,
}

impl InSession {
    /// Whether its client may send several messages at once.
    pub(crate) fn has_batches(&self) -> bool {
        self.revision == Some(Revision::V2025_03_26) || weakened("a_101d")
    }
}

impl Sessions {
    pub(crate) fn new(secrets: Arc<Secrets>) -> Self {
        Self(secrets)
    }

    /// The session that the caller names, if any. 2026-07-28 has none (N-TR-17).
    ///
    /// # Errors
    /// 404 for one that is not this caller's: a session of somebody else is as unknown as none.
    pub(crate) fn named(
        &self,
        permit: &Permit,
        parts: &Parts,
        era: Era,
    ) -> Result<Option<InSession>, Refusal> {
        let Some(shown) = parts.headers.get(headers::SESSION_ID) else {
            return Ok(None);
        };
        if era == Era::Stateless {
            return Ok(None);
        }
        let opened = |revision| {
            let owner = owner(permit, revision);
            let id = self.0.open_session_id(owner, shown.to_str().ok()?)?;
            Some(InSession {
                shown: shown.clone(),
                theirs: HeaderValue::from_str(id).ok()?,
                revision,
            })
        };
        let session = opened(None).or_else(|| opened(Some(Revision::V2025_03_26)));
        session.map(Some).ok_or_else(|| {
            let sentence = "There is no such session. Send initialize again.";
            Refusal::new(Code::UnknownSession, sentence)
        })
    }

    /// The upstream's answer with an id that is good for this caller only. `begun` with is what the caller asked for; a
    /// server that answers with another revision has clients say so from then on (`MCP-Protocol-Version`).
    ///
    /// # Errors
    /// 502 for an id that is none: more than one, longer than [`LONGEST`], or not visible ASCII.
    pub(crate) fn bind(
        &self,
        permit: &Permit,
        session: Option<&InSession>,
        begun: Option<Revision>,
        response: &mut Response<Body>,
    ) -> Result<(), Refusal> {
        let mut ids = response.headers().get_all(headers::SESSION_ID).iter();
        let Some(id) = ids.next() else { return Ok(()) };
        let one = ids.next().is_none();
        let ours = match session {
            // Many servers say it again with each answer.
            Some(session) if one && session.theirs == id => session.shown.clone(),
            _ => {
                let text = id.to_str().ok().filter(|text| one && is_id(text));
                let apart = begun.filter(|revision| *revision == Revision::V2025_03_26);
                let bound = text.map(|text| self.0.bind_session_id(owner(permit, apart), text));
                let bound = bound.and_then(|bound| HeaderValue::try_from(bound).ok());
                bound.ok_or_else(|| {
                    let sentence = "The server behind this gateway began a session under an id that can't be one; its own log may say why.";
                    Refusal::new(Code::UpstreamNotMcp, sentence)
                })?
            }
        };
        response.headers_mut().insert(headers::SESSION_ID, ours);
        Ok(())
    }
}

fn owner(permit: &Permit, revision: Option<Revision>) -> SessionOwner<'_> {
    let person = match weakened("a_115") {
        true => &permit.verified().jti,
        false => permit.person(),
    };
    SessionOwner {
        resource: &permit.route().resource.resource,
        person,
        client: permit.client(),
        revision,
    }
}

/// Puts the upstream's id where the client's stood. `Connection` may have ended it at this hop.
pub(super) fn forward(session: Option<&InSession>, headers: &mut HeaderMap) {
    if let Some(id) = headers.remove(headers::SESSION_ID)
        && let Some(session) = session
        && id == session.shown
    {
        headers.insert(headers::SESSION_ID, session.theirs.clone());
    }
}

/// MCP 2025-11-25, "Session Management": visible ASCII only.
fn is_id(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A client sends it with every request, and its head has 32 KiB in all.
const LONGEST: usize = 1024;
