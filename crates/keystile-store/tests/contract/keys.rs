use keystile_domain::ports::SigningKeys;
use keystile_domain::records::{SealedSigningKey, SigningKeyState};

use super::world::*;

fn key(kid: &str, state: SigningKeyState) -> SealedSigningKey {
    SealedSigningKey {
        kid: kid.to_owned(),
        sealed: kid.as_bytes().to_vec(),
        state,
        created_at: NOW,
        since: later(MINUTE),
    }
}

use SigningKeyState::{Current, Next, Retired};

#[tokio::test]
async fn a_082_of_two_who_rotate_at_once_one_wins() {
    let world = world().await;
    let store = &world.store;
    let first = |one: &str, two: &str| vec![key(one, Current), key(two, Next)];
    let (one, two) = tokio::join!(
        store.replace_signing_keys(Vec::new(), first("a", "b")),
        store.replace_signing_keys(Vec::new(), first("c", "d"))
    );
    assert!(one.unwrap() && !two.unwrap(), "the first keys of all");
    let seen = store.signing_keys().await.unwrap();
    assert_eq!(seen, first("a", "b"));
    let rotated = |new: &str| vec![key("a", Retired), key("b", Current), key(new, Next)];
    let (one, two) = tokio::join!(
        store.replace_signing_keys(seen.clone(), rotated("x")),
        store.replace_signing_keys(seen.clone(), rotated("y"))
    );
    assert!(one.unwrap() && !two.unwrap());
    assert_eq!(store.signing_keys().await.unwrap(), rotated("x"));
}

#[tokio::test]
async fn keys_that_were_sealed_anew_meanwhile_are_not_the_same() {
    let world = world().await;
    let store = &world.store;
    let seen = vec![key("a", Current), key("b", Next)];
    assert!(
        store
            .replace_signing_keys(Vec::new(), seen.clone())
            .await
            .unwrap()
    );
    let mut anew = seen.clone();
    anew[1].sealed = b"anew".to_vec();
    assert!(
        store
            .replace_signing_keys(seen.clone(), anew.clone())
            .await
            .unwrap()
    );
    assert!(!store.replace_signing_keys(seen, Vec::new()).await.unwrap());
    assert_eq!(store.signing_keys().await.unwrap(), anew);
}

#[tokio::test]
async fn there_is_never_a_second_current_or_next_key() {
    let world = world().await;
    let store = &world.store;
    let seen = vec![key("a", Current), key("b", Next)];
    assert!(
        store
            .replace_signing_keys(Vec::new(), seen.clone())
            .await
            .unwrap()
    );
    for wanted in [
        vec![key("c", Current), key("d", Current)],
        vec![key("c", Next), key("d", Next)],
        vec![key("c", Current), key("c", Next)],
    ] {
        assert!(
            store
                .replace_signing_keys(seen.clone(), wanted)
                .await
                .is_err()
        );
        assert_eq!(store.signing_keys().await.unwrap(), seen, "nothing changed");
    }
}
