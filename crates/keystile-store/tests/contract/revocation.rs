use keystile_domain::ids::GrantId;
use keystile_domain::ports::{Bindings, Grants, Revocations, ServiceGrants, Standing, TokenFacts};
use keystile_domain::records::{Bound, GrantFilter, ServiceRequest};

use super::world::*;

fn facts(grant: GrantId) -> TokenFacts<'static> {
    TokenFacts {
        grant,
        person: "somebody",
        client: CLIENT,
        issued_at: NOW,
    }
}

#[tokio::test]
async fn a_revoked_grant_is_dead_everywhere_when_revoke_returns() {
    let world = world().await;
    let grant = world.granted("code").await;
    let feed = world.store.revocations();
    assert_eq!(feed.standing(&facts(grant)), Standing::Good);
    let stream = feed.changed_since(feed.epoch());
    assert!(
        Grants::revoke(&world.store, grant, "by_person", NOW)
            .await
            .unwrap()
    );
    assert_eq!(feed.standing(&facts(grant)), Standing::Revoked);
    stream.await;
    let again = Grants::revoke(&world.store, grant, "by_person", later(1))
        .await
        .unwrap();
    assert!(!again, "it was dead already");
    let record = Grants::lookup(&world.store, grant).await.unwrap().unwrap();
    assert_eq!(
        (record.revoked_at, record.revoked_why.as_deref()),
        (Some(NOW), Some("by_person"))
    );
}

#[tokio::test]
async fn revoking_what_is_not_there_or_expired_says_so() {
    let world = world().await;
    let grant = world.granted("code").await;
    assert!(
        !Grants::revoke(&world.store, GrantId::new(NOW, &world.rng), "x", NOW)
            .await
            .unwrap()
    );
    assert!(
        !Grants::revoke(&world.store, grant, "x", later(30 * DAY))
            .await
            .unwrap()
    );
    assert_eq!(
        world.store.revocations().standing(&facts(grant)),
        Standing::Revoked
    );
}

#[tokio::test]
async fn a_restart_remembers_the_revocations_that_tokens_may_outlive() {
    let world = world().await;
    let (old, recent) = (world.granted("old").await, world.granted("recent").await);
    Grants::revoke(&world.store, old, "x", NOW).await.unwrap();
    Grants::revoke(&world.store, recent, "x", later(30 * MINUTE))
        .await
        .unwrap();
    let world = world.reopened(later(80 * MINUTE)).await;
    let feed = world.store.revocations();
    assert_eq!(feed.remembered(), 1);
    assert_eq!(feed.standing(&facts(recent)), Standing::Revoked);
}

#[tokio::test]
async fn a_closed_store_leaves_the_feed_without_knowledge() {
    let world = world().await;
    let grant = world.granted("code").await;
    let feed = world.store.revocations();
    world.store.close().await;
    assert_eq!(feed.standing(&facts(grant)), Standing::Unknown);
    assert!(Grants::revoke(&world.store, grant, "x", NOW).await.is_err());
}

#[tokio::test]
async fn a_name_stays_bound_until_it_is_rebound_and_then_its_grants_die() {
    let world = world().await;
    assert_eq!(
        world.store.bind("notes", "a", NOW).await.unwrap(),
        Bound::New
    );
    assert_eq!(
        world.store.bind("notes", "a", NOW).await.unwrap(),
        Bound::Same
    );
    let other = world.store.bind("notes", "b", NOW).await.unwrap();
    assert_eq!(other, Bound::Other("a".to_owned()));
    let mut at_another_port = world.approval("earlier");
    at_another_port.resource = "http://localhost:8000/notes/mcp".to_owned();
    let earlier = at_another_port.grant;
    world.store.approve(at_another_port).await.unwrap();
    let grants = [
        world.granted("one").await,
        world.granted("two").await,
        earlier,
    ];
    let mut elsewhere = world.approval("three");
    elsewhere.resource = "http://localhost:7717/other/mcp".to_owned();
    let untouched = elsewhere.grant;
    world.store.approve(elsewhere).await.unwrap();
    assert_eq!(
        world
            .store
            .rebind("notes", "b", "/notes/mcp", NOW)
            .await
            .unwrap(),
        3
    );
    assert_eq!(
        world.store.bind("notes", "b", NOW).await.unwrap(),
        Bound::Same
    );
    let feed = world.store.revocations();
    for grant in grants {
        assert_eq!(feed.standing(&facts(grant)), Standing::Revoked);
    }
    assert_eq!(feed.standing(&facts(untouched)), Standing::Good);
    assert_eq!(
        world
            .store
            .rebind("notes", "c", "/notes/mcp", NOW)
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn what_clients_hold_for_themselves_dies_with_a_rebound_name() {
    let world = world().await;
    world.store.bind("notes", "a", NOW).await.unwrap();
    let held = async |client: &str, resource: &str| {
        let request = ServiceRequest {
            grant: GrantId::new(NOW, &world.rng),
            client_id: client.to_owned(),
            client_name: "Job".to_owned(),
            resource: resource.to_owned(),
            scopes: "notes:call".parse().unwrap(),
        };
        let grant = world.store.issue(request, NOW).await;
        grant.unwrap().unwrap()
    };
    let own = held("job", RESOURCE).await;
    let untouched = held("job", "http://localhost:7717/other/mcp").await;
    let given = world.granted("one").await;
    let rebind = world.store.rebind("notes", "b", "/notes/mcp", later(1));
    assert_eq!(rebind.await.unwrap(), 2);
    let feed = world.store.revocations();
    for dead in [own, given] {
        assert_eq!(feed.standing(&facts(dead)), Standing::Revoked);
    }
    assert_eq!(feed.standing(&facts(untouched)), Standing::Good);
    let record = ServiceGrants::lookup(&world.store, own).await;
    let record = record.unwrap().unwrap();
    assert_eq!(
        (record.revoked_at, record.revoked_why.as_deref()),
        (Some(later(1)), Some("rebound"))
    );
    assert_ne!(held("job", RESOURCE).await, own, "the dead one stays dead");
}

#[tokio::test]
async fn the_list_shows_the_living_newest_first_and_the_dead_on_demand() {
    let world = world().await;
    let approved = async |code: &str, since: i64| {
        let mut approval = world.approval(code);
        approval.created_at = later(-since);
        let grant = approval.grant;
        world.store.approve(approval).await.unwrap();
        grant
    };
    let granted = async |code: &str, since: i64| {
        let grant = approved(code, since).await;
        world.store.take(proof(code), NOW).await.unwrap();
        grant
    };
    let (one, two) = (granted("one", 3).await, granted("two", 2).await);
    let waiting = approved("waiting", 1).await;
    let dead = granted("dead", 0).await;
    Grants::revoke(&world.store, dead, "x", NOW).await.unwrap();
    let ids = |filter| async {
        let records = Grants::list(&world.store, filter).await.unwrap();
        records
            .into_iter()
            .map(|record| record.id)
            .collect::<Vec<_>>()
    };
    let living = GrantFilter {
        now: Some(NOW),
        ..GrantFilter::default()
    };
    assert_eq!(ids(living.clone()).await, [two, one]);
    let all = GrantFilter {
        dead_too: true,
        ..GrantFilter::default()
    };
    assert_eq!(ids(all).await, [dead, waiting, two, one]);
    let of_alice = GrantFilter {
        person: Some(world.alice),
        ..living.clone()
    };
    assert_eq!(ids(of_alice).await, [two, one]);
    let of_other = GrantFilter {
        client_id: Some("other".to_owned()),
        ..living.clone()
    };
    assert_eq!(ids(of_other).await, []);
    let later = GrantFilter {
        now: Some(later(40 * DAY)),
        ..living
    };
    assert_eq!(ids(later).await, []);
}
