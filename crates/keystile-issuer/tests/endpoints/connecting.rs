//! A client on its way: registered, with a person in front of the browser who says yes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystile_domain::ids::GrantId;
use keystile_domain::ports::Grants as _;
use keystile_domain::records::{GrantFilter, GrantRecord};
use keystile_testkit::browser::{Browser, Reply};
use keystile_testkit::issuer::{TestApp, VERIFIER};
use serde_json::Value;

use crate::{Changes, LOOPBACK, authorize_url, changed, json, post_form};

/// One client and one person.
pub(crate) struct Connecting {
    pub(crate) test: TestApp,
    pub(crate) client: String,
    browser: Browser,
}

impl Connecting {
    /// A public client that registered itself, at an issuer for one server.
    pub(crate) async fn new() -> Self {
        Self::at(TestApp::new()).await
    }

    /// The same at this issuer.
    pub(crate) async fn at(test: TestApp) -> Self {
        let test = test.with_person().await;
        let client = test.register("MCP Inspector", &[LOOPBACK]).await;
        let browser = test.signed_in().await;
        Self {
            test,
            client,
            browser,
        }
    }

    /// Sends the browser to the authorization endpoint.
    pub(crate) async fn begin(&mut self, changes: Changes<'_>) -> Reply {
        let url = authorize_url(&self.client, changes);
        self.visit(&url).await
    }

    /// Sends the browser to this address, and no further.
    pub(crate) async fn visit(&mut self, url: &str) -> Reply {
        self.browser.get(url).await
    }

    /// The whole way to the redirect with the answer.
    pub(crate) async fn answer(&mut self, changes: Changes<'_>, decision: &str) -> Reply {
        let url = authorize_url(&self.client, changes);
        self.decide(&url, decision).await
    }

    /// The same from this address on.
    pub(crate) async fn decide(&mut self, url: &str, decision: &str) -> Reply {
        let page = self.browser.open(url).await;
        assert_eq!(page.status, 200, "{:?} {}", page.location(), page.text());
        let (tx, csrf) = (page.input("tx"), page.input("csrf"));
        let fields = [("tx", tx.as_str()), ("csrf", &csrf), ("decision", decision)];
        self.browser.submit("/ks/consent", &fields).await
    }

    /// The code of a yes.
    pub(crate) async fn code(&mut self, changes: Changes<'_>) -> String {
        let reply = self.answer(changes, "allow").await;
        let params = reply.location_params();
        let code = params.into_iter().find(|(name, _)| name == "code");
        code.expect("a code").1
    }

    /// A good token request for a code, but for the changes.
    pub(crate) async fn redeem(&self, code: &str, changes: Changes<'_>) -> Reply {
        let good = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", LOOPBACK),
            ("client_id", &self.client),
            ("code_verifier", VERIFIER),
        ];
        post_form(&self.test, "/oauth/token", changed(&good, changes)).await
    }

    /// A good refresh, but for the changes.
    pub(crate) async fn refresh(&self, token: &str, changes: Changes<'_>) -> Reply {
        let good = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("client_id", &self.client),
        ];
        post_form(&self.test, "/oauth/token", changed(&good, changes)).await
    }

    /// The token response of a fresh connection.
    pub(crate) async fn tokens(&mut self) -> Value {
        let code = self.code(&[]).await;
        let reply = self.redeem(&code, &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        json(&reply)
    }

    /// Every grant, newest first, dead ones too.
    pub(crate) async fn grants(&self) -> Vec<GrantRecord> {
        let filter = GrantFilter {
            dead_too: true,
            ..GrantFilter::default()
        };
        self.test
            .store
            .list(filter)
            .await
            .expect("memory does not fail")
    }

    /// Why the grant of these tokens was revoked, if it was.
    pub(crate) async fn revoked_why(&self, tokens: &Value) -> Option<String> {
        let id: GrantId = claims(tokens)["sid"]
            .as_str()
            .expect("sid")
            .parse()
            .expect("an id");
        let grant = self
            .test
            .store
            .lookup(id)
            .await
            .expect("memory does not fail");
        grant.expect("it was kept").revoked_why
    }
}

/// A member of a token response.
pub(crate) fn text<'a>(tokens: &'a Value, member: &str) -> &'a str {
    tokens[member]
        .as_str()
        .unwrap_or_else(|| panic!("no {member} in {tokens}"))
}

/// The claims of the access token. (Its signature is judged in keystile-protocol's tests.)
pub(crate) fn claims(tokens: &Value) -> Value {
    let payload = text(tokens, "access_token")
        .split('.')
        .nth(1)
        .expect("three parts");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    serde_json::from_slice(&payload).expect("JSON")
}
