//! The requests of upstream sessions that have no answer yet (CHECKLIST A-158): a server that keeps them by their ids
//! would lose the first of two with the same one.

use std::collections::HashSet;
use std::sync::Arc;

use http::HeaderValue;
use keystile_protocol::mutation::weakened;
use parking_lot::Mutex;

use crate::era::message::id_key;
use crate::refusal::Refusal;

/// Of all sessions, each named as its client knows it; no more than there are requests being served.
#[derive(Default)]
pub(super) struct InFlight(Mutex<HashSet<(HeaderValue, Box<str>)>>);

/// The ids that one HTTP request holds; each is free again with its answer, and all when this goes.
pub(super) struct Held {
    of: Arc<InFlight>,
    session: HeaderValue,
    ids: Vec<Box<str>>,
}

impl InFlight {
    /// Holds these ids (JSON text).
    ///
    /// # Errors
    /// 400 if one of them has no answer yet, or is here twice; then none is held.
    pub(super) fn hold<'a>(
        self: &Arc<Self>,
        session: &HeaderValue,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Held, Refusal> {
        let mut held = Held {
            of: Arc::clone(self),
            session: session.clone(),
            ids: Vec::new(),
        };
        for id in ids.map(id_key) {
            let one = (held.session.clone(), id.clone());
            if self.0.lock().insert(one) {
                held.ids.push(id);
            } else if !weakened("a_158b") {
                return Err(Refusal::id_in_flight());
            }
        }
        Ok(held)
    }
}

impl Held {
    /// It was answered.
    pub(super) fn answered(&mut self, id: &str) {
        let key = id_key(id);
        if let Some(place) = self.ids.iter().position(|id| *id == key) {
            let id = self.ids.swap_remove(place);
            self.free(id);
        }
    }

    fn free(&self, id: Box<str>) {
        self.of.0.lock().remove(&(self.session.clone(), id));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        for id in std::mem::take(&mut self.ids) {
            self.free(id);
        }
    }
}
