//! What the gateway needs to know before it may say yes, and can't find out. Not knowing is no (CHECKLIST R3).

use std::sync::atomic::Ordering;

use axum::body::Body;
use http::{Response, StatusCode};
use keystile_protocol::jwt::SigningKey;

use crate::support::{App, refusal};

/// One fault, and the status and the word that are for it.
type Fault = (&'static str, fn(&mut App), u16, &'static str);

fn faults() -> [Fault; 4] {
    let other_key =
        |app: &mut App| app.key = SigningKey::generate_es256().expect("works in a test");
    [
        ("the key of the token is not known", other_key, 401, ""),
        (
            "the clock stands before the token",
            |app| app.clock.0.store(0, Ordering::SeqCst),
            401,
            "",
        ),
        (
            "the revocation feed is stale",
            |app| app.revocations.stale.store(true, Ordering::SeqCst),
            503,
            "revocations_unknown",
        ),
        (
            "the audit trail can't be written",
            |app| app.audit.full.store(true, Ordering::SeqCst),
            503,
            "audit_unavailable",
        ),
    ]
}

/// All that a client can send.
fn requests(app: &App) -> Vec<http::Request<Body>> {
    let bare = |method: &str| {
        app.builder(method)
            .body(Body::empty())
            .expect("works in a test")
    };
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let notice = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    vec![
        app.call(),
        app.post(list),
        app.post(notice),
        bare("GET"),
        bare("DELETE"),
    ]
}

#[tokio::test]
async fn a_097_a_dependency_that_fails_is_a_denial_and_nothing_goes_on() {
    for (fault, happen, status, word) in faults() {
        let mut app = App::echo().await;
        happen(&mut app);
        for request in requests(&app) {
            let asked = format!("{fault}: {} {:?}", request.method(), request.body());
            let (got, _, said) = refusal(app.send(request).await).await;
            assert_eq!((got, &*said), (status, word), "{asked}");
        }
        assert_eq!(app.server.count(), 0, "{fault}");
        let trail = app.audit.events.lock();
        assert!(
            trail.iter().all(|event| event["outcome"] == "deny"),
            "{trail:?}"
        );
    }
}

#[tokio::test]
async fn a_feed_that_goes_stale_ends_what_is_under_way() {
    let app = App::new(|_| crate::support::event_stream().1).await;
    let answer = app
        .send(app.builder("GET").body(Body::empty()).unwrap())
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    app.revocations.stale.store(true, Ordering::SeqCst);
    let (status, rest) = crate::support::text(answer).await;
    assert_eq!((status, &*rest), (StatusCode::OK, ""));
}

#[tokio::test]
async fn a_098_what_is_not_known_for_now_is_a_503_that_says_when_to_ask_again() {
    for (fault, happen, status, _) in faults() {
        let mut app = App::echo().await;
        happen(&mut app);
        for request in requests(&app) {
            let answer: Response<Body> = app.send(request).await;
            assert_eq!(answer.status(), status, "{fault}");
            let again = answer.headers().get("retry-after");
            let seconds = again.and_then(|again| again.to_str().ok()?.parse::<u32>().ok());
            assert_eq!(
                seconds.is_some_and(|seconds| seconds > 0),
                status == 503,
                "{fault}"
            );
            // A client that is challenged throws a good token away.
            let challenged = answer.headers().contains_key("www-authenticate");
            assert_eq!(challenged, status == 401, "{fault}");
        }
        assert_eq!(app.server.count(), 0);
    }
}
