//! `cargo xtask links`: every relative link of a Markdown page leads to a file that is there, and to a heading in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, bail};

use crate::workspace::Workspace;

/// An error names each link that leads nowhere, with its page and line.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let pages: BTreeMap<PathBuf, String> = workspace
        .files("md")?
        .into_iter()
        .map(|path| Ok((path.clone(), workspace.read(path)?)))
        .collect::<Result<_>>()?;
    let wrong = broken(&pages, |path| workspace.root.join(path).exists());
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}

/// `page:line: what is wrong`, for each link that leads nowhere. Pages are named relative to the root.
fn broken(pages: &BTreeMap<PathBuf, String>, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let anchors: BTreeMap<&Path, BTreeSet<String>> = pages
        .iter()
        .map(|(path, text)| (path.as_path(), anchors(text)))
        .collect();
    let mut wrong = Vec::new();
    for (page, text) in pages {
        for (line, target) in links(text) {
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let to = match path {
                "" => Some(page.clone()),
                path => resolved(page, path),
            };
            let what = match to {
                None => Some("leads out of the clone".to_owned()),
                Some(to) if !exists(&to) => Some(format!("there is no {}", to.display())),
                Some(to) => anchors
                    .get(to.as_path())
                    .filter(|anchors| !anchor.is_empty() && !anchors.contains(anchor))
                    .map(|_| format!("{} has no heading #{anchor}", to.display())),
            };
            if let Some(what) = what {
                wrong.push(format!("{}:{line}: {target}: {what}", page.display()));
            }
        }
    }
    wrong
}

/// The relative targets of inline links, images and reference definitions, with their line numbers.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(text) {
        let line = without_code(line);
        let inline = line.match_indices("](").filter_map(|(at, _)| {
            let rest = line.get(at + 2..)?;
            rest.split_once(')').map(|(target, _)| target)
        });
        let defined = line
            .trim_start()
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("]: "))
            .map(|(_, target)| target);
        for target in inline.chain(defined) {
            // `<target>` and `target "title"`.
            let target = target.split_whitespace().next().unwrap_or_default();
            let target = target.trim_start_matches('<').trim_end_matches('>');
            if !target.contains("://") && !target.starts_with("mailto:") {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

/// The lines outside of fenced code, numbered from one.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// A link in `code` is none.
fn without_code(line: &str) -> String {
    let parts = line.split('`').enumerate();
    parts
        .map(|(number, part)| if number % 2 == 0 { part } else { "" })
        .collect()
}

/// The anchors of the headings, as GitHub makes them: small letters, digits, `-` and `_`; spaces become hyphens; the second
/// of two alike ends in `-1`.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose(text).filter_map(|(_, line)| {
        let heading = line.trim_start_matches('#');
        (heading.len() < line.len()).then(|| heading.strip_prefix(' '))?
    });
    headings
        .map(|heading| {
            let kept = heading.trim().chars().filter_map(|c| match c {
                ' ' => Some('-'),
                '-' | '_' => Some(c),
                c if c.is_alphanumeric() => Some(c),
                _ => None,
            });
            let anchor = kept.collect::<String>().to_lowercase();
            let times = seen.entry(anchor.clone()).or_default();
            *times += 1;
            match *times {
                1 => anchor,
                more => format!("{anchor}-{}", more - 1),
            }
        })
        .collect()
}

/// Where a link of a page leads, relative to the root; `None` out of it.
fn resolved(page: &Path, target: &str) -> Option<PathBuf> {
    let folder = page.parent().unwrap_or(Path::new(""));
    let mut path = PathBuf::new();
    for part in folder.join(target).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(pages: &[(&str, &str)]) -> Vec<String> {
        let pages: BTreeMap<PathBuf, String> = pages
            .iter()
            .map(|(path, text)| (PathBuf::from(path), (*text).to_owned()))
            .collect();
        let files = [Path::new("docs/flow.svg"), Path::new("docs")];
        broken(&pages, |path| {
            files.contains(&path) || pages.contains_key(path)
        })
    }

    #[test]
    fn a_link_leads_to_a_file_and_a_heading() {
        let adr = "# One: the `first`\n\n## Two\n## Two\n[up](../README.md#start) [here](#two)\n";
        let readme = "# Start\n\n![x](docs/flow.svg) [a](docs/a.md#one-the-first), [b](docs/a.md#two-1) [c](docs)\n\
                      [d](https://example.com/x#y) [e](<docs/a.md> \"title\")\n[f]: docs/a.md\n\
                      ```md\n# not a heading\n[g](nowhere.md)\n```\n`[h](nowhere.md)`\n";
        assert_eq!(
            wrong(&[("README.md", readme), ("docs/a.md", adr)]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_link_that_leads_nowhere_is_named() {
        let page = "# Here\n[a](gone.md)\n\n[b](#there) [c](../../x.md)\n[d]: b.md#nothing\n";
        assert_eq!(
            wrong(&[("docs/a.md", page), ("docs/b.md", "text")]),
            [
                "docs/a.md:2: gone.md: there is no docs/gone.md",
                "docs/a.md:4: #there: docs/a.md has no heading #there",
                "docs/a.md:4: ../../x.md: leads out of the clone",
                "docs/a.md:5: b.md#nothing: docs/b.md has no heading #nothing",
            ]
        );
    }
}
