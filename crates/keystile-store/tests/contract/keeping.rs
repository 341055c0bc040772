use keystile_domain::ports::{Grants, Sessions};
use keystile_domain::records::{GrantFilter, Mismatch, SessionRecord, Taken};
use keystile_domain::secrets::digest::Digest;
use keystile_store::Pruned;

use super::world::*;

#[tokio::test]
async fn what_nothing_needs_any_more_is_forgotten() {
    let world = world().await;
    let live = world.granted("live").await;
    let revoked = world.granted("revoked").await;
    world.approved("never redeemed").await;
    world.store.revoke(revoked, "x", NOW).await.unwrap();
    let digest = Digest::of("cookie");
    let session = SessionRecord {
        digest,
        person: world.alice,
        created_at: NOW,
        expires_at: later(MINUTE),
    };
    world.store.begin(session).await.unwrap();

    let pruned = world.store.prune(later(MINUTE - 1)).await.unwrap();
    assert_eq!(
        pruned,
        Pruned {
            more: true,
            ..Pruned::default()
        },
        "all is still needed"
    );
    let pruned = world.store.prune(later(MINUTE - 1)).await.unwrap();
    assert_eq!(pruned, Pruned::default());

    let pruned = world.store.prune(later(2 * DAY)).await.unwrap();
    let counts = (pruned.codes, pruned.sessions, pruned.grants);
    assert_eq!(counts, (2, 1, 1), "a code went with its grant");
    let replay = world
        .store
        .take(proof("live"), later(2 * DAY))
        .await
        .unwrap();
    assert_eq!(replay, Taken::NoMatch(Mismatch::Unknown));
    assert!(world.store.lookup(live).await.unwrap().is_some());

    let mut total = 0;
    for _ in 0..3 {
        total += world.store.prune(later(121 * DAY)).await.unwrap().grants;
    }
    assert_eq!(total, 2, "revoked and expired for 90 days");
    let all = GrantFilter {
        dead_too: true,
        ..GrantFilter::default()
    };
    assert!(world.store.list(all).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_closed_store_comes_back_as_it_was() {
    let world = world().await;
    let grant = world.granted("code").await;
    world.store.rotate(shown(grant, 1), NOW).await.unwrap();
    let world = world.reopened(later(1)).await;
    let record = world.store.lookup(grant).await.unwrap().unwrap();
    assert_eq!(
        (record.person_name.as_str(), record.resource.as_str()),
        ("Alice", RESOURCE)
    );
    assert!(matches!(
        world.store.take(proof("code"), NOW).await.unwrap(),
        Taken::Again(_)
    ));
}
