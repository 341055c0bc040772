//! The mistakes that sign-ins fail of without a word: real clients make them, and what they get to read, the log and
//! the doctor name each with what to do.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;

use super::gate::Gate;
use super::process::Process;
use super::proxy::Nginx;
use super::script::{events, node};
use super::tools::Tools;
use super::{SCOPE, demo, only, port, written};

/// What the doctor says of the refusal with this reference; the log says the same.
fn diagnosed(gate: &Gate, reference: &str) -> Value {
    let said = gate.administer(&["doctor", reference]);
    let last = said["steps"].as_array().and_then(|steps| steps.last());
    let refused = last.unwrap_or_else(|| panic!("no steps: {said:#}"))["refused"].clone();
    let reason = refused["reason"].as_str().unwrap_or_default();
    let named = format!("reason=\"{reason}\"");
    let (log, fix) = (gate.log(), refused["fix"].as_str().unwrap_or_default());
    let mut lines = log.lines().filter(|line| line.contains(reference));
    assert!(
        lines.any(|line| line.contains(&named) && line.contains(fix)),
        "{named} {fix} {reference}: {log}"
    );
    refused
}

/// The last reference in a text.
fn reference(text: &str) -> String {
    let at = text.rfind("KS-");
    let at = at.unwrap_or_else(|| panic!("no reference: {text}"));
    text[at..].chars().take(11).collect()
}

/// The doctor gives the reason that the mistake has, in full.
fn is_named(gate: &Gate, mistake: &Value, reference: &str) -> Value {
    let refused = diagnosed(gate, reference);
    assert_eq!(
        refused["reason"], mistake["reason"],
        "{mistake}\n{refused:#}"
    );
    for member in ["expected", "found", "fix"] {
        let told = refused[member]
            .as_str()
            .is_some_and(|text| !text.is_empty());
        assert!(told, "{member}: {mistake}\n{refused:#}");
    }
    refused
}

/// And the client got to read what to do.
fn is_told_and_named(gate: &Gate, mistake: &Value) -> Value {
    let answer = mistake["answer"].as_str().expect("an answer");
    let to_do = mistake["to_do"].as_str().expect("words of it");
    assert!(answer.contains(to_do), "{mistake:#}");
    is_named(gate, mistake, &reference(answer))
}

#[test]
fn each_silent_failure_of_a_real_client_is_named_to_it_in_the_log_and_by_the_doctor() {
    let gate = demo();
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let keys = folder.path().join("jwks.json");
    let mut judge = node(&Tools::find(), "judges/mistakes.mjs");
    judge.args([gate.said("issuer"), gate.said("mcp_url"), SCOPE]);
    let mut judge = Process::start(&mut judge);
    let signs: Value = judge
        .line()
        .and_then(|line| serde_json::from_str(&line).ok())
        .expect("a key");
    let mut add = vec!["client", "add", "--name", "clock", "--client-id", "clock"];
    add.extend(["--grant", "client_credentials", "--scope", SCOPE]);
    add.extend(["--auth", "private_key_jwt", "--jwks"]);
    add.push(written(&signs["jwks"], &keys));
    gate.administer(&add);
    judge.say("clock");
    let mistakes = events(judge);
    assert_eq!(mistakes.len(), 16, "{mistakes:#?}");
    for mistake in mistakes {
        is_told_and_named(&gate, &mistake);
    }
    gate.stop();
}

/// A real client that comes by the address of a proxy of ours.
fn discovers(proxy: &Nginx, reason: &str, to_do: &str) -> Value {
    let mut judge = node(&Tools::find(), "judges/behind-proxy.mjs");
    let address = format!("http://localhost:{}", proxy.port);
    only(events(Process::start(
        judge.args([&address, reason, to_do]),
    )))
}

#[test]
fn a_wrong_issuer_behind_a_proxy_is_named_to_a_real_client_in_the_log_and_by_the_doctor() {
    let gate = demo();
    let (_, port) = gate.said("issuer").rsplit_once(':').expect("it has a port");
    let behind = SocketAddr::from((Ipv4Addr::LOCALHOST, port.parse().expect("a number")));
    // It passes on what it is called, which is not the public URL.
    let inside = "location / { proxy_pass http://behind; proxy_set_header Host $http_host; }";
    let proxy = Nginx::start(behind, inside);
    let mistake = discovers(&proxy, "public_url_differs_in_port", "use that URL");
    let refused = is_told_and_named(&gate, &mistake);
    let fix = refused["fix"].as_str().unwrap_or_default();
    let own = format!("--public-url http://localhost:{}", proxy.port);
    assert!(fix.contains(&own), "{own}: {fix}");

    // It says what it is called beside the Host that it writes anew: nothing is refused, and what the client reads is its
    // own library's word for another issuer.
    let inside = format!(
        "location / {{ proxy_pass http://behind; proxy_set_header Host localhost:{port}; proxy_set_header X-Forwarded-Host $http_host; }}"
    );
    let proxy = Nginx::start(behind, &inside);
    let mistake = discovers(&proxy, "public_url_differs_in_port", "");
    let answer = mistake["answer"].as_str().unwrap_or_default();
    assert!(answer.contains("issuer"), "{mistake:#}");
    let own = format!("--public-url http://localhost:{}", proxy.port);
    let log = gate.log();
    let mut lines = log.lines().filter(|line| line.contains(&own));
    let line = lines.find(|line| line.contains("WARN")).expect(&log);
    let (_, from) = line.split_once("reference=\"").expect("it has one");
    is_named(&gate, &mistake, &from[..11]);
    gate.stop();
}

#[test]
fn a_proxy_that_changes_host_is_named_to_a_real_client_in_the_log_and_by_the_doctor() {
    let (people, own) = (
        port::free(),
        SocketAddr::from((Ipv4Addr::LOCALHOST, port::free())),
    );
    let (public, listen) = (format!("http://localhost:{people}"), own.to_string());
    let gate = Gate::start(&["demo", "--public-url", &public, "--listen", &listen]);
    assert_eq!(gate.said("issuer"), public);
    // nginx calls the server behind by the name in its own configuration.
    let inside =
        "location / { proxy_pass http://behind; proxy_set_header X-Forwarded-Host $http_host; }";
    let proxy = Nginx::start_at(people, own, inside);
    let mistake = discovers(&proxy, "proxy_changes_host", "has to pass it on");
    let refused = is_told_and_named(&gate, &mistake);
    let fix = refused["fix"].as_str().unwrap_or_default();
    assert!(fix.contains("proxy_set_header Host $host"), "{fix}");
    gate.stop();
}
