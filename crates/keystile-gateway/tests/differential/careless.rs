//! Readers as they have been in MCP servers: each reads an object's members in a way of its own (CHECKLIST,
//! What we forward must be the same to them.

use std::collections::HashSet;

use crate::reading::Tree;

/// What one of them makes of a value at this depth.
type Way = fn(&Tree, usize) -> Tree;

const WAYS: [(&str, Way); 3] = [
    ("a reader that keeps the first of two members", first_wins),
    ("a reader that ends names at a control character", cut),
    ("a reader that ignores case", folded),
];

/// The first one that reads something else.
pub(crate) fn disagrees(tree: &Tree, canonical: &str) -> Option<String> {
    let read = |(name, way): &(&str, Way)| {
        let other = way(tree, 0).canonical();
        (other != canonical).then(|| format!("{name} reads {other}"))
    };
    WAYS.iter().find_map(read)
}

fn each(tree: &Tree, depth: usize, way: Way) -> Vec<(String, Tree)> {
    let Tree::Object(members) = tree else {
        return Vec::new();
    };
    let members = members.iter();
    members
        .map(|(name, it)| (name.clone(), way(it, depth + 1)))
        .collect()
}

fn inner(tree: &Tree, depth: usize, way: Way) -> Tree {
    match tree {
        Tree::Array(all) => Tree::Array(all.iter().map(|it| way(it, depth)).collect()),
        other => other.clone(),
    }
}

fn first_wins(tree: &Tree, depth: usize) -> Tree {
    let mut known = HashSet::new();
    match tree {
        Tree::Object(_) => {
            let mut members = each(tree, depth, first_wins);
            members.retain(|(name, _)| known.insert(name.clone()));
            Tree::Object(members)
        }
        other => inner(other, depth, first_wins),
    }
}

fn cut(tree: &Tree, depth: usize) -> Tree {
    let Tree::Object(_) = tree else {
        return inner(tree, depth, cut);
    };
    let mut members = each(tree, depth, cut);
    for (name, _) in &mut members {
        let end = name.find(char::is_control);
        name.truncate(end.unwrap_or(name.len()));
    }
    Tree::Object(members)
}

/// As Go's encoding/json: the names that a struct has, in any case. The envelope, its `params` and their `_meta`.
fn folded(tree: &Tree, depth: usize) -> Tree {
    let known: &[&str] = match (tree, depth) {
        (Tree::Object(_), 0) => &["jsonrpc", "id", "method", "params", "result", "error"],
        (Tree::Object(_), 1) => &[
            "name",
            "uri",
            "taskId",
            "arguments",
            "protocolVersion",
            "_meta",
        ],
        (Tree::Object(_), 2) => &["progressToken", "io.modelcontextprotocol/protocolVersion"],
        (Tree::Array(_), 0) => return inner(tree, depth, folded),
        _ => return tree.clone(),
    };
    let Tree::Object(members) = tree else {
        return tree.clone();
    };
    let meant = |name: &str| {
        let same = known.iter().find(|it| fold(it).eq(fold(name)));
        same.map_or_else(|| name.to_owned(), |it| (*it).to_owned())
    };
    let members = members.iter().map(|(name, it)| {
        let name = meant(name);
        // Of the members only `params`, and of those only `_meta`, have names that are compared.
        let read = matches!((depth, &*name), (0, "params") | (1, "_meta"));
        let it = if read {
            folded(it, depth + 1)
        } else {
            it.clone()
        };
        (name, it)
    });
    Tree::Object(members.collect())
}

fn fold(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|char| match char {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    })
}
