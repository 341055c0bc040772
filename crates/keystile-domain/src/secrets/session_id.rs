//! Session and event ids of MCP servers that are not ours, bound to whom they were given (CHECKLIST N-RS-16, A-114).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use keystile_protocol::mcp::Revision;
use keystile_protocol::mutation::weakened;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::secrets::master::Subkey;
use crate::secrets::{Secrets, Subkeys};
use crate::time::Timestamp;

/// Whose session it is (CHECKLIST R4): never a token's, nor a grant's, for both change while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionOwner<'a> {
    /// The canonical resource.
    pub resource: &'a str,
    /// `sub`.
    pub person: &'a str,
    /// `client_id`.
    pub client: &'a str,
    /// Where the revision that it was begun with allows what others do not.
    pub revision: Option<Revision>,
}

impl Secrets {
    /// What a client gets in place of the server's session id: a tag of 128 bits, the second of its end, and the id
    /// itself, with full stops between them. Nothing is kept, so that it outlives a restart.
    #[must_use]
    pub fn bind_session_id(&self, owner: SessionOwner<'_>, id: &str, until: Timestamp) -> String {
        let lasting = format!("{:x}.{id}", until.seconds());
        let tag = self.ring().sealing().session_tag(owner, &lasting);
        format!("{tag}.{lasting}")
    }

    /// The server's id out of what [`bind_session_id`](Self::bind_session_id) made for this owner, until its end.
    #[must_use]
    pub fn open_session_id<'a>(
        &self,
        owner: SessionOwner<'_>,
        shown: &'a str,
        now: Timestamp,
    ) -> Option<&'a str> {
        let tag = |keys: &Subkeys, id: &str| keys.session_tag(owner, id);
        let lasting = self.open_bound_id(shown, tag, weakened("n_rs_16"))?;
        let (until, id) = lasting.split_once('.')?;
        let until = i64::from_str_radix(until, 16).ok()?;
        (now.seconds() < until || weakened("n_rs_16b")).then_some(id)
    }

    /// What a client gets in place of an event's id, in the session that the server knows by this id (empty: none).
    #[must_use]
    pub fn bind_event_id(&self, owner: SessionOwner<'_>, session: &[u8], id: &str) -> String {
        let tag = self.ring().sealing().event_tag(owner, session, id);
        format!("{tag}.{id}")
    }

    /// The server's id out of what [`bind_event_id`](Self::bind_event_id) made for this owner and session.
    #[must_use]
    pub fn open_event_id<'a>(
        &self,
        owner: SessionOwner<'_>,
        session: &[u8],
        shown: &'a str,
    ) -> Option<&'a str> {
        let tag = |keys: &Subkeys, id: &str| keys.event_tag(owner, session, id);
        self.open_bound_id(shown, tag, weakened("a_114"))
    }

    fn open_bound_id<'a>(
        &self,
        shown: &'a str,
        tag: impl Fn(&Subkeys, &str) -> String,
        whoever: bool,
    ) -> Option<&'a str> {
        let (shown_tag, id) = shown.split_once('.')?;
        let is = |keys: &Subkeys| {
            let wanted = tag(keys, id);
            bool::from(wanted.as_bytes().ct_eq(shown_tag.as_bytes())).then_some(())
        };
        // It may have begun before the master key was rotated.
        let bound = self.ring().first_of(is).is_some() || whoever;
        bound.then_some(id)
    }
}

impl Subkeys {
    fn session_tag(&self, owner: SessionOwner<'_>, id: &str) -> String {
        tag(&self.session_id, owner, &[id.as_bytes()])
    }

    fn event_tag(&self, owner: SessionOwner<'_>, session: &[u8], id: &str) -> String {
        tag(&self.event_id, owner, &[session, id.as_bytes()])
    }
}

fn tag(key: &Subkey<32>, owner: SessionOwner<'_>, of: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.bytes()).expect("HMAC takes any key");
    let whose = [owner.resource, owner.person, owner.client].map(str::as_bytes);
    let revision = owner.revision.map(|revision| revision.as_str().as_bytes());
    for part in whose.iter().chain(of).chain(&revision) {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    let tag: [u8; 32] = mac.finalize().into_bytes().into();
    let (half, _) = tag.split_at(16);
    URL_SAFE_NO_PAD.encode(half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::master::MasterKey;

    const ALICE: SessionOwner<'_> = SessionOwner {
        resource: "http://localhost:7717/kb/mcp",
        person: "alice",
        client: "desk",
        revision: None,
    };

    const END: Timestamp = Timestamp::from_seconds(32);
    const BEFORE: Timestamp = Timestamp::from_seconds(31);

    fn secrets(first: u8) -> Secrets {
        let bytes: [u8; 32] = std::array::from_fn(|at| (at as u8).wrapping_mul(7) ^ first);
        Secrets::new(&MasterKey::from_bytes(&bytes).unwrap())
    }

    #[test]
    fn a_session_id_opens_for_its_owner_only() {
        let bound = secrets(1).bind_session_id(ALICE, "a.b~1", END);
        let open = |first, owner, shown| secrets(first).open_session_id(owner, shown, BEFORE);
        assert!(
            bound.ends_with(".20.a.b~1") && bound.len() == 22 + 9,
            "{bound}"
        );
        assert_eq!(open(1, ALICE, &bound), Some("a.b~1"));
        let others = [
            SessionOwner {
                person: "bob",
                ..ALICE
            },
            SessionOwner {
                client: "web",
                ..ALICE
            },
            SessionOwner {
                resource: "http://localhost:7717/git/mcp",
                ..ALICE
            },
            SessionOwner {
                revision: Some(Revision::V2025_03_26),
                ..ALICE
            },
            // The same text, cut elsewhere.
            SessionOwner {
                person: "alic",
                client: "edesk",
                ..ALICE
            },
        ];
        for other in others {
            assert_eq!(open(1, other, &bound), None, "{other:?}");
        }
        assert_eq!(open(2, ALICE, &bound), None);
        for shown in [
            "",
            "a.b~1",
            ".a.b~1",
            &bound[..bound.len() - 1],
            &bound[1..],
            &bound.replace(".20.", ".30."),
            &bound.replace(".20.", "."),
        ] {
            assert_eq!(open(1, ALICE, shown), None, "{shown}");
        }
    }

    #[test]
    fn a_session_id_has_an_end() {
        let bound = secrets(1).bind_session_id(ALICE, "s1", END);
        let open = |now| secrets(1).open_session_id(ALICE, &bound, now);
        assert_eq!((open(BEFORE), open(END)), (Some("s1"), None));
    }
}
