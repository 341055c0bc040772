use futures_util::future::join_all;
use keystile_domain::ids::PersonId;
use keystile_domain::ports::Grants;
use keystile_domain::records::{Approved, CodeProof, GrantFilter, Mismatch, Taken};
use keystile_domain::secrets::code::AuthorizationCode;
use keystile_protocol::pkce::CodeChallenge;

use super::world::*;

#[tokio::test]
async fn a_code_gives_what_was_approved() {
    let world = world().await;
    let grant = world.approved("code").await;
    let Taken::First(taken) = world.store.take(proof("code"), NOW).await.unwrap() else {
        panic!("the first presentation wins");
    };
    assert_eq!((taken.grant, taken.person), (grant, world.alice));
    assert_eq!(taken.resource, RESOURCE);
    assert_eq!(taken.scopes.to_string(), "notes:call offline_access");
}

#[tokio::test(flavor = "multi_thread")]
async fn n_as_21_a_hundred_parallel_redemptions_have_one_winner() {
    let world = world().await;
    for round in 0..10 {
        let code = format!("code {round}");
        let grant = world.approved(&code).await;
        let all = join_all((0..100).map(|_| world.store.take(proof(&code), NOW))).await;
        let all: Vec<Taken> = all.into_iter().map(Result::unwrap).collect();
        let first = all
            .iter()
            .filter(|taken| matches!(taken, Taken::First(_)))
            .count();
        let again = all
            .iter()
            .filter(|taken| **taken == Taken::Again(grant))
            .count();
        assert_eq!((first, again), (1, 99));
    }
}

/// Everything but one member is right.
fn wrong_proofs(code: &str) -> Vec<(Mismatch, CodeProof)> {
    let right = proof(code);
    let other = |text: &str| Some(text.to_owned());
    vec![
        (
            Mismatch::Unknown,
            CodeProof {
                code: proof("no such code").code,
                ..right.clone()
            },
        ),
        (
            Mismatch::Unknown,
            CodeProof {
                code: AuthorizationCode {
                    digest: proof("no such code").code.digest,
                    ..right.code
                },
                ..right.clone()
            },
        ),
        (
            Mismatch::Unknown,
            CodeProof {
                code: AuthorizationCode {
                    grant: proof("no such code").code.grant,
                    ..right.code
                },
                ..right.clone()
            },
        ),
        (
            Mismatch::Client,
            CodeProof {
                client_id: "another".to_owned(),
                ..right.clone()
            },
        ),
        (
            Mismatch::Client,
            CodeProof {
                client_id: CLIENT.to_uppercase(),
                ..right.clone()
            },
        ),
        (
            Mismatch::RedirectUri,
            CodeProof {
                redirect_uri: other("http://127.0.0.1:40002/callback"),
                ..right.clone()
            },
        ),
        (
            Mismatch::Challenge,
            CodeProof {
                challenge: CodeChallenge::from_bytes([8; 32]),
                ..right.clone()
            },
        ),
        (
            Mismatch::Resource,
            CodeProof {
                resource: other("http://localhost:7717/other/mcp"),
                ..right
            },
        ),
    ]
}

#[tokio::test]
async fn a_017_a_wrong_presenter_spends_nothing() {
    let world = world().await;
    let grant = world.approved("code").await;
    for (expected, wrong) in wrong_proofs("code") {
        let taken = world.store.take(wrong, NOW).await.unwrap();
        assert_eq!(taken, Taken::NoMatch(expected));
    }
    let taken = world.store.take(proof("code"), NOW).await.unwrap();
    assert!(matches!(taken, Taken::First(taken) if taken.grant == grant));
}

#[tokio::test]
async fn n_as_32_a_code_of_a_client_that_proves_who_it_is_takes_proof() {
    let world = world().await;
    let grant = world.approved_for_one_that_proves("code").await;
    let (bare, proved) = (
        proof("code"),
        CodeProof {
            client_proved: true,
            ..proof("code")
        },
    );
    let unproven = || world.store.take(bare.clone(), NOW);
    let no = Taken::NoMatch(Mismatch::ClientProof);
    assert_eq!(unproven().await.unwrap(), no);
    let taken = world.store.take(proved, NOW).await.unwrap();
    assert!(matches!(taken, Taken::First(taken) if taken.grant == grant));
    let again = Taken::AgainWrongly(Mismatch::ClientProof, grant);
    assert_eq!(unproven().await.unwrap(), again, "no reason to revoke");
}

#[tokio::test]
async fn a_015_a_code_without_the_right_challenge_is_never_redeemed() {
    let world = world().await;
    world.approved("code").await;
    for byte in [0, 6, 8, 255] {
        let wrong = CodeProof {
            challenge: CodeChallenge::from_bytes([byte; 32]),
            ..proof("code")
        };
        let taken = world.store.take(wrong, NOW).await.unwrap();
        assert_eq!(taken, Taken::NoMatch(Mismatch::Challenge));
    }
}

#[tokio::test]
async fn a_019_a_bogus_replay_is_no_reason_to_revoke() {
    let world = world().await;
    let grant = world.granted("code").await;
    for (expected, wrong) in wrong_proofs("code") {
        let taken = world.store.take(wrong, NOW).await.unwrap();
        // Of a code that nobody has, nobody knows that it was used.
        let known = match expected {
            Mismatch::Unknown => Taken::NoMatch(expected),
            _ => Taken::AgainWrongly(expected, grant),
        };
        assert_eq!(taken, known);
    }
    let kept = world
        .store
        .lookup(grant)
        .await
        .unwrap()
        .expect("it is kept");
    assert_eq!(kept.revoked_at, None);
    assert_eq!(
        world.store.take(proof("code"), later(DAY)).await.unwrap(),
        Taken::Again(grant)
    );
}

#[tokio::test]
async fn an_old_code_is_expired_and_stays_unspent() {
    let world = world().await;
    world.approved("code").await;
    let taken = world
        .store
        .take(proof("code"), later(MINUTE))
        .await
        .unwrap();
    assert_eq!(taken, Taken::NoMatch(Mismatch::Expired));
    let taken = world
        .store
        .take(proof("code"), later(MINUTE - 1))
        .await
        .unwrap();
    assert!(matches!(taken, Taken::First(_)));
}

#[tokio::test]
async fn a_request_may_leave_redirect_and_resource_out() {
    let world = world().await;
    world.approved("code").await;
    let bare = CodeProof {
        redirect_uri: None,
        resource: None,
        ..proof("code")
    };
    assert!(matches!(
        world.store.take(bare, NOW).await.unwrap(),
        Taken::First(_)
    ));
}

#[tokio::test]
async fn the_code_of_a_revoked_grant_gives_nothing() {
    let world = world().await;
    let grant = world.approved("code").await;
    assert!(world.store.revoke(grant, "by_person", NOW).await.unwrap());
    let taken = world.store.take(proof("code"), NOW).await.unwrap();
    assert_eq!(taken, Taken::NoMatch(Mismatch::Revoked));
}

#[tokio::test]
async fn a_transaction_is_answered_once() {
    let world = world().await;
    let first = world.approval("one");
    let mut second = world.approval("two");
    second.transaction = first.transaction;
    let (one, two) = tokio::join!(world.store.approve(first), world.store.approve(second));
    let mut outcomes = [one.unwrap(), two.unwrap()];
    outcomes.sort_by_key(|outcome| *outcome != Approved::First);
    assert_eq!(outcomes, [Approved::First, Approved::AlreadyAnswered]);
    let taken = world.store.take(proof("two"), NOW).await.unwrap();
    assert_eq!(
        taken,
        Taken::NoMatch(Mismatch::Unknown),
        "the loser leaves no code behind"
    );
}

#[tokio::test]
async fn nobody_approves_for_a_person_who_is_gone() {
    let world = world().await;
    let mut approval = world.approval("code");
    approval.person = PersonId::new(NOW, &world.rng);
    assert_eq!(
        world.store.approve(approval).await.unwrap(),
        Approved::PersonGone
    );
}

#[tokio::test]
async fn an_approval_that_fails_leaves_its_neighbours_alone() {
    let world = world().await;
    // Each grant's id twice: the second can't be made.
    let names: Vec<String> = (0..20).map(|n| format!("code {}", n / 2)).collect();
    let twins: Vec<_> = names.iter().map(|name| world.approval(name)).collect();
    let outcomes = join_all(twins.into_iter().map(|twin| world.store.approve(twin))).await;
    for pair in outcomes.chunks(2) {
        assert!(matches!(pair, [Ok(Approved::First), Err(_)]), "{pair:?}");
    }
    let all = GrantFilter {
        dead_too: true,
        ..GrantFilter::default()
    };
    assert_eq!(world.store.list(all).await.unwrap().len(), 10);
}

#[tokio::test]
async fn a_request_that_went_away_commits_all_the_same() {
    let world = world().await;
    let approval = world.approval("code");
    let grant = approval.grant;
    let mut request = Box::pin(world.store.approve(approval));
    // Polled once: the job is in the queue. Then the caller hangs up.
    assert!(futures_util::poll!(&mut request).is_pending());
    drop(request);
    // The next answer of the same writer comes after it.
    world.approved("another").await;
    assert!(world.store.lookup(grant).await.unwrap().is_some());
}
