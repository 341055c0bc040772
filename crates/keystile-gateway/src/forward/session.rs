//! Sessions of an HTTP upstream, and the streams in them, belong to who began them (CHECKLIST N-RS-16, A-114, R4).
//!
//! The upstream knows one caller: us. So a client never gets the upstream's own `Mcp-Session-Id`, but
//! one that is bound to person, client and server; it is opened again on the way in. Nothing is kept:
//! it outlives the token and a restart of ours, and ends with its [`LIFE`]. A request outside of a session costs nothing.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use keystile_domain::secrets::Secrets;
use keystile_domain::secrets::session_id::SessionOwner;
use keystile_domain::time::Timestamp;
use keystile_protocol::mcp::{Envelope, Era, Revision, headers};
use keystile_protocol::mutation::weakened;

use super::in_flight::{Held, InFlight};
use crate::admit::Permit;
use crate::inspect::Asked;
use crate::refusal::{Code, Refusal};

/// Binds the session ids of upstreams, and opens them.
pub(crate) struct Sessions {
    secrets: Arc<Secrets>,
    in_flight: Arc<InFlight>,
}

/// Where in its conversation with the upstream a request stands.
pub(crate) struct Thread {
    session: Option<InSession>,
    /// The event behind which a stream is to go on, as the upstream knows it.
    resumes: Option<HeaderValue>,
    /// What it asks in its session.
    held: Option<Held>,
    /// The revision that an `initialize` asks for.
    begins: Option<Revision>,
    era: Era,
    /// When it came.
    at: Timestamp,
    secrets: Arc<Secrets>,
}

struct InSession {
    /// As the client knows it.
    shown: HeaderValue,
    /// As the upstream does.
    theirs: HeaderValue,
    /// Begun with a revision of its own.
    revision: Option<Revision>,
}

/// Binds the ids of a stream's events, so that nobody else can go on with it.
pub(super) struct EventIds {
    permit: Permit,
    /// The upstream's id of the session; empty outside of one.
    session: HeaderValue,
    secrets: Arc<Secrets>,
}

impl Sessions {
    pub(crate) fn new(secrets: Arc<Secrets>) -> Self {
        Self {
            secrets,
            in_flight: Arc::default(),
        }
    }

    /// The session and the stream that the caller names, if any. 2026-07-28 has neither (N-TR-17).
    ///
    /// # Errors
    /// 404 for a session that is not this caller's: one of somebody else is as unknown as none. 400 for an event that
    /// the caller did not get in this session, and for an id of a request that waits for its answer in it.
    pub(crate) fn named(
        &self,
        permit: &Permit,
        parts: &Parts,
        asked: &Asked<'_>,
        now: Timestamp,
    ) -> Result<Thread, Refusal> {
        let mut thread = Thread {
            session: None,
            resumes: None,
            held: None,
            begins: asked.message().and_then(begins),
            era: asked.era,
            at: now,
            secrets: Arc::clone(&self.secrets),
        };
        if asked.era == Era::Legacy {
            thread.session = self.session(permit, &parts.headers, now)?;
            thread.resumes = self.resumed(permit, &parts.headers, thread.session.as_ref())?;
        }
        if let Some(session) = &thread.session {
            thread.held = Some(self.in_flight.hold(&session.shown, asked.requests())?);
        }
        Ok(thread)
    }

    fn session(
        &self,
        permit: &Permit,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Option<InSession>, Refusal> {
        let Some(shown) = headers.get(headers::SESSION_ID) else {
            return Ok(None);
        };
        let opened = |revision| {
            let owner = owner(permit, revision);
            let id = self
                .secrets
                .open_session_id(owner, shown.to_str().ok()?, now)?;
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

    fn resumed(
        &self,
        permit: &Permit,
        headers: &HeaderMap,
        session: Option<&InSession>,
    ) -> Result<Option<HeaderValue>, Refusal> {
        let mut events = headers.get_all(headers::LAST_EVENT_ID).iter();
        let Some(shown) = events.next() else {
            return Ok(None);
        };
        let text = shown.to_str().ok().filter(|_| events.next().is_none());
        let session = session.map_or(b"".as_slice(), |session| session.theirs.as_bytes());
        let owner = owner(permit, None);
        let opened = text.and_then(|text| self.secrets.open_event_id(owner, session, text));
        let theirs = opened.and_then(|id| HeaderValue::from_str(id).ok());
        theirs.map(Some).ok_or_else(|| {
            let sentence =
                "No stream of this session has such an event. Open one without Last-Event-ID.";
            Refusal::new(Code::UnknownEvent, sentence)
        })
    }
}

fn owner(permit: &Permit, revision: Option<Revision>) -> SessionOwner<'_> {
    let person = match weakened("a_115") {
        true => &permit.verified().jti,
        false => permit.person(),
    };
    SessionOwner {
        resource: permit.resource(),
        person,
        client: permit.client(),
        revision,
    }
}

/// The revision that an `initialize` asks for.
fn begins(message: &Envelope<'_>) -> Option<Revision> {
    let asked = message.params().protocol_version.as_deref();
    let asked = asked.filter(|_| message.method() == Some("initialize"));
    asked.and_then(Revision::parse)
}

impl Thread {
    /// What its requests hold until they are answered; once.
    pub(super) fn held(&mut self) -> Option<Held> {
        self.held.take()
    }

    /// Whether either side may send several messages at once.
    pub(crate) fn has_batches(&self) -> bool {
        let revision = self.session.as_ref().and_then(|session| session.revision);
        revision == Some(Revision::V2025_03_26) || (weakened("a_101d") && self.session.is_some())
    }

    /// Puts the upstream's ids where the client's stood. `Connection` may have ended the session's at this hop.
    pub(super) fn forward(&self, headers: &mut HeaderMap) {
        if let Some(id) = headers.remove(headers::SESSION_ID)
            && let Some(session) = &self.session
            && id == session.shown
        {
            headers.insert(headers::SESSION_ID, session.theirs.clone());
        }
        if let Some(event) = &self.resumes {
            headers.insert(headers::LAST_EVENT_ID, event.clone());
        }
    }

    /// The upstream's answer with an id that is good for this caller only. A server that answers `initialize` with
    /// another revision than it was asked for has clients say so from then on (`MCP-Protocol-Version`).
    /// 2026-07-28 has no sessions, whatever its server says.
    ///
    /// # Errors
    /// 502 for an id that is none: more than one, longer than [`LONGEST`], or not visible ASCII.
    pub(super) fn bind(&self, permit: &Permit, answer: &mut HeaderMap) -> Result<(), Refusal> {
        if self.era == Era::Stateless && !weakened("n_tr_17b") {
            answer.remove(headers::SESSION_ID);
        }
        let mut ids = answer.get_all(headers::SESSION_ID).iter();
        let Some(id) = ids.next() else { return Ok(()) };
        let one = ids.next().is_none();
        let ours = match &self.session {
            // Many servers say it again with each answer.
            Some(session) if one && session.theirs == id => session.shown.clone(),
            _ => {
                let text = id.to_str().ok().filter(|text| one && is_id(text));
                let apart = self
                    .begins
                    .filter(|revision| *revision == Revision::V2025_03_26);
                let owner = owner(permit, apart);
                let end = self.at.plus(LIFE);
                let bound = text.map(|text| self.secrets.bind_session_id(owner, text, end));
                let bound = bound.and_then(|bound| HeaderValue::try_from(bound).ok());
                bound.ok_or_else(|| {
                    let sentence = "The server behind this gateway began a session under an id that can't be one; its own log may say why.";
                    Refusal::new(Code::UpstreamNotMcp, sentence)
                })?
            }
        };
        answer.insert(headers::SESSION_ID, ours);
        Ok(())
    }

    /// For the events of an answer with these headers, if this revision has ids for them.
    pub(super) fn event_ids(&self, permit: &Permit, answer: &HeaderMap) -> Option<EventIds> {
        if self.era == Era::Stateless {
            return None;
        }
        let named = self.session.as_ref().map(|session| &session.theirs);
        let begun = answer.get(headers::SESSION_ID);
        let none = HeaderValue::from_static("");
        Some(EventIds {
            permit: permit.clone(),
            session: named.or(begun).cloned().unwrap_or(none),
            secrets: Arc::clone(&self.secrets),
        })
    }
}

impl EventIds {
    /// What the client gets in place of an event's id; nothing for one that no header can bring back.
    pub(super) fn bind(&self, id: &[u8]) -> Option<String> {
        let id = std::str::from_utf8(id).ok().filter(|id| is_id(id))?;
        let (owner, session) = (owner(&self.permit, None), self.session.as_bytes());
        Some(self.secrets.bind_event_id(owner, session, id))
    }
}

/// MCP 2025-11-25, "Session Management": visible ASCII only.
fn is_id(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whoever has a session for longer begins another (CHECKLIST N-RS-16).
const LIFE: Duration = Duration::from_hours(30 * 24);

/// A client sends it with every request, and its head has 32 KiB in all.
const LONGEST: usize = 1024;
