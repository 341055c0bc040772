use keystile_domain::client::{ClientKind, ClientSnapshot, Trust};
use keystile_domain::ids::{DeviceRequestId, GrantId};
use keystile_domain::ports::{Clients, DeviceRequests, Grants, People};
use keystile_domain::records::{
    DeviceAnswered, DeviceApproval, DeviceBegun, DeviceMismatch, DeviceOutcome, DevicePoll,
    DeviceRequest, MOST_DEVICE_REQUESTS, NewDeviceRequest,
};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::secrets::reference::Reference;
use keystile_domain::time::Timestamp;

use super::world::*;

fn request(world: &World, code: &str) -> NewDeviceRequest {
    let id = DeviceRequestId::new(NOW, &world.rng);
    NewDeviceRequest {
        id,
        device_code: Digest::of(&format!("device {code}")),
        user_code: Digest::of(code),
        asked: DeviceRequest {
            id,
            reference: Reference::new(&world.rng),
            client: ClientSnapshot {
                client_id: CLIENT.to_owned(),
                kind: ClientKind::Document,
                name: Some("Editor".to_owned()),
                is_loopback_only: false,
                trust: Trust::Operator,
                proves: false,
                once: false,
            },
            server: "notes".to_owned(),
            resource: RESOURCE.to_owned(),
            scopes: "notes:call offline_access".parse().unwrap(),
            created_at: NOW,
            expires_at: later(10 * MINUTE),
        },
    }
}

/// A request that waits.
async fn waiting(world: &World, code: &str) -> DeviceRequestId {
    let new = request(world, code);
    let id = new.id;
    assert_eq!(
        world.store.begin(new, NOW).await.unwrap(),
        DeviceBegun::Kept
    );
    id
}

fn yes(world: &World, request: DeviceRequestId) -> DeviceApproval {
    DeviceApproval {
        request,
        grant: GrantId::new(NOW, &world.rng),
        person: world.alice,
        client_name: "Editor".to_owned(),
        scopes: "notes:call".parse().unwrap(),
        created_at: later(SECOND),
        grant_expires_at: later(30 * DAY),
    }
}

async fn poll(world: &World, code: &str, client: &str, at: i64) -> DeviceOutcome {
    let shown = shown(code, client);
    world.store.poll(shown, later(at)).await.unwrap()
}

fn shown(code: &str, client: &str) -> DevicePoll {
    DevicePoll {
        code: Digest::of(&format!("device {code}")),
        client_id: client.to_owned(),
        client_proved: false,
        resource: None,
    }
}

#[tokio::test]
async fn a_request_of_a_device_is_read_back_as_it_was_until_it_is_answered() {
    let world = world().await;
    let new = request(&world, "a");
    let asked = new.asked.clone();
    assert_eq!(
        world.store.begin(new, NOW).await.unwrap(),
        DeviceBegun::Kept
    );
    let found = world.store.find(Digest::of("a"), later(MINUTE)).await;
    assert_eq!(found.unwrap().as_ref(), Some(&asked));
    let late = world.store.find(Digest::of("a"), later(10 * MINUTE)).await;
    assert_eq!(late.unwrap(), None);
    let taken = world.store.begin(request(&world, "a"), NOW).await;
    assert_eq!(taken.unwrap(), DeviceBegun::CodeTaken);
    let world = world.reopened(NOW).await;
    let yes = yes(&world, asked.id);
    assert_eq!(
        DeviceRequests::approve(&world.store, yes.clone())
            .await
            .unwrap(),
        DeviceAnswered::First
    );
    let again = DeviceApproval {
        grant: GrantId::new(NOW, &world.rng),
        ..yes
    };
    assert_eq!(
        DeviceRequests::approve(&world.store, again).await.unwrap(),
        DeviceAnswered::TooLate
    );
    assert!(!world.store.deny(asked.id, later(SECOND)).await.unwrap());
    let found = DeviceRequests::lookup(&world.store, asked.id, NOW).await;
    assert_eq!(found.unwrap(), None);
}

#[tokio::test]
async fn rfc_8628_one_poll_wins_in_the_store() {
    let world = world().await;
    let id = waiting(&world, "a").await;
    let yes = yes(&world, id);
    let grant = yes.grant;
    assert_eq!(
        DeviceRequests::approve(&world.store, yes).await.unwrap(),
        DeviceAnswered::First
    );
    let ask = || poll(&world, "a", CLIENT, MINUTE);
    let all: [DeviceOutcome; 3] = tokio::join!(ask(), ask(), ask()).into();
    let won = all
        .iter()
        .filter(|it| matches!(it, DeviceOutcome::First(taken) if taken.grant == grant));
    assert_eq!(won.count(), 1);
    assert_eq!(ask().await, DeviceOutcome::No(DeviceMismatch::Used));
    let record = Grants::lookup(&world.store, grant).await.unwrap().unwrap();
    assert_eq!(record.scopes.to_string(), "notes:call");
    assert_eq!(record.last_used_at, Some(later(MINUTE)));
    assert_eq!(record.revoked_at, None);
}

#[tokio::test]
async fn rfc_8628_a_wrong_presenter_spends_nothing_in_the_store() {
    let world = world().await;
    let id = waiting(&world, "a").await;
    let thief = poll(&world, "a", "thief", SECOND).await;
    assert_eq!(thief, DeviceOutcome::No(DeviceMismatch::Client));
    assert_eq!(
        poll(&world, "a", CLIENT, SECOND).await,
        DeviceOutcome::Pending,
        "not slowed down"
    );
    let yes = yes(&world, id);
    assert_eq!(
        DeviceRequests::approve(&world.store, yes).await.unwrap(),
        DeviceAnswered::First
    );
    let thief = poll(&world, "a", "thief", MINUTE).await;
    assert_eq!(thief, DeviceOutcome::No(DeviceMismatch::Client));
    let other = DevicePoll {
        resource: Some("http://localhost:7717/git/mcp".to_owned()),
        ..shown("a", CLIENT)
    };
    let other = world.store.poll(other, later(MINUTE)).await.unwrap();
    assert_eq!(other, DeviceOutcome::No(DeviceMismatch::Resource));
    let unknown = poll(&world, "b", CLIENT, MINUTE).await;
    assert_eq!(unknown, DeviceOutcome::No(DeviceMismatch::Unknown));
    assert!(matches!(
        poll(&world, "a", CLIENT, MINUTE).await,
        DeviceOutcome::First(_)
    ));
}

#[tokio::test]
async fn n_as_32_a_device_whose_client_proves_who_it_is_takes_proof() {
    let world = world().await;
    let mut new = request(&world, "a");
    new.asked.client.proves = true;
    let id = new.id;
    world.store.begin(new, NOW).await.unwrap();
    let proved = async |at| {
        let shown = DevicePoll {
            client_proved: true,
            ..shown("a", CLIENT)
        };
        world.store.poll(shown, later(at)).await.unwrap()
    };
    let no = DeviceOutcome::No(DeviceMismatch::ClientProof);
    assert_eq!(poll(&world, "a", CLIENT, SECOND).await, no);
    assert_eq!(
        proved(SECOND).await,
        DeviceOutcome::Pending,
        "not slowed down"
    );
    let yes = yes(&world, id);
    let grant = yes.grant;
    DeviceRequests::approve(&world.store, yes).await.unwrap();
    assert_eq!(poll(&world, "a", CLIENT, MINUTE).await, no);
    assert!(matches!(proved(MINUTE).await, DeviceOutcome::First(_)));
    let record = Grants::lookup(&world.store, grant).await.unwrap().unwrap();
    assert!(record.client_proves, "its refresh tokens take proof too");
}

#[tokio::test]
async fn rfc_8628_the_store_keeps_when_a_device_polled() {
    let world = world().await;
    waiting(&world, "a").await;
    for (at, expected) in [
        (0, DeviceOutcome::Pending),
        (4, DeviceOutcome::Pending),
        (7, DeviceOutcome::TooSoon),
        (12, DeviceOutcome::TooSoon),
        (26, DeviceOutcome::Pending),
        (26, DeviceOutcome::TooSoon),
    ] {
        assert_eq!(
            poll(&world, "a", CLIENT, at * SECOND).await,
            expected,
            "{at}"
        );
    }
    let ask = || poll(&world, "a", CLIENT, 5 * MINUTE);
    let (a, b) = tokio::join!(ask(), ask());
    assert!([&a, &b].contains(&&DeviceOutcome::TooSoon), "{a:?} {b:?}");
}

#[tokio::test]
async fn a_device_hears_how_it_ended_and_gets_nothing_then() {
    let world = world().await;
    let denied = waiting(&world, "denied").await;
    assert!(world.store.deny(denied, later(SECOND)).await.unwrap());
    let no = |why| DeviceOutcome::No(why);
    assert_eq!(
        poll(&world, "denied", CLIENT, MINUTE).await,
        no(DeviceMismatch::Denied)
    );
    waiting(&world, "late").await;
    assert_eq!(
        poll(&world, "late", CLIENT, 10 * MINUTE).await,
        no(DeviceMismatch::Expired)
    );
    let revoked = waiting(&world, "revoked").await;
    let approval = yes(&world, revoked);
    let grant = approval.grant;
    DeviceRequests::approve(&world.store, approval)
        .await
        .unwrap();
    Grants::revoke(&world.store, grant, "test", later(MINUTE))
        .await
        .unwrap();
    assert_eq!(
        poll(&world, "revoked", CLIENT, MINUTE).await,
        no(DeviceMismatch::Revoked)
    );
    let kept_out = waiting(&world, "kept out").await;
    Clients::disable(&world.store, CLIENT, later(SECOND))
        .await
        .unwrap();
    let too_late = DeviceRequests::approve(&world.store, yes(&world, kept_out))
        .await
        .unwrap();
    assert_eq!(too_late, DeviceAnswered::TooLate);
    Clients::enable(&world.store, CLIENT).await.unwrap();
    People::disable(&world.store, world.alice, later(SECOND))
        .await
        .unwrap();
    let gone = DeviceRequests::approve(&world.store, yes(&world, kept_out))
        .await
        .unwrap();
    assert_eq!(gone, DeviceAnswered::PersonGone);
}

#[tokio::test]
async fn requests_that_ended_long_ago_are_forgotten() {
    let world = world().await;
    waiting(&world, "old").await;
    world.store.prune(later(19 * MINUTE)).await.unwrap();
    let old = poll(&world, "old", CLIENT, 19 * MINUTE).await;
    assert_eq!(
        old,
        DeviceOutcome::No(DeviceMismatch::Expired),
        "the device still hears it"
    );
    world.store.prune(later(20 * MINUTE)).await.unwrap();
    let old = poll(&world, "old", CLIENT, 20 * MINUTE).await;
    assert_eq!(old, DeviceOutcome::No(DeviceMismatch::Unknown));
    waiting(&world, "older").await;
    let new = NewDeviceRequest {
        ..request(&world, "new")
    };
    world.store.begin(new, later(20 * MINUTE)).await.unwrap();
    let older = poll(&world, "older", CLIENT, 20 * MINUTE).await;
    assert_eq!(
        older,
        DeviceOutcome::No(DeviceMismatch::Unknown),
        "each new one makes room"
    );
}

#[tokio::test]
async fn no_more_requests_wait_than_are_kept_and_ended_ones_make_room() {
    let world = world().await;
    let begin = |number: u32, now: Timestamp| {
        let mut new = request(&world, &number.to_string());
        new.asked.expires_at = Timestamp(now.0 + 10 * MINUTE);
        world.store.begin(new, now)
    };
    let all = (0..MOST_DEVICE_REQUESTS).map(|number| begin(number, NOW));
    let kept = futures_util::future::join_all(all).await;
    assert!(
        kept.iter()
            .all(|begun| matches!(begun, Ok(DeviceBegun::Kept)))
    );
    let one_more = begin(MOST_DEVICE_REQUESTS, later(MINUTE)).await.unwrap();
    assert_eq!(one_more, DeviceBegun::TooMany);
    let when_they_end = begin(MOST_DEVICE_REQUESTS, later(20 * MINUTE))
        .await
        .unwrap();
    assert_eq!(when_they_end, DeviceBegun::Kept);
}
