//! Which registered redirect URI a request means, and if none: how the nearest one differs.

use keystile_protocol::error::OAuthError;
use keystile_protocol::mutation::weakened;
use keystile_protocol::redirect::RedirectUri;

use crate::client::{Client, ClientKind};
use crate::decide::diagnose::Diagnosis;
use crate::decide::diagnose::difference::{self, parts};

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
    let came = RedirectUri::parse(asked).map_err(|error| {
        OAuthError::invalid_request(format!("redirect_uri: {error}.")).because("redirect_malformed")
    })?;
    let registered = |text: &String| {
        // An old row or document may hold what is no longer legal: judged again here (N-AS-17).
        RedirectUri::parse(text).is_ok_and(|uri| uri.accepts(&came, client.any_loopback_port))
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

fn diagnosis(client: &Client, came: &RedirectUri) -> Diagnosis {
    let varies = client.any_loopback_port && came.is_loopback();
    let port = parts(came.as_str())[2];
    let comparable = |text: &String| match RedirectUri::parse(text) {
        Ok(uri) if varies && uri.is_loopback() => with_port(text, port),
        _ => text.clone(),
    };
    let known: Vec<String> = client.redirect_uris.iter().map(comparable).collect();
    let known = known.iter().map(String::as_str);
    difference::diagnose("redirect", NOT_REGISTERED, came.as_str(), known)
}

/// A loopback URI with another port, which is no difference where the port may vary.
fn with_port(uri: &str, port: &str) -> String {
    let [scheme, host, _, path, query] = parts(uri);
    let port = if port.is_empty() {
        String::new()
    } else {
        format!(":{port}")
    };
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("?{query}")
    };
    format!("{scheme}://{host}{port}{path}{query}")
}

/// The reason of a redirect that no rule matches.
pub const NOT_REGISTERED: &str = "redirect_not_registered";

/// The most registered URIs that a refusal lists.
const LISTED: usize = 3;

fn mismatch(client: &Client, came: &RedirectUri) -> String {
    let port_varies = client.any_loopback_port && came.is_loopback();
    let mut known: Vec<(Vec<Difference<'_>>, &str)> = client
        .redirect_uris
        .iter()
        .map(|text| (differences(came.as_str(), text, port_varies), text.as_str()))
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

/// One part in which two URIs differ.
struct Difference<'a> {
    part: &'static str,
    asked: &'a str,
    registered: &'a str,
}

fn differences<'a>(asked: &'a str, registered: &'a str, port_varies: bool) -> Vec<Difference<'a>> {
    const NAMES: [&str; 5] = ["scheme", "host", "port", "path", "query"];
    let pairs = parts(asked).into_iter().zip(parts(registered));
    NAMES
        .into_iter()
        .zip(pairs)
        .filter(|(part, (asked, registered))| {
            asked != registered && !(port_varies && *part == "port")
        })
        .map(|(part, (asked, registered))| Difference {
            part,
            asked,
            registered,
        })
        .collect()
}

/// The small differences that people stare at for an hour.
fn words(differences: &[Difference<'_>]) -> String {
    let [
        Difference {
            part,
            asked,
            registered,
        },
    ] = differences
    else {
        let names: Vec<&str> = differences.iter().map(|one| one.part).collect();
        return match names.split_last() {
            Some((last, others)) if !others.is_empty() => {
                format!(" They differ in {} and {last}.", others.join(", "))
            }
            _ => String::new(),
        };
    };
    let is_name = |text: &str| ["localhost", "127.0.0.1", "[::1]"].contains(&text);
    if asked.eq_ignore_ascii_case(registered) {
        return format!(" They differ only in upper and lower case, in the {part}.");
    }
    match *part {
        "path" if asked.trim_end_matches('/') == registered.trim_end_matches('/') => {
            " They differ only in a trailing slash.".to_owned()
        }
        "host" if is_name(asked) && is_name(registered) => {
            format!(" They differ only in {asked} and {registered}, which are two hosts here.")
        }
        "port" => format!(
            " They differ only in the port: {} instead of {}. It may vary only for native clients on loopback.",
            or_none(asked),
            or_none(registered)
        ),
        _ => format!(
            " They differ only in the {part}: {} instead of {}.",
            or_none(asked),
            or_none(registered)
        ),
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}
