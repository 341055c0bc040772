//! Reads one table, key by key; what is wrong is noted, and reading goes on.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::form::{Key, Kind, Section};
use super::mistake::{Mistake, Place, Problem};
use super::source::{Said, Source, unknown_key};
use super::time::duration;

/// One table on its way to a section's settings.
pub(crate) struct Reader<'a> {
    source: &'a Source<'a>,
    section: &'static Section,
    /// `listen`, `servers.git`.
    path: String,
    /// The folder of the file.
    folder: &'a Path,
    mistakes: &'a mut Vec<Mistake>,
}

impl<'a> Reader<'a> {
    /// Of the only table of a section.
    pub(crate) fn of(
        from: (&'a Source<'a>, &'a Path),
        section: &'static Section,
        mistakes: &'a mut Vec<Mistake>,
    ) -> Self {
        Self::at(from, section, section.name.to_owned(), mistakes)
    }

    /// Of one of the tables of a section.
    pub(crate) fn of_named(
        from: (&'a Source<'a>, &'a Path),
        section: &'static Section,
        name: &str,
        mistakes: &'a mut Vec<Mistake>,
    ) -> Self {
        Self::at(from, section, format!("{}.{name}", section.name), mistakes)
    }

    /// Keys that the section does not have are mistakes.
    fn at(
        (source, folder): (&'a Source<'a>, &'a Path),
        section: &'static Section,
        path: String,
        mistakes: &'a mut Vec<Mistake>,
    ) -> Self {
        for name in source
            .table(&path)
            .into_iter()
            .flat_map(|table| table.keys())
        {
            if section.key(name.get_ref()).is_none() {
                mistakes.push(unknown_key(
                    source.place(&name.span()),
                    name.get_ref(),
                    section,
                ));
            }
        }
        mistakes.extend(source.strange_variables(&path, section));
        Self {
            source,
            section,
            path,
            folder,
            mistakes,
        }
    }

    /// Whether anything is said for this key.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.source.said(&self.path, key).is_some()
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        match self.source.said(&self.path, key)? {
            Said::Variable(variable) => Some(variable.value.clone()),
            Said::File(value) => match value.get_ref().as_str() {
                Some(text) => Some(text.to_owned()),
                None => self.not(key, value),
            },
        }
    }

    /// A text that this makes something of.
    pub(crate) fn parsed<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(key, format!("\"{text}\": {error}"));
                None
            }
        }
    }

    /// Relative to the folder of the configuration.
    pub(crate) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        Some(self.folder.join(self.text(key)?))
    }

    pub(crate) fn time(
        &mut self,
        key: &'static str,
        range: &RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let time = self.parsed(key, duration)?;
        if range.contains(&time) {
            return Some(time);
        }
        let (least, most) = (range.start().as_secs(), range.end().as_secs());
        self.wrong(key, format!("takes {least} to {most} seconds"));
        None
    }

    pub(crate) fn number(&mut self, key: &'static str) -> Option<u32> {
        let said = self.source.said(&self.path, key)?;
        let number = match said {
            Said::Variable(variable) => variable.value.parse().ok(),
            Said::File(value) => value
                .get_ref()
                .as_integer()
                .filter(|number| number.radix() == 10)
                .and_then(|number| number.as_str().replace('_', "").parse().ok()),
        };
        let range = match self.key(key).kind {
            Kind::Number(least, most) => least..=most,
            _ => 0..=u32::MAX,
        };
        match number.filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None => self.not_said(key, said),
        }
    }

    pub(crate) fn flag(&mut self, key: &'static str) -> Option<bool> {
        let said = self.source.said(&self.path, key)?;
        let flag = match said {
            Said::Variable(variable) => variable.value.parse().ok(),
            Said::File(value) => value.get_ref().as_bool(),
        };
        match flag {
            Some(flag) => Some(flag),
            None => self.not_said(key, said),
        }
    }

    /// One of the key's words.
    pub(crate) fn word(&mut self, key: &'static str) -> Option<&'static str> {
        let said = self.source.said(&self.path, key)?;
        let text = match said {
            Said::Variable(variable) => Some(&*variable.value),
            Said::File(value) => value.get_ref().as_str(),
        };
        let Kind::OneOf(words) = self.key(key).kind else {
            return None;
        };
        let word = words.iter().find(|word| Some(**word) == text);
        match word {
            Some(word) => Some(word),
            None => self.not_said(key, said),
        }
    }

    /// Each with the place where it stands; those of a variable are separated by commas.
    pub(crate) fn texts(&mut self, key: &'static str) -> Vec<(Place, String)> {
        let values = match self.source.said(&self.path, key) {
            None => return Vec::new(),
            Some(Said::Variable(variable)) => {
                let place = Place::Variable(variable.name.clone());
                let parts = variable.value.split(',').map(str::trim);
                let parts = parts.filter(|part| !part.is_empty());
                return parts.map(|part| (place.clone(), part.to_owned())).collect();
            }
            Some(Said::File(value)) => match value.get_ref().as_array() {
                Some(values) => values,
                None => {
                    self.not::<()>(key, value);
                    return Vec::new();
                }
            },
        };
        let mut texts = Vec::new();
        for value in values.iter() {
            match value.get_ref().as_str() {
                Some(text) => texts.push((self.source.place(&value.span()), text.to_owned())),
                None => {
                    self.not::<()>(key, value);
                }
            }
        }
        texts
    }

    /// Each of a list, parsed.
    pub(crate) fn all<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let mut parsed = Vec::new();
        for (place, text) in self.texts(key) {
            match parse(&text) {
                Ok(value) => parsed.push(value),
                Err(error) => {
                    let message = format!("{}: \"{text}\": {error}", self.named(key));
                    self.mistakes.push(Mistake::new(place, message));
                }
            }
        }
        parsed
    }

    /// Names and texts of a table. What a name with `_file` behind it names is read.
    pub(crate) fn variables(&mut self, key: &'static str) -> Vec<(String, String)> {
        let table = match self.source.said(&self.path, key) {
            None => return Vec::new(),
            Some(Said::File(value)) => match value.get_ref().as_table() {
                Some(table) => table,
                None => {
                    self.not::<()>(key, value);
                    return Vec::new();
                }
            },
            Some(said @ Said::Variable(_)) => {
                self.not_said::<()>(key, said);
                return Vec::new();
            }
        };
        let mut variables = Vec::new();
        for (name, value) in table {
            let (place, name) = (self.source.place(&name.span()), &**name.get_ref());
            let Some(text) = value.get_ref().as_str() else {
                self.not::<()>(key, value);
                continue;
            };
            match name.strip_suffix("_file") {
                None => variables.push((name.to_owned(), text.to_owned())),
                Some(name) => match secret(&self.folder.join(text)) {
                    Ok(secret) => variables.push((name.to_owned(), secret)),
                    Err(error) => {
                        let message = format!("{}.{name}_file: {text}: {error}", self.named(key));
                        self.mistakes.push(Mistake::new(place, message));
                    }
                },
            }
        }
        variables
    }

    /// Notes what is wrong with a key's value.
    pub(crate) fn wrong(&mut self, key: &'static str, message: impl Display) {
        let message = format!("{}: {message}", self.named(key));
        let mistake = Mistake::new(self.place(key), message);
        let expected = self.key(key).kind.expected();
        self.mistakes
            .push(mistake.with_help(format!("expected {expected}")));
    }

    /// Notes a problem that a check has found.
    pub(crate) fn problem(&mut self, problem: Problem) {
        let message = format!("{} {}", self.named(problem.key), problem.message);
        let mistake = Mistake::new(self.place(problem.key), message);
        self.mistakes.push(mistake.with_help(problem.help));
    }

    /// Notes that something is missing in the table.
    pub(crate) fn missing(&mut self, message: &str, help: &str) {
        let mistake = Mistake::new(self.source.heading(&self.path), message);
        self.mistakes.push(mistake.with_help(help));
    }

    fn not<T>(&mut self, key: &'static str, value: &Spanned<DeValue<'_>>) -> Option<T> {
        let expected = self.key(key).kind.expected();
        let found = value.get_ref().type_str();
        let place = self.source.place(&value.span());
        let message = format!("{}: expected {expected}, not {found}", self.named(key));
        self.mistakes.push(Mistake::new(place, message));
        None
    }

    fn not_said<T>(&mut self, key: &'static str, said: Said<'_>) -> Option<T> {
        match said {
            Said::Variable(variable) => {
                let place = Place::Variable(variable.name.clone());
                let expected = self.key(key).kind.expected();
                let message = format!("expected {expected}");
                self.mistakes.push(Mistake::new(place, message));
            }
            Said::File(value) => {
                let expected = self.key(key).kind.expected();
                let place = self.source.place(&value.span());
                let message = format!("{}: expected {expected}", self.named(key));
                self.mistakes.push(Mistake::new(place, message));
            }
        }
        None
    }

    fn place(&self, key: &str) -> Place {
        match self.source.said(&self.path, key) {
            Some(Said::File(value)) => self.source.place(&value.span()),
            Some(Said::Variable(variable)) => Place::Variable(variable.name.clone()),
            None => self.source.heading(&self.path),
        }
    }

    fn named(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn key(&self, name: &str) -> &'static Key {
        let key = self.section.key(name);
        key.expect("a section reads the keys that it has")
    }
}

/// A secret's file, without the line break at its end.
fn secret(path: &Path) -> std::io::Result<String> {
    let mut text = std::fs::read_to_string(path)?;
    let end = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(end);
    Ok(text)
}
