//! The stylesheet and the icon.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};

/// The one stylesheet.
pub(crate) const STYLE: &str = include_str!("../style.css");
const ICON: &str = include_str!("icon.svg");

/// Changes with the stylesheet, so that a browser may keep it and never keeps an old one.
pub(crate) const STYLE_VERSION: u32 = fingerprint(STYLE.as_bytes());

/// `GET /ks/style.css`
pub(crate) async fn style() -> Response {
    asset("text/css; charset=utf-8", STYLE)
}

/// `GET /ks/icon.svg`
pub(crate) async fn icon() -> Response {
    asset("image/svg+xml", ICON)
}

fn asset(kind: &'static str, body: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "public, max-age=86400"),
    ];
    (headers, body).into_response()
}

/// FNV-1a: tells versions apart, promises nothing else.
const fn fingerprint(bytes: &[u8]) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u32).wrapping_mul(0x0100_0193);
        index += 1;
    }
    hash
}
