//! `cargo xtask coverage`: the table of requirements and the source tree say the same.

pub(crate) mod source;
pub(crate) mod table;

use std::collections::BTreeSet;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use source::Source;
use table::{Proof, Row, Table};

/// An error names each row without its test, proof or place, and each test or mutation without its row.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let table = Table::read(workspace)?;
    let source = Source::read(workspace)?;
    let mut wrong = table.wrong.clone();
    wrong.extend(disagreements(&table.rows, &source));
    for row in &table.rows {
        if !workspace.root.join(&row.place).exists() {
            wrong.push(format!("{}: {} does not exist", row.id, row.place));
        }
    }
    if !wrong.is_empty() {
        bail!("docs/spec-coverage.md:\n{}", wrong.join("\n"));
    }
    let ids: BTreeSet<_> = table.rows.iter().map(|row| &row.id).collect();
    eprintln!("{} tests of {} requirements", table.rows.len(), ids.len());
    Ok(())
}

fn disagreements(rows: &[Row], source: &Source) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut tests = BTreeSet::new();
    let mut mutations = BTreeSet::new();
    let mut twins = BTreeSet::new();
    for row in rows {
        let Row {
            id, test, proof, ..
        } = row;
        if !tests.insert(test.as_str()) {
            wrong.push(format!("{id}: {test} is listed twice"));
        }
        if !test.starts_with(&row.test_prefix()) {
            wrong.push(format!(
                "{id}: the name {test} does not begin with {}",
                row.test_prefix()
            ));
        }
        if !source.functions.contains(test) {
            wrong.push(format!("{id}: there is no fn {test}"));
        }
        match proof {
            Proof::Mutation(mutation) => {
                mutations.insert(mutation.as_str());
                if !source.mutations.contains(mutation) {
                    wrong.push(format!("{id}: there is no weakened(\"{mutation}\")"));
                }
            }
            Proof::Twin(twin) if !source.functions.contains(twin) => {
                wrong.push(format!("{id}: there is no twin fn {twin}"));
            }
            // A twin may be named like the row that it is a twin for.
            Proof::Twin(twin) => drop(twins.insert(twin.as_str())),
        }
    }
    for test in source
        .functions
        .iter()
        .filter(|name| source::names_a_row(name))
    {
        if !tests.contains(test.as_str()) && !twins.contains(test.as_str()) {
            wrong.push(format!("fn {test} is named like a row and has none"));
        }
    }
    for mutation in source
        .mutations
        .iter()
        .filter(|id| !mutations.contains(id.as_str()))
    {
        wrong.push(format!(
            "weakened(\"{mutation}\") is in the source and no row uses it"
        ));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        let mut source = Source::default();
        source.add("#[test]\nfn a_015_pkce_is_asked_for() { }\nasync fn the_twin() {}\nif !weakened(\"a_015\") && bad {}");
        source
    }

    fn rows(text: &str) -> Vec<Row> {
        let table = Table::parse(text);
        assert_eq!(table.wrong, Vec::<String>::new());
        table.rows
    }

    #[test]
    fn a_table_that_tells_the_truth_passes() {
        let rows = rows("| A-015 | a_015_pkce_is_asked_for | x.rs | mutation a_015 |");
        assert_eq!(disagreements(&rows, &source()), Vec::<String>::new());
    }

    #[test]
    fn every_disagreement_is_named() {
        let rows = rows(
            "| A-015 | a_015_gone | x.rs | mutation a_099 |\n\
             | A-016 | a_017_gone | x.rs | twin nobody |\n\
             | A-015 | a_015_gone | x.rs | twin the_twin |",
        );
        assert_eq!(
            disagreements(&rows, &source()),
            [
                "A-015: there is no fn a_015_gone",
                "A-015: there is no weakened(\"a_099\")",
                "A-016: the name a_017_gone does not begin with a_016_",
                "A-016: there is no fn a_017_gone",
                "A-016: there is no twin fn nobody",
                "A-015: a_015_gone is listed twice",
                "A-015: there is no fn a_015_gone",
                "fn a_015_pkce_is_asked_for is named like a row and has none",
                "weakened(\"a_015\") is in the source and no row uses it",
            ]
        );
    }
}
