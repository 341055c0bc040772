use keystile_domain::ids::PersonId;
use keystile_domain::ports::{Clients, People, Sessions};
use keystile_domain::records::{PersonCreated, PreRegisteredClient, SessionRecord, SetupCode};
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
