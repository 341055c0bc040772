use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp(1_000_000_000);

fn family(presented: u32, presented_ago: i64) -> FamilyFacts {
    FamilyFacts {
        same_client: true,
        proved: true,
        same_resource: true,
        active: true,
        revoked: false,
        expires_at: Timestamp(i64::MAX),
        presented,
        presented_at: (presented > 0).then(|| Timestamp(NOW.0 - presented_ago)),
    }
}

#[test]
fn n_as_26_each_generation_meets_its_rule() {
    use Judgement::{Again, First, Refused, Reused};
    let unknown = Refused(RefreshMismatch::Unknown);
    let year = 365 * 86_400_000;
    for (presented, ago, generation, expected) in [
        (0, 0, 1, First),
        (0, 0, 0, unknown),
        (0, 0, 2, unknown),
        (1, 0, 2, First),
        (1, year, 2, First),
        (1, 0, 1, Again),
        (1, year, 1, Again),
        (1, year, 3, unknown),
        (2, 0, 1, Again),
        (2, 30_000, 1, Again),
        (2, 30_001, 1, Reused),
        (3, 0, 1, Reused),
        (7, 0, 0, unknown),
        (7, -5_000, 6, Again),
        (u32::MAX, 0, u32::MAX, Again),
    ] {
        let got = judge(&family(presented, ago), generation, NOW);
        assert_eq!(
            got, expected,
            "presented {presented} {ago} ms ago, shown {generation}"
        );
    }
}

#[test]
fn a_018_a_stranger_learns_and_changes_nothing_whatever_they_show() {
    for generation in [0, 1, 2, 3, 4] {
        for revoked in [false, true] {
            let facts = FamilyFacts {
                same_client: false,
                revoked,
                ..family(3, 90_000)
            };
            let got = judge(&facts, generation, NOW);
            assert_eq!(got, Judgement::Refused(RefreshMismatch::Client));
        }
    }
}

#[test]
fn what_is_dead_or_foreign_is_refused_before_reuse_is_punished() {
    let replay = family(5, 90_000);
    for (facts, why) in [
        (
            FamilyFacts {
                proved: false,
                ..replay
            },
            RefreshMismatch::ClientProof,
        ),
        (
            FamilyFacts {
                active: false,
                ..replay
            },
            RefreshMismatch::Unknown,
        ),
        (
            FamilyFacts {
                revoked: true,
                ..replay
            },
            RefreshMismatch::Revoked,
        ),
        (
            FamilyFacts {
                expires_at: NOW,
                ..replay
            },
            RefreshMismatch::Expired,
        ),
        (
            FamilyFacts {
                same_resource: false,
                ..replay
            },
            RefreshMismatch::Resource,
        ),
    ] {
        assert_eq!(judge(&facts, 1, NOW), Judgement::Refused(why));
    }
}

#[test]
fn a_row_without_the_time_of_its_presentation_gets_no_overlap() {
    let facts = FamilyFacts {
        presented_at: None,
        ..family(2, 0)
    };
    assert_eq!(judge(&facts, 1, NOW), Judgement::Reused);
}

/// One thing that happens to a family.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// The client shows its newest token; the answer arrives or is lost.
    Honest { answer_arrives: bool },
    /// The client shows its newest token twice at once.
    Parallel,
    /// A thief shows the token that is `older` generations older than the newest given out.
    Thief { older: u32 },
    /// Another client shows some generation.
    Stranger { generation: u32 },
    /// The person revokes the grant.
    Revoke,
    /// Time passes.
    Wait { millis: i64 },
}

fn step(thief: bool) -> impl Strategy<Value = Step> {
    let wait = prop_oneof![
        0..100_i64,
        1_000..40_000_i64,
        Just(30_000),
        Just(30_001),
        Just(86_400_000)
    ];
    let weight = u32::from(thief);
    prop_oneof![
        6 => any::<bool>().prop_map(|answer_arrives| Step::Honest { answer_arrives }),
        2 => Just(Step::Parallel),
        3 * weight => (0..4_u32).prop_map(|older| Step::Thief { older }),
        1 => (0..6_u32).prop_map(|generation| Step::Stranger { generation }),
        weight => Just(Step::Revoke),
        4 => wait.prop_map(|millis| Step::Wait { millis }),
    ]
}

/// The store, as far as one family is concerned.
struct World {
    facts: FamilyFacts,
    now: Timestamp,
    newest_given: u32,
    held: u32,
    dead: BTreeSet<u32>,
}

impl World {
    fn new() -> Self {
        Self {
            facts: family(0, 0),
            now: NOW,
            newest_given: 1,
            held: 1,
            dead: BTreeSet::new(),
        }
    }

    /// Presents and applies, checking what must hold after each step.
    fn present(&mut self, generation: u32) -> Judgement {
        let before = self.facts;
        let judgement = judge(&self.facts, generation, self.now);
        match judgement {
            Judgement::First => {
                self.facts.presented = generation;
                self.facts.presented_at = Some(self.now);
            }
            Judgement::Reused => self.facts.revoked = true,
            Judgement::Again | Judgement::Refused(_) => assert_eq!(self.facts, before),
        }
        if matches!(judgement, Judgement::First | Judgement::Again) {
            assert!(!before.revoked, "a revoked family gave a token");
            assert!(
                !self.dead.contains(&generation),
                "a dead generation lives again"
            );
            self.newest_given = self.newest_given.max(generation + 1);
        }
        assert!(self.facts.presented >= before.presented);
        assert!(
            self.newest_given <= self.facts.presented + 1,
            "two live successors"
        );
        // Everything two below the newest presented is dead for good.
        self.dead.extend(0..self.facts.presented.saturating_sub(1));
        judgement
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn an_honest_client_is_never_punished(steps in prop::collection::vec(step(false), 1..60)) {
        let mut world = World::new();
        for step in steps {
            match step {
                Step::Honest { answer_arrives } => {
                    let got = world.present(world.held);
                    prop_assert!(matches!(got, Judgement::First | Judgement::Again), "{got:?}");
                    world.held += u32::from(answer_arrives);
                }
                Step::Parallel => {
                    let shown = world.held;
                    for _ in 0..2 {
                        let got = world.present(shown);
                        prop_assert!(matches!(got, Judgement::First | Judgement::Again), "{got:?}");
                    }
                    world.held += 1;
                }
                Step::Stranger { generation } => {
                    let before = world.facts;
                    world.facts.same_client = false;
                    world.present(generation);
                    world.facts.same_client = true;
                    prop_assert_eq!(world.facts, before);
                }
                Step::Wait { millis } => world.now = Timestamp(world.now.0 + millis),
                Step::Thief { .. } | Step::Revoke => unreachable!("not in this world"),
            }
        }
    }

    #[test]
    fn a_022_no_interleaving_forks_a_family_or_revives_a_dead_token(
        steps in prop::collection::vec(step(true), 1..80),
    ) {
        let mut world = World::new();
        let mut was_revoked = false;
        for step in steps {
            match step {
                Step::Honest { answer_arrives } => {
                    let got = world.present(world.held);
                    if answer_arrives && matches!(got, Judgement::First | Judgement::Again) {
                        world.held += 1;
                    }
                }
                Step::Parallel => {
                    let shown = world.held;
                    world.present(shown);
                    world.present(shown);
                }
                Step::Thief { older } => {
                    world.present(world.newest_given.saturating_sub(older));
                }
                Step::Stranger { generation } => {
                    let before = world.facts;
                    world.facts.same_client = false;
                    world.present(generation);
                    world.facts.same_client = true;
                    prop_assert_eq!(world.facts, before);
                }
                Step::Revoke => world.facts.revoked = true,
                Step::Wait { millis } => world.now = Timestamp(world.now.0 + millis),
            }
            prop_assert!(world.facts.revoked || !was_revoked, "revocation is final");
            was_revoked = world.facts.revoked;
        }
    }

    #[test]
    fn a_022_a_thief_and_the_client_cannot_part_ways_and_both_live(
        turns in prop::collection::vec((any::<bool>(), 30_001..100_000_i64), 1..12),
    ) {
        let mut world = World::new();
        // Both hold generation 1; each refreshes with the token it was given last.
        let mut held = [1_u32, 1];
        let mut parted = false;
        for (thief, gap) in turns {
            let who = usize::from(thief);
            parted |= held[who] < world.facts.presented;
            let got = world.present(held[who]);
            prop_assert_eq!(parted, !matches!(got, Judgement::First | Judgement::Again));
            held[who] += u32::from(!parted);
            world.now = Timestamp(world.now.0 + gap);
        }
        prop_assert_eq!(world.facts.revoked, parted);
    }
}
