//! Redirects are answers, not instructions.

use keystile_fetch::{FetchError, LookupError};
use keystile_testkit::hostile::{Answer, Hostile, reply};

use crate::{NOW, documents, id};

#[tokio::test]
async fn a_054_no_redirect_is_followed() {
    let host = Hostile::start().await;
    host.serve_good("/good.json", "");
    let documents = documents(&host);
    let targets = [
        host.url("/good.json"),
        "/good.json".to_owned(),
        host.url_at("other.example", "/good.json"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://127.0.0.1/".to_owned(),
    ];
    for status in [300, 301, 302, 303, 305, 307, 308] {
        for (index, target) in targets.iter().enumerate() {
            let path = format!("/{status}/{index}.json");
            let reply = format!(
                "HTTP/1.1 {status} Moved\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n"
            );
            host.answer(&path, Answer::Raw(reply.into_bytes()));
            let error = documents
                .lookup(&id(&host.url(&path)), NOW)
                .await
                .expect_err(&path);
            let expected = LookupError::Fetch(FetchError::Redirected(status));
            assert_eq!(error, expected, "{status} to {target}");
            assert_eq!(host.hits(&path), 1);
        }
    }
    assert_eq!(host.hits("/good.json"), 0);
}

#[tokio::test]
async fn a_redirect_inside_the_page_or_the_header_is_none_either() {
    let host = Hostile::start().await;
    host.serve_good("/good.json", "");
    let documents = documents(&host);
    let page = format!(
        "<meta http-equiv=refresh content='0;url={}'>",
        host.url("/good.json")
    );
    host.answer(
        "/meta",
        Answer::Raw(reply("content-type: text/html\r\n", page.as_bytes())),
    );
    let refresh = format!(
        "content-type: application/json\r\nrefresh: 0;url={}\r\n",
        host.url("/good.json")
    );
    host.answer("/refresh", Answer::Raw(reply(&refresh, b"{}")));
    let found = documents.lookup(&id(&host.url("/meta")), NOW).await;
    assert_eq!(found, Err(LookupError::Fetch(FetchError::ContentType)));
    assert!(matches!(
        documents.lookup(&id(&host.url("/refresh")), NOW).await,
        Err(LookupError::Invalid(_))
    ));
    assert_eq!(host.hits("/good.json"), 0);
}
