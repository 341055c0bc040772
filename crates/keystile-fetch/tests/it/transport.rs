//! TLS, names, and what a request says.

use keystile_fetch::{Allow, FetchError, FetchOptions, Fetched, Fetcher, Get, SetupError};
use keystile_testkit::hostile::{Answer, Hostile, reply};
use url::Url;

use crate::{fetcher, impatient, names};

fn get(url: &Url) -> Get<'_> {
    Get {
        url,
        accept: "application/json",
        max_bytes: 5120,
        if_none_match: None,
    }
}

fn url(text: &str) -> Url {
    Url::parse(text).expect(text)
}

#[tokio::test]
async fn the_connection_keeps_the_name_and_the_request_says_little() {
    let host = Hostile::start().await;
    host.serve_good("/c.json", "");
    let fetcher = fetcher(&host, &names(&host), impatient());
    fetcher
        .get(get(&url(&host.url("/c.json"))))
        .await
        .expect("a document");
    let head = host.heads().remove(0);
    assert_eq!(head.server_name, "client.example");
    let authority = host.url("").replace("https://", "");
    assert_eq!(head.header("host"), Some(authority.as_str()));
    assert_eq!(head.header("accept"), Some("application/json"));
    let said: Vec<_> = head
        .text
        .lines()
        .skip(1)
        .filter_map(|line| line.split(':').next())
        .collect();
    for name in said.into_iter().filter(|name| !name.is_empty()) {
        let known = ["accept", "accept-encoding", "user-agent", "host"];
        assert!(
            known.contains(&name.to_ascii_lowercase().as_str()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_certificate_of_another_name_or_authority_is_not_believed() {
    let (host, stranger) = (Hostile::start().await, Hostile::start().await);
    host.serve_good("/c.json", "");
    let names = names(&host);
    names.always("evil.example", &[host.ip()]);
    let trusting = fetcher(&host, &names, impatient());
    let wrong_name = url(&host.url_at("evil.example", "/c.json"));
    assert_eq!(
        trusting.get(get(&wrong_name)).await.expect_err("refused"),
        FetchError::Tls
    );
    let distrusting = fetcher(&stranger, &names, impatient());
    let error = distrusting
        .get(get(&url(&host.url("/c.json"))))
        .await
        .expect_err("refused");
    assert_eq!(error, FetchError::Tls);
    assert_eq!(host.heads().len(), 0, "nothing was asked");
}

#[tokio::test]
async fn only_https_without_credentials_is_fetched() {
    let host = Hostile::start().await;
    let names = names(&host);
    let fetcher = fetcher(&host, &names, impatient());
    for text in [
        host.url("/c.json").replace("https", "http"),
        host.url("/c.json").replace("https://", "https://user@"),
        host.url("/c.json")
            .replace("https://", "https://:password@"),
        "ftp://client.example/c.json".to_owned(),
        "file:///etc/passwd".to_owned(),
        "data:application/json,{}".to_owned(),
    ] {
        assert_eq!(
            fetcher.get(get(&url(&text))).await.expect_err(&text),
            FetchError::Url,
            "{text}"
        );
    }
    assert_eq!(names.asked(), 0);
    assert_eq!(host.most_open(), 0);
}

#[tokio::test]
async fn an_origin_without_tls_is_fetched_only_where_the_operator_named_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let server = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream
            .write_all(&reply("content-type: application/json\r\n", b"{}"))
            .await;
    });
    let options = FetchOptions {
        danger_allow: vec![origin.parse::<Allow>().expect("an origin")],
        ..FetchOptions::default()
    };
    let fetcher = Fetcher::new(options).expect("a fetcher");
    let fetched = fetcher
        .get(get(&url(&format!("{origin}/jwks"))))
        .await
        .expect("an answer");
    assert!(matches!(fetched, Fetched::Body { body, .. } if body == "{}"));
    server.await.expect("it served");
}

#[tokio::test]
async fn no_error_repeats_what_the_host_sent() {
    let host = Hostile::start().await;
    let fetcher = fetcher(&host, &names(&host), impatient());
    let secret = "AKIAIOSFODNN7EXAMPLE";
    let html = reply(
        &format!("content-type: text/html\r\nx-a: {secret}\r\n"),
        secret.as_bytes(),
    );
    let status = format!("HTTP/1.1 500 {secret}\r\ncontent-length: 20\r\n\r\n{secret}");
    let moved =
        format!("HTTP/1.1 302 {secret}\r\nlocation: /{secret}\r\ncontent-length: 0\r\n\r\n");
    let broken = format!("{secret}\r\n\r\n");
    let header = format!("HTTP/1.1 200 OK\r\n{secret}\u{1}: {secret}\r\n\r\n");
    for (index, answer) in [
        html,
        status.into(),
        moved.into(),
        broken.into(),
        header.into(),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/{index}");
        host.answer(&path, Answer::Raw(answer));
        let error = fetcher
            .get(get(&url(&host.url(&path))))
            .await
            .expect_err(&path);
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    }
}

#[test]
fn a_certificate_file_that_is_no_good_is_found_at_start() {
    let with = |text: &str| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&file, text).expect("written");
        let extra_ca_file = Some(file.path().to_owned());
        Fetcher::new(FetchOptions {
            extra_ca_file,
            ..FetchOptions::default()
        })
        .map(|_| ())
    };
    assert!(matches!(with(""), Err(SetupError::EmptyCaFile { .. })));
    assert!(matches!(with("hello"), Err(SetupError::EmptyCaFile { .. })));
    let cut = "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n";
    assert!(matches!(with(cut), Err(SetupError::CaFile { .. })));
    let missing = Some("/nonexistent/ca.pem".into());
    let missing = FetchOptions {
        extra_ca_file: missing,
        ..FetchOptions::default()
    };
    assert!(matches!(
        Fetcher::new(missing),
        Err(SetupError::CaFile { .. })
    ));
}
