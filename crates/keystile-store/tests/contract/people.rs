use keystile_domain::ids::PersonId;
use keystile_domain::ports::{
    Clients, Grants, People, Revocations, Sessions, Standing, TokenFacts,
};
use keystile_domain::records::{
    Mismatch, PersonCreated, PreRegisteredClient, RefreshMismatch, Rotated, SessionRecord,
    SetupCode, Taken,
};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;

use super::world::*;

fn setup_code(text: &str, expires_at: Timestamp) -> SetupCode {
    SetupCode {
        digest: Digest::of(text),
        created_at: NOW,
        expires_at,
    }
}

#[tokio::test]
async fn the_first_person_needs_the_code_and_gets_it_once() {
    let world = empty().await;
    assert!(!world.store.has_anybody().await.unwrap());
    world
        .store
        .put_setup_code(setup_code("old", later(MINUTE)))
        .await
        .unwrap();
    world
        .store
        .put_setup_code(setup_code("new", later(MINUTE)))
        .await
        .unwrap();
    let alice = || world.person("Alice", world.alice);
    for wrong in ["old", "none"] {
        let outcome = world
            .store
            .create_first(alice(), Digest::of(wrong))
            .await
            .unwrap();
        assert_eq!(outcome, PersonCreated::WrongCode);
    }
    let code = Digest::of("new");
    let (one, two) = tokio::join!(
        world.store.create_first(alice(), code),
        world
            .store
            .create_first(world.person("Bob", PersonId::new(NOW, &world.rng)), code)
    );
    assert_eq!(
        (one.unwrap(), two.unwrap()),
        (PersonCreated::Created, PersonCreated::CodeSpent)
    );
    assert!(world.store.has_anybody().await.unwrap());
    world
        .store
        .put_setup_code(setup_code("another", later(MINUTE)))
        .await
        .unwrap();
    let late = world
        .store
        .create_first(alice(), Digest::of("another"))
        .await
        .unwrap();
    assert_eq!(late, PersonCreated::CodeSpent);
}

#[tokio::test]
async fn an_old_setup_code_is_wrong() {
    let world = empty().await;
    world
        .store
        .put_setup_code(setup_code("code", NOW))
        .await
        .unwrap();
    let outcome = world
        .store
        .create_first(world.person("Alice", world.alice), Digest::of("code"))
        .await;
    assert_eq!(outcome.unwrap(), PersonCreated::WrongCode);
}

#[tokio::test]
async fn a_name_is_taken_in_all_its_spellings() {
    let world = world().await;
    let twin = world.person(" ALICE ", PersonId::new(NOW, &world.rng));
    assert_eq!(
        world.store.create(twin).await.unwrap(),
        PersonCreated::NameTaken
    );
    let found = world.store.find_by_name("alice ").await.unwrap().unwrap();
    assert_eq!((found.id, found.name.as_str()), (world.alice, "Alice"));
    assert_eq!(
        People::lookup(&world.store, world.alice)
            .await
            .unwrap()
            .unwrap()
            .id,
        world.alice
    );
    assert_eq!(People::list(&world.store).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_lives_until_it_ends_or_expires() {
    let world = world().await;
    let digest = Digest::of("cookie");
    let session = SessionRecord {
        digest,
        person: world.alice,
        created_at: NOW,
        expires_at: later(DAY),
    };
    world.store.begin(session).await.unwrap();
    let (session, person) = world
        .store
        .find(digest, later(DAY - 1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (session.person, person.name.as_str()),
        (world.alice, "Alice")
    );
    assert!(
        world
            .store
            .find(digest, later(DAY))
            .await
            .unwrap()
            .is_none()
    );
    world.store.end(digest).await.unwrap();
    assert!(world.store.find(digest, NOW).await.unwrap().is_none());
}

#[tokio::test]
async fn a_client_id_is_registered_once() {
    let world = world().await;
    let redirects = vec!["http://127.0.0.1/cb".to_owned(), "cursor://x/cb".to_owned()];
    let client = PreRegisteredClient::public("editor", "Editor", redirects, true, NOW);
    assert!(world.store.add(client.clone(), None).await.unwrap());
    let other = PreRegisteredClient {
        name: "Other".to_owned(),
        ..client.clone()
    };
    assert!(!world.store.add(other, None).await.unwrap());
    assert_eq!(
        Clients::lookup(&world.store, "editor").await.unwrap(),
        Some(client.clone())
    );
    assert_eq!(Clients::lookup(&world.store, "Editor").await.unwrap(), None);
    assert_eq!(Clients::list(&world.store).await.unwrap(), [client]);
}

#[tokio::test]
async fn a_025_a_person_that_is_kept_out_loses_everything_for_good() {
    let world = world().await;
    let grant = world.granted("code").await;
    world.approved("unused").await;
    let digest = Digest::of("cookie");
    let session = SessionRecord {
        digest,
        person: world.alice,
        created_at: NOW,
        expires_at: later(DAY),
    };
    world.store.begin(session).await.unwrap();
    let feed = world.store.revocations();
    let alice = world.alice.to_string();
    let facts = TokenFacts {
        grant,
        person: &alice,
        client: CLIENT,
        issued_at: NOW,
    };
    let stream = feed.changed_since(feed.epoch());
    let ended = People::disable(&world.store, world.alice, later(5)).await;
    assert_eq!(ended.unwrap(), Some(2));
    assert_eq!(feed.standing(&facts), Standing::Revoked);
    stream.await;
    assert!(
        Sessions::find(&world.store, digest, NOW)
            .await
            .unwrap()
            .is_none()
    );
    assert!(People::enable(&world.store, world.alice).await.unwrap());
    assert!(!People::enable(&world.store, world.alice).await.unwrap());
    let world = world.reopened(later(10)).await;
    assert!(
        Sessions::find(&world.store, digest, NOW)
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        world.store.revocations().standing(&facts),
        Standing::Revoked
    );
    let rotated = world
        .store
        .rotate(shown(grant, 1), later(11))
        .await
        .unwrap();
    assert_eq!(rotated, Rotated::Refused(RefreshMismatch::Revoked));
    let taken = world.store.take(proof("unused"), later(12)).await.unwrap();
    assert_eq!(taken, Taken::NoMatch(Mismatch::Revoked));
    let nobody = keystile_domain::ids::PersonId::new(NOW, &world.rng);
    let ended = People::disable(&world.store, nobody, NOW).await;
    assert_eq!(ended.unwrap(), None);
}

#[tokio::test]
async fn a_removed_person_is_gone_for_good_and_the_name_is_free() {
    let world = world().await;
    let grant = world.granted("code").await;
    world.approved("unused").await;
    let digest = Digest::of("cookie");
    let session = SessionRecord {
        digest,
        person: world.alice,
        created_at: NOW,
        expires_at: later(DAY),
    };
    world.store.begin(session.clone()).await.unwrap();
    let hash = || "$argon2id$another".to_owned();
    let set = world.store.set_password(world.alice, hash()).await;
    assert!(set.unwrap());
    let find = async || Sessions::find(&world.store, digest, NOW).await.unwrap();
    assert!(find().await.is_none(), "another password");
    let alice = world.store.find_by_name("alice").await.unwrap().unwrap();
    assert_eq!(alice.password_hash, hash());
    world.store.begin(session).await.unwrap();
    let id = world.alice.to_string();
    let facts = TokenFacts {
        grant,
        person: &id,
        client: CLIENT,
        issued_at: NOW,
    };
    let ended = People::remove(&world.store, world.alice, later(5)).await;
    assert_eq!(ended.unwrap(), Some(2));
    assert_eq!(
        world.store.revocations().standing(&facts),
        Standing::Revoked
    );
    assert!(find().await.is_none());
    assert!(People::list(&world.store).await.unwrap().is_empty());
    for name in ["alice", &format!("Alice\t{id}")] {
        assert!(world.store.find_by_name(name).await.unwrap().is_none());
    }
    let next = keystile_domain::ids::PersonId::new(NOW, &world.rng);
    let made = world.store.create(world.person("Alice", next)).await;
    assert_eq!(made.unwrap(), PersonCreated::Created);
    let world = world.reopened(later(10)).await;
    let feed = world.store.revocations();
    assert_eq!(feed.standing(&facts), Standing::Revoked);
    let rotated = world.store.rotate(shown(grant, 1), later(11)).await;
    let refused = Rotated::Refused(RefreshMismatch::Revoked);
    assert_eq!(rotated.unwrap(), refused);
    let taken = world.store.take(proof("unused"), later(12)).await.unwrap();
    assert_eq!(taken, Taken::NoMatch(Mismatch::Revoked));
    let nobody = keystile_domain::ids::PersonId::new(later(1), &world.rng);
    let removed = People::remove(&world.store, nobody, NOW).await;
    assert_eq!(removed.unwrap(), None);
    assert!(!world.store.set_password(nobody, hash()).await.unwrap());
}
