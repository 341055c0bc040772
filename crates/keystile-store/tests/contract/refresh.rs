use futures_util::future::join_all;
use keystile_domain::decide::refresh::{FamilyFacts, Judgement, judge};
use keystile_domain::ports::{Grants, Revocations, Standing, TokenFacts};
use keystile_domain::records::{Presented, RefreshMismatch, Rotated};
use keystile_domain::time::Timestamp;
use proptest::prelude::*;

use super::world::*;

async fn rotate(world: &World, presented: Presented, now: Timestamp) -> Rotated {
    world.store.rotate(presented, now).await.unwrap()
}

fn is_successor(rotated: &Rotated) -> bool {
    matches!(rotated, Rotated::Successor(_))
}

#[tokio::test]
async fn the_first_presentation_moves_the_family_and_its_times() {
    let world = world().await;
    let grant = world.granted("code").await;
    let expires_at = later(60 * DAY);
    let presented = Presented {
        expires_at,
        ..shown(grant, 1)
    };
    let Rotated::Successor(record) = rotate(&world, presented, later(DAY)).await else {
        panic!("generation 1 is good");
    };
    assert_eq!(
        (record.id, record.person, record.person_name.as_str()),
        (grant, world.alice, "Alice")
    );
    assert_eq!(
        (record.last_used_at, record.expires_at),
        (Some(later(DAY)), expires_at)
    );
    assert_eq!(Some(record), world.store.lookup(grant).await.unwrap());
    // Again, much later: the same successor, and nothing moves.
    let Rotated::Successor(again) = rotate(&world, shown(grant, 1), later(20 * DAY)).await else {
        panic!("a lost answer is given again however late");
    };
    assert_eq!(
        (again.last_used_at, again.expires_at),
        (Some(later(DAY)), expires_at)
    );
}

#[tokio::test]
async fn n_as_26_a_replay_beyond_the_rule_kills_the_family() {
    let world = world().await;
    let grant = world.granted("code").await;
    for generation in [1, 2] {
        assert!(is_successor(
            &rotate(&world, shown(grant, generation), NOW).await
        ));
    }
    assert!(is_successor(
        &rotate(&world, shown(grant, 1), later(30 * SECOND)).await
    ));
    let late = later(30 * SECOND + 1);
    assert_eq!(rotate(&world, shown(grant, 1), late).await, Rotated::Reused);
    for generation in [1, 2, 3] {
        let dead = rotate(&world, shown(grant, generation), late).await;
        assert_eq!(dead, Rotated::Refused(RefreshMismatch::Revoked));
    }
    let record = world.store.lookup(grant).await.unwrap().unwrap();
    assert_eq!(record.revoked_at, Some(late));
    assert_eq!(record.revoked_why.as_deref(), Some("refresh_token_reused"));
    let facts = TokenFacts {
        grant,
        person: "p",
        client: CLIENT,
        issued_at: NOW,
    };
    assert_eq!(
        world.store.revocations().standing(&facts),
        Standing::Revoked
    );
}

#[tokio::test]
async fn a_018_another_client_changes_nothing_and_the_owner_goes_on() {
    let world = world().await;
    let grant = world.granted("code").await;
    assert!(is_successor(&rotate(&world, shown(grant, 1), NOW).await));
    assert!(is_successor(&rotate(&world, shown(grant, 2), NOW).await));
    for (generation, foreign) in [(1, "other"), (2, "other"), (3, "other"), (3, "")] {
        let foreign = Presented {
            client_id: foreign.to_owned(),
            ..shown(grant, generation)
        };
        let refused = rotate(&world, foreign, later(DAY)).await;
        assert_eq!(refused, Rotated::Refused(RefreshMismatch::Client));
    }
    let resource = Some("http://localhost:7717/other/mcp".to_owned());
    let elsewhere = Presented {
        resource,
        ..shown(grant, 3)
    };
    let refused = rotate(&world, elsewhere, later(DAY)).await;
    assert_eq!(refused, Rotated::Refused(RefreshMismatch::Resource));
    let named = Presented {
        resource: Some(RESOURCE.to_owned()),
        ..shown(grant, 3)
    };
    assert!(is_successor(&rotate(&world, named, later(DAY)).await));
}

#[tokio::test]
async fn n_as_32_a_grant_remembers_that_its_client_proves_who_it_is() {
    let world = world().await;
    let grant = world.granted_to_one_that_proves("code").await;
    let proved = |generation| Presented {
        client_proved: true,
        ..shown(grant, generation)
    };
    assert!(is_successor(&rotate(&world, proved(1), NOW).await));
    assert!(is_successor(&rotate(&world, proved(2), NOW).await));
    // The next one, the last one, and one whose replay would end the grant.
    for generation in [3, 2, 1] {
        let refused = rotate(&world, shown(grant, generation), later(DAY)).await;
        assert_eq!(refused, Rotated::Refused(RefreshMismatch::ClientProof));
    }
    assert!(is_successor(&rotate(&world, proved(3), later(DAY)).await));
    // Whoever proves more than was asked for is not refused.
    let public = world.granted("another").await;
    let more = Presented {
        client_proved: true,
        ..shown(public, 1)
    };
    assert!(is_successor(&rotate(&world, more, NOW).await));
}

#[tokio::test]
async fn what_was_never_given_out_is_unknown() {
    let world = world().await;
    let waiting = world.approved("waiting").await;
    let granted = world.granted("granted").await;
    for presented in [
        shown(waiting, 1),
        shown(granted, 0),
        shown(granted, 2),
        shown(granted, u32::MAX),
    ] {
        let refused = rotate(&world, presented, NOW).await;
        assert_eq!(refused, Rotated::Refused(RefreshMismatch::Unknown));
    }
    let nobody = shown(keystile_domain::ids::GrantId::new(NOW, &world.rng), 1);
    assert_eq!(
        rotate(&world, nobody, NOW).await,
        Rotated::Refused(RefreshMismatch::Unknown)
    );
}

#[tokio::test]
async fn an_unused_family_expires() {
    let world = world().await;
    let grant = world.granted("code").await;
    let refused = rotate(&world, shown(grant, 1), later(30 * DAY)).await;
    assert_eq!(refused, Rotated::Refused(RefreshMismatch::Expired));
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_refreshes_all_get_the_one_successor() {
    let world = world().await;
    let grant = world.granted("code").await;
    for generation in 1..=5 {
        let all = join_all((0..50).map(|_| rotate(&world, shown(grant, generation), NOW))).await;
        assert!(all.iter().all(is_successor));
    }
    let ahead = rotate(&world, shown(grant, 7), NOW).await;
    assert_eq!(ahead, Rotated::Refused(RefreshMismatch::Unknown));
}

#[tokio::test]
async fn a_023_a_revocation_ends_the_family_whatever_races_it() {
    let world = world().await;
    for round in 0..20 {
        let grant = world.granted(&format!("code {round}")).await;
        let refreshes = join_all((0..8).map(|_| rotate(&world, shown(grant, 1), NOW)));
        let revoke = world.store.revoke(grant, "by_person", NOW);
        let (_, revoked) = tokio::join!(refreshes, revoke);
        assert!(revoked.unwrap());
        for generation in [1, 2] {
            let after = rotate(&world, shown(grant, generation), NOW).await;
            assert_eq!(after, Rotated::Refused(RefreshMismatch::Revoked));
        }
    }
}

#[tokio::test]
async fn generations_that_meet_in_one_batch_take_their_turns() {
    let world = world().await;
    let grant = world.granted("code").await;
    // All are in the queue before the writer looks: one batch.
    let all =
        join_all([1, 2, 3].map(|generation| rotate(&world, shown(grant, generation), NOW))).await;
    assert!(is_successor(&all[0]));
    // The others are answered as if they had come after or before the first: never both ways.
    let presented = all.iter().filter(|rotated| is_successor(rotated)).count() as u32;
    let next = rotate(&world, shown(grant, presented + 1), NOW).await;
    assert!(is_successor(&next));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    /// The store does what the pure rule says, step by step.
    #[test]
    fn the_store_follows_the_rule(
        steps in prop::collection::vec((0..7_u32, any::<bool>(), any::<bool>(), 0..45_000_i64), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = world().await;
            let grant = world.granted_to_one_that_proves("code").await;
            let mut facts = FamilyFacts {
                same_client: true, proved: true, same_resource: true, active: true, revoked: false,
                expires_at: later(30 * DAY), presented: 0, presented_at: None,
            };
            let mut now = NOW;
            for (generation, same_client, proved, gap) in steps {
                (facts.same_client, facts.proved) = (same_client, proved);
                let client_id = if same_client { CLIENT } else { "other" }.to_owned();
                let expected = judge(&facts, generation, now);
                let presented = Presented {
                    client_id, client_proved: proved, ..shown(grant, generation)
                };
                let got = rotate(&world, presented, now).await;
                match expected {
                    Judgement::First | Judgement::Again => assert!(is_successor(&got), "{got:?}"),
                    Judgement::Reused => assert_eq!(got, Rotated::Reused),
                    Judgement::Refused(why) => assert_eq!(got, Rotated::Refused(why)),
                }
                if expected == Judgement::First {
                    facts.presented = generation;
                    facts.presented_at = Some(now);
                }
                facts.revoked |= expected == Judgement::Reused;
                let own = FamilyFacts { same_client: true, proved: true, ..facts };
                let (record, found) = world.store.family(grant).await.unwrap().unwrap();
                assert_eq!((record.id, found), (grant, own));
                now = Timestamp(now.0 + gap);
            }
        });
    }
}
