//! What is, and what is not, a client's document.

use keystile_fetch::{ClientDocuments, FetchError, LookupError, MAX_DOCUMENT_BYTES, Source};
use keystile_protocol::client_metadata::{DocumentError, MetadataError};
use keystile_testkit::hostile::{Answer, Hostile, json_reply, reply};
use serde_json::json;

use crate::{NOW, documents, id};

const CLAUDE_CODE: &str = "https://claude.ai/oauth/claude-code-client-metadata";

#[tokio::test]
async fn a_good_document_is_found_with_its_digest() {
    let host = Hostile::start().await;
    host.serve_good("/c.json", "");
    let documents = documents(&host);
    let first = documents
        .lookup(&id(&host.url("/c.json")), NOW)
        .await
        .expect("a document");
    assert_eq!(first.source, Source::Fetched);
    assert_eq!(
        first.metadata.redirect_uris,
        ["https://client.example/callback"]
    );
    let mut other = host.good("/other.json");
    other["redirect_uris"] = json!(["https://client.example/other"]);
    host.serve("/other.json", "", &other);
    let second = documents
        .lookup(&id(&host.url("/other.json")), NOW)
        .await
        .expect("a document");
    assert_ne!(first.digest, second.digest);
}

/// CHECKLIST A-059: the snapshot of a transaction is told from what came later by its digest.
#[tokio::test]
async fn a_document_that_changes_is_another_document() {
    let host = Hostile::start().await;
    host.serve_good("/changing.json", "cache-control: no-store\r\n");
    let documents = documents(&host);
    let url = id(&host.url("/changing.json"));
    let before = documents.lookup(&url, NOW).await.expect("a document");
    let mut after = host.good("/changing.json");
    after["redirect_uris"] = json!(["https://evil.example/callback"]);
    host.serve("/changing.json", "cache-control: no-store\r\n", &after);
    let after = documents.lookup(&url, NOW).await.expect("a document");
    assert_ne!(before.digest, after.digest);
    assert_eq!(
        before.metadata.redirect_uris,
        ["https://client.example/callback"]
    );
}

#[tokio::test]
async fn n_as_06_a_document_of_another_url_is_refused() {
    let host = Hostile::start().await;
    let documents = documents(&host);
    let url = host.url("/c.json");
    let variants = [
        format!("{url}/"),
        url.to_uppercase(),
        url.replace("/c.json", "/%63.json"),
        url.replace("/c.json", "/./c.json"),
        url.replace("/c.json", "/x/../c.json"),
        format!("{url}?"),
        "https://client.example:443/c.json".to_owned(),
        "https://client.example/c.json".to_owned(),
        "https://claude.ai/oauth/mcp-oauth-client-metadata".to_owned(),
    ];
    for (index, variant) in variants.iter().enumerate() {
        let path = format!("/c.json?{index}");
        let mut document = host.good(&path);
        document["client_id"] = json!(variant);
        host.serve(&path, "", &document);
        let found = documents.lookup(&id(&host.url(&path)), NOW).await;
        assert_eq!(found, Err(DocumentError::OtherClientId.into()), "{variant}");
    }
}

#[tokio::test]
async fn n_as_08_what_is_no_document_is_refused() {
    let host = Hostile::start().await;
    let documents = documents(&host);
    let invalid = |error: MetadataError| LookupError::Invalid(error.into());
    for member in ["client_name", "redirect_uris"] {
        let path = format!("/no-{member}.json");
        let mut document = host.good(&path);
        document.as_object_mut().expect("an object").remove(member);
        host.serve(&path, "", &document);
        let found = documents.lookup(&id(&host.url(&path)), NOW).await;
        assert_eq!(found, Err(invalid(MetadataError::Missing { member })));
    }
    let good = |path: &str| host.good(path).to_string();
    let broken = [
        ("/bom.json", format!("\u{feff}{}", good("/bom.json"))),
        (
            "/twice.json",
            good("/twice.json").replacen('{', r#"{"client_name":"Claude","#, 1),
        ),
        ("/tail.json", format!("{}<!-- -->", good("/tail.json"))),
        ("/empty.json", String::new()),
        (
            "/page.json",
            "<!doctype html><title>hello</title>".to_owned(),
        ),
    ];
    for (path, body) in broken {
        let bytes = reply("content-type: application/json\r\n", body.as_bytes());
        host.answer(path, Answer::Raw(bytes));
        let found = documents.lookup(&id(&host.url(path)), NOW).await;
        let is_json = |error: &DocumentError| {
            matches!(error, DocumentError::Metadata(MetadataError::Json(_)))
        };
        assert!(
            matches!(&found, Err(LookupError::Invalid(error)) if is_json(error)),
            "{path}: {found:?}"
        );
    }
}

/// Draft §4 and §6: JSON, 200 and nothing else, small, without secrets.
#[tokio::test]
async fn n_as_10_only_a_small_json_answer_with_status_200_and_without_secrets_counts() {
    let host = Hostile::start().await;
    let documents = documents(&host);
    for content_type in [
        "text/html",
        "text/plain",
        "application/octet-stream",
        "application/jsonx",
        "json",
        "text/html;application/json",
        "application/json, text/html",
        "",
    ] {
        let path = format!("/type?t={content_type}").replace([' ', ';', ','], "-");
        let header = format!("content-type: {content_type}\r\n");
        let body = host.good(&path).to_string();
        host.answer(&path, Answer::Raw(reply(&header, body.as_bytes())));
        let found = documents.lookup(&id(&host.url(&path)), NOW).await;
        assert_eq!(
            found,
            Err(FetchError::ContentType.into()),
            "{content_type:?}"
        );
    }
    for content_type in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/cimd+json",
    ] {
        let path = format!("/type?{}", content_type.len());
        let header = format!("content-type: {content_type}\r\n");
        let body = host.good(&path).to_string();
        host.answer(&path, Answer::Raw(reply(&header, body.as_bytes())));
        let found = documents.lookup(&id(&host.url(&path)), NOW).await;
        assert!(found.is_ok(), "{content_type}: {found:?}");
    }
    for status in [
        201, 202, 203, 204, 206, 304, 400, 401, 403, 404, 410, 418, 429, 500, 503,
    ] {
        let path = format!("/{status}.json");
        let body = json_reply("", &host.good(&path));
        let body = String::from_utf8(body).expect("text");
        let body = body.replacen("200 OK", &format!("{status} X"), 1);
        host.answer(&path, Answer::Raw(body.into_bytes()));
        let found = documents.lookup(&id(&host.url(&path)), NOW).await;
        assert_eq!(found, Err(FetchError::Status(status).into()));
    }
    let secrets = [
        ("client_secret", json!("hunter2"), DocumentError::Secret),
        (
            "token_endpoint_auth_method",
            json!("client_secret_basic"),
            DocumentError::SharedSecret,
        ),
        (
            "jwks",
            json!({"keys":[{"kty":"oct","k":"aGk"}]}),
            MetadataError::PrivateKey.into(),
        ),
    ];
    for (member, value, error) in secrets {
        let path = format!("/{member}.json");
        let mut document = host.good(&path);
        document[member] = value;
        host.serve(&path, "", &document);
        let found = documents.lookup(&id(&host.url(&path)), NOW).await;
        assert_eq!(found, Err(error.into()), "{member}");
    }
    for (padding, fits) in [(MAX_DOCUMENT_BYTES, true), (MAX_DOCUMENT_BYTES + 1, false)] {
        let path = format!("/size-{padding}.json");
        let mut body = host.good(&path).to_string();
        body.push_str(&" ".repeat(padding - body.len()));
        host.answer(
            &path,
            Answer::Raw(reply("content-type: application/json\r\n", body.as_bytes())),
        );
        let found = documents.lookup(&id(&host.url(&path)), NOW).await;
        assert_eq!(found.is_ok(), fits, "{padding} bytes");
    }
}

#[tokio::test]
async fn n_as_05_without_fetching_only_shipped_documents_exist_and_that_is_what_it_says() {
    let closed = ClientDocuments::pinned_only();
    assert!(!closed.is_open());
    let claude = closed
        .lookup(&id(CLAUDE_CODE), NOW)
        .await
        .expect("a pinned document");
    assert_eq!(claude.source, Source::Pinned);
    assert_eq!(
        claude.metadata.redirect_uris,
        ["http://localhost/callback", "http://127.0.0.1/callback"]
    );
    let host = Hostile::start().await;
    host.serve_good("/c.json", "");
    for unknown in [
        host.url("/c.json"),
        format!("{CLAUDE_CODE}/"),
        format!("{CLAUDE_CODE}?a=b"),
    ] {
        assert_eq!(
            closed.lookup(&id(&unknown), NOW).await,
            Err(LookupError::NotPinned)
        );
    }
    assert_eq!(host.most_open(), 0, "no connection at all");
    assert!(documents(&host).is_open());
}
