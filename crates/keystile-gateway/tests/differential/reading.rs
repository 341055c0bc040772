//! What a reader has read, and the canonical text in which readings are compared.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A document as `serde_json` reads it, with every member that it meets.
#[derive(Debug, Clone)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The member that counts for `serde_json::Value`, JSON.parse and Python: the last one.
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let found = members.iter().rfind(|(known, _)| known == name);
        found.map(|(_, it)| it)
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// ASCII: characters as UTF-16 units, numbers as the bits of an f64 (-0 and 0 are equal), members sorted.
    pub(crate) fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(it) => out.push_str(if *it { "true" } else { "false" }),
            Self::Number(it) => *out += &format!("#{:016x}", (it + 0.0).to_bits()),
            Self::Text(text) => write_text(text, out),
            Self::Array(all) => {
                out.push('[');
                for (place, it) in all.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    it.write(out);
                }
                out.push(']');
            }
            Self::Object(all) => {
                let shown = |name: &String| {
                    let mut shown = String::new();
                    write_text(name, &mut shown);
                    shown
                };
                let members: BTreeMap<_, _> =
                    all.iter().map(|(name, it)| (shown(name), it)).collect();
                out.push('{');
                for (place, (name, it)) in members.into_iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    *out += &name;
                    out.push(':');
                    it.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        match char {
            ' '..='~' if !matches!(char, '"' | '\\') => out.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    *out += &format!("\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(it))
    }

    #[expect(clippy::cast_precision_loss, reason = "as JSON.parse does")]
    fn visit_u64<E>(self, it: u64) -> Result<Tree, E> {
        Ok(Tree::Number(it as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "as JSON.parse does")]
    fn visit_i64<E>(self, it: i64) -> Result<Tree, E> {
        Ok(Tree::Number(it as f64))
    }

    fn visit_f64<E>(self, it: f64) -> Result<Tree, E> {
        Ok(Tree::Number(it))
    }

    fn visit_str<E>(self, it: &str) -> Result<Tree, E> {
        Ok(Tree::Text(it.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(it) = seq.next_element()? {
            all.push(it);
        }
        Ok(Tree::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut all = Vec::new();
        while let Some(member) = map.next_entry()? {
            all.push(member);
        }
        Ok(Tree::Object(all))
    }
}
