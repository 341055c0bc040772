//! The two spellings of a page's name: its path, and its resource URI.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// `kb://doc/docs/connect.md` for a document, `kb://note/12` for a note.
pub(crate) fn uri(path: &str) -> String {
    match path.strip_prefix(NOTES) {
        Some(number) if is_number(number) => format!("{NOTE_URI}{number}"),
        _ => format!("{DOCUMENT_URI}{}", utf8_percent_encode(path, ESCAPED)),
    }
}

/// The path that a URI or a path names; `None` for a URI of another kind.
///
/// The result is only ever compared with paths of the index, so it needs no cleaning.
pub(crate) fn path(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some(number) = text.strip_prefix(NOTE_URI) {
        return is_number(number).then(|| format!("{NOTES}{number}"));
    }
    if let Some(encoded) = text.strip_prefix(DOCUMENT_URI) {
        return percent_decode_str(encoded)
            .decode_utf8()
            .ok()
            .map(|path| path.into_owned());
    }
    (!text.contains("://")).then(|| text.to_owned())
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// RFC 6570 §3.2.3: `{+path}` keeps the slashes.
pub(crate) const DOCUMENT_TEMPLATE: &str = "kb://doc/{+path}";
pub(crate) const NOTE_TEMPLATE: &str = "kb://note/{number}";

const DOCUMENT_URI: &str = "kb://doc/";
const NOTE_URI: &str = "kb://note/";
const NOTES: &str = "notes/";
/// RFC 3986 §2.3 unreserved, and the slash.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_its_uri_name_the_same_page() {
        for (name, address) in [
            ("README.md", "kb://doc/README.md"),
            ("docs/a b.md", "kb://doc/docs/a%20b.md"),
            ("docs/grüße?#.md", "kb://doc/docs/gr%C3%BC%C3%9Fe%3F%23.md"),
            ("notes/12", "kb://note/12"),
            ("notes/12.md", "kb://doc/notes/12.md"),
        ] {
            assert_eq!(uri(name), address);
            assert_eq!(path(address).as_deref(), Some(name));
            assert_eq!(path(name).as_deref(), Some(name));
        }
    }

    #[test]
    fn other_uris_name_nothing() {
        for other in [
            "file:///etc/passwd",
            "kb://note/x",
            "kb://other/README.md",
            "kb://doc/%FF",
        ] {
            assert_eq!(path(other), None, "{other}");
        }
    }
}
