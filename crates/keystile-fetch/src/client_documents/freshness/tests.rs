use std::time::{Duration, UNIX_EPOCH};

use super::*;

const NOW: i64 = 1_780_000_000_000;
const MINUTE: i64 = 60_000;

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        headers.append(name, HeaderValue::from_str(value).expect("a header value"));
    }
    headers
}

fn minutes(lines: &[(&str, &str)]) -> Option<(i64, i64)> {
    let freshness = of(&headers(lines), NOW)?;
    Some((
        (freshness.fresh_until - NOW) / MINUTE,
        (freshness.usable_until - NOW) / MINUTE,
    ))
}

fn at(milliseconds: i64) -> String {
    let since = Duration::from_millis(u64::try_from(milliseconds).expect("after 1970"));
    httpdate::fmt_http_date(UNIX_EPOCH + since)
}

#[test]
fn n_as_09_how_long_a_document_is_fresh_and_excused() {
    let cc = "cache-control";
    assert_eq!(minutes(&[]), Some((5, 15)), "nothing said");
    assert_eq!(minutes(&[(cc, "max-age=600")]), Some((10, 20)));
    assert_eq!(
        minutes(&[(cc, "MAX-AGE = \"600\" , public")]),
        Some((10, 20))
    );
    assert_eq!(
        minutes(&[(cc, "max-age=600, s-maxage=1200")]),
        Some((20, 20))
    );
    assert_eq!(minutes(&[(cc, "max-age=0")]), Some((0, 10)));
    assert_eq!(
        minutes(&[(cc, "max-age=-1")]),
        Some((0, 10)),
        "no number is stale"
    );
    assert_eq!(minutes(&[(cc, "max-age=x")]), Some((0, 10)));
    assert_eq!(
        minutes(&[(cc, "max-age=600, max-age=60")]),
        Some((1, 11)),
        "the stricter"
    );
    assert_eq!(
        minutes(&[(cc, "max-age=600"), (cc, "no-store")]),
        None,
        "two lines"
    );
    assert_eq!(minutes(&[(cc, "no-store, max-age=600")]), None);
    assert_eq!(minutes(&[(cc, "No-Store")]), None);
    assert_eq!(minutes(&[(cc, "private, max-age=600")]), None);
    assert_eq!(minutes(&[(cc, "max-age=600"), ("vary", "*")]), None);
    assert_eq!(minutes(&[(cc, "no-cache")]), Some((0, 0)));
    assert_eq!(
        minutes(&[(cc, "no-cache, max-age=600, stale-if-error=600")]),
        Some((0, 0))
    );
    assert_eq!(minutes(&[("pragma", "no-cache")]), Some((0, 0)));
    assert_eq!(
        minutes(&[(cc, "max-age=600"), ("pragma", "no-cache")]),
        Some((10, 20))
    );
    assert_eq!(
        minutes(&[(cc, "max-age=600, must-revalidate")]),
        Some((10, 10))
    );
    assert_eq!(
        minutes(&[(cc, "max-age=600, stale-if-error=120")]),
        Some((10, 12))
    );
    assert_eq!(
        minutes(&[(cc, "s-maxage=600, stale-if-error=120")]),
        Some((10, 12))
    );

    // Age and dates
    assert_eq!(
        minutes(&[(cc, "max-age=600"), ("age", "240")]),
        Some((6, 16))
    );
    assert_eq!(
        minutes(&[(cc, "max-age=600"), ("age", "6000")]),
        Some((0, 10))
    );
    assert_eq!(
        minutes(&[(cc, "max-age=600"), ("date", &at(NOW - 3 * MINUTE))]),
        Some((7, 17))
    );
    assert_eq!(
        minutes(&[(cc, "max-age=600"), ("date", &at(NOW + 3 * MINUTE))]),
        Some((10, 20))
    );
    let dates = [("date", at(NOW)), ("expires", at(NOW + 4 * MINUTE))];
    let dates = dates
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    assert_eq!(minutes(&dates), Some((4, 14)));
    assert_eq!(minutes(&[("expires", "0")]), Some((0, 10)));

    // Never longer than a day, however it is said
    let day = MAX_FRESH_MS / MINUTE;
    for said in [
        "max-age=999999999",
        "max-age=99999999999999999999999",
        "s-maxage=604800",
    ] {
        assert_eq!(minutes(&[(cc, said)]), Some((day, day)), "{said}");
    }
    assert_eq!(
        minutes(&[(cc, "max-age=600, stale-if-error=999999999")]),
        Some((10, day))
    );
    assert_eq!(
        minutes(&[(cc, "max-age=999999999"), ("age", "999999998")]),
        Some((0, 10))
    );
}

#[test]
fn the_headers_of_a_304_replace_those_of_the_same_name() {
    let mut kept = relevant(&headers(&[
        ("cache-control", "max-age=60"),
        ("etag", "\"a\""),
        ("age", "50"),
        ("set-cookie", "x=y"),
    ]));
    assert_eq!(kept.get("set-cookie"), None);
    merge(&mut kept, &headers(&[("cache-control", "max-age=120")]));
    assert_eq!(
        kept,
        headers(&[("cache-control", "max-age=120"), ("etag", "\"a\"")])
    );
}
