//! A gate, a client, and what log and doctor say about a failure.

use serde_json::{Value, json};

use super::flow::{Browser, Client, Tokens};
use super::http::{Reply, Request};
use super::installation::{Gate, Installation};
use super::{NAME, PASSWORD, fake_server};

/// A gate in front of a server that is not there: nothing here comes so far.
pub(crate) struct Scene {
    pub(crate) installation: Installation,
    pub(crate) gate: Gate,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::on(Self::installation())
    }

    /// With the one account.
    pub(crate) fn installation() -> Installation {
        let installation = Installation::new();
        installation.add_user(NAME, PASSWORD);
        installation
    }

    /// On an installation that is there.
    pub(crate) fn on(installation: Installation) -> Self {
        Self::in_front_of(installation, &fake_server::dead())
    }

    /// In front of a server.
    pub(crate) fn in_front_of(installation: Installation, url: &str) -> Self {
        let gate = installation.serve(&["protect", "--name", "notes", "--rebind", url]);
        Self { installation, gate }
    }

    pub(crate) fn client(&self) -> Client {
        Client::register(self.gate.port, &self.gate.text("mcp_url"), "none")
    }

    /// A client that names another id.
    pub(crate) fn client_called(&self, id: &str) -> Client {
        let mut client = self.client();
        id.clone_into(&mut client.id);
        client
    }

    pub(crate) fn resource(&self) -> String {
        self.gate.text("mcp_url")
    }

    /// A person's yes: the redirect with the code. The parameters are changed as in
    /// [`Client::authorize_with`].
    pub(crate) fn consented(&self, client: &Client, changes: &[(&str, &str)]) -> Reply {
        let mut browser = Browser::new(self.gate.port);
        let page = browser.open(&client.authorize_with(changes));
        let page = browser.sign_in(&page, NAME, PASSWORD);
        browser.allow(&page)
    }

    pub(crate) fn tokens(&self) -> (Client, Tokens) {
        let client = self.client();
        let tokens = client.redeem(&self.consented(&client, &[]));
        (client, tokens)
    }

    /// A call with this token.
    pub(crate) fn call(&self, token: &str) -> Reply {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        Request::mcp(&self.gate.endpoint(), token, message).send(self.gate.port)
    }

    /// Log and doctor name the failure that this answer has the reference of, and doctor says what
    /// to do in these words. Gives what doctor said.
    pub(crate) fn named(&self, answer: &str, reason: &str, fix: &str) -> Value {
        self.reference_named(&reference(answer), reason, fix)
    }

    /// As [`named`](Self::named), and the client hears what was found and what to do as well.
    pub(crate) fn told(&self, reply: &Reply, reason: &str, fix: &str) -> Value {
        let answer = keystile_testkit::reading::text(&reply.body).replace('\n', " ");
        let location = url::Url::parse(reply.header("location")).ok();
        let described = location.and_then(|to| {
            let mut pairs = to.query_pairs();
            let found = pairs.find(|(name, _)| name == "error_description")?;
            Some(found.1.into_owned())
        });
        let answer = described.unwrap_or(answer);
        assert!(answer.contains(fix), "{fix}: {answer}");
        self.named(&answer, reason, fix)
    }

    pub(crate) fn reference_named(&self, reference: &str, reason: &str, fix: &str) -> Value {
        let said = doctor(&self.installation, reference, reason, fix);
        let last = said["steps"].as_array().and_then(|steps| steps.last());
        let text = |member: &str| last.and_then(|step| step["refused"][member].as_str());
        let (found, to_do) = (text("found").unwrap_or(""), text("fix").unwrap_or(""));
        let names = format!("reason=\"{reason}\"");
        let detail = format!("{reason}: {found} {to_do}");
        let detail = format!("detail={detail:?}");
        // An attempt may be refused several times for the same reason.
        let line = self
            .gate
            .program
            .stderr
            .find_line(&[reference, &names, &detail]);
        let line =
            line.unwrap_or_else(|| panic!("the log says it as doctor does: {names} {detail}"));
        assert!(!line.contains("secret="), "what a query says: {line}");
        said
    }
}

/// Doctor names it in both forms.
pub(crate) fn doctor(
    installation: &Installation,
    reference: &str,
    reason: &str,
    fix: &str,
) -> Value {
    let said = installation.answer(&["doctor", reference]);
    let steps = said["steps"].as_array().expect("there are steps");
    let last = &steps.last().expect("there is one")["refused"];
    assert_eq!(last["reason"], reason, "{said}");
    let words = last["fix"].as_str().unwrap_or_default();
    assert!(words.contains(fix), "{fix}: {said}");
    for member in ["expected", "found"] {
        let told = last[member].as_str().is_some_and(|text| !text.is_empty());
        assert!(told, "{member}: {said}");
    }
    let text = installation.run(&["doctor", reference]).stdout;
    for part in [reference, "REFUSED", reason, "What to do: ", fix] {
        assert!(text.contains(part), "{part}: {text}");
    }
    said
}

/// The last reference in a text, which is that of the refusal itself.
pub(crate) fn reference(text: &str) -> String {
    let at = text
        .rfind("KS-")
        .unwrap_or_else(|| panic!("no reference: {text}"));
    text[at..].chars().take(11).collect()
}
