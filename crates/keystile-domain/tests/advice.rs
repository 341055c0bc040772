//! Every name that a refusal has, wherever in the sources it is given, has its line of advice; and
//! every line of advice is about a name that is given somewhere.
//!
//! Not of these are the failures of MCP servers (`keystile-gateway/src/relay/failure.rs`): each brings
//! its own advice.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use keystile_domain::decide::diagnose::advice;
use keystile_domain::decide::diagnose::difference::Difference;

/// What stands before the name of a refusal.
const BEFORE_A_NAME: [&str; 6] = [
    ".because(",
    "refuse(",
    "no_good(",
    "Diagnosis::named(",
    "reason: ",
    "code: ",
];

/// Where names are the words of an enum.
const ENUMS: [&str; 6] = [
    "keystile-protocol/src/error.rs",
    "keystile-domain/src/records.rs",
    "keystile-domain/src/records/device.rs",
    "keystile-domain/src/transaction/pushed.rs",
    "keystile-domain/src/decide/diagnose/token.rs",
    "keystile-gateway/src/refusal/code.rs",
];

/// A source file up to its tests.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn is(&self, path: &str) -> bool {
        self.path.ends_with(path)
    }

    /// What stands behind each of these.
    fn behind<'a>(&'a self, marker: &'a str) -> impl Iterator<Item = &'a str> {
        self.text.split(marker).skip(1).map(str::trim_start)
    }
}

fn read(folder: &Path, into: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if !path.ends_with("tests") {
                read(&path, into);
            }
        } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            let text = text.split("#[cfg(test)]\nmod tests").next();
            let text = text.unwrap_or_default().to_owned();
            into.push(Source { path, text });
        }
    }
}

fn sources() -> Vec<Source> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut all = Vec::new();
    for name in ["domain", "protocol", "issuer", "gateway"] {
        let folder = crates.join(format!("keystile-{name}/src"));
        read(&folder, &mut all);
    }
    read(&crates.join("keystile/src/front"), &mut all);
    all
}

/// A literal that can be a name.
fn literal(text: &str) -> Option<&str> {
    let (literal, _) = text.strip_prefix('"')?.split_once('"')?;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (!literal.is_empty() && literal.bytes().all(fits)).then_some(literal)
}

/// The value of a constant, by its last name: in the same file, or else anywhere.
fn constant(text: &str, here: &Source, all: &[Source]) -> Option<String> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')?;
    let name = text.get(..end)?.rsplit("::").next()?;
    if name.is_empty() || name.contains(|c: char| c.is_ascii_lowercase()) {
        return None;
    }
    let marker = format!("const {name}: &str =");
    let value = |source: &Source| {
        let behind = source.behind(&marker).next()?;
        literal(behind).map(str::to_owned)
    };
    value(here).or_else(|| all.iter().find_map(value))
}

fn names() -> BTreeSet<String> {
    let all = sources();
    let mut names = BTreeSet::new();
    for source in &all {
        for marker in BEFORE_A_NAME {
            for behind in source.behind(marker) {
                let name = literal(behind).map(str::to_owned);
                names.extend(name.or_else(|| constant(behind, source, &all)));
            }
        }
        // A page's refusal: status, name, headline.
        for behind in source.behind("StatusCode::") {
            let name = behind.trim_start_matches(|c: char| c.is_ascii_uppercase() || c == '_');
            let name = name.strip_prefix(',').map(str::trim_start);
            names.extend(name.and_then(literal).map(str::to_owned));
        }
        for behind in source
            .behind("=> ")
            .filter(|_| ENUMS.iter().any(|it| source.is(it)))
        {
            names.extend(literal(behind).map(str::to_owned));
        }
        for behind in source.behind("\"pkce_") {
            let rest = behind.split('"').next().unwrap_or_default();
            names.insert(format!("pkce_{rest}"));
        }
        for marker in ["difference::diagnose(", "difference::nearest("] {
            for what in source.behind(marker).filter_map(literal) {
                names.extend(
                    Difference::ALL.map(|part| format!("{what}_differs_in_{}", part.as_str())),
                );
            }
        }
    }
    // The codes that refuse nothing.
    names.remove("authorization_pending");
    names.remove("slow_down");
    names
}

#[test]
fn every_name_of_a_refusal_has_its_advice() {
    let names = names();
    // One of each kind, so that this test sees what it looks for.
    for seen in [
        "body_too_large",
        "client_keys",
        "client_unknown",
        "code_unknown",
        "expired",
        "foreign_origin",
        "no_grant",
        "path_differs_in_slash",
        "pkce_hash_of_hex",
        "redirect_not_registered",
        "stale_form",
        "wrong_user_code",
    ] {
        assert!(names.contains(seen), "{seen} is not found any more");
    }
    let lacking: Vec<&String> = names
        .iter()
        .filter(|name| advice::find(name).is_none())
        .collect();
    assert!(lacking.is_empty(), "no advice for {lacking:#?}");
}

#[test]
fn every_line_of_advice_is_about_something() {
    let names = names();
    let idle = advice::all().filter(|line| match line.reason.strip_suffix('*') {
        Some(beginning) => !names.iter().any(|name| name.starts_with(beginning)),
        None => !names.contains(line.reason),
    });
    let idle: Vec<&str> = idle.map(|line| line.reason).collect();
    assert!(idle.is_empty(), "nothing is called {idle:#?}");
}
