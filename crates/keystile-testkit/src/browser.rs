//! What a browser does, without one: cookies by path, forms with `Origin`, no script.

use axum::Router;
use axum::body::{Body, to_bytes};
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use tower::ServiceExt as _;

use crate::reading;

/// One person's browser in front of one server.
#[derive(Clone)]
pub struct Browser {
    router: Router,
    origin: String,
    jar: Vec<Cookie>,
}

/// A cookie as it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
    /// `Path`.
    pub path: String,
    /// The rest, as it was set.
    pub attributes: String,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: String,
}

impl Browser {
    /// A browser without cookies. `origin` is the public URL of the server.
    #[must_use]
    pub fn new(router: Router, origin: &str) -> Self {
        Self {
            router,
            origin: origin.to_owned(),
            jar: Vec::new(),
        }
    }

    /// The cookies that it keeps.
    #[must_use]
    pub fn jar(&self) -> &[Cookie] {
        &self.jar
    }

    /// Puts a cookie into the jar, as another program on this computer could.
    pub fn plant(&mut self, name: &str, value: &str, path: &str) {
        let cookie = Cookie {
            name: name.to_owned(),
            value: value.to_owned(),
            path: path.to_owned(),
            attributes: String::new(),
        };
        self.keep(cookie);
    }

    /// Opens an address of the server; does not follow redirects.
    pub async fn get(&mut self, path: &str) -> Reply {
        self.send(Request::get(path), path, String::new()).await
    }

    /// Opens an address and follows redirects while they stay on the server.
    pub async fn open(&mut self, path: &str) -> Reply {
        let mut reply = self.get(path).await;
        while let Some(next) = reply.location().filter(|next| next.starts_with("/")) {
            let next = next.to_owned();
            reply = self.get(&next).await;
        }
        reply
    }

    /// Sends a form as a page of the server does.
    pub async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let origin = self.origin.clone();
        let headers = [
            (ORIGIN.as_str(), origin.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        self.post(path, &headers, fields).await
    }

    /// Sends a form with these headers.
    pub async fn post(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let mut request =
            Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request, path, body).await
    }

    async fn send(
        &mut self,
        mut request: http::request::Builder,
        path: &str,
        body: String,
    ) -> Reply {
        let sent = self
            .jar
            .iter()
            .filter(|cookie| path.starts_with(&cookie.path));
        let pairs: Vec<_> = sent
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        if !pairs.is_empty() {
            request = request.header(COOKIE, pairs.join("; "));
        }
        let request = request
            .body(Body::from(body))
            .expect("a test writes legal requests");
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("the router never fails");
        let (parts, body) = response.into_parts();
        for line in parts.headers.get_all(SET_COOKIE) {
            self.keep(parse(line.to_str().expect("cookies are ASCII")));
        }
        let body = to_bytes(body, 1 << 20)
            .await
            .expect("a page is below a mebibyte");
        let body = String::from_utf8(body.to_vec()).expect("pages are UTF-8");
        Reply {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// RFC 6265 §5.3: name and path tell cookies apart; `Max-Age=0` takes one away.
    fn keep(&mut self, cookie: Cookie) {
        self.jar
            .retain(|old| (&old.name, &old.path) != (&cookie.name, &cookie.path));
        if !cookie.attributes.contains("Max-Age=0") {
            self.jar.push(cookie);
        }
    }
}

impl Reply {
    /// `Location`
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
    }

    /// The parameters of `Location`, decoded, in order.
    #[must_use]
    pub fn location_params(&self) -> Vec<(String, String)> {
        let location = self.location().expect("a redirect");
        url::Url::parse(location)
            .expect("an absolute URL")
            .query_pairs()
            .into_owned()
            .collect()
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The visible text.
    #[must_use]
    pub fn text(&self) -> String {
        reading::text(&self.body)
    }

    /// The value of the first input of this name.
    #[must_use]
    pub fn input(&self, name: &str) -> String {
        reading::input(&self.body, name)
            .unwrap_or_else(|| panic!("no input {name} on this page:\n{}", self.text()))
    }

    /// Every `Set-Cookie` line.
    #[must_use]
    pub fn set_cookies(&self) -> Vec<String> {
        let lines = self.headers.get_all(SET_COOKIE).iter();
        lines
            .map(|line| line.to_str().expect("cookies are ASCII").to_owned())
            .collect()
    }
}

fn parse(line: &str) -> Cookie {
    let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
    let (name, value) = pair.split_once('=').expect("a cookie has a name");
    let path = attributes
        .split(';')
        .find_map(|it| it.trim().strip_prefix("Path="));
    Cookie {
        name: name.to_owned(),
        value: value.to_owned(),
        path: path.unwrap_or("/").to_owned(),
        attributes: attributes.trim().to_owned(),
    }
}
