//! Spans inside a JSON text, and edits that keep every other byte.
//!
//! CHECKLIST R1: a message that passes is forwarded as its own bytes, and an edit replaces only that member's bytes.
//! So nothing here builds a tree and prints it again: [`Node`] points into a text that the strict parser has already
//! accepted, and [`Reshape`] writes an object anew with the bytes of each member it keeps. Number lexemes survive.
//!
//! The scanner assumes a valid text. On an invalid one it finds less, never panics and never loops.

use std::{borrow::Cow, ops::Range};

/// A value inside a JSON text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<'a> {
    whole: &'a str,
    start: usize,
    end: usize,
}

/// One member of an object.
#[derive(Clone, Debug)]
pub(crate) struct Member<'a> {
    /// The key after unescaping.
    pub(crate) key: Cow<'a, str>,
    pub(crate) value: Node<'a>,
    /// From the first quote of the key to the last byte of the value.
    span: Range<usize>,
}

impl<'a> Node<'a> {
    /// The outermost value of `whole`.
    pub(crate) fn root(whole: &'a str) -> Self {
        let start = skip_space(whole.as_bytes(), 0);
        let end = skip_value(whole.as_bytes(), start).unwrap_or(start);
        Self { whole, start, end }
    }

    pub(crate) fn text(self) -> &'a str {
        self.whole.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start..self.end
    }

    pub(crate) fn is_object(self) -> bool {
        self.text().starts_with('{')
    }

    pub(crate) fn is_true(self) -> bool {
        self.text() == "true"
    }

    /// The string that this value is, unescaped.
    pub(crate) fn string(self) -> Option<Cow<'a, str>> {
        let text = self.text();
        let inner = text.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            serde_json::from_str(text).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inner))
        }
    }

    pub(crate) fn integer(self) -> Option<i64> {
        self.text().parse().ok()
    }

    /// The members in the order of the text; none if this is not an object.
    pub(crate) fn members(self) -> Members<'a> {
        let at = if self.is_object() {
            self.start + 1
        } else {
            self.end
        };
        Members { node: self, at }
    }

    /// The elements in the order of the text; none if this is not an array.
    pub(crate) fn elements(self) -> Elements<'a> {
        let at = if self.text().starts_with('[') {
            self.start + 1
        } else {
            self.end
        };
        Elements { node: self, at }
    }

    pub(crate) fn member(self, key: &str) -> Option<Node<'a>> {
        self.members()
            .find(|member| member.key == key)
            .map(|member| member.value)
    }

    pub(crate) fn path<const N: usize>(self, keys: [&str; N]) -> Option<Node<'a>> {
        keys.iter().try_fold(self, |node, key| node.member(key))
    }
}

/// See [`Node::members`].
pub(crate) struct Members<'a> {
    node: Node<'a>,
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let bytes = self.node.whole.as_bytes();
        let key_start = skip_space(bytes, self.at);
        if key_start >= self.node.end || bytes.get(key_start) != Some(&b'"') {
            return None;
        }
        let key_end = skip_value(bytes, key_start)?;
        let colon = skip_space(bytes, key_end);
        if bytes.get(colon) != Some(&b':') {
            return None;
        }
        let start = skip_space(bytes, colon + 1);
        let end = skip_value(bytes, start)?;
        self.at = after_comma(bytes, end);
        let whole = self.node.whole;
        let key = Node {
            whole,
            start: key_start,
            end: key_end,
        }
        .string()?;
        Some(Member {
            key,
            value: Node { whole, start, end },
            span: key_start..end,
        })
    }
}

/// See [`Node::elements`].
pub(crate) struct Elements<'a> {
    node: Node<'a>,
    at: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Node<'a>> {
        let bytes = self.node.whole.as_bytes();
        let start = skip_space(bytes, self.at);
        if start >= self.node.end || bytes.get(start) == Some(&b']') {
            return None;
        }
        let end = skip_value(bytes, start)?;
        self.at = after_comma(bytes, end);
        Some(Node {
            whole: self.node.whole,
            start,
            end,
        })
    }
}

/// `whole` with the bytes of `node` replaced.
pub(crate) fn replaced(whole: &str, node: Node<'_>, with: &str) -> String {
    let Range { start, end } = node.range();
    let mut text = String::with_capacity(whole.len() + with.len());
    text.push_str(&whole[..start]);
    text.push_str(with);
    text.push_str(&whole[end..]);
    text
}

/// `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An object written anew: members that are kept keep their bytes and their order, new ones come last.
pub(crate) struct Reshape<'a> {
    node: Option<Node<'a>>,
    changes: Vec<(&'a str, Option<String>)>,
}

impl<'a> Reshape<'a> {
    /// Starts from `node`; a missing node, or one that is no object, counts as `{}`.
    pub(crate) fn of(node: Option<Node<'a>>) -> Self {
        Self {
            node: node.filter(|node| node.is_object()),
            changes: Vec::new(),
        }
    }

    /// Sets `key` to the JSON text `value`.
    pub(crate) fn set(mut self, key: &'a str, value: impl Into<String>) -> Self {
        self.changes.push((key, Some(value.into())));
        self
    }

    /// Sets `key` unless the object has it.
    pub(crate) fn default(self, key: &'a str, value: &str) -> Self {
        if self.node.is_some_and(|node| node.member(key).is_some()) {
            self
        } else {
            self.set(key, value)
        }
    }

    pub(crate) fn drop(mut self, key: &'a str) -> Self {
        self.changes.push((key, None));
        self
    }

    pub(crate) fn finish(self) -> String {
        let mut text = String::from("{");
        let mut push = |member: &str| {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(member);
        };
        for member in self.node.into_iter().flat_map(Node::members) {
            if !self.changes.iter().any(|(key, _)| *key == member.key) {
                push(&member.value.whole[member.span.clone()]);
            }
        }
        for (key, value) in &self.changes {
            if let Some(value) = value {
                push(&format!("{}:{value}", quoted(key)));
            }
        }
        text.push('}');
        text
    }

    /// The object, or `None` when no member is left.
    pub(crate) fn finish_unless_empty(self) -> Option<String> {
        Some(self.finish()).filter(|text| text != "{}")
    }
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

fn after_comma(bytes: &[u8], at: usize) -> usize {
    let at = skip_space(bytes, at);
    if bytes.get(at) == Some(&b',') {
        at + 1
    } else {
        at
    }
}

/// The end of the value that starts at `at`.
fn skip_value(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at)? {
        b'"' => skip_string(bytes, at),
        b'{' | b'[' => {
            let mut depth = 0usize;
            let mut at = at;
            loop {
                match bytes.get(at)? {
                    b'"' => at = skip_string(bytes, at)? - 1,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' if depth == 1 => return Some(at + 1),
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
            }
        }
        _ => {
            let rest = &bytes[at..];
            let len = rest
                .iter()
                .position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'));
            Some(at + len.unwrap_or(rest.len())).filter(|end| *end > at)
        }
    }
}

fn skip_string(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_through_escapes_and_spaces() {
        let text = r#" { "a\u0062" : [1, {"x":"}"} ] , "id":1.50e2 , "s":"\"," } "#;
        let root = Node::root(text);
        assert_eq!(root.member("ab").unwrap().text(), r#"[1, {"x":"}"} ]"#);
        assert_eq!(root.member("id").unwrap().text(), "1.50e2");
        assert_eq!(root.member("s").unwrap().string().unwrap(), "\",");
        assert!(root.member("x").is_none());
        let elements: Vec<_> = root
            .member("ab")
            .unwrap()
            .elements()
            .map(Node::text)
            .collect();
        assert_eq!(elements, ["1", r#"{"x":"}"}"#]);
    }

    #[test]
    fn an_edit_keeps_every_other_byte() {
        let text = r#"{ "id" : 7,"params":{"n":1e3} }"#;
        let id = Node::root(text).member("id").unwrap();
        assert_eq!(
            replaced(text, id, "\"k\""),
            r#"{ "id" : "k","params":{"n":1e3} }"#
        );
    }

    #[test]
    fn a_reshaped_object_keeps_the_bytes_of_what_stays() {
        let node = Node::root(r#"{"a":1.0 , "b":{ "c":2 },"d":null}"#);
        let text = Reshape::of(Some(node))
            .drop("a")
            .set("d", "[]")
            .default("b", "0")
            .finish();
        assert_eq!(text, r#"{"b":{ "c":2 },"d":[]}"#);
        assert_eq!(Reshape::of(None).default("x", "1").finish(), r#"{"x":1}"#);
        let empty = Node::root(r#"{"a":1}"#);
        assert_eq!(
            Reshape::of(Some(empty)).drop("a").finish_unless_empty(),
            None
        );
    }

    #[test]
    fn a_broken_text_finds_less_and_never_panics() {
        for text in [
            "",
            "{",
            "{\"a",
            "{\"a\":",
            "[1,",
            "{\"a\":}",
            "\"\\",
            "{]",
            "}",
            "{\"a\" 1}",
        ] {
            let root = Node::root(text);
            assert!(root.members().count() <= 1);
            assert!(root.elements().count() <= 1);
            assert!(root.member("z").is_none());
        }
    }
}
