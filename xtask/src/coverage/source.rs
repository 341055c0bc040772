//! What the source tree holds: names of functions, and the switches of the mutation build.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::workspace::Workspace;

/// The areas of the normative rows (`N-AS-02`); an attack row has none (`A-015`).
const AREAS: &[&str] = &["as", "rs", "tr", "cl", "cc", "dp", "em", "wf"];

/// Names found in the Rust files of the clone, xtask's own aside.
#[derive(Default)]
pub(crate) struct Source {
    pub(crate) functions: BTreeSet<String>,
    pub(crate) mutations: BTreeSet<String>,
}

impl Source {
    /// Reads every Rust file.
    pub(crate) fn read(workspace: &Workspace) -> Result<Self> {
        let mut source = Self::default();
        for path in workspace.rust_files()? {
            if !path.starts_with("xtask") {
                source.add(&workspace.read(&path)?);
            }
        }
        Ok(source)
    }

    /// Takes in one file's text; comments don't count.
    pub(crate) fn add(&mut self, text: &str) {
        for line in text
            .lines()
            .map(str::trim_start)
            .filter(|line| !line.starts_with("//"))
        {
            for (at, _) in line.match_indices("fn ") {
                let whole_word = line[..at]
                    .chars()
                    .next_back()
                    .is_none_or(|before| !is_word(before));
                let name: String = line[at + 3..].chars().take_while(|c| is_word(*c)).collect();
                if whole_word && !name.is_empty() {
                    self.functions.insert(name);
                }
            }
            let literals = line.split('"').skip(1).step_by(2);
            self.mutations
                .extend(literals.filter(|text| is_switch(text)).map(str::to_owned));
        }
    }
}

/// Is this string literal a switch: a row's id as in `weakened("a_015")`, a letter more where a row has several
/// (`n_rs_09b`), a design rule's (`r_11`), or one of an RFC's (`rfc_8628a`)? The call may stand elsewhere, with the id as its argument.
fn is_switch(text: &str) -> bool {
    let Some((area, number)) = text.rsplit_once('_') else {
        return false;
    };
    let known = match area.split_once('_') {
        None => area == "a" || area == "r" || area == "rfc",
        Some((kind, area)) => kind == "n" && AREAS.contains(&area),
    };
    let digits = number
        .strip_suffix(|c: char| c.is_ascii_lowercase())
        .unwrap_or(number);
    let lengths = if area == "rfc" { 4..=4 } else { 1..=3 };
    known && lengths.contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit())
}

/// Is this the name of a test that closes a row: `a_015_…`, `n_as_02_…`?
pub(crate) fn names_a_row(name: &str) -> bool {
    let mut words = name.split('_');
    let (number, lengths) = match words.next() {
        Some("a") => (words.next(), 1..=3),
        Some("rfc") => (words.next(), 4..=4),
        Some("n") => {
            let area = words.next().filter(|area| AREAS.contains(area));
            (area.and_then(|_| words.next()), 1..=3)
        }
        _ => (None, 1..=3),
    };
    // At most three digits: `a_2025_only_client_…` is a sentence.
    let digits = number.is_some_and(|word| {
        lengths.contains(&word.len()) && word.chars().all(|c| c.is_ascii_digit())
    });
    digits && words.next().is_some()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_names_are_told_from_sentences() {
        for name in [
            "a_015_pkce",
            "n_as_02_both",
            "n_rs_11_every_request",
            "n_tr_1_x",
        ] {
            assert!(names_a_row(name), "{name}");
        }
        for name in [
            "a_code_is_good_once",
            "n_as_",
            "a_015",
            "a_2025_only_client",
            "n_15_x",
            "n_xx_15_x",
            "ab_015_x",
            "a__x",
        ] {
            assert!(!names_a_row(name), "{name}");
        }
    }

    #[test]
    fn functions_and_switches_are_found_and_comments_are_not() {
        let mut source = Source::default();
        source.add("pub async fn one<T>() {}\n// fn two()\nif weakened(\"a_1\") || mutation::weakened(\"a_2\") {}\nlet x: fn (u8);\n[\"n_rs_09b\", \"a_x\"]");
        assert_eq!(Vec::from_iter(source.functions), ["one"]);
        assert_eq!(Vec::from_iter(source.mutations), ["a_1", "a_2", "n_rs_09b"]);
    }
}
