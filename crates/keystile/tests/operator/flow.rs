//! From no token to a tool call, as a client and a person's browser do it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keystile_testkit::reading;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::http::{Reply, Request};

/// Where answers go; nobody listens there, the test reads the redirect itself.
pub(crate) const REDIRECT: &str = "http://127.0.0.1/callback";
/// 43 to 128 characters (RFC 7636 §4.1).
pub(crate) const VERIFIER: &str = "planted-verifier-0123456789-abcdefghijklmnopqrstuvw";

/// Cookies by path, forms with `Origin`.
pub(crate) struct Browser {
    port: u16,
    /// Name, value and path.
    pub(crate) cookies: Vec<(String, String, String)>,
}

impl Browser {
    pub(crate) fn new(port: u16) -> Self {
        Self {
            port,
            cookies: Vec::new(),
        }
    }

    /// Opens an address and follows redirects while they stay on the server.
    pub(crate) fn open(&mut self, path: &str) -> Reply {
        let mut reply = self.send(Request::get(path), path);
        while reply.header("location").starts_with('/') {
            let next = reply.header("location").to_owned();
            reply = self.send(Request::get(&next), &next);
        }
        reply
    }

    /// Sends a form of a page of the server, and follows redirects as above.
    pub(crate) fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let form = Request::form(path, fields)
            .header("origin", &format!("http://localhost:{}", self.port))
            .header("sec-fetch-site", "same-origin");
        let reply = self.send(form, path);
        match reply.header("location") {
            next if next.starts_with('/') => {
                let next = next.to_owned();
                self.open(&next)
            }
            _ => reply,
        }
    }

    fn send(&mut self, mut request: Request, path: &str) -> Reply {
        let sent = self.cookies.iter().filter(|(.., of)| path.starts_with(of));
        let pairs: Vec<_> = sent
            .map(|(name, value, _)| format!("{name}={value}"))
            .collect();
        if !pairs.is_empty() {
            request = request.header("cookie", &pairs.join("; "));
        }
        let reply = request.send(self.port);
        for line in reply.every("set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            let path = attributes
                .split(';')
                .find_map(|it| it.trim().strip_prefix("Path="));
            self.cookies.retain(|(known, ..)| known != name);
            if !attributes.contains("Max-Age=0") {
                let path = path.unwrap_or("/").to_owned();
                self.cookies.push((name.to_owned(), value.to_owned(), path));
            }
        }
        reply
    }

    /// Signs in on the page that asks for it.
    pub(crate) fn sign_in(&mut self, page: &Reply, name: &str, password: &str) -> Reply {
        let tx = reading::input(&page.body, "tx").unwrap_or_default();
        let fields = [
            ("tx", tx.as_str()),
            ("username", name),
            ("password", password),
        ];
        self.submit("/ks/sign-in", &fields)
    }

    /// Makes the first account on the page that asks for the set-up code.
    pub(crate) fn set_up(&mut self, page: &Reply, code: &str, name: &str, password: &str) -> Reply {
        let tx = reading::input(&page.body, "tx").unwrap_or_default();
        let fields = [
            ("tx", tx.as_str()),
            ("setup_code", code),
            ("username", name),
            ("password", password),
        ];
        self.submit("/ks/setup", &fields)
    }

    /// Says yes on the consent page; the redirect to the client.
    pub(crate) fn allow(&mut self, page: &Reply) -> Reply {
        let input = |name: &str| {
            reading::input(&page.body, name).unwrap_or_else(|| panic!("no {name} in {page:?}"))
        };
        let (tx, csrf) = (input("tx"), input("csrf"));
        let fields = [("tx", tx.as_str()), ("csrf", &csrf), ("decision", "allow")];
        self.submit("/ks/consent", &fields)
    }
}

/// A registered client.
pub(crate) struct Client {
    pub(crate) port: u16,
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
    pub(crate) resource: String,
}

/// What the token endpoint gave.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Client {
    /// Registers (RFC 7591) with this method of authentication.
    pub(crate) fn register(port: u16, resource: &str, method: &str) -> Self {
        let metadata = json!({
            "redirect_uris": [REDIRECT],
            "client_name": "Operator test",
            "token_endpoint_auth_method": method,
            "application_type": "native",
        });
        let reply = Request::json("/oauth/register", metadata).send(port);
        assert_eq!(reply.status, 201, "{reply:?}");
        let client = reply.value();
        Self {
            port,
            id: client["client_id"]
                .as_str()
                .expect("a client has an id")
                .to_owned(),
            secret: client["client_secret"].as_str().map(str::to_owned),
            resource: resource.to_owned(),
        }
    }

    /// The path of the authorization request, with these parameters changed or, if empty, left out.
    pub(crate) fn authorize_with(&self, changes: &[(&str, &str)]) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let mut params = vec![
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", REDIRECT),
            ("resource", &self.resource),
            ("state", "planted-state"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        params.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
        params.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(params)
            .finish();
        format!("/oauth/authorize?{query}")
    }

    /// Asks the token endpoint.
    pub(crate) fn ask(&self, fields: &[(&str, &str)]) -> Reply {
        let mut fields = fields.to_vec();
        if self.secret.is_none() {
            fields.push(("client_id", &self.id));
        }
        self.authenticated(Request::form("/oauth/token", &fields))
            .send(self.port)
    }

    /// With its secret, if it has one (RFC 6749 §2.3.1).
    pub(crate) fn authenticated(&self, request: Request) -> Request {
        let Some(secret) = &self.secret else {
            return request;
        };
        let encode =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(&self.id), encode(secret));
        request.header("authorization", &format!("Basic {}", STANDARD.encode(pair)))
    }

    /// Redeems the code of a redirect.
    pub(crate) fn redeem(&self, redirect: &Reply) -> Tokens {
        Tokens::of(&self.exchange(redirect))
    }

    /// Asks for the tokens of a redirect.
    pub(crate) fn exchange(&self, redirect: &Reply) -> Reply {
        let code = code(redirect);
        self.ask(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ])
    }

    /// Refreshes.
    pub(crate) fn refresh(&self, token: &str) -> Reply {
        self.ask(&[("grant_type", "refresh_token"), ("refresh_token", token)])
    }
}

impl Tokens {
    pub(crate) fn of(reply: &Reply) -> Self {
        assert_eq!(reply.status, 200, "{reply:?}");
        let tokens = reply.value();
        let text = |name: &str| tokens[name].as_str().expect("there is one").to_owned();
        Self {
            access: text("access_token"),
            refresh: text("refresh_token"),
        }
    }
}

/// The `code` of a redirect to the client.
pub(crate) fn code(redirect: &Reply) -> String {
    let location = redirect.header("location");
    assert!(location.starts_with(REDIRECT), "{redirect:?}");
    let location = url::Url::parse(location).expect("a redirect is a URL");
    let code = location.query_pairs().find(|(name, _)| name == "code");
    code.expect("the answer has a code").1.into_owned()
}

/// Everything up to the tokens, for a person who has an account.
pub(crate) fn connect(client: &Client, name: &str, password: &str) -> Tokens {
    let mut browser = Browser::new(client.port);
    let page = browser.open(&client.authorize_with(&[]));
    let page = browser.sign_in(&page, name, password);
    client.redeem(&browser.allow(&page))
}

/// The first message of a 2025-era client.
pub(crate) fn initialize() -> Value {
    json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "operator-test", "version": "1"},
        },
    })
}
