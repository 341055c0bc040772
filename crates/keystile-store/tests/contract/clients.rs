//! Clients that an operator added or keeps out, and what they hold for themselves.

use keystile_domain::ids::GrantId;
use keystile_domain::ports::{Clients, Grants, Revocations, ServiceGrants, Standing, TokenFacts};
use keystile_domain::records::{
    AssertionUse, GrantType, MOST_ASSERTIONS, Mismatch, PreRegisteredClient, RefreshMismatch,
    Rotated, ServiceRequest, Taken,
};
use keystile_domain::secrets::digest::Digest;
use keystile_domain::time::Timestamp;
use keystile_protocol::client_metadata::TokenEndpointAuthMethod;

use super::world::*;

fn job() -> PreRegisteredClient {
    PreRegisteredClient {
        auth_method: TokenEndpointAuthMethod::PrivateKeyJwt,
        jwks: Some(serde_json::json!({"keys": [{"kty": "OKP"}]})),
        jwks_uri: Some("https://job.example/jwks".to_owned()),
        grant_types: [GrantType::ClientCredentials, GrantType::DeviceCode]
            .into_iter()
            .collect(),
        scopes: "notes:call".parse().unwrap(),
        introspects: Some(RESOURCE.to_owned()),
        pushes_only: true,
        ..PreRegisteredClient::public("job", "Job", Vec::new(), false, NOW)
    }
}

fn request(world: &World) -> ServiceRequest {
    ServiceRequest {
        grant: GrantId::new(NOW, &world.rng),
        client_id: "job".to_owned(),
        client_name: "Job".to_owned(),
        resource: RESOURCE.to_owned(),
        scopes: "notes:call".parse().unwrap(),
    }
}

#[tokio::test]
async fn a_client_comes_back_as_it_was_kept() {
    let world = world().await;
    assert!(world.store.add(job(), None).await.unwrap());
    let world = world.reopened(NOW).await;
    assert_eq!(
        Clients::lookup(&world.store, "job").await.unwrap(),
        Some(job())
    );
}

#[tokio::test]
async fn an_old_secret_stops_at_once_or_when_it_was_said() {
    let world = world().await;
    let works = async |secret: &str, at: Timestamp| {
        world.store.secrets("job", at).await.unwrap().has(secret)
    };
    let rotate = async |secret: &str, now, until| {
        let digest = Digest::of(secret);
        world
            .store
            .rotate_secret("job", digest, now, until)
            .await
            .unwrap()
    };
    assert!(!rotate("none", NOW, NOW).await, "no such client");
    let first = Some(Digest::of("first"));
    assert!(world.store.add(job(), first).await.unwrap());
    assert!(works("first", NOW).await);
    assert!(rotate("second", NOW, NOW).await);
    assert!(!works("first", NOW).await && works("second", NOW).await);
    assert!(rotate("third", later(1), later(MINUTE)).await);
    assert!(works("second", later(MINUTE - 1)).await && works("third", NOW).await);
    assert!(!works("second", later(MINUTE)).await);
    assert!(rotate("fourth", later(2), later(DAY)).await);
    assert!(!works("second", later(3)).await, "two at most");
    assert!(works("third", later(3)).await && works("fourth", later(3)).await);
}

#[tokio::test]
async fn a_025_a_client_that_is_kept_out_is_out_everywhere_when_disable_returns() {
    let world = world().await;
    let grant = world.granted("code").await;
    world.approved("unused").await;
    let feed = world.store.revocations();
    let facts = |issued_at| TokenFacts {
        grant,
        person: "somebody",
        client: CLIENT,
        issued_at,
    };
    assert_eq!(feed.standing(&facts(NOW)), Standing::Good);
    let stream = feed.changed_since(feed.epoch());
    assert!(
        Clients::disable(&world.store, CLIENT, later(5))
            .await
            .unwrap()
    );
    assert_eq!(feed.standing(&facts(NOW)), Standing::Revoked);
    stream.await;
    assert!(
        !Clients::disable(&world.store, CLIENT, later(6))
            .await
            .unwrap()
    );
    let since = world.store.disabled_since(CLIENT).await.unwrap();
    assert_eq!(since, Some(later(5)), "the first time counts");
    let taken = world.store.take(proof("unused"), later(7)).await.unwrap();
    assert_eq!(taken, Taken::NoMatch(Mismatch::Revoked));
    let refused = Rotated::Refused(RefreshMismatch::Revoked);
    let rotated = world.store.rotate(shown(grant, 1), later(8)).await.unwrap();
    assert_eq!(rotated, refused);
    let world = world.reopened(later(10)).await;
    let rotated = world
        .store
        .rotate(shown(grant, 1), later(11))
        .await
        .unwrap();
    assert_eq!(rotated, refused);
    assert_eq!(
        world.store.disabled().await.unwrap(),
        [(CLIENT.to_owned(), later(5))]
    );
    assert!(Clients::enable(&world.store, CLIENT).await.unwrap());
    assert!(!Clients::enable(&world.store, CLIENT).await.unwrap());
    let world = world.reopened(later(12)).await;
    assert_eq!(world.store.disabled_since(CLIENT).await.unwrap(), None);
    let feed = world.store.revocations();
    assert_eq!(feed.standing(&facts(NOW)), Standing::Revoked, "of before");
    assert_eq!(feed.standing(&facts(later(20))), Standing::Good);
    let rotated = world
        .store
        .rotate(shown(grant, 1), later(13))
        .await
        .unwrap();
    assert!(matches!(rotated, Rotated::Successor(_)), "{rotated:?}");
}

#[tokio::test]
async fn a_client_is_changed_as_it_was_read_or_not_at_all() {
    let world = world().await;
    assert!(world.store.add(job(), None).await.unwrap());
    let held = world.store.issue(request(&world), NOW).await.unwrap();
    let facts = TokenFacts {
        grant: held.expect("one"),
        person: "client:job",
        client: "job",
        issued_at: NOW,
    };
    let renamed = PreRegisteredClient {
        name: "Night job".to_owned(),
        ..job()
    };
    let replace = |was: &PreRegisteredClient, becomes: &PreRegisteredClient, now| {
        world.store.replace(was.clone(), becomes.clone(), None, now)
    };
    assert!(replace(&job(), &renamed, later(1)).await.unwrap());
    let feed = world.store.revocations();
    assert_eq!(feed.standing(&facts), Standing::Good);
    let wider = PreRegisteredClient {
        scopes: "other:call".parse().unwrap(),
        jwks: None,
        ..renamed.clone()
    };
    assert!(!replace(&job(), &wider, later(2)).await.unwrap(), "stale");
    assert_eq!(feed.standing(&facts), Standing::Good);
    assert!(replace(&renamed, &wider, later(3)).await.unwrap());
    assert_eq!(feed.standing(&facts), Standing::Revoked);
    let world = world.reopened(later(4)).await;
    let kept = Clients::lookup(&world.store, "job").await.unwrap();
    assert_eq!(kept, Some(wider));
}

#[tokio::test]
async fn a_client_has_a_secret_as_long_as_it_authenticates_with_one() {
    let world = world().await;
    let as_it = |auth_method| PreRegisteredClient {
        auth_method,
        pushes_only: auth_method == TokenEndpointAuthMethod::None,
        introspects: (auth_method != TokenEndpointAuthMethod::None).then(|| RESOURCE.to_owned()),
        ..PreRegisteredClient::public(CLIENT, "Desk", Vec::new(), false, NOW)
    };
    let steps = [
        (
            TokenEndpointAuthMethod::ClientSecretBasic,
            Some("first"),
            "first",
        ),
        (TokenEndpointAuthMethod::ClientSecretPost, None, "first"),
        (
            TokenEndpointAuthMethod::ClientSecretBasic,
            Some("second"),
            "second",
        ),
        (TokenEndpointAuthMethod::PrivateKeyJwt, None, ""),
        (
            TokenEndpointAuthMethod::ClientSecretPost,
            Some("third"),
            "third",
        ),
        (TokenEndpointAuthMethod::None, None, ""),
    ];
    let mut was = as_it(TokenEndpointAuthMethod::None);
    assert!(world.store.add(was.clone(), None).await.unwrap());
    for (method, secret, works) in steps {
        let (becomes, secret) = (as_it(method), secret.map(Digest::of));
        let replaced = world.store.replace(was, becomes.clone(), secret, NOW).await;
        assert!(replaced.unwrap(), "{method:?}");
        let kept = Clients::lookup(&world.store, CLIENT).await.unwrap();
        assert_eq!(kept.as_ref(), Some(&becomes));
        let secrets = world.store.secrets(CLIENT, NOW).await.unwrap();
        for secret in ["first", "second", "third"] {
            assert_eq!(secrets.has(secret), secret == works, "{method:?} {secret}");
        }
        was = becomes;
    }
}

#[tokio::test]
async fn a_removed_client_is_gone_for_good_and_its_id_begins_anew() {
    let world = world().await;
    let public = || PreRegisteredClient::public(CLIENT, "Desk", Vec::new(), false, NOW);
    let secret = Some(Digest::of("secret"));
    assert!(world.store.add(public(), secret).await.unwrap());
    let grant = world.granted("code").await;
    world.approved("unused").await;
    let facts = TokenFacts {
        grant,
        person: "somebody",
        client: CLIENT,
        issued_at: NOW,
    };
    let remove = async |now| Clients::remove(&world.store, CLIENT, now).await.unwrap();
    let feed = world.store.revocations();
    let stream = feed.changed_since(feed.epoch());
    assert_eq!(remove(later(5)).await, Some(2));
    assert_eq!(feed.standing(&facts), Standing::Revoked);
    stream.await;
    assert_eq!(remove(later(6)).await, None);
    assert_eq!(Clients::lookup(&world.store, CLIENT).await.unwrap(), None);
    world.approved("meanwhile").await;
    assert!(world.store.add(public(), None).await.unwrap());
    let secrets = world.store.secrets(CLIENT, later(7)).await.unwrap();
    assert!(!secrets.has("secret"));
    for code in ["unused", "meanwhile"] {
        let taken = world.store.take(proof(code), later(7)).await.unwrap();
        assert_eq!(taken, Taken::NoMatch(Mismatch::Revoked), "{code}");
    }
    let world = world.reopened(later(8)).await;
    let feed = world.store.revocations();
    assert_eq!(feed.standing(&facts), Standing::Revoked);
    let rotated = world.store.rotate(shown(grant, 1), later(9)).await.unwrap();
    assert_eq!(rotated, Rotated::Refused(RefreshMismatch::Revoked));
    assert_eq!(world.store.disabled().await.unwrap(), []);
    world.approved("after").await;
    let taken = world.store.take(proof("after"), later(10)).await.unwrap();
    assert!(matches!(taken, Taken::First(_)), "{taken:?}");
}

#[tokio::test]
async fn a_086_of_many_who_show_one_assertion_at_once_one_wins() {
    let world = world().await;
    let jti = Digest::of("jti");
    let take = || world.store.take_assertion("job", jti, NOW, later(MINUTE));
    let all = futures_util::future::join_all((0..50).map(|_| take())).await;
    let first = all
        .into_iter()
        .filter(|used| matches!(used, Ok(AssertionUse::First)));
    assert_eq!(first.count(), 1);
    let other = world.store.take_assertion("other", jti, NOW, later(MINUTE));
    assert_eq!(other.await.unwrap(), AssertionUse::First, "its own");
    let world = world.reopened(later(1)).await;
    let again = world
        .store
        .take_assertion("job", jti, later(1), later(MINUTE));
    assert_eq!(again.await.unwrap(), AssertionUse::Again);
    let over = later(MINUTE);
    let late = world
        .store
        .take_assertion("job", jti, over, later(2 * MINUTE));
    assert_eq!(
        late.await.unwrap(),
        AssertionUse::First,
        "it had ended by itself"
    );
}

#[tokio::test]
async fn a_client_shows_no_more_assertions_than_are_remembered() {
    let world = world().await;
    let take = |n: u32, now| {
        let jti = Digest::of(&n.to_string());
        world.store.take_assertion("job", jti, now, later(MINUTE))
    };
    let all = futures_util::future::join_all((0..MOST_ASSERTIONS).map(|n| take(n, NOW))).await;
    let first = all
        .into_iter()
        .filter(|used| matches!(used, Ok(AssertionUse::First)));
    assert_eq!(first.count(), MOST_ASSERTIONS as usize);
    let one_more = take(MOST_ASSERTIONS, NOW).await.unwrap();
    assert_eq!(one_more, AssertionUse::TooMany);
    let when_they_end = take(MOST_ASSERTIONS, later(MINUTE)).await.unwrap();
    assert_eq!(when_they_end, AssertionUse::First);
}

#[tokio::test]
async fn what_a_client_holds_for_itself_can_be_seen_and_ended() {
    let world = world().await;
    let issue = async |now| world.store.issue(request(&world), now).await.unwrap();
    let grant = issue(NOW).await.unwrap();
    assert_eq!(issue(later(5)).await, Some(grant), "one for each resource");
    let kept = ServiceGrants::lookup(&world.store, grant)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((kept.created_at, kept.last_used_at), (NOW, Some(later(5))));
    let feed = world.store.revocations();
    let facts = TokenFacts {
        grant,
        person: "client:job",
        client: "job",
        issued_at: NOW,
    };
    assert_eq!(feed.standing(&facts), Standing::Good);
    let revoke = async |now| ServiceGrants::revoke(&world.store, grant, "by_operator", now).await;
    assert!(revoke(later(6)).await.unwrap());
    assert!(!revoke(later(7)).await.unwrap());
    assert_eq!(feed.standing(&facts), Standing::Revoked);
    let next = issue(later(8)).await.unwrap();
    assert_ne!(next, grant);
    let list = async |dead_too| {
        let all = ServiceGrants::list(&world.store, Some("job"), dead_too).await;
        all.unwrap().len()
    };
    assert_eq!((list(false).await, list(true).await), (1, 2));
    assert!(
        Clients::disable(&world.store, "job", later(9))
            .await
            .unwrap()
    );
    assert_eq!(issue(later(10)).await, None);
    let world = world.reopened(later(11)).await;
    assert_eq!(
        world.store.revocations().standing(&facts),
        Standing::Revoked
    );
    let pruned = world.store.prune(later(91 * DAY)).await.unwrap();
    assert!(pruned.grants >= 1, "{pruned:?}");
}
