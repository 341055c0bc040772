//! The differential oracle: what passes the gateway is the same to every reader (CHECKLIST R1, A-101 to A-107).
//!
//! A seeded generator makes messages of both eras and of both sides, and spoils most of them. Each goes through a real
//! gateway; what of it comes out, towards the server or the client, is read by serde_json, by Node's JSON.parse, by
//! Python's json, by rmcp's message types, and by models of three readers that have been wrong in MCP servers. They must
//! read the same, and the same as the gateway has put on record. `cargo xtask fuzz` runs it for longer.

mod careless;
mod case;
mod dice;
mod foreign;
mod json;
mod judging;
mod message;
mod oracle;
mod reading;
mod spoil;
#[expect(dead_code, reason = "the tests of the gateway alone use more of it")]
#[path = "../http/support.rs"]
mod support;
#[path = "../../../keystile/tests/support/tools.rs"]
mod tools;
mod typed;
mod upstream;
#[path = "../shared/world.rs"]
mod world;

use oracle::{Plan, Report, run};
use spoil::Spoil;

/// What `cargo xtask fuzz` asks for.
fn asked(name: &str) -> Option<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test run itself is told by its environment"
    )]
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is a number")),
    )
}

fn found_nothing(plan: Plan, report: &Report) {
    let Report {
        escapes, broken, ..
    } = report;
    let found: Vec<_> = escapes
        .iter()
        .map(|it| {
            format!(
                "execution {}: {}\n  {}",
                it.execution,
                it.why,
                it.bytes.escape_ascii()
            )
        })
        .collect();
    assert!(
        found.is_empty(),
        "seed {}:\n{}",
        plan.seed,
        found.join("\n")
    );
    assert!(
        broken.is_empty(),
        "seed {}:\n{}",
        plan.seed,
        broken.join("\n")
    );
}

/// A share of a full run, of its own.
async fn finds_nothing(seed: u64) {
    let plan = Plan {
        executions: 3_000,
        seed,
    };
    found_nothing(plan, &run(plan).await);
}

#[tokio::test]
async fn what_passes_is_the_same_to_every_reader() {
    let executions = asked("KEYSTILE_FUZZ_EXECUTIONS").unwrap_or(20_000);
    let plan = Plan {
        executions: usize::try_from(executions).expect("it fits"),
        seed: asked("KEYSTILE_FUZZ_SEED").unwrap_or(1),
    };
    let report = run(plan).await;
    for (spoil, share) in &report.by_spoil {
        println!("{:<18} {share}", format!("{spoil:?}"));
    }
    println!(
        "seed {}: {} executions; passed: {} requests, {} messages of servers; rmcp took {} of {}; {} escapes, {} panics",
        plan.seed,
        report.executions(),
        report.requests,
        report.answers,
        report.typed.taken,
        report.typed.shown,
        report.escapes.len(),
        report.broken.len(),
    );
    found_nothing(plan, &report);
    assert!(report.executions() >= plan.executions);
    assert!(report.requests.percent() >= 30, "{}", report.requests);
    assert!(report.answers.percent() >= 30, "{}", report.answers);
    assert!(
        report.typed.taken * 2 > report.typed.shown,
        "{:?}",
        report.typed
    );
    assert_eq!(report.by_spoil.len(), Spoil::ALL.len());
}

#[tokio::test]
async fn a_102_no_message_has_another_meaning_for_who_keeps_the_first_of_two_members() {
    finds_nothing(102).await;
}

#[tokio::test]
async fn a_103_no_message_has_another_meaning_for_who_ignores_case() {
    finds_nothing(103).await;
}

#[tokio::test]
async fn a_105_no_message_has_another_meaning_for_who_ends_names_early() {
    finds_nothing(105).await;
}

#[tokio::test]
async fn a_106_no_message_can_be_read_by_some_only() {
    finds_nothing(106).await;
}

#[tokio::test]
async fn a_111_no_event_reaches_a_client_that_readers_read_in_two_ways() {
    finds_nothing(111).await;
}

#[tokio::test]
async fn a_107_no_header_says_another_thing_than_what_every_reader_reads() {
    finds_nothing(107).await;
}
