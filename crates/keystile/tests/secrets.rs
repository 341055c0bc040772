//! A whole flow leaves nothing behind that is readable as a token, code, secret or password: not in the database, its
//! write-ahead log, the audit trail or anything else in the data directory, and not in the log, however talkative.
//!
//! One exception, by design: the set-up code is printed on standard output, where the operator reads it. And one file
//! is a secret itself, `master.key`; nothing else may hold its bytes.

#[expect(dead_code, reason = "shared with operator.rs, which uses the rest")]
#[path = "operator/fake_server.rs"]
mod fake_server;
#[path = "operator/flow.rs"]
mod flow;
#[expect(dead_code, reason = "shared with operator.rs, which uses the rest")]
#[path = "operator/http.rs"]
mod http;
#[expect(dead_code, reason = "shared with operator.rs, which uses the rest")]
#[path = "operator/installation.rs"]
mod installation;
#[expect(dead_code, reason = "shared with operator.rs, which uses the rest")]
#[path = "operator/program.rs"]
mod program;
#[path = "secrets/trace.rs"]
mod trace;

use std::path::Path;

use keystile_testkit::reading;
use serde_json::{Value, json};

use flow::{Browser, Client, REDIRECT, Tokens, VERIFIER, code, initialize};
use http::Request;
use installation::{Gate, Installation};
use program::Program;
use trace::Trace;

const ALICE: (&str, &str) = ("alice", "planted-password-of-alice-7e1b");
const BOB: (&str, &str) = ("bob", "planted-password-of-bob-93c0");

#[test]
fn a_169_a_whole_flow_leaves_no_secret_in_any_file_or_log() {
    let installation = Installation::new();
    let mut trace = Trace::default();
    let file = installation.beside("secrets.env");
    let env_file = "planted-value-in-a-file-5d27";
    std::fs::write(&file, format!("FILE_KEY={env_file}\n")).expect("it can be written");
    trace.plant("--env-file", env_file);
    trace.plant("--env", "planted-api-key-of-the-child-18aa");
    let own = env!("CARGO_BIN_EXE_keystile");
    let notes = installation.beside("notes");
    let mut command = installation.command(&["-vv", "--log-format", "json", "--json", "protect"]);
    command
        .args([
            "--port",
            "0",
            "--ops-listen",
            "127.0.0.1:0",
            "--name",
            "notes",
        ])
        .args([
            "--env",
            "API_KEY=planted-api-key-of-the-child-18aa",
            "--env-file",
        ])
        .arg(&file)
        .args(["--", own, "knowledge-base", "--state"])
        .arg(&notes);
    let gate = Gate::start(&mut command);

    first_account(&installation, &gate, &mut trace);
    let administered = [("user", "list"), ("client", "list"), ("grant", "list")]
        .map(|(noun, verb)| installation.answer(&[noun, verb]).to_string());
    trace.plant_key(&installation);
    trace.look_at("an answer of the administration", administered.concat());
    // While it runs, with what the write-ahead log has.
    trace.look_into(&installation);
    let ended = gate.stop();
    trace.look_into(&installation);
    trace.look_at("the log", ended.stderr.clone());
    trace.look_at("the index of the child", trace::contents(&notes));
    trace.set_up_code_is_on_standard_output_only(&ended.stdout);
    assert!(
        ended.stderr.contains("a sign-in begins"),
        "the log was on: {}",
        ended.stderr
    );
    trace.finish();
}

/// Everything that a client and two people do, well and badly.
fn first_account(installation: &Installation, gate: &Gate, trace: &mut Trace) {
    trace.plant("the password of alice", ALICE.1);
    trace.plant("the password of bob", BOB.1);
    trace.plant("the verifier", VERIFIER);
    trace.plant_set_up_code(&gate.text("setup_code"));
    let resource = gate.text("mcp_url");
    let public = Client::register(gate.port, &resource, "none");
    let mut browser = Browser::new(gate.port);
    let form = browser.open(&public.authorize_with(&[]));
    for (what, wrong) in [
        ("a wrong set-up code", "WRNG-CDXX-7777"),
        (
            "a password in the wrong field",
            "planted-password-in-the-wrong-field",
        ),
    ] {
        trace.plant(what, wrong);
        assert_eq!(browser.set_up(&form, wrong, ALICE.0, ALICE.1).status, 401);
    }
    let page = browser.set_up(&form, &gate.text("setup_code"), ALICE.0, ALICE.1);
    answer(&public, &mut browser, &page, trace, &resource);

    let add = ["user", "add", BOB.0, "--password-stdin"];
    let added = Program::start(&mut installation.command(&add), BOB.1).wait();
    assert!(added.status.success(), "{}", added.stderr);
    trace.look_at("what user add prints", added.stdout + &added.stderr);

    let confidential = Client::register(gate.port, &resource, "client_secret_basic");
    trace.plant(
        "a client secret",
        confidential.secret.as_deref().expect("it has one"),
    );
    let mut browser = Browser::new(gate.port);
    let form = browser.open(&confidential.authorize_with(&[]));
    trace.plant("a wrong password", "planted-wrong-password-c4d1");
    trace.plant("a password as a name", "planted-password-as-a-name");
    assert_eq!(
        browser
            .sign_in(&form, BOB.0, "planted-wrong-password-c4d1")
            .status,
        401
    );
    assert_eq!(
        browser
            .sign_in(&form, "planted-password-as-a-name", BOB.1)
            .status,
        401
    );
    let page = browser.sign_in(&form, BOB.0, BOB.1);
    answer(&confidential, &mut browser, &page, trace, &resource);
    trace.look_at(
        "the audit trail",
        trace::contents(&installation.data().join("audit")),
    );
}

/// From the consent page to calls, and to the end of the grant.
fn answer(
    client: &Client,
    browser: &mut Browser,
    page: &http::Reply,
    trace: &mut Trace,
    resource: &str,
) {
    let input = |name: &str| reading::input(&page.body, name).expect("the page has it");
    trace.plant("a CSRF token", &input("csrf"));
    trace.plant("a transaction", &input("tx"));
    for (name, value, _) in &browser.cookies {
        trace.plant(name, value);
    }
    let redirect = browser.allow(page);
    trace.plant("a code", &code(&redirect));
    let tokens = client.redeem(&redirect);
    trace.plant("an access token", &tokens.access);
    for part in tokens.access.split('.').skip(1) {
        trace.plant("a part of an access token", part);
    }
    trace.plant("a refresh token", &tokens.refresh);
    let next = Tokens::of(&client.refresh(&tokens.refresh));
    trace.plant("the next access token", &next.access);
    trace.plant("the next refresh token", &next.refresh);
    calls(client, &next, trace, resource);
    wrong_requests(client, &redirect, trace);
    let revoke = [("token", next.refresh.as_str()), ("client_id", &client.id)];
    let revoke = match client.secret {
        None => Request::form("/oauth/revoke", &revoke),
        Some(_) => client.authenticated(Request::form("/oauth/revoke", &revoke[..1])),
    };
    assert_eq!(revoke.send(client.port).status, 200);
    let call = Request::mcp("/notes/mcp", &next.access, initialize());
    assert_eq!(call.send(client.port).status, 401);
}

/// Calls with the token, with secrets of others in every header and the body, and with a wrong token.
fn calls(client: &Client, tokens: &Tokens, trace: &mut Trace, resource: &str) {
    let path = "/notes/mcp";
    let first = Request::mcp(path, &tokens.access, initialize()).send(client.port);
    assert_eq!(first.status, 200, "{first:?}");
    let session = first.header("mcp-session-id").to_owned();
    trace.plant("a session id", &session);
    trace.plant("an argument", "planted-argument-of-a-tool-66f3");
    trace.plant("a cookie", "planted-cookie-of-another-2b9e");
    trace.plant("an API key", "planted-api-key-of-another-0c58");
    let search = json!({
        "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": {"name": "search", "arguments": {"query": "planted-argument-of-a-tool-66f3"}},
    });
    let called = Request::mcp(path, &tokens.access, search)
        .header("mcp-session-id", &session)
        .header("cookie", "theirs=planted-cookie-of-another-2b9e")
        .header("x-api-key", "planted-api-key-of-another-0c58")
        .send(client.port);
    assert_eq!(called.status, 200, "{called:?}");
    assert!(called.value()["result"].is_object(), "{called:?}");
    for wrong in ["planted-wrong-token-f0f0", "ksr_planted-wrong-token-e1e1"] {
        trace.plant("a wrong token", wrong);
        let call = Request::mcp(path, wrong, initialize());
        assert_eq!(call.send(client.port).status, 401);
    }
    // Never a place for a token (OAuth 2.1 §5.1), and yet some send it there.
    let query = format!("{path}?access_token={}", tokens.access);
    Request::json(&query, initialize()).send(client.port);
    Request::get(&format!("/nothing?token={}", tokens.refresh)).send(client.port);
    assert!(resource.ends_with(path));
}

fn wrong_requests(client: &Client, redirect: &http::Reply, trace: &mut Trace) {
    trace.plant("a wrong code", "planted-wrong-code-aa01");
    trace.plant(
        "a wrong verifier",
        "planted-wrong-verifier-0123456789-0123456789-01",
    );
    let code = code(redirect);
    for (code, verifier) in [
        ("planted-wrong-code-aa01", VERIFIER),
        (
            code.as_str(),
            "planted-wrong-verifier-0123456789-0123456789-01",
        ),
    ] {
        let refused = client.ask(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", verifier),
        ]);
        assert_eq!(refused.status, 400);
    }
    trace.plant(
        "a wrong refresh token",
        "ksr_planted-wrong-refresh-token-bb02",
    );
    assert_eq!(
        client
            .refresh("ksr_planted-wrong-refresh-token-bb02")
            .status,
        400
    );
    trace.plant("a wrong client secret", "planted-wrong-client-secret-dd04");
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "planted-wrong-refresh-token-cc03"),
        ("client_id", &client.id),
        ("client_secret", "planted-wrong-client-secret-dd04"),
    ];
    trace.plant("a wrong refresh token", "planted-wrong-refresh-token-cc03");
    let refused = Request::form("/oauth/token", &fields).send(client.port);
    assert!(matches!(refused.status, 400 | 401), "{refused:?}");
    // In a URL, where access logs would keep it.
    let query = "/oauth/token?client_secret=planted-wrong-client-secret-dd04";
    Request::form(query, &fields[..2]).send(client.port);
}

#[test]
fn a_key_in_the_upstream_url_stays_out_of_log_and_files() {
    let installation = Installation::new();
    let mut trace = Trace::default();
    trace.plant("a key of the upstream", "planted-key-of-the-upstream-47bd");
    trace.plant("the password of alice", ALICE.1);
    installation.add_user(ALICE.0, ALICE.1);
    let answering = fake_server::always(&fake_server::ok("text/html", "<h1>no</h1>"));
    for upstream in [answering, fake_server::dead()] {
        let url = format!("{upstream}?api_key=planted-key-of-the-upstream-47bd");
        let name = url.chars().filter(char::is_ascii_digit).collect::<String>();
        let mut serving = installation.serving(&["protect", "-vv", "--name", &name, &url]);
        let gate = Gate::start(&mut serving);
        gate.program
            .stderr
            .find("does not work")
            .expect("it is said at the start");
        let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
        let tokens = flow::connect(&client, ALICE.0, ALICE.1);
        trace.plant("an access token", &tokens.access);
        let call = Request::mcp(&gate.endpoint(), &tokens.access, initialize());
        let refused = call.send(gate.port);
        assert_eq!(refused.status, 502);
        trace.look_at("the answer", refused.body.clone());
        let ended = gate.stop();
        trace.look_at("the log", ended.stderr);
        trace.look_at("standard output", ended.stdout);
    }
    trace.look_into(&installation);
    trace.finish();
}

#[test]
fn a_secret_is_found_in_every_form_it_can_be_written_in() {
    let secret = "planted+secret/with=signs&";
    for written in trace::forms(secret) {
        for before in ["", "a", "ab", "abc"] {
            let mut trace = Trace::default();
            trace.plant("it", secret);
            trace.look_at("a log", format!("{before}{written}after"));
            assert!(trace.found_any(), "{written}");
        }
    }
    let mut trace = Trace::default();
    trace.plant("it", secret);
    trace.look_at("a log", "planted+secret".to_owned());
    assert!(!trace.found_any());
    let value: Value = json!({"planted": Path::new("/").display().to_string()});
    assert!(value.is_object());
}
