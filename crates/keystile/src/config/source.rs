//! Where a configuration comes from: the text of a file, and variables that say otherwise.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::form::{SECTIONS, Section, meant};
use super::mistake::{Mistake, Place};

/// A file, read, and the variables beside it.
pub(crate) struct Source<'a> {
    text: &'a str,
    root: Spanned<DeTable<'a>>,
    variables: Vec<Variable>,
}

/// `KEYSTILE_SECTION__KEY`, or `KEYSTILE_SERVERS__NAME__KEY`.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
    /// `listen`, `servers.git`.
    table: String,
    key: String,
}

/// What was said for a key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Said<'a> {
    File(&'a Spanned<DeValue<'a>>),
    Variable(&'a Variable),
}

impl<'a> Source<'a> {
    /// Reads a file's text; what can't be read is a mistake, and the rest is looked at all the same.
    pub(crate) fn read(
        text: &'a str,
        environment: impl Iterator<Item = (String, String)>,
        mistakes: &mut Vec<Mistake>,
    ) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let place = error.span().map_or(Place::Nowhere, |span| at(text, &span));
            mistakes.push(Mistake::new(
                place,
                format!("this is no TOML: {}", error.message()),
            ));
        }
        let mut source = Self {
            text,
            root,
            variables: Vec::new(),
        };
        source.variables = environment
            .filter_map(|(name, value)| variable(name, value, mistakes))
            .collect();
        source.unknown_tables(mistakes);
        source
    }

    /// Where these bytes of the file are.
    pub(crate) fn place(&self, span: &Range<usize>) -> Place {
        at(self.text, span)
    }

    /// The table with this path, `listen` or `servers.git`.
    pub(crate) fn table(&self, path: &str) -> Option<&DeTable<'a>> {
        let mut table = self.root.get_ref();
        for name in path.split('.') {
            table = table.get(name)?.get_ref().as_table()?;
        }
        Some(table)
    }

    /// What is said for a key of a table; a variable wins.
    pub(crate) fn said(&self, path: &str, key: &str) -> Option<Said<'_>> {
        let variable = self.variables.iter();
        let mut variable = variable.filter(|it| it.table == path && it.key == key);
        match variable.next_back() {
            Some(variable) => Some(Said::Variable(variable)),
            None => self.table(path)?.get(key).map(Said::File),
        }
    }

    /// The names in a table of tables, in the order of the file, and then those that only variables name.
    pub(crate) fn names(&self, section: &Section) -> Vec<String> {
        let table = self.table(section.name);
        let mut named: Vec<_> = table
            .into_iter()
            .flat_map(|table| table.keys())
            .map(|name| (name.span().start, name.get_ref().to_string()))
            .collect();
        named.sort();
        let mut names: Vec<_> = named.into_iter().map(|(_, name)| name).collect();
        let prefix = format!("{}.", section.name);
        for variable in &self.variables {
            if let Some(name) = variable.table.strip_prefix(&prefix)
                && !names.iter().any(|known| known == name)
            {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// Where the name of a table stands.
    pub(crate) fn heading(&self, path: &str) -> Place {
        let (parent, name) = match path.rsplit_once('.') {
            Some((parent, name)) => (self.table(parent), name),
            None => (Some(self.root.get_ref()), path),
        };
        let key = parent.and_then(|table| table.get_key_value(name));
        key.map_or(Place::Nowhere, |(key, _)| self.place(&key.span()))
    }

    fn unknown_tables(&self, mistakes: &mut Vec<Mistake>) {
        for (name, value) in self.root.get_ref() {
            let place = self.place(&name.span());
            let name = &**name.get_ref();
            let Some(section) = SECTIONS.iter().find(|section| section.name == name) else {
                let known = SECTIONS.iter().map(|section| section.name);
                let mut message = format!("there is no section {name}");
                if let Some(meant) = meant(name, known.clone()) {
                    message += &format!("; did you mean {meant}?");
                }
                let all: Vec<_> = known.collect();
                let help = format!("there are {}", all.join(", "));
                mistakes.push(Mistake::new(place, message).with_help(help));
                continue;
            };
            if !value.get_ref().is_table() {
                let example = match section.is_named {
                    true => format!("[{name}.NAME]"),
                    false => format!("[{name}]"),
                };
                let message = format!("{name} is a section: write {example} and its keys below it");
                mistakes.push(Mistake::new(place, message));
            }
        }
    }
}

/// A variable that is a key, if it looks like one.
fn variable(name: String, value: String, mistakes: &mut Vec<Mistake>) -> Option<Variable> {
    let path = name.strip_prefix(PREFIX)?;
    let parts: Vec<String> = path.split("__").map(str::to_lowercase).collect();
    let place = Place::Variable(name.clone());
    let section = SECTIONS.iter().find(|section| section.name == parts[0]);
    match (section, &*parts) {
        (_, [_]) => None,
        (Some(section), [_, key]) if !section.is_named => Some((section.name.to_owned(), key)),
        (Some(section), [_, server, key]) if section.is_named => {
            Some((format!("{}.{}", section.name, server.replace('_', "-")), key))
        }
        _ => {
            let help = "write KEYSTILE_SECTION__KEY, for example KEYSTILE_LISTEN__PORT, or KEYSTILE_SERVERS__NAME__KEY";
            let message = "no key of the configuration has this name";
            mistakes.push(Mistake::new(place, message).with_help(help));
            None
        }
    }
    .map(|(table, key)| Variable {
        name: name.clone(),
        value,
        table,
        key: key.clone(),
    })
}

fn at(text: &str, span: &Range<usize>) -> Place {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    Place::File { line, column }
}

impl Source<'_> {
    /// Keys of variables that no section has.
    pub(crate) fn strange_variables(&self, path: &str, section: &Section) -> Vec<Mistake> {
        let here = self.variables.iter().filter(|it| it.table == path);
        here.filter(|it| section.key(&it.key).is_none())
            .map(|it| {
                let place = Place::Variable(it.name.clone());
                unknown_key(place, &it.key, section)
            })
            .collect()
    }
}

/// A key that a section does not have.
pub(crate) fn unknown_key(place: Place, name: &str, section: &Section) -> Mistake {
    let known = section.keys.iter().map(|key| key.name);
    let mut message = format!("{} has no key {name}", section.name);
    if let Some(meant) = meant(name, known.clone()) {
        message += &format!("; did you mean {meant}?");
    }
    let all: Vec<_> = known.collect();
    Mistake::new(place, message).with_help(format!("it has {}", all.join(", ")))
}

const PREFIX: &str = "KEYSTILE_";
