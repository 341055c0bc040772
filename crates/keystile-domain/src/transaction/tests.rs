use super::*;
use crate::client::ClientKind;
use crate::secrets::master::MasterKey;

/// The same bytes each time will do here.
pub(super) struct Sevens;

impl Rng for Sevens {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

pub(super) const NOW: Timestamp = Timestamp(1_780_000_000_000);

pub(super) fn transaction(
    client_id: &str,
    name: &str,
    redirect_uri: &str,
    state: &str,
) -> Transaction {
    let client = ClientSnapshot {
        client_id: client_id.to_owned(),
        kind: ClientKind::Document,
        name: crate::shown::name(name),
        is_loopback_only: false,
        trust: crate::client::Trust::Unknown,
        proves: false,
        once: false,
    };
    Transaction {
        id: TransactionId::new(NOW, &Sevens),
        reference: Reference::new(&Sevens),
        client,
        redirect_uri: RedirectUri::parse(redirect_uri).unwrap(),
        state: (!state.is_empty()).then(|| state.to_owned()),
        server: "knowledge-base".to_owned(),
        resource: "https://mcp.example.com/knowledge-base/mcp".to_owned(),
        scopes: "knowledge-base:call offline_access".parse().unwrap(),
        another_sign_in: true,
        challenge: CodeChallenge::from_bytes([0xff; 32]),
        created_at: NOW,
    }
}

fn secrets() -> Secrets {
    Secrets::new(&MasterKey::generate(&Sevens))
}

#[test]
fn what_is_sealed_is_what_opens() {
    let secrets = secrets();
    for state in ["", "st&te", "\u{0}\"\\\u{1f511}\r\n\u{0}"] {
        let sealed = transaction("c", "C", "http://127.0.0.1:1/cb", state);
        let handle = secrets.seal_transaction(&sealed, &Sevens).unwrap();
        assert_eq!(secrets.open_transaction(&handle, NOW), Ok(sealed));
    }
}

/// nginx takes a request line of 8 KiB by default; the path before the handle is short.
#[test]
fn the_longest_request_stays_below_six_kibibytes() {
    let secrets = secrets();
    let client_id = format!("https://client.example/{}", "c".repeat(1024 - 23));
    let name = "\u{1f980}".repeat(2000);
    let redirect = format!("https://client.example/{}", "r".repeat(2000 - 23));
    // In JSON each of these would have six bytes.
    let longest = |fits: usize| "\u{1}".repeat(fits);
    let sealed = |state: &str| {
        let transaction = transaction(&client_id, &name, &redirect, state);
        secrets.seal_transaction(&transaction, &Sevens)
    };
    let TooLong { state, fits } = sealed(&longest(3072)).unwrap_err();
    assert_eq!(state, 3072);
    assert!(fits >= 512, "only {fits} bytes are left for the state");
    let handle = sealed(&longest(fits)).unwrap();
    let line = format!("POST /ks/account/disconnect?tx={handle} HTTP/1.1\r\n");
    assert!(line.len() < 6 * 1024, "{}", line.len());
    assert!(handle.len() > LONGEST_HANDLE - 4, "{}", handle.len());
    assert!(sealed(&longest(fits + 1)).is_err());
    let huge = transaction(&"c".repeat(5000), "", &redirect, "");
    let refused = secrets.seal_transaction(&huge, &Sevens);
    assert_eq!(refused, Err(TooLong { state: 0, fits: 0 }));
    let usual = transaction(
        "ksd_".repeat(100).as_str(),
        "Claude Code",
        "http://127.0.0.1:33418/callback",
        &longest(3072),
    );
    assert!(
        secrets.seal_transaction(&usual, &Sevens).is_ok(),
        "the longest state that is taken"
    );
}
