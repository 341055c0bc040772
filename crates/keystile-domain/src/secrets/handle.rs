//! Handles that an MCP server hands out for a client to bring back, sealed for whom they were given to (CHECKLIST
//! N-RS-17, N-RS-18, A-120).
//!
//! The server behind the gateway may see one caller only, the gateway. So a client never gets the server's own handle:
//! what it gets opens for the same person, client and server alone. Nothing is kept, so that it outlives a restart.

use aes_siv::KeyInit as _;
use aes_siv::siv::Aes256Siv;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystile_protocol::mutation::weakened;
use sha2::{Digest as _, Sha256};

use crate::ports::Rng;
use crate::secrets::session_id::SessionOwner;
use crate::secrets::{Secrets, Subkeys, seal};
use crate::time::Timestamp;

impl Secrets {
    /// What a client gets in place of the server's `requestState`. The `request` that it belongs to is what its retry
    /// repeats, spelled the same each time (MCP 2026-07-28, "Multi Round-Trip Requests").
    #[must_use]
    pub fn seal_request_state(
        &self,
        owner: SessionOwner<'_>,
        request: &str,
        state: &str,
        until: Timestamp,
        rng: &dyn Rng,
    ) -> String {
        let plain = [&until.0.to_be_bytes()[..], state.as_bytes()].concat();
        let bound = bound(owner, request);
        let ring = self.ring();
        let sealed = seal::seal(&ring.sealing().request_state, &bound, &plain, rng);
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// The server's `requestState`, if this owner got it for this request and its time is not over.
    #[must_use]
    pub fn open_request_state(
        &self,
        owner: SessionOwner<'_>,
        request: &str,
        shown: &str,
        now: Timestamp,
    ) -> Option<String> {
        let sealed = URL_SAFE_NO_PAD.decode(shown).ok()?;
        let bound = bound(owner, request);
        let open = |keys: &Subkeys| seal::open(&keys.request_state, &bound, &sealed).ok();
        let plain = self.ring().first_of(open)?;
        let (until, state) = plain.split_first_chunk()?;
        let is_late = Timestamp(i64::from_be_bytes(*until)) <= now && !weakened("n_rs_17");
        if is_late {
            return None;
        }
        String::from_utf8(state.to_vec()).ok()
    }

    /// What a client gets in place of the id of a server's task: the same each time, since clients compare them. It
    /// lasts as long as the task does, which the server says.
    #[must_use]
    pub fn seal_task_id(&self, owner: SessionOwner<'_>, id: &str) -> String {
        let ring = self.ring();
        let sealed = ring
            .sealing()
            .task_siv()
            .encrypt(headers(owner), id.as_bytes());
        URL_SAFE_NO_PAD.encode(sealed.expect("it fits in memory"))
    }

    /// The server's task id, if this owner got it.
    #[must_use]
    pub fn open_task_id(&self, owner: SessionOwner<'_>, shown: &str) -> Option<String> {
        let sealed = URL_SAFE_NO_PAD.decode(shown).ok()?;
        let open = |keys: &Subkeys| keys.task_siv().decrypt(headers(owner), &sealed).ok();
        String::from_utf8(self.ring().first_of(open)?).ok()
    }
}

impl Subkeys {
    fn task_siv(&self) -> Aes256Siv {
        Aes256Siv::new(self.task_id.bytes().into())
    }
}

/// Whose it is; a mutation forgets the person and the client.
fn headers(owner: SessionOwner<'_>) -> [&[u8]; 3] {
    let whose = [owner.resource, owner.person, owner.client];
    match weakened("a_120") || weakened("n_rs_18") {
        true => [b"", b"", b""],
        false => whose.map(str::as_bytes),
    }
}

/// A digest of whose it is, and of the request.
fn bound(owner: SessionOwner<'_>, request: &str) -> [u8; 32] {
    let mut digest = Sha256::new();
    let mut add = |part: &[u8]| {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    };
    headers(owner).into_iter().for_each(&mut add);
    if !weakened("n_rs_17") {
        add(request.as_bytes());
    }
    digest.finalize().into()
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

    const CALL: &str = r#"["tools/call",{"name":"a"}]"#;

    const LATER: Timestamp = Timestamp(2_000);
    const NOW: Timestamp = Timestamp(1_000);

    struct Counting;

    impl Rng for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = at as u8;
            }
        }
    }

    fn secrets() -> Secrets {
        let bytes: [u8; 32] = std::array::from_fn(|at| (at as u8).wrapping_mul(7));
        Secrets::new(&MasterKey::from_bytes(&bytes).unwrap())
    }

    /// Each owner that differs from Alice in one thing.
    fn others() -> [SessionOwner<'static>; 4] {
        let resource = "http://localhost:7717/git/mcp";
        [
            SessionOwner {
                person: "bob",
                ..ALICE
            },
            SessionOwner {
                client: "web",
                ..ALICE
            },
            SessionOwner { resource, ..ALICE },
            // The same text, cut elsewhere.
            SessionOwner {
                person: "alic",
                client: "edesk",
                ..ALICE
            },
        ]
    }

    /// Each text that differs from this one in one bit or its length.
    fn changed(text: &str) -> Vec<String> {
        let flipped = (0..text.len() * 8).filter_map(|bit| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            String::from_utf8(bytes).ok()
        });
        let cut = [&text[1..], &text[..text.len() - 1], ""].map(str::to_owned);
        let longer = [format!("{text}A"), format!("{text}=")];
        flipped.chain(cut).chain(longer).collect()
    }

    #[test]
    fn n_rs_17_a_request_state_opens_for_its_own_request_and_owner_in_time() {
        let secrets = secrets();
        for state in ["", "s", "{\"step\":1}", "ünicode"] {
            let shown = secrets.seal_request_state(ALICE, CALL, state, LATER, &Counting);
            let open =
                |owner, request: &str, now| secrets.open_request_state(owner, request, &shown, now);
            assert_eq!(open(ALICE, CALL, NOW).as_deref(), Some(state));
            assert_eq!(open(ALICE, CALL, LATER), None, "its time is over");
            for other in others() {
                assert_eq!(open(other, CALL, NOW), None, "{other:?}");
            }
            for request in [
                "",
                r#"["tools/call",{"name":"b"}]"#,
                r#"["prompts/get",{"name":"a"}]"#,
            ] {
                assert_eq!(open(ALICE, request, NOW), None, "{request}");
            }
            for shown in changed(&shown) {
                assert_eq!(secrets.open_request_state(ALICE, CALL, &shown, NOW), None);
            }
        }
    }

    #[test]
    fn n_rs_18_a_task_id_is_the_same_each_time_and_opens_for_its_owner() {
        let secrets = secrets();
        let shown = secrets.seal_task_id(ALICE, "task-1");
        assert_eq!(shown, secrets.seal_task_id(ALICE, "task-1"));
        assert_eq!(
            secrets.open_task_id(ALICE, &shown).as_deref(),
            Some("task-1")
        );
        for other in others() {
            assert_eq!(secrets.open_task_id(other, &shown), None, "{other:?}");
            assert_ne!(secrets.seal_task_id(other, "task-1"), shown);
        }
        for shown in changed(&shown).iter().map(String::as_str).chain(["task-1"]) {
            assert_eq!(secrets.open_task_id(ALICE, shown), None, "{shown}");
        }
    }
}
