//! What `docs/compatibility.md` says, feature by feature, is what real clients see of real servers through the gate, of
//! either era and over every transport. Without the gate those of one era see the same.
//!
//! The clients and servers are in `conformance/clients/features` and `conformance/servers/features`.
//! `cargo xtask generate --matrix` writes the table.

#[path = "support/gate.rs"]
mod gate;
#[path = "matrix/page.rs"]
mod page;
#[path = "matrix/pair.rs"]
mod pair;
#[path = "support/process.rs"]
mod process;
#[path = "support/script.rs"]
mod script;
#[path = "matrix/table.rs"]
mod table;
#[path = "support/tools.rs"]
mod tools;

use std::sync::Mutex;
use std::thread;

use page::Page;
use pair::{Outcome, directly, through_the_gate};
use table::{Seen, differences, markdown, pairs, servers};
use tools::Tools;

/// As many as nextest counts for this test (`.config/nextest.toml`).
const THREADS: usize = 2;

#[test]
fn every_feature_fares_as_the_page_says() {
    let tools = Tools::find();
    let alone = at_once(servers(), |server| (server, directly(&tools, server)));
    let seen = at_once(pairs(), |(client, server)| Seen {
        client,
        server,
        features: through_the_gate(&tools, client, server),
    });
    for (server, features) in &alone {
        for run in seen
            .iter()
            .filter(|run| run.server == *server && run.client.era == server.era)
        {
            for (seen, alone) in run.features.iter().zip(features) {
                // The table asks for the rule by which something is dropped.
                let same = seen == alone || seen.outcome == Outcome::Dropped;
                let pair = (run.client, server);
                assert!(
                    same,
                    "{pair:?}: {seen:?} through the gate, {alone:?} without it"
                );
            }
        }
    }
    let (page, table) = (Page::read(), markdown(&seen));
    if is_asked_to_write() {
        page.write(&table);
    } else {
        let differences = differences(page.table(), &table);
        assert!(
            differences.is_empty(),
            "docs/compatibility.md (-) and what was seen (+); `cargo xtask generate --matrix` writes it:\n{}",
            differences.join("\n")
        );
    }
}

/// Does it for each, a few at a time, and keeps no order.
fn at_once<T: Send, R: Send>(
    each: impl Iterator<Item = T> + Send,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let (each, done) = (Mutex::new(each), Mutex::new(Vec::new()));
    let next = || each.lock().expect("nobody panics with it").next();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(one) = next() {
                    let result = work(one);
                    done.lock().expect("nobody panics with it").push(result);
                }
            });
        }
    });
    done.into_inner().expect("nobody panicked")
}

fn is_asked_to_write() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test run itself is told by its environment"
    )]
    std::env::var_os("KEYSTILE_WRITE_MATRIX").is_some()
}
