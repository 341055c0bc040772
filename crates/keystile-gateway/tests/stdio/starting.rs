//! How long a client waits for a server's start, and what is started for it in advance.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::log::Log;
use crate::support::{App, body, config, gone, initialize, told};

/// Waits until the log says it.
async fn logged(log: &Log, what: &str) -> String {
    logged_times(log, what, 1).await
}

/// And so many times; the last of them.
async fn logged_times(log: &Log, what: &str, times: u32) -> String {
    loop {
        let text = log.text();
        let mut lines = text.lines().filter(|line| line.contains(what));
        if let Some(line) = lines.nth(times as usize - 1) {
            return line.to_owned();
        }
        tokio::task::yield_now().await;
    }
}

/// The processes that were started, in their order.
fn started(log: &Log) -> Vec<u64> {
    let text = log.text();
    let starts = text
        .lines()
        .filter(|line| line.contains("stdio server started"));
    let pids = starts.filter_map(|line| line.split("child.pid=").nth(1)?.trim().parse().ok());
    pids.collect()
}

/// Time is fake: it passes when the test says so, or when nothing else happens.
#[tokio::test(start_paused = true)]
async fn a_client_of_a_server_that_does_not_answer_is_told_so_before_it_gives_up() {
    // What one has started goes on listening to its world.
    let mut kept = Vec::new();
    for (behaviour, heard, status, code) in [
        ("mute", SAID, 504, "upstream_handshake_timeout"),
        (
            "murmur",
            // What was sent, and not what is said of a server that was given up for it.
            "relay::strange",
            502,
            "upstream_not_mcp",
        ),
    ] {
        for (limit, method) in [
            (15, "initialize"),
            (15, "tools/list"),
            // rmcp tries for 10 s whether the server answers this.
            (9, "server/discover"),
        ] {
            let app = App::of(&[behaviour]);
            let client = app.client("ada", "editor");
            let request = match method {
                "initialize" => initialize(json!({})),
                method => client.envelope(json!(1), method, json!({})),
            };
            let (log, _listening) = Log::listen();
            let before = Instant::now();
            let answer = async {
                match request["method"].as_str().unwrap() {
                    "initialize" => client.legacy(request.clone()).await,
                    method => client.stateless_text(method, request.clone()).await,
                }
            };
            // It is asked for its era first, and then for a handshake.
            let starts = if request["method"] == "initialize" {
                1
            } else {
                2
            };
            let silence = async {
                for start in 1..=starts {
                    for heard in [heard, SAID] {
                        logged_times(&log, heard, start).await;
                    }
                    tokio::time::advance(Duration::from_secs(limit) / starts).await;
                }
            };
            let (response, ()) = tokio::join!(answer, silence);
            let waited = before.elapsed();
            assert!(
                waited.abs_diff(Duration::from_secs(limit)) < Duration::from_secs(1),
                "{waited:?}"
            );
            assert_eq!(
                response.status(),
                status,
                "{behaviour} {method} after {waited:?}\n{}",
                log.text()
            );
            let error = body(response).await["error"].clone();
            assert_eq!(error["data"]["code"], code);
            let reference = error["data"]["reference"].as_str().unwrap();
            let line = logged(&log, reference).await;
            assert!(line.contains(code), "{line}");
            assert!(!error.to_string().contains("licence"), "{error}");
            let line = logged(&log, "last_words").await;
            assert!(line.contains("waiting for a licence \\u{1b}[2J"), "{line}");
            kept.push(app);
        }
    }
}

async fn legacy_pid(app: &App, person: &str) -> u64 {
    let mut client = app.client(person, "editor");
    client.initialize(json!({})).await;
    client.tool("pid").await.as_u64().unwrap()
}

async fn stateless_pid(app: &App, person: &str) -> u64 {
    let params = json!({"name": "pid", "arguments": {}});
    let response = app
        .client(person, "editor")
        .stateless(json!(1), "tools/call", params)
        .await;
    told(&body(response).await).as_u64().unwrap()
}

#[tokio::test]
async fn the_first_client_gets_a_server_that_runs_already_and_no_other_does() {
    for era in ["legacy", "strict-legacy", "stateless"] {
        for stateless_client in [false, true] {
            let (log, _listening) = Log::listen();
            let app = App::of(&[era]);
            app.pool.probe().await.unwrap();
            let before = started(&log);
            let starts = if era == "stateless" { 1 } else { 3 };
            assert_eq!(before.len(), starts, "{era}");
            let mut pids = Vec::new();
            for person in ["ada", "bob"] {
                pids.push(match stateless_client {
                    true => stateless_pid(&app, person).await,
                    false => legacy_pid(&app, person).await,
                });
            }
            // What a stateless server answers to a handshake is not kept, and so its conversation is lost.
            if era != "stateless" || stateless_client {
                assert_eq!(Some(&pids[0]), before.last(), "{era} {stateless_client}");
            }
            assert!(!before.contains(&pids[1]), "{era} {stateless_client}");
            app.pool.shutdown().await;
            for pid in started(&log) {
                gone(pid).await;
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_was_started_for_nobody_is_idle_like_any_other() {
    let mut config = config(&["legacy"]);
    config.idle = Duration::from_millis(100);
    let (log, _listening) = Log::listen();
    let app = App::with(config);
    app.pool.probe().await.unwrap();
    for pid in started(&log) {
        gone(pid).await;
    }
    assert_ne!(legacy_pid(&app, "ada").await, 0);
}

#[tokio::test]
async fn a_server_that_was_started_for_nobody_and_died_is_not_given_to_anybody() {
    let (log, _listening) = Log::listen();
    let app = App::of(&["legacy"]);
    app.pool.probe().await.unwrap();
    let spare = *started(&log).last().unwrap();
    let killed = std::process::Command::new("kill")
        .args(["-9", &spare.to_string()])
        .status();
    assert!(killed.unwrap().success());
    logged(&log, "stdio_exited_at_once").await;
    let pid = legacy_pid(&app, "ada").await;
    assert_ne!(pid, spare);
    let _: Value = app.client("ada", "editor").tool("pid").await;
}

/// What the fixture says in the log when it is mute.
const SAID: &str = "keystile::stdio: waiting for a licence";
