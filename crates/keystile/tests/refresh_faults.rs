//! Refreshes over a network that loses answers: no honest client is ever signed out, and every replay beyond the rule
//! of DESIGN §4 is caught (CHECKLIST R9), by the real program over real HTTP.
//!
//! 2,000 refreshes; with `KEYSTILE_REFRESH_FAULTS=20000` as many as that.

#[path = "operator/flow.rs"]
#[expect(dead_code, reason = "these tests use a part of the driver")]
mod flow;
#[path = "operator/http.rs"]
#[expect(dead_code, reason = "these tests use a part of the driver")]
mod http;
#[path = "operator/installation.rs"]
#[expect(dead_code, reason = "these tests use a part of the driver")]
mod installation;
#[path = "refresh_faults/lane.rs"]
mod lane;
#[path = "refresh_faults/offline.rs"]
mod offline;
#[path = "operator/program.rs"]
#[expect(dead_code, reason = "these tests use a part of the driver")]
mod program;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use flow::{Browser, Client};
use installation::Installation;
use lane::{Lane, Scene, Seen};

/// Clients of the same kind beside each other, each with several connections.
const LANES: u64 = 8;
const NAME: &str = "alice";
const PASSWORD: &str = "kelp-lantern-ostrich-42";

#[test]
fn a_021_over_a_faulty_network_nobody_is_signed_out_and_every_replay_is_caught() {
    let (seen, alive) = run(wanted());
    println!("{seen:?}");
    assert_eq!(seen.signed_out, 0, "an honest client was signed out");
    assert_eq!(seen.replays_answered, 0, "a replay was answered");
    assert!(seen.refreshes >= wanted(), "{seen:?}");
    let enough = wanted() / 500;
    let each = [
        seen.lost,
        seen.cut,
        seen.late,
        seen.parallel,
        seen.overlapping,
        seen.strangers,
        seen.thefts,
        seen.revoked,
    ];
    assert!(each.iter().all(|times| *times >= enough), "{seen:?}");
    assert_eq!(alive, LANES * Lane::CONNECTIONS, "{seen:?}");
}

/// How many refreshes are asked for.
fn wanted() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever runs the tests says how many"
    )]
    let asked = std::env::var("KEYSTILE_REFRESH_FAULTS");
    asked.map_or(2_000, |text| text.parse().expect("a number"))
}

/// What was seen, and how many grants are alive in the end.
fn run(wanted: u64) -> (Seen, u64) {
    let installation = Installation::new();
    installation.add_user(NAME, PASSWORD);
    let gate = installation.serve(&["demo"]);
    let client = Client::register(gate.port, &gate.text("mcp_url"), "none");
    let stranger = Client::register(gate.port, &gate.text("mcp_url"), "client_secret_basic");
    let mut browser = Browser::new(gate.port);
    let page = browser.open(&client.authorize_with(&[]));
    browser.sign_in(&page, NAME, PASSWORD);
    let scene = Scene {
        client,
        stranger,
        browser: Mutex::new(browser),
        left: AtomicU64::new(wanted),
    };
    let scene = &scene;
    let seen = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|number| scope.spawn(move || Lane::new(scene, number).run()))
            .collect();
        let seen = lanes
            .into_iter()
            .map(|lane| lane.join().expect("no lane fails"));
        seen.fold(Seen::default(), Seen::and)
    });
    assert_eq!(scene.left.load(Ordering::Relaxed), 0);
    let alive = installation.answer(&["grant", "list"]);
    let alive = alive.as_array().expect("a list").len() as u64;
    gate.stop();
    (seen, alive)
}
