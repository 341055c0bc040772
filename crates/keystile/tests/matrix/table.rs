//! The table: a row a feature, a column a client and the era of a server; where its transports differ, a cell says so.

use std::fmt::Write as _;

use crate::pair::{Carrier, Era, Feature, Outcome, Side};

/// What a client saw of a server through the gate.
pub(crate) struct Seen {
    pub(crate) client: Side,
    pub(crate) server: Side,
    pub(crate) features: Vec<Feature>,
}

/// The clients, with the words above their columns.
const CLIENTS: &[(Side, &str)] = &[
    (side(Era::Legacy, Carrier::Http), "2025-11-25"),
    (side(Era::Legacy, Carrier::Sse), "HTTP+SSE"),
    (side(Era::Stateless, Carrier::Http), "2026-07-28"),
];

/// The servers, and what a cell calls them.
const SERVERS: &[(Side, &str)] = &[
    (side(Era::Legacy, Carrier::Stdio), "stdio"),
    (side(Era::Legacy, Carrier::Http), "HTTP"),
    (side(Era::Legacy, Carrier::Sse), "HTTP+SSE"),
    (side(Era::Stateless, Carrier::Stdio), "stdio"),
    (side(Era::Stateless, Carrier::Http), "HTTP"),
];

/// What may come to nothing at a client of 2026-07-28, and the rule that says so.
const DROPPED: &[(&str, &str)] = &[
    (
        "log messages of no request",
        "since 2026-07-28 a log message belongs to a request",
    ),
    (
        "log messages of two calls at once",
        "since 2026-07-28 a log message belongs to a request, and a server's one stream does not say to which",
    ),
];

const fn side(era: Era, carrier: Carrier) -> Side {
    Side { era, carrier }
}

/// Every client with every server.
pub(crate) fn pairs() -> impl Iterator<Item = (Side, Side)> {
    let servers = || SERVERS.iter().map(|(server, _)| *server);
    CLIENTS
        .iter()
        .flat_map(move |(client, _)| servers().map(move |server| (*client, server)))
}

/// Every server, for the client of its own era and transport.
pub(crate) fn servers() -> impl Iterator<Item = Side> {
    SERVERS.iter().map(|(server, _)| *server)
}

/// The table and its notes, in Markdown.
pub(crate) fn markdown(seen: &[Seen]) -> String {
    let mut notes = Notes::default();
    let mut head = "| client → server |".to_owned();
    for (_, client) in CLIENTS {
        let _ = write!(head, " {client} → 2025-11-25 | {client} → 2026-07-28 |");
    }
    let columns = CLIENTS.len() * 2;
    let mut text = format!("{head}\n|---|{}\n", "---|".repeat(columns));
    let features = seen.first().map_or(&[][..], |first| &first.features);
    for feature in features {
        let _ = write!(text, "| {} |", feature.name);
        for (client, _) in CLIENTS {
            for era in [Era::Legacy, Era::Stateless] {
                let cell = cell(seen, *client, era, &feature.name, &mut notes);
                let _ = write!(text, " {cell} |");
            }
        }
        text.push('\n');
    }
    text + &notes.markdown()
}

/// The lines that only one of two tables has.
pub(crate) fn differences(committed: &str, seen: &str) -> Vec<String> {
    let only = |sign: char, one: &str, other: &str| -> Vec<String> {
        let lines = one
            .lines()
            .filter(|line| !other.lines().any(|same| same == *line));
        lines.map(|line| format!("{sign} {line}")).collect()
    };
    [only('-', committed, seen), only('+', seen, committed)].concat()
}

/// One word, or one for each transport of the server.
fn cell(seen: &[Seen], client: Side, era: Era, feature: &str, notes: &mut Notes) -> String {
    let words: Vec<_> = SERVERS
        .iter()
        .filter(|(server, _)| server.era == era)
        .map(|(server, carrier)| {
            let run = seen
                .iter()
                .find(|run| (run.client, run.server) == (client, *server));
            let run = run.expect("every pair was run");
            (*carrier, word(run, feature, notes))
        })
        .collect();
    let (_, first) = words.first().expect("each era has a server");
    if words.iter().all(|(_, word)| word == first) {
        return first.clone();
    }
    let each: Vec<_> = words
        .iter()
        .map(|(carrier, word)| format!("{carrier}: {word}"))
        .collect();
    each.join("; ")
}

fn word(run: &Seen, feature: &str, notes: &mut Notes) -> String {
    let found = run.features.iter().find(|seen| seen.name == feature);
    match &found.expect("every driver plays the same features").outcome {
        Outcome::Worked if run.client.era == run.server.era => "as it is".to_owned(),
        Outcome::Worked => "bridged".to_owned(),
        Outcome::Absent => "not in these SDKs".to_owned(),
        Outcome::Refused { code, message } => {
            let code = code.map(|code| format!("{code} ").replace('-', "−"));
            let note = format!("{}*{message}*", code.unwrap_or_default());
            format!("refused ({})", notes.number(note))
        }
        Outcome::Dropped => {
            let rule = DROPPED.iter().find(|(name, _)| *name == feature);
            let rule = rule.filter(|_| run.client.era == Era::Stateless);
            let (_, rule) = rule.unwrap_or_else(|| {
                panic!(
                    "{feature} came to nothing: {:?} → {:?}",
                    run.client, run.server
                )
            });
            format!("dropped ({})", notes.number((*rule).to_owned()))
        }
        Outcome::Broken { message } => {
            panic!("{feature}: {:?} → {:?}: {message}", run.client, run.server)
        }
    }
}

/// What the cells refer to, each once.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    fn number(&mut self, note: String) -> usize {
        if let Some(place) = self.0.iter().position(|known| *known == note) {
            return place + 1;
        }
        self.0.push(note);
        self.0.len()
    }

    fn markdown(&self) -> String {
        let numbered = (1..)
            .zip(&self.0)
            .map(|(number, note)| format!("{number}. {note}\n"));
        ["\n".to_owned()].into_iter().chain(numbered).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(outcome: impl Fn(Side, Side) -> Outcome) -> Vec<Seen> {
        let run = |(client, server)| {
            let name = "log messages of no request".to_owned();
            let outcome = outcome(client, server);
            Seen {
                client,
                server,
                features: vec![Feature { name, outcome }],
            }
        };
        pairs().map(run).collect()
    }

    fn refused(code: i64, message: &str) -> Outcome {
        Outcome::Refused {
            code: Some(code),
            message: message.to_owned(),
        }
    }

    #[test]
    fn a_cell_tells_each_transport_where_they_differ_and_notes_stand_once() {
        let seen = all(
            |client, server| match (client.era, server.era, server.carrier) {
                (Era::Stateless, Era::Legacy, Carrier::Http) => Outcome::Dropped,
                (Era::Stateless, ..) => refused(-32601, "no"),
                _ => Outcome::Worked,
            },
        );
        let table = markdown(&seen);
        let mut lines = table.lines().skip(2);
        assert_eq!(
            lines.next().unwrap(),
            "| log messages of no request | as it is | bridged | as it is | bridged \
             | stdio: refused (1); HTTP: dropped (2); HTTP+SSE: refused (1) | refused (1) |"
        );
        let notes: Vec<_> = lines.collect();
        let reason = "2. since 2026-07-28 a log message belongs to a request";
        assert_eq!(notes, ["", "1. −32601 *no*", reason]);
    }

    #[test]
    #[should_panic(expected = "came to nothing")]
    fn what_is_lost_by_no_rule_is_a_defect() {
        markdown(&all(|_, _| Outcome::Dropped));
    }

    #[test]
    fn another_word_is_told_from_both_sides() {
        assert!(differences("a\nb\n", "a\nb\n").is_empty());
        assert_eq!(differences("a\nb\n", "a\nc\n"), ["- b", "+ c"]);
    }
}
