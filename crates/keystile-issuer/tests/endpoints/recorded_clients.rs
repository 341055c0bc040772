//! What real clients sent, word for word (conformance/fixtures/wire): each registers, is sent on to
//! the consent page, and gets and refreshes a token (all but the Inspector's command line, whose
//! recording ends before).

use std::path::{Path, PathBuf};

use keystile_domain::ports::People as _;
use keystile_protocol::resource::ResourceTable;
use keystile_testkit::issuer::{CHALLENGE, TestApp, VERIFIER, sign_in};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::connecting::text;
use crate::{json, post_form, post_json};

/// `oauth-*.json`, of which there is one for each client and era.
fn recordings() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/fixtures/wire");
    let entries = std::fs::read_dir(folder).expect("the recordings");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    let name = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("oauth-"))
    };
    files.retain(name);
    files.sort();
    files
}

/// The recorded requests to this path of the reference server.
fn requests<'a>(recording: &'a Value, path: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = recording["requests"].as_array().expect("requests").iter();
    all.filter(move |request| request["path"] == path)
}

/// A recorded form or query, with what was masked filled in.
fn filled(recorded: &Value, values: &[(&str, &str)]) -> String {
    let mut form = Serializer::new(String::new());
    for (name, value) in recorded.as_object().expect("parameters") {
        let value = value.as_str().expect("one value");
        let masked = value
            .strip_prefix('<')
            .and_then(|value| value.strip_suffix('>'));
        let known = |name: &str| {
            values
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, value)| *value)
        };
        let value = match masked {
            None => value,
            Some(name) => known(name).unwrap_or_else(|| panic!("<{name}> is not known here")),
        };
        form.append_pair(name, value);
    }
    form.finish()
}

async fn replay(recording: &Value, name: &str) {
    let test = TestApp::at("http://localhost:17717").with(|app| {
        let issuer = &app.settings.issuer;
        app.settings.resources = ResourceTable::new(issuer, &["reference".to_owned()]);
    });
    let test = test.with_person().await;
    assert!(test.store.has_anybody().await.expect("memory"));
    let registration = requests(recording, "/reg").next().expect("a registration");
    let reply = post_json(&test, "/oauth/register", &registration["body"]).await;
    assert_eq!(reply.status, 201, "{name}: {}", reply.body);
    let client = text(&json(&reply), "client_id").to_owned();

    let mut browser = test.browser();
    let request = requests(recording, "/auth")
        .next()
        .expect("an authorization request");
    let known = [
        ("client_id", client.as_str()),
        ("code_challenge", CHALLENGE),
        ("state", "xyz"),
    ];
    let url = format!("/oauth/authorize?{}", filled(&request["query"], &known));
    let page = browser.open(&url).await;
    assert_eq!(
        page.status,
        200,
        "{name}: {:?} {}",
        page.location(),
        page.text()
    );
    let reply = sign_in(&mut browser, &page.input("tx")).await;
    let page = browser.open(reply.location().expect("on to consent")).await;
    let (tx, csrf) = (page.input("tx"), page.input("csrf"));
    let fields = [("tx", tx.as_str()), ("csrf", &csrf), ("decision", "allow")];
    let reply = browser.submit("/ks/consent", &fields).await;
    let redirect = request["query"]["redirect_uri"]
        .as_str()
        .expect("a redirect");
    assert!(
        reply.location().is_some_and(|to| to.starts_with(redirect)),
        "{name}"
    );
    let code = reply.location_params().swap_remove(0).1;

    let mut refresh = String::new();
    let mut answered = 0;
    for request in requests(recording, "/token") {
        let values = [
            ("client_id", client.as_str()),
            ("code", &code),
            ("code_verifier", VERIFIER),
            ("refresh_token", &refresh),
        ];
        if request["body"]["grant_type"] == "authorization_code" && answered > 0 {
            continue; // It signed in once more; this code is spent.
        }
        let reply = post_form(&test, "/oauth/token", filled(&request["body"], &values)).await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.body);
        refresh = text(&json(&reply), "refresh_token").to_owned();
        answered += 1;
    }
    let wanted = if recording["refreshes"] == false {
        1
    } else {
        2
    };
    assert!(answered >= wanted, "{name}: code and refresh, {answered}");
}

#[tokio::test]
async fn what_each_real_client_sent_gets_a_token_and_refreshes_it() {
    let recordings = recordings();
    assert!(recordings.len() >= 11, "{recordings:?}");
    for path in recordings {
        let name = path.display().to_string();
        let body = std::fs::read(&path).expect(&name);
        let recording: Value = serde_json::from_slice(&body).expect(&name);
        replay(&recording, &name).await;
    }
}
