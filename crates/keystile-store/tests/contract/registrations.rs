use keystile_domain::ids::InitialAccessTokenId;
use keystile_domain::ports::Registrations as _;
use keystile_domain::records::{
    MOST_INITIAL_ACCESS_TOKENS, MOST_REDIRECT_PLACES, NewInitialAccessToken, Spent,
};
use keystile_domain::secrets::digest::Digest;

use super::world::*;

fn token(world: &World, text: &str, uses: u32) -> NewInitialAccessToken {
    NewInitialAccessToken {
        id: InitialAccessTokenId::new(NOW, &world.rng),
        digest: Digest::of(text),
        note: Some("for the wiki".to_owned()),
        created_at: NOW,
        expires_at: later(MINUTE),
        uses,
    }
}

#[tokio::test]
async fn an_initial_access_token_is_spent_as_often_as_it_says_however_many_try_at_once() {
    let world = empty().await;
    let new = token(&world, "ksi_a", 2);
    let id = new.id;
    assert!(world.store.add_token(new).await.unwrap());
    let spend = || world.store.spend_token(Digest::of("ksi_a"), later(SECOND));
    let (a, b, c) = tokio::join!(spend(), spend(), spend());
    let won = [a, b, c].map(Result::unwrap);
    let now = won.iter().filter(|spent| **spent == Spent::Now(id));
    assert_eq!(now.count(), 2);
    let kept = world.store.tokens().await.unwrap();
    assert_eq!(spend().await.unwrap(), Spent::No(Some(kept[0].clone())));
    assert_eq!((kept[0].uses, kept[0].used), (2, 2));
    assert_eq!(kept[0].note.as_deref(), Some("for the wiki"));
}

#[tokio::test]
async fn an_initial_access_token_is_good_until_it_is_old_or_revoked() {
    let world = empty().await;
    let (old, gone) = (token(&world, "ksi_old", 1), token(&world, "ksi_gone", 1));
    let id = gone.id;
    assert!(world.store.add_token(old).await.unwrap());
    assert!(world.store.add_token(gone).await.unwrap());
    let spend = |text| world.store.spend_token(Digest::of(text), later(MINUTE));
    let of = |spent| match spent {
        Spent::No(Some(token)) => token,
        other => panic!("{other:?}"),
    };
    let expired = of(spend("ksi_old").await.unwrap());
    assert_eq!((expired.expires_at, expired.used), (later(MINUTE), 0));
    assert_eq!(spend("ksi_never").await.unwrap(), Spent::No(None));
    let revoke = || world.store.revoke_token(id, later(SECOND));
    assert_eq!(revoke().await.unwrap(), Some(true));
    assert_eq!(revoke().await.unwrap(), Some(false), "it was already");
    let spent = world
        .store
        .spend_token(Digest::of("ksi_gone"), later(SECOND));
    let revoked = of(spent.await.unwrap());
    assert_eq!((revoked.id, revoked.revoked_at), (id, Some(later(SECOND))));
    let nobody = InitialAccessTokenId::new(later(DAY), &world.rng);
    assert_eq!(world.store.revoke_token(nobody, NOW).await.unwrap(), None);
}

#[tokio::test]
async fn a_place_is_approved_of_until_it_is_removed() {
    let world = empty().await;
    let place = "https://app.example";
    assert!(!world.store.is_approved(place).await.unwrap());
    assert!(world.store.approve_place(place, NOW).await.unwrap());
    let again = world.store.approve_place(place, later(DAY)).await;
    assert!(again.unwrap());
    assert!(world.store.is_approved(place).await.unwrap());
    for other in [
        "https://badapp.example",
        "https://app.example.evil",
        "https://app.example:444",
        "http://app.example",
        "https://app.example.",
    ] {
        assert!(!world.store.is_approved(other).await.unwrap(), "{other}");
    }
    let places = world.store.places().await.unwrap();
    assert_eq!(places.len(), 1);
    assert_eq!(places[0].approved_at, NOW, "since the first time");
    assert!(world.store.remove_place(place).await.unwrap());
    assert!(!world.store.remove_place(place).await.unwrap());
    assert!(!world.store.is_approved(place).await.unwrap());
}

#[tokio::test]
async fn tokens_and_places_are_bounded() {
    let world = empty().await;
    for number in 0..MOST_INITIAL_ACCESS_TOKENS {
        let new = token(&world, &format!("ksi_{number}"), 1);
        assert!(world.store.add_token(new).await.unwrap());
    }
    let more = token(&world, "ksi_more", 1);
    assert!(!world.store.add_token(more).await.unwrap());
    for number in 0..MOST_REDIRECT_PLACES {
        let place = format!("https://app{number}.example");
        assert!(world.store.approve_place(&place, NOW).await.unwrap());
    }
    let more = world.store.approve_place("https://more.example", NOW);
    assert!(!more.await.unwrap());
    let known = world.store.approve_place("https://app1.example", NOW);
    assert!(known.await.unwrap(), "that one is there already");
}
