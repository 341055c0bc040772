//! From what a person typed to an FTS5 expression.

use crate::Error;

/// A query that FTS5 can't refuse: each word stands in double quotes, so that no operator, column name or stray
/// bracket of the person's text means anything to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query {
    words: Vec<String>,
}

impl Query {
    /// Splits at white space; a pair of double quotes keeps its words together. What has no letter or digit says
    /// nothing to a full-text index and is dropped.
    ///
    /// # Errors
    /// [`Error::Request`] if nothing is left to look for, or if the text is too long to be a query.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if text.trim().is_empty() {
            return Err(Error::Request(
                "The query is empty. Give one or more words to look for.".to_owned(),
            ));
        }
        let chars = text.chars().count();
        if chars > CHARS_MAX {
            return Err(Error::Request(format!(
                "The query has {chars} characters, and at most {CHARS_MAX} are allowed. Give the few words that matter."
            )));
        }
        let words: Vec<String> = phrases(text)
            .filter(|word| word.chars().any(char::is_alphanumeric))
            .map(|word| {
                word.chars()
                    .filter(|c| !c.is_control() && *c != '"')
                    .collect()
            })
            .collect();
        if words.is_empty() {
            return Err(Error::Request(format!(
                "There is no word to look for in “{}”. Give words with letters or digits.",
                text.trim()
            )));
        }
        if words.len() > WORDS_MAX {
            return Err(Error::Request(format!(
                "The query has {} words, and at most {WORDS_MAX} are allowed. Give the few that matter.",
                words.len()
            )));
        }
        Ok(Self { words })
    }

    /// Documents that hold every word.
    pub(crate) fn all(&self) -> String {
        self.joined(" AND ")
    }

    /// Documents that hold at least one; `None` if that says the same as [`Query::all`].
    pub(crate) fn any(&self) -> Option<String> {
        (self.words.len() > 1).then(|| self.joined(" OR "))
    }

    fn joined(&self, operator: &str) -> String {
        self.words
            .iter()
            .map(|word| format!("\"{word}\""))
            .collect::<Vec<_>>()
            .join(operator)
    }
}

/// Every second piece between quotes is one phrase; a last quote without a partner opens nothing.
fn phrases(text: &str) -> impl Iterator<Item = &str> {
    let pieces: Vec<&str> = text.split('"').collect();
    let last = pieces.len() - 1;
    pieces.into_iter().enumerate().flat_map(move |(at, piece)| {
        let quoted = at % 2 == 1 && at != last;
        if quoted {
            vec![piece]
        } else {
            piece.split_whitespace().collect()
        }
    })
}

const CHARS_MAX: usize = 500;
const WORDS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> String {
        Query::parse(text).unwrap().all()
    }

    #[test]
    fn each_word_is_quoted_and_pairs_of_quotes_keep_phrases() {
        for (text, expression) in [
            ("refresh token", r#""refresh" AND "token""#),
            (
                r#"the "refresh token" rule"#,
                r#""the" AND "refresh token" AND "rule""#,
            ),
            (r#"stray " quote"#, r#""stray" AND "quote""#),
            (r#""never closed"#, r#""never" AND "closed""#),
            (
                "a AND NOT (b OR c*) NEAR/2",
                r#""a" AND "AND" AND "NOT" AND "(b" AND "OR" AND "c*)" AND "NEAR/2""#,
            ),
            ("title: -- foo", r#""title:" AND "foo""#),
            ("nul\0byte", r#""nulbyte""#),
        ] {
            assert_eq!(all(text), expression, "{text}");
        }
    }

    #[test]
    fn nothing_to_look_for_is_said_in_words() {
        for (text, said) in [
            ("", "empty"),
            (" \n\t", "empty"),
            ("\"\"", "no word"),
            ("*** --- ???", "no word"),
            (&"x".repeat(501), "501 characters"),
            (&"x ".repeat(33), "33 words"),
        ] {
            let refused = Query::parse(text).unwrap_err().to_string();
            assert!(refused.contains(said), "{text:?}: {refused}");
        }
    }

    #[test]
    fn one_word_has_no_wider_form() {
        assert_eq!(Query::parse("one").unwrap().any(), None);
        assert_eq!(
            Query::parse("one two").unwrap().any().unwrap(),
            r#""one" OR "two""#
        );
    }
}
