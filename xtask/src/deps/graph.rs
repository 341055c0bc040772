//! The dependency graph that `cargo metadata` tells.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::workspace::{Workspace, output_of};

/// Normal dependencies by crate name (versions of one crate are one node: a ban counts for all of them).
pub(super) struct Graph {
    edges: BTreeMap<String, BTreeSet<String>>,
    members: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<DepKind>,
}

#[derive(Deserialize)]
struct DepKind {
    /// Null for a normal dependency, else `dev` or `build`.
    kind: Option<String>,
}

impl Graph {
    /// Asks cargo; for this platform only, so that a Windows crate is not a finding on Linux.
    pub(super) fn read(workspace: &Workspace) -> Result<Self> {
        let platform = host(workspace)?;
        let question = [
            "metadata",
            "--locked",
            "--format-version",
            "1",
            "--filter-platform",
            &platform,
        ];
        let answer = output_of(&mut workspace.cargo(question))?;
        let metadata: Metadata =
            serde_json::from_slice(&answer).context("cargo metadata has another shape")?;
        let names: BTreeMap<_, _> = metadata
            .packages
            .iter()
            .map(|p| (p.id.as_str(), p.name.as_str()))
            .collect();
        let name_of = |id: &str| {
            names
                .get(id)
                .map(|name| (*name).to_owned())
                .context("a package without a name")
        };
        let mut graph = Self {
            edges: BTreeMap::new(),
            members: BTreeSet::new(),
        };
        for id in &metadata.workspace_members {
            graph.members.insert(name_of(id)?);
        }
        for node in &metadata.resolve.nodes {
            let from = graph.edges.entry(name_of(&node.id)?).or_default();
            for edge in &node.deps {
                if edge.dep_kinds.iter().any(|kind| kind.kind.is_none()) {
                    from.insert(name_of(&edge.pkg)?);
                }
            }
        }
        Ok(graph)
    }

    /// A graph of these edges; every crate is a member.
    #[cfg(test)]
    pub(super) fn of(edges: &[(&str, &str)]) -> Self {
        let mut graph = Self {
            edges: BTreeMap::new(),
            members: BTreeSet::new(),
        };
        for (from, to) in edges {
            graph
                .edges
                .entry((*from).to_owned())
                .or_default()
                .insert((*to).to_owned());
            graph.members.extend([(*from).to_owned(), (*to).to_owned()]);
        }
        graph
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(String::as_str)
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.edges.contains_key(name)
    }

    /// The crates of this workspace that `name` has as direct normal dependencies.
    pub(super) fn workspace_dependencies(&self, name: &str) -> impl Iterator<Item = &str> {
        let direct = self.edges.get(name).into_iter().flatten();
        direct
            .map(String::as_str)
            .filter(|dependency| self.members.contains(*dependency))
    }

    /// The shortest way from one crate to another.
    pub(super) fn path(&self, from: &str, to: &str) -> Option<Vec<&str>> {
        let (start, _) = self.edges.get_key_value(from)?;
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut waiting = VecDeque::from([start.as_str()]);
        while let Some(here) = waiting.pop_front() {
            if here == to {
                let mut path = vec![here];
                while let Some(before) = path.last().and_then(|last| came_from.get(last)) {
                    path.push(before);
                }
                path.reverse();
                return Some(path);
            }
            for next in self.edges.get(here).into_iter().flatten() {
                if next != start && !came_from.contains_key(next.as_str()) {
                    came_from.insert(next, here);
                    waiting.push_back(next);
                }
            }
        }
        None
    }
}

fn host(workspace: &Workspace) -> Result<String> {
    let version = output_of(&mut workspace.cargo(["-vV"]))?;
    let version = String::from_utf8(version)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("cargo -vV names no host")
}
