//! A proxy in front whose idea of our public URL is another one: clients compare it byte for byte.

use keystile_protocol::issuer::Issuer;

use super::Diagnosis;
use super::difference::is_loopback;
use crate::shown::word;

/// What a request says about the address that it was sent to. Only ever compared, never believed
/// (CHECKLIST R15).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addressed<'a> {
    /// `Host`, or the authority of the request line.
    pub host: Option<&'a str>,
    /// `X-Forwarded-Host`, or `host` of `Forwarded` (RFC 7239 §5.3).
    pub forwarded_host: Option<&'a str>,
    /// `X-Forwarded-Proto`, or `proto` of `Forwarded` (RFC 7239 §5.4).
    pub forwarded_proto: Option<&'a str>,
}

/// Of a request that was refused for its `Host`: what a proxy says besides may be right.
#[must_use]
pub fn refused(public: &Issuer, addressed: &Addressed<'_>) -> Option<Diagnosis> {
    let Some(said) = addressed.forwarded_host else {
        return diagnose(public, addressed);
    };
    if !said.eq_ignore_ascii_case(public.authority()) {
        return diagnose(public, addressed);
    }
    let host = addressed.host.unwrap_or_default();
    let shown: String = host
        .chars()
        .filter(char::is_ascii_graphic)
        .take(200)
        .collect();
    Some(Diagnosis::named(
        "proxy_changes_host",
        format!("Host says {shown}, and a proxy in front says that {said} was asked for."),
    ))
}

/// How the address that people use differs from the public URL; `None` when nothing says so.
#[must_use]
pub fn diagnose(public: &Issuer, addressed: &Addressed<'_>) -> Option<Diagnosis> {
    let scheme = if public.is_https() { "https" } else { "http" };
    let host = addressed.forwarded_host.or(addressed.host);
    let proto = addressed.forwarded_proto.unwrap_or(scheme);
    // As nearly every request says it.
    if proto == scheme && host.is_none_or(|host| host == public.authority()) {
        return None;
    }
    let whole = |authority: &str, scheme: &str| {
        let default = if scheme == "https" { ":443" } else { ":80" };
        let lower = authority.to_ascii_lowercase();
        lower.strip_suffix(default).unwrap_or(&lower).to_owned()
    };
    let ours = whole(public.authority(), scheme);
    let theirs = host.map_or_else(|| ours.clone(), |host| whole(host, proto));
    let name = |authority: &str| {
        let port = authority
            .rfind(':')
            .filter(|at| !authority[*at..].contains(']'));
        authority[..port.unwrap_or(authority.len())].to_owned()
    };
    let loopback = |authority: &str| is_loopback(&name(authority));
    let reason = if name(&theirs) != name(&ours) {
        if proto == scheme && loopback(&theirs) && loopback(&ours) {
            let found = format!("It is {public}, and the app asked at {proto}://{theirs}.");
            return Some(Diagnosis::named(
                "public_url_differs_in_loopback_name",
                found,
            ));
        }
        "public_url_differs_in_host"
    } else if proto != scheme {
        "public_url_differs_in_scheme"
    } else if theirs != ours {
        "public_url_differs_in_port"
    } else {
        return None;
    };
    let shown: String = theirs
        .chars()
        .filter(char::is_ascii_graphic)
        .take(200)
        .collect();
    let by = match (addressed.forwarded_host, addressed.forwarded_proto) {
        (None, None) => "Host says",
        _ => "a proxy in front says",
    };
    let proto = if proto == "https" { "https" } else { "http" };
    let mut diagnosis = Diagnosis::named(
        reason,
        format!("The public URL is {public}, and {by} {proto}://{shown}."),
    );
    // Whoever sends a request writes these headers: the address may be anybody's.
    diagnosis.fix = format!(
        "{} Only if you know that address as your own: --public-url {}. If you do not, somebody made it up, and there is nothing to do",
        diagnosis.fix,
        word(&format!("{proto}://{shown}"))
    );
    Some(diagnosis)
}
