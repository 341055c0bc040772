//! `cargo xtask deps`: each room reaches what it may reach, and nothing else (ARCHITECTURE.md).

mod graph;
mod rules;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use graph::Graph;
use rules::{BANNED_ANYWHERE, PUBLISHED, ROOMS, Room, UNREACHABLE};

/// Reads `cargo metadata`; an error names each edge that may not be.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let graph = Graph::read(workspace)?;
    let mut wrong = Vec::new();
    for member in graph.members() {
        let Some(room) = ROOMS.iter().find(|room| room.name == member) else {
            wrong.push(format!("{member} has no line in xtask/src/deps/rules.rs"));
            continue;
        };
        wrong.extend(wrong_directions(&graph, room));
    }
    for (member, banned) in UNREACHABLE {
        for name in *banned {
            if let Some(path) = graph.path(member, name) {
                wrong.push(format!(
                    "{member} must not reach {name}: {}",
                    path.join(" → ")
                ));
            }
        }
    }
    for name in PUBLISHED {
        if let Some(private) = graph
            .workspace_dependencies(name)
            .find(|d| !PUBLISHED.contains(d))
        {
            wrong.push(format!(
                "{name} is published and depends on {private}, which is not"
            ));
        }
    }
    for name in BANNED_ANYWHERE {
        if graph.contains(name) {
            wrong.push(format!("{name} is in the dependency tree"));
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}

fn wrong_directions(graph: &Graph, room: &Room) -> Vec<String> {
    graph
        .workspace_dependencies(room.name)
        .filter(|dependency| !room.may_use.contains(dependency))
        .map(|dependency| format!("{} may not depend on {dependency}", room.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_way_round_is_still_found() {
        let graph = Graph::of(&[
            ("keystile-protocol", "url"),
            ("url", "idna"),
            ("idna", "tokio"),
        ]);
        let path = graph
            .path("keystile-protocol", "tokio")
            .expect("there is one");
        assert_eq!(path, ["keystile-protocol", "url", "idna", "tokio"]);
        assert_eq!(graph.path("url", "axum"), None);
    }

    #[test]
    fn a_room_that_reaches_back_is_named() {
        let graph = Graph::of(&[("keystile-gateway", "keystile-issuer")]);
        let gateway = ROOMS
            .iter()
            .find(|room| room.name == "keystile-gateway")
            .expect("has a line");
        assert_eq!(
            wrong_directions(&graph, gateway),
            ["keystile-gateway may not depend on keystile-issuer"]
        );
    }

    #[test]
    fn the_rules_have_no_cycle() {
        let mut left: Vec<&Room> = ROOMS.iter().collect();
        while !left.is_empty() {
            let before = left.len();
            let names: Vec<_> = left.iter().map(|room| room.name).collect();
            left.retain(|room| room.may_use.iter().any(|used| names.contains(used)));
            assert!(left.len() < before, "a cycle among {names:?}");
        }
    }
}
