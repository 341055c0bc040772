//! What a client is added for: scopes and servers that exist.

use keystile_protocol::resource::ResourceTable;
use keystile_protocol::scope::{OFFLINE_ACCESS, ScopeSet};

use crate::admin::Admin;
use crate::failure::Failure;

impl Admin {
    /// Refuses a scope or a server that is not there; while nothing is served that can't be known,
    /// which is the answer.
    pub(super) fn is_served(
        &self,
        scopes: &ScopeSet,
        introspects: Option<&str>,
    ) -> Result<Option<String>, Failure> {
        let Some(served) = &self.served else {
            let names_something = !scopes.is_empty() || introspects.is_some();
            return Ok(names_something.then(|| UNCHECKED.to_owned()));
        };
        let strange = scopes.iter().find(|scope| !has(served, scope));
        if let Some(strange) = strange {
            let all = served.iter().flat_map(|entry| entry.scopes.iter());
            let all = all.map(|scope| scope.scope.as_str());
            let all: Vec<&str> = all.filter(|name| *name != OFFLINE_ACCESS).collect();
            return Err(Failure::usage(
                "scope_unknown",
                format!("no server here has the scope {strange}"),
                format!("there are: {}", all.join(", ")),
            ));
        }
        match introspects {
            Some(url) if served.find(url).is_none() => {
                let all: Vec<&str> = served.iter().map(|entry| entry.resource.as_str()).collect();
                Err(Failure::usage(
                    "introspects",
                    format!("{url} is no MCP URL of this installation"),
                    format!("there are: {}", all.join(", ")),
                ))
            }
            _ => Ok(None),
        }
    }
}

fn has(served: &ResourceTable, scope: &str) -> bool {
    scope != OFFLINE_ACCESS && served.iter().any(|entry| entry.scopes.has(scope))
}

const UNCHECKED: &str = "nothing is served now, so nobody looked whether that scope or server exists: start keystile and compare";
