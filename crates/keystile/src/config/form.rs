//! What stands in `keystile.toml`: the one description that reading, the reference page, the example and the JSON Schema
//! are made from.

use super::{clients, listen, server, tokens};

/// A table of the file.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its name; of many tables with names of their own, the name that all begin with.
    pub(crate) name: &'static str,
    /// Whether there are many, each with a name: `[servers.git]`.
    pub(crate) is_named: bool,
    /// What it is for.
    pub(crate) about: &'static str,
    pub(crate) keys: &'static [Key],
}

/// A key of a table.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What holds where it is missing, for people.
    pub(crate) default: &'static str,
    pub(crate) about: &'static str,
    /// A value for the example, as TOML.
    pub(crate) example: &'static str,
    /// The flag of `protect` that says the same.
    pub(crate) flag: Option<&'static str>,
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// The path of a file; a relative one begins at the folder of the configuration.
    Path,
    Texts,
    /// A whole number in this range.
    Number(u32, u32),
    Flag,
    /// `90s`, `10m`, `1h`, `90d`.
    Time,
    OneOf(&'static [&'static str]),
    /// Names and texts. A name that ends in `_file` has the path of a file instead of its text.
    Variables,
}

/// In the order of the reference page.
pub(crate) static SECTIONS: [&Section; 4] =
    [&listen::FORM, &tokens::FORM, &clients::FORM, &server::FORM];

impl Section {
    /// The key with this name.
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Kind {
    /// In words, for a mistake and for the page.
    pub(crate) fn expected(self) -> String {
        match self {
            Self::Text => "a text in quotes".to_owned(),
            Self::Path => "the path of a file, in quotes".to_owned(),
            Self::Texts => "a list of texts, such as [\"a\", \"b\"]".to_owned(),
            Self::Number(least, most) => format!("a whole number from {least} to {most}"),
            Self::Flag => "true or false".to_owned(),
            Self::Time => "a time in quotes, such as \"90s\", \"10m\" or \"1h\"".to_owned(),
            Self::OneOf(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Variables => "a table of NAME = \"value\"".to_owned(),
        }
    }
}

/// The known name that was most likely meant.
pub(crate) fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase().replace('-', "_");
    let near = known.map(|known| (strsim::jaro_winkler(&lower, known), known));
    let (likeness, known) = near.max_by(|one, other| one.0.total_cmp(&other.0))?;
    (likeness > LIKELY).then_some(known)
}

/// Of 1 for the same.
const LIKELY: f64 = 0.8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_slip_is_known_again_and_another_one_is_not() {
        let keys = || listen::FORM.keys.iter().map(|key| key.name);
        for (slip, name) in [
            ("prot", "port"),
            ("trusted_proxy", "trusted_proxies"),
            ("public-url", "public_url"),
            ("Origins", "origins"),
        ] {
            assert_eq!(meant(slip, keys()), Some(name));
        }
        assert_eq!(meant("colour", keys()), None);
    }
}
