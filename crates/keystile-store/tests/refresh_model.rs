//! A model of the grant's life (DESIGN §4, CHECKLIST R9) against the real SQLite store.
//!
//! Many grants live beside each other in one database. Each has a client that loses answers, retries
//! minutes or days late and refreshes in parallel; many have a thief with a copy of every token ever
//! issued, a stranger, a person who revokes and an operator who keeps people and clients out. The
//! process crashes between any two steps. What the store answers must be what [`rule::Life`], which
//! knows nothing of the store, says for some order of what ran beside each other.

#[path = "refresh_model/actors.rs"]
mod actors;
#[path = "refresh_model/codes.rs"]
mod codes;
#[path = "refresh_model/dice.rs"]
mod dice;
#[path = "refresh_model/rule.rs"]
mod rule;
#[path = "refresh_model/wave.rs"]
mod wave;

use std::io::Write as _;

use actors::Cast;
use wave::{Tally, Template};

/// Grants that live beside each other in one database.
const LIVES: usize = 1_024;

/// Plays these waves, on as many threads as there are cores.
fn play(cast: Cast, waves: std::ops::Range<u64>) -> Tally {
    let template = Template::new(LIVES);
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let (template, waves) = (&template, &waves);
    let tally = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..threads)
            .map(|lane| {
                let mine = waves.clone().filter(move |seed| seed % threads == lane);
                scope.spawn(move || {
                    mine.map(|seed| wave::play(template, cast, seed))
                        .fold(Tally::default(), Tally::and)
                })
            })
            .collect();
        let tallies = lanes.into_iter().map(|lane| lane.join());
        // What a life did wrong was printed where it happened.
        tallies
            .map(|tally| tally.expect("every life follows the rule"))
            .fold(Tally::default(), Tally::and)
    });
    let _ = writeln!(std::io::stderr(), "{tally:?}");
    tally
}

#[test]
fn a_021_no_lost_answer_late_retry_or_parallel_refresh_signs_anybody_out() {
    let tally = play(Cast::Honest, 0..4);
    assert_eq!(tally.died, 0);
    assert!(tally.answered > 20_000, "{tally:?}");
}

#[test]
fn a_022_a_thief_with_every_token_ever_issued_never_lives_beside_the_client() {
    let tally = play(Cast::Thief, 0..4);
    assert!(tally.died > 1_000, "{tally:?}");
}

#[test]
fn a_023_revoked_is_revoked_in_every_race_and_through_every_crash() {
    let tally = play(Cast::Everybody, 0..4);
    assert!(tally.ended > 1_000 && tally.crashes > 4, "{tally:?}");
}

// A hundred thousand lives, in three parts that can run beside each other.

#[test]
fn thirty_thousand_lives_on_a_bad_network_follow_the_rule() {
    assert!(play(Cast::Honest, 100..130).lives > 30_000);
}

#[test]
fn thirty_five_thousand_lives_with_a_thief_follow_the_rule() {
    assert!(play(Cast::Thief, 200..235).lives > 35_000);
}

#[test]
fn thirty_five_thousand_lives_with_everybody_follow_the_rule() {
    assert!(play(Cast::Everybody, 300..335).lives > 35_000);
}
