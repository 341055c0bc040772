//! What the operator is told of a refusal, and nobody else.

use axum::body::Body;
use http::Response;
use keystile_domain::decide::diagnose::Diagnosis;
use keystile_domain::flow::Attempt;
use keystile_domain::ports::Clock as _;
use tokio::net::TcpListener;

use crate::support::{App, GRANT, PERSON, challenge, text};
use crate::upstream::in_front_of;

/// The one attempt that failed, and why.
fn kept(app: &App) -> (Attempt, Diagnosis) {
    let [attempt] = &app.flows.failed(app.clock.now())[..] else {
        panic!("one attempt is kept")
    };
    let last = attempt.steps.last().and_then(|step| step.refused.clone());
    (attempt.clone(), last.expect("it was refused"))
}

#[tokio::test]
async fn whose_token_was_revoked_is_for_the_operator_alone() {
    let app = App::echo().await;
    app.revoke();
    let answer = app.send(app.call()).await;
    let (attempt, diagnosis) = kept(&app);
    assert_eq!(diagnosis.reason, "revoked");
    for part in [GRANT, PERSON, "'client-1'"] {
        assert!(diagnosis.found.contains(part), "{diagnosis}");
    }
    assert_eq!(
        attempt.grant.map(|grant| grant.to_string()).as_deref(),
        Some(GRANT)
    );
    assert_eq!(attempt.client.as_deref(), Some("client-1"));
    let challenge = challenge(&answer).to_owned();
    let (_, body) = text(answer).await;
    for theirs in [GRANT, PERSON, "client-1"] {
        assert!(
            !challenge.contains(theirs) && !body.contains(theirs),
            "{body}"
        );
    }
}

#[tokio::test]
async fn the_operator_is_told_what_the_server_behind_said_and_the_client_is_not() {
    let found = async |app: &App| {
        let answer = app.send(app.call()).await;
        let found = kept(app).1.found;
        let (_, body) = text(answer).await;
        for theirs in ["In detail", "text/html", "elsewhere", "Connection refused"] {
            assert!(!body.contains(theirs), "{body}");
        }
        found
    };
    for (status, said) in [
        (401, "the upstream said 401 Unauthorized, "),
        (404, "the upstream said 404 Not Found, "),
        (500, "the upstream said 500 Internal Server Error, "),
        (503, "the upstream said 503 Service Unavailable, "),
        (302, "the upstream said 302 Found, "),
    ] {
        let app = App::new(move |_| {
            Response::builder()
                .status(status)
                .header("content-type", "text/html; charset=utf-8")
                .header(
                    "location",
                    "https://ann:planted@elsewhere.example/x?key=planted",
                )
                .body(Body::from("<h1>"))
                .expect("works in a test")
        })
        .await;
        let found = found(&app).await;
        let rest =
            "Content-Type 'text/html; charset=utf-8', Location 'https://elsewhere.example/x'.";
        assert!(found.contains(said) && found.ends_with(rest), "{found}");
        assert!(!found.contains("planted"), "{found}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await;
    let nobody = nobody.and_then(|it| it.local_addr());
    let app = in_front_of(nobody.expect("works in a test")).await;
    let found = found(&app).await;
    assert!(found.contains("Connection refused"), "{found}");
}
