//! How long an answer may be used: RFC 9111, as a shared cache, and RFC 5861 §4.

use std::time::UNIX_EPOCH;

use http::header::{AGE, CACHE_CONTROL, DATE, ETAG, EXPIRES, HeaderName, PRAGMA, VARY};
use http::{HeaderMap, HeaderValue};
use keystile_protocol::mutation::weakened;

/// Times in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Freshness {
    /// Used without asking before then.
    pub(super) fresh_until: i64,
    /// Used before then if the host fails to answer.
    pub(super) usable_until: i64,
}

/// `None` if the answer must not be kept at all.
pub(super) fn of(headers: &HeaderMap, now: i64) -> Option<Freshness> {
    let control = CacheControl::of(headers);
    let varies = headers.get_all(VARY).iter().any(|value| value == "*");
    if (control.no_store || control.private || varies) && !weakened("n_as_09") {
        return None;
    }
    let lifetime = if control.no_cache {
        0
    } else {
        lifetime(&control, headers)
    };
    let cap = if weakened("n_as_09b") {
        i64::MAX / 4
    } else {
        MAX_FRESH_MS
    };
    let fresh_for = lifetime.saturating_sub(age(headers, now)).clamp(0, cap);
    let excused_for = match control.stale_if_error {
        _ if control.no_cache || control.must_revalidate => 0,
        Some(seconds) => seconds.saturating_mul(1000),
        // RFC 9111 §5.2.2.10: `s-maxage` forbids stale answers.
        None if control.s_maxage.is_some() => 0,
        None => DEFAULT_STALE_MS,
    };
    Some(Freshness {
        fresh_until: now + fresh_for,
        usable_until: now + fresh_for.saturating_add(excused_for).min(MAX_FRESH_MS),
    })
}

/// The headers that [`of`] and a conditional request need.
pub(super) fn relevant(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    merge(&mut kept, headers);
    kept
}

/// Puts the headers of a 304 in place of those of the same name; `Age` is always the new one.
pub(super) fn merge(kept: &mut HeaderMap, newer: &HeaderMap) {
    kept.remove(AGE);
    kept.remove(DATE);
    for name in RELEVANT {
        let mut values = newer.get_all(&name).iter();
        if let Some(first) = values.next() {
            kept.insert(name.clone(), first.clone());
            for value in values {
                kept.append(name.clone(), value.clone());
            }
        }
    }
}

fn lifetime(control: &CacheControl, headers: &HeaderMap) -> i64 {
    if let Some(seconds) = control.s_maxage.or(control.max_age) {
        return seconds.saturating_mul(1000);
    }
    match headers.get(EXPIRES) {
        // An `Expires` that is no date, such as `0`, is in the past (RFC 9111 §5.3).
        Some(expires) => match (date(Some(expires)), date(headers.get(DATE))) {
            (Some(expires), Some(date)) => expires.saturating_sub(date),
            _ => 0,
        },
        None => DEFAULT_FRESH_MS,
    }
}

/// RFC 9111 §4.2.3, without the time under way.
fn age(headers: &HeaderMap, now: i64) -> i64 {
    let apparent = date(headers.get(DATE)).map_or(0, |date| now.saturating_sub(date).max(0));
    let said = headers
        .get(AGE)
        .and_then(|value| value.to_str().ok())
        .and_then(seconds);
    apparent.max(said.unwrap_or(0).saturating_mul(1000))
}

fn date(value: Option<&HeaderValue>) -> Option<i64> {
    let time = httpdate::parse_http_date(value?.to_str().ok()?).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// RFC 9111 §1.2.2: digits only; more than fit are "very long".
fn seconds(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(i64::MAX))
}

#[derive(Debug, Default)]
struct CacheControl {
    no_store: bool,
    no_cache: bool,
    private: bool,
    must_revalidate: bool,
    max_age: Option<i64>,
    s_maxage: Option<i64>,
    stale_if_error: Option<i64>,
}

impl CacheControl {
    fn of(headers: &HeaderMap) -> Self {
        let mut control = Self::default();
        let mut said_anything = false;
        for value in headers.get_all(CACHE_CONTROL) {
            said_anything = true;
            // An illegible header is the cautious one.
            let Ok(value) = value.to_str() else {
                control.no_store = true;
                continue;
            };
            for directive in value.split(',') {
                control.add(directive.trim());
            }
        }
        if !said_anything {
            let pragma = headers.get(PRAGMA).and_then(|value| value.to_str().ok());
            control.no_cache = pragma.is_some_and(|value| value.contains("no-cache"));
        }
        control
    }

    /// Of two that disagree, the stricter counts; an age that is no number is 0 (RFC 9111 §4.2.1).
    fn add(&mut self, directive: &str) {
        let (name, argument) = directive.split_once('=').unwrap_or((directive, ""));
        let name = name.trim().to_ascii_lowercase();
        let age = seconds(argument.trim().trim_matches('"')).unwrap_or(0);
        let stricter = |old: Option<i64>| Some(old.map_or(age, |old| old.min(age)));
        match name.as_str() {
            "no-store" => self.no_store = true,
            "no-cache" => self.no_cache = true,
            "private" => self.private = true,
            "must-revalidate" | "proxy-revalidate" => self.must_revalidate = true,
            "max-age" => self.max_age = stricter(self.max_age),
            "s-maxage" => self.s_maxage = stricter(self.s_maxage),
            "stale-if-error" => self.stale_if_error = stricter(self.stale_if_error),
            _ => {}
        }
    }
}

const RELEVANT: [HeaderName; 7] = [CACHE_CONTROL, EXPIRES, PRAGMA, VARY, ETAG, AGE, DATE];

/// No document is used for longer than a day without its host saying again that it holds.
pub const MAX_FRESH_MS: i64 = 24 * 60 * 60 * 1000;

/// For an answer that says nothing about it (RFC 9111 §4.2.2 leaves it to us).
const DEFAULT_FRESH_MS: i64 = 5 * 60 * 1000;

const DEFAULT_STALE_MS: i64 = 10 * 60 * 1000;

#[cfg(test)]
mod tests;
