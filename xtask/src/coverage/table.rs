//! `docs/spec-coverage.md`, read.

use anyhow::Result;

use crate::workspace::Workspace;

/// The file, as a path in the clone.
const FILE: &str = "docs/spec-coverage.md";

/// The rows, and what could not be read as one.
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    pub(crate) wrong: Vec<String>,
}

/// One line: a requirement, its test, where the rule stands, and how the test was seen to fail.
pub(crate) struct Row {
    /// As the checklist writes it: `A-015`, `N-AS-02`.
    pub(crate) id: String,
    /// The test's function name, without modules.
    pub(crate) test: String,
    /// A path in the clone.
    pub(crate) place: String,
    pub(crate) proof: Proof,
}

/// How the test was seen to fail.
pub(crate) enum Proof {
    /// `weakened("<id>")` stands in the source; `cargo xtask mutants` switches it on and sees the test fail.
    Mutation(String),
    /// A test that runs the same check against a deliberately broken copy, and sees it trip.
    Twin(String),
}

impl Table {
    /// Reads the committed file.
    pub(crate) fn read(workspace: &Workspace) -> Result<Self> {
        Ok(Self::parse(&workspace.read(FILE)?))
    }

    /// Each line that starts with `|` is a row, but for the heading and the rule below it.
    pub(crate) fn parse(text: &str) -> Self {
        let mut table = Self {
            rows: Vec::new(),
            wrong: Vec::new(),
        };
        for line in text
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with('|'))
        {
            let cells: Vec<_> = line
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().trim_matches('`').to_owned())
                .collect();
            let heading = cells
                .first()
                .is_some_and(|cell| cell == "row" || cell.trim_matches(['-', ':']).is_empty());
            if heading {
                continue;
            }
            match Row::from_cells(&cells) {
                Some(row) => table.rows.push(row),
                None => table.wrong.push(format!(
                    "not `| row | test | where | mutation ID or twin TEST |`: {line}"
                )),
            }
        }
        table
    }
}

impl Row {
    fn from_cells(cells: &[String]) -> Option<Self> {
        let [id, test, place, proof] = cells else {
            return None;
        };
        let (kind, name) = proof.split_once(' ')?;
        let name = name.trim().trim_matches('`').to_owned();
        let proof = match kind {
            "mutation" => Proof::Mutation(name),
            "twin" => Proof::Twin(name),
            _ => return None,
        };
        Some(Self {
            id: id.clone(),
            test: test.clone(),
            place: place.clone(),
            proof,
        })
    }

    /// `a_015_` for `A-015`.
    pub(crate) fn test_prefix(&self) -> String {
        format!("{}_", self.id.to_lowercase().replace('-', "_"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_and_a_bad_line_is_named() {
        let text = "# Title\n\n| row | test | where | mutation or twin |\n|---|---|---|---|\n\
                    | N-AS-02 | `n_as_02_both` | src/a.rs | mutation `n_as_02` |\n| A-001 | a_001_x | src/a.rs | |\n";
        let table = Table::parse(text);
        assert_eq!(table.rows.len(), 1);
        assert_eq!(table.rows[0].test, "n_as_02_both");
        assert_eq!(table.rows[0].test_prefix(), "n_as_02_");
        assert!(matches!(&table.rows[0].proof, Proof::Mutation(id) if id == "n_as_02"));
        assert_eq!(table.wrong.len(), 1);
        assert!(table.wrong[0].contains("A-001"));
    }
}
