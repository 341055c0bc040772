//! The consent page: who asks, for what, and where the answer goes (CHECKLIST N-AS-11, -12, -35).

use askama::Template;
use keystile_domain::client::{ClientKind, ClientSnapshot, Trust};
use keystile_domain::decide::register::RegistrationPolicy;
use keystile_protocol::mutation::weakened;
use keystile_protocol::redirect::{RedirectKind, RedirectUri};
use keystile_protocol::scope::{OFFLINE_ACCESS, ScopeCatalogue, ScopeSet};

use super::Page;
use super::form_action::FormAction;
use super::shown;
use crate::app::Settings;

/// Who asks, by what can be checked. Never the self-asserted name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Requester {
    /// A site: the host of the `client_id` URL or of the https redirect URI.
    Site(String),
    /// An app that listens on a loopback port.
    ThisComputer,
    /// A device that shows a code, and has nothing else to be known by (RFC 8628).
    OtherDevice,
    /// An app that owns a private-use scheme (RFC 8252 §7.1).
    Scheme(String),
}

impl Requester {
    /// The first thing on the page.
    pub(crate) fn headline(&self) -> String {
        match self {
            Self::Site(host) => host.clone(),
            Self::ThisComputer => "An app on this computer".to_owned(),
            Self::OtherDevice => "An app on another device".to_owned(),
            Self::Scheme(scheme) => format!("The app that opens {scheme}: links"),
        }
    }

    /// In the middle of a sentence or title.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::Site(host) => host.clone(),
            Self::ThisComputer => "an app on this computer".to_owned(),
            Self::OtherDevice => "an app on another device".to_owned(),
            Self::Scheme(scheme) => format!("the app behind {scheme}:"),
        }
    }
}

/// Who, beside the client itself, says who it is: in plain words, under the headline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vouched {
    /// Keystile ships with the client's document or callback.
    WellKnown,
    /// Whoever runs this server does.
    ByOperator,
    /// Nobody does.
    ByNobody,
}

impl Vouched {
    /// What is known of a client that is not on this computer; of one that is, the page has a
    /// warning to give instead.
    pub(crate) fn of(
        client: &ClientSnapshot,
        redirect: &RedirectUri,
        policy: Option<&RegistrationPolicy>,
    ) -> Option<Self> {
        let https = matches!(redirect.kind(), RedirectKind::Https { .. });
        let known = policy.is_some_and(|policy| policy.knows(redirect));
        match (client.kind, client.trust) {
            // The line under its name says so.
            (ClientKind::PreRegistered, _) => None,
            (_, Trust::Shipped) => Some(Self::WellKnown),
            (_, Trust::Operator) => Some(Self::ByOperator),
            (_, Trust::Approved) => (!redirect.is_loopback()).then_some(Self::ByOperator),
            (ClientKind::Document, Trust::Unknown) => Some(Self::ByNobody),
            (ClientKind::Registered, Trust::Unknown) if !https => None,
            // What was known when it registered may be known no longer.
            (ClientKind::Registered, Trust::Unknown) if known => Some(Self::WellKnown),
            (ClientKind::Registered, Trust::Unknown) => Some(Self::ByNobody),
        }
    }

    pub(crate) fn words(self, requester: &Requester) -> String {
        let who = requester.title();
        match self {
            Self::WellKnown => format!("Keystile knows {who} as the address of a well-known app."),
            Self::ByOperator => format!("Whoever runs this server lets {who} connect."),
            Self::ByNobody => format!(
                "Neither Keystile nor whoever runs this server knows {who}. Allow it only if you do."
            ),
        }
    }
}

/// Something a person should know before the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Warning {
    /// Each redirect URI is loopback: any program here could have sent the request (N-AS-12).
    AnyProgram,
    /// The name looks like a known product, the host is not that product's.
    Resembles(&'static str),
}

impl Warning {
    pub(crate) fn what(&self) -> String {
        match self {
            Self::AnyProgram => "Any program on this computer could have asked this.".to_owned(),
            Self::Resembles(brand) => format!("The name looks like {brand}, the address does not."),
        }
    }

    pub(crate) fn to_do(&self) -> &'static str {
        match self {
            Self::AnyProgram => {
                "Allow it only if you have just started connecting an app yourself."
            }
            Self::Resembles(_) => "Go by the address above, not by the name.",
        }
    }
}

/// One scope and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Power {
    /// For people.
    pub(crate) words: String,
    /// On the wire.
    pub(crate) scope: String,
}

impl Power {
    /// Says what a scope allows where these exist. One that no rule names is shown as itself.
    pub(crate) fn of(scope: &str, scopes: &ScopeCatalogue) -> Self {
        let described = scopes.description(scope);
        let words = described.unwrap_or("Use what this scope allows:");
        Self {
            words: words.to_owned(),
            scope: scope.to_owned(),
        }
    }

    /// What these scopes allow at the server; [`Lasts`] is about the one that allows nothing there.
    pub(crate) fn all(asked: &ScopeSet, scopes: &ScopeCatalogue) -> Vec<Self> {
        let asked = asked.iter().filter(|scope| *scope != OFFLINE_ACCESS);
        let asked = asked.filter(|_| !weakened("n_as_35"));
        asked.map(|scope| Self::of(scope, scopes)).collect()
    }

    /// What may be granted instead of what was asked: the scopes that one of those contains.
    pub(crate) fn less(asked: &ScopeSet, scopes: &ScopeCatalogue) -> Vec<Self> {
        let is_less = |scope: &str| {
            let hierarchy = scopes.hierarchy();
            !asked.contains(scope) && hierarchy.permits(asked.iter(), scope)
        };
        let less = scopes.iter().filter(|named| is_less(&named.scope));
        less.map(|named| Self::of(&named.scope, scopes)).collect()
    }
}

/// How long the app stays connected. Who may refresh can, whether it asked for `offline_access` or
/// not (PAINS 2), so a person reads it either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lasts {
    /// For people.
    pub(crate) words: String,
    /// Whether it asked for that by name.
    pub(crate) asked: bool,
}

impl Lasts {
    pub(crate) fn of(client: &ClientSnapshot, asked: &ScopeSet, settings: &Settings) -> Self {
        let words = if client.once {
            let time = shown::wait(settings.access_token_lifetime);
            format!("For {time}. Then it has to ask you again.")
        } else {
            let time = shown::wait(settings.grant_idle);
            format!("Until you disconnect it, or until it has not been used for {time}.")
        };
        let asked = asked.contains(OFFLINE_ACCESS) && !client.once;
        Self { words, asked }
    }
}

/// Where the answer goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReturnsTo {
    /// Host of the redirect URI, or words for loopback and private-use schemes.
    pub(crate) place: String,
    /// The exact redirect URI.
    pub(crate) uri: String,
}

/// The consent page.
#[derive(Debug, Template)]
#[template(path = "consent.html")]
pub(crate) struct Consent<'a> {
    /// The sealed transaction.
    pub(crate) tx: &'a str,
    /// Bound to session and transaction.
    pub(crate) csrf: &'a str,
    /// Who asks.
    pub(crate) requester: Requester,
    /// What it calls itself, cleaned.
    pub(crate) name: Option<String>,
    /// Whether an operator wrote that name: then it is not a claim.
    pub(crate) name_by_operator: bool,
    /// Who says who it is.
    pub(crate) vouched: Option<Vouched>,
    /// What to know first.
    pub(crate) warnings: Vec<Warning>,
    /// Name of the server.
    pub(crate) server: &'a str,
    /// Its canonical resource.
    pub(crate) resource: &'a str,
    /// What is asked for.
    pub(crate) powers: Vec<Power>,
    /// What a person may allow instead.
    pub(crate) less: Vec<Power>,
    /// Until when.
    pub(crate) lasts: Lasts,
    /// Where the answer goes.
    pub(crate) returns_to: ReturnsTo,
    /// Who is signed in.
    pub(crate) person: &'a str,
    /// `KS-…`
    pub(crate) reference: &'a str,
    /// The redirect URI, for the policy.
    pub(crate) redirect_uri: &'a str,
}

impl Consent<'_> {
    /// The page; its form may end at the client's redirect URI.
    pub(crate) fn page(&self) -> Page {
        Page::new(self, FormAction::ours_and(self.redirect_uri))
    }
}

impl ReturnsTo {
    /// Reads host or scheme out of a redirect URI.
    pub(crate) fn of(redirect_uri: &RedirectUri) -> Self {
        let place = match Requester::of_redirect(redirect_uri) {
            Requester::Site(_) if weakened("n_as_11") => "The app".to_owned(),
            Requester::Site(host) => host,
            other => sentence(other.title()),
        };
        Self {
            place,
            uri: shown::uri(redirect_uri.as_str()),
        }
    }
}

impl Requester {
    /// Who stands behind a redirect URI.
    pub(crate) fn of_redirect(redirect_uri: &RedirectUri) -> Self {
        match redirect_uri.kind() {
            RedirectKind::Loopback { .. } => Self::ThisComputer,
            RedirectKind::Https { host } => Self::Site(host.clone()),
            RedirectKind::PrivateUse { scheme } => Self::Scheme(scheme.clone()),
        }
    }
}

fn sentence(text: String) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(characters).collect()
    })
}
