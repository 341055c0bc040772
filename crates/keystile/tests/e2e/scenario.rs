//! The one story that every client lives through with every server.

use serde_json::Value;

use crate::client::Client;
use crate::gate::Gate;
use crate::orphans::wait_for_no_process_with;
use crate::server::Server;
use crate::tools::Tools;

/// From no token to a result; a result after the token expired, without a person; a result after the grant was revoked,
/// with one. Nothing stays behind.
pub(crate) fn signs_in_refreshes_and_signs_in_again(client: &Client, server: fn(&Tools) -> Server) {
    let tools = Tools::find();
    let server = server(&tools);
    let mut arguments = server.protect.clone();
    let flags = ["--access-token-lifetime", "3s"].map(str::to_owned);
    arguments.splice(1..1, flags);
    let gate = Gate::start(&arguments).with_account();

    let acts = play(client, &tools, &gate, &server, "full,refresh,revoked");

    let [full, refresh, revoked] = acts.as_slice() else {
        panic!("three acts, not {acts:?}")
    };
    for act in &acts {
        let result = act.one("result")["text"].as_str().unwrap_or_default();
        assert!(
            result.contains(server.answer),
            "{} said {result}",
            server.tool
        );
    }
    assert_eq!(full.count("authorize_url"), 1, "one sign-in: {full:?}");
    let asked = full.one("authorize_url")["url"]
        .as_str()
        .unwrap_or_default();
    assert!(
        asked.starts_with(gate.said("issuer")),
        "sent to another place: {asked}"
    );
    let tokens = &full.one("tokens")["claims"];
    assert_eq!(
        tokens["aud"],
        gate.said("mcp_url"),
        "a token is for one resource"
    );
    assert_eq!(
        tokens["scope"],
        format!("{}:call", server.name),
        "one scope, for one server"
    );
    if let Some(version) = client.speaks {
        assert_eq!(full.one("protocol")["version"], version);
    }
    assert_eq!(
        refresh.count("authorize_url"),
        0,
        "nobody was asked to sign in: {refresh:?}"
    );
    assert!(refresh.count("tokens") > 0, "new tokens came: {refresh:?}");
    assert_eq!(
        revoked.count("authorize_url"),
        1,
        "the person was asked again: {revoked:?}"
    );

    gate.stop();
    if let Some(mark) = &server.mark {
        wait_for_no_process_with(mark);
    }
}

/// A token that is good for ten minutes more stops working when its grant is revoked.
pub(crate) fn is_refused_once_the_grant_is_revoked(client: &Client, server: fn(&Tools) -> Server) {
    let tools = Tools::find();
    let server = server(&tools);
    let gate = Gate::start(&server.protect).with_account();
    let acts = play(client, &tools, &gate, &server, "full,revoked");
    let [full, revoked] = acts.as_slice() else {
        panic!("two acts, not {acts:?}")
    };
    assert!(full.one("tokens")["expires_in"].as_u64() > Some(300));
    let refusal = revoked.one("refused");
    assert_eq!(refusal["status"], 401, "{refusal}");
    let challenge = refusal["challenge"].as_str().unwrap_or_default();
    assert!(challenge.contains("invalid_token"), "{challenge}");
    // A second time, if the stream that the client opens again after a second meets the same before the person is through.
    let asked = revoked.count("authorize_url");
    assert!((1..=2).contains(&asked), "{revoked:?}");
    gate.stop();
}

/// The events of one act.
#[derive(Debug, Default)]
struct Act(Vec<Value>);

impl Act {
    fn count(&self, event: &str) -> usize {
        self.0.iter().filter(|seen| seen["event"] == event).count()
    }

    /// The first event of that name.
    fn one(&self, event: &str) -> &Value {
        self.0
            .iter()
            .find(|seen| seen["event"] == event)
            .unwrap_or_else(|| panic!("no {event} in {:#?}", self.0))
    }
}

fn play(client: &Client, tools: &Tools, gate: &Gate, server: &Server, acts: &str) -> Vec<Act> {
    let mut driver = client.start(tools, gate, server.tool, &server.arguments, acts);
    let mut played: Vec<Act> = Vec::new();
    while let Some(line) = driver.line() {
        let event: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the driver said {line}: {error}"));
        match event["event"].as_str() {
            Some("done") => return played,
            Some("error" | "person_failed") => panic!("{event:#}\nafter {played:#?}"),
            Some("act") => played.push(Act::default()),
            Some("waiting") => {
                revoke_all_grants(gate);
                driver.say("revoked");
            }
            _ => played.last_mut().expect("an act began").0.push(event),
        }
    }
    panic!("the driver ended without a word after {played:#?}");
}

fn revoke_all_grants(gate: &Gate) {
    let grants = gate.administer(&["grant", "list"]);
    let grants = grants.as_array().expect("a list");
    assert_eq!(grants.len(), 1, "one person let one client in: {grants:#?}");
    for grant in grants {
        let id = grant["id"].as_str().expect("a grant has an id");
        assert_eq!(gate.administer(&["grant", "revoke", id])["was_alive"], true);
    }
}
