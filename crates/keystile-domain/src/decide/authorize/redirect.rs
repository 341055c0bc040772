//! Which registered redirect URI a request means, and if none: how the nearest one differs.

use keystile_protocol::error::OAuthError;
use keystile_protocol::mutation::weakened;
use keystile_protocol::redirect::{RedirectError, RedirectUri};

use crate::client::{Client, ClientKind};
use crate::decide::diagnose::Diagnosis;
use crate::decide::diagnose::difference::{self, Difference, Differing, differing};
use crate::flow::{without_queries, without_query};
use crate::shown::word;

/// Finds the registered redirect URI that a request means. Until this succeeded, nothing may
/// redirect (N-AS-19, A-001): every failure is a page of our own.
///
/// # Errors
/// `invalid_request`, with what was asked, what this client registered, and how they differ. A
/// client's own redirect URIs are no secret from who knows its `client_id`: a document is public, a
/// sealed id was made for its holder, and the rest stands in the client's own settings.
pub fn trusted_redirect(client: &Client, asked: Option<&str>) -> Result<RedirectUri, OAuthError> {
    let asked = asked.ok_or_else(|| {
        OAuthError::invalid_request("redirect_uri is missing: send one that the client registered.")
            .because("redirect_missing")
    })?;
    let came = RedirectUri::parse(asked).map_err(|error| malformed(client, asked, &error))?;
    let registered = |text: &String| {
        // The same bytes were judged just now. An old row or document may hold what is no longer legal: judged again here
        // (N-AS-17).
        text == came.as_str()
            || RedirectUri::parse(text)
                .is_ok_and(|uri| uri.accepts(&came, client.any_loopback_port))
    };
    let trusting =
        weakened("a_001") || (weakened("n_as_07") && client.kind == ClientKind::Document);
    if client.redirect_uris.iter().any(registered) || trusting {
        return Ok(came);
    }
    // The public sentence says all of it; this is for log and doctor.
    Err(OAuthError::invalid_request(mismatch(client, &came))
        .because(NOT_REGISTERED)
        .with_detail(diagnosis(client, &came)))
}

/// An address that can't be registered at all may still be one that was, but for one thing: `http` where it is `https`.
fn malformed(client: &Client, asked: &str, error: &RedirectError) -> OAuthError {
    let refused = OAuthError::invalid_request(format!("redirect_uri: {error}.")).because(MALFORMED);
    let known = client.redirect_uris.iter().map(String::as_str);
    let near = difference::nearest("redirect", MALFORMED, asked, known, false);
    if near.reason == MALFORMED {
        // The sentence says why nobody can register it; how else it differs from what this client registered is for log
        // and doctor.
        let found = format!("{} {}", without_queries(&refused.description), near.found);
        return refused.with_detail(Diagnosis { found, ..near });
    }
    let fix = "The app has to send an address that it registered, byte for byte. One behind a TLS proxy has to be told that people reach it by https.";
    let near = Diagnosis {
        fix: fix.to_owned(),
        ..near
    };
    near.explain(refused)
}

fn diagnosis(client: &Client, came: &RedirectUri) -> Diagnosis {
    let known = client.redirect_uris.iter().map(String::as_str);
    let any_port = any_port(client, came);
    let diagnosis = difference::nearest("redirect", NOT_REGISTERED, came.as_str(), known, any_port);
    Diagnosis {
        fix: fix(client, came),
        ..diagnosis
    }
}

/// Who can mend it depends on who registered it. The address is a stranger's: it never goes into a command
/// unquoted, nor without a word of care.
fn fix(client: &Client, came: &RedirectUri) -> String {
    match client.kind {
        ClientKind::Registered => "The app registered another address than the one it uses now. Remove the connection in the app and add it again, so that the app registers anew.".to_owned(),
        ClientKind::Document => "Only the app's maker can mend this: the address has to stand in the app's own document, which is its client_id. Tell them, and update the app if you can.".to_owned(),
        ClientKind::PreRegistered => {
            // What stands behind a question mark is never kept.
            let uri = match without_query(came.as_str()) {
                whole if whole == came.as_str() => word(&whole),
                cut => format!("URI, where URI is {} with the query that the app sends", word(&cut)),
            };
            let id = &client.client_id;
            format!("Set the app to an address that is registered for it. Only if you know the one that came as the app's own: keystile client update {id} --add-redirect-uri {uri}")
        }
    }
}

/// Whether the port is no difference (RFC 8252 §7.3).
fn any_port(client: &Client, came: &RedirectUri) -> bool {
    client.any_loopback_port && came.is_loopback()
}

/// The reason of a redirect that nobody can register.
const MALFORMED: &str = "redirect_malformed";

/// The reason of a redirect that no rule matches.
pub const NOT_REGISTERED: &str = "redirect_not_registered";

/// The most registered URIs that a refusal lists.
const LISTED: usize = 3;

fn mismatch(client: &Client, came: &RedirectUri) -> String {
    let any_port = any_port(client, came);
    let mut known: Vec<(Vec<Differing<'_>>, &str)> = client
        .redirect_uris
        .iter()
        .map(|text| (differing(came.as_str(), text, any_port), text.as_str()))
        .collect();
    known.sort_by_key(|(differences, _)| differences.len());
    let listed: Vec<String> = known
        .iter()
        .take(LISTED)
        .map(|(_, text)| quoted(text))
        .collect();
    let more = match known.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let how = known
        .first()
        .map_or_else(String::new, |(differences, nearest)| {
            let which = if known.len() > 1 {
                format!(" Nearest is {}.", quoted(nearest))
            } else {
                String::new()
            };
            format!("{which}{}", words(differences))
        });
    format!(
        "redirect_uri is not one that this client registered. Asked for: {}. Registered: {}{more}.{how}",
        quoted(came.as_str()),
        listed.join(" "),
    )
}

/// So that the full stop behind it is not read as a part of it.
fn quoted(uri: &str) -> String {
    format!("'{uri}'")
}

/// The small differences that people stare at for an hour.
fn words(differing: &[Differing<'_>]) -> String {
    let [one] = differing else {
        let names: Vec<&str> = differing.iter().map(|one| one.part).collect();
        return match names.split_last() {
            Some((last, others)) if !others.is_empty() => {
                format!(" They differ in {} and {last}.", others.join(", "))
            }
            _ => String::new(),
        };
    };
    let (part, asked, registered) = (one.part, or_none(one.asked), or_none(one.expected));
    let how = match one.difference {
        Difference::Case => format!("upper and lower case, in the {part}."),
        Difference::Slash => "a trailing slash.".to_owned(),
        Difference::LoopbackName => format!("{asked} and {registered}, which are two hosts here."),
        Difference::Port => format!(
            "the port: {asked} instead of {registered}. It may vary only for native clients on loopback."
        ),
        // Logged, too; both are whole in front of it.
        Difference::Query => "what stands behind the question mark.".to_owned(),
        Difference::User => "a user name or a password.".to_owned(),
        Difference::Fragment => "what stands behind the #.".to_owned(),
        Difference::Scheme | Difference::Host | Difference::Path => {
            format!("the {part}: {asked} instead of {registered}.")
        }
    };
    format!(" They differ only in {how}")
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}
