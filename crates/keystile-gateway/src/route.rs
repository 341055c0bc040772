//! Which path belongs to which server. Nothing else of a request picks an upstream (CHECKLIST A-130).

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use keystile_protocol::issuer::Issuer;
use keystile_protocol::mcp::{Envelope, method};
use keystile_protocol::mutation::weakened;
use keystile_protocol::resource::ServedResource;
use keystile_protocol::scope::{OFFLINE_ACCESS, ScopeCatalogue};
use keystile_resource::ProtectedResource;

use crate::upstream::Upstream;

/// One MCP endpoint and what stands behind it.
#[derive(Debug)]
pub struct Route {
    /// `{server}`.
    pub name: String,
    /// Its metadata, and the `aud` of its tokens.
    pub resource: ProtectedResource,
    /// The scope that a call needs.
    pub scope: String,
    /// The scope that looking needs.
    pub read_scope: String,
    /// All that there are, and which contains which.
    pub scopes: ScopeCatalogue,
    /// What answers.
    pub upstream: Upstream,
}

/// All of them, by path.
#[derive(Debug)]
pub(crate) struct Routes {
    endpoints: HashMap<String, (Arc<Route>, Door)>,
    metadata: HashMap<String, Arc<Route>>,
}

/// What a path names.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// Where a server is called.
    Endpoint(&'a Arc<Route>, Door),
    /// Its RFC 9728 document.
    Metadata(&'a Arc<Route>),
}

/// The ways into a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Streamable HTTP: one endpoint for everything.
    Mcp,
    /// HTTP+SSE of 2024-11-05: the stream of everything that is said to a client.
    Stream,
    /// Where such a client posts.
    Messages,
}

impl Door {
    /// Below the path of the MCP endpoint, because clients take a token for a resource only if its path begins that of
    /// their own URL (docs/adr/0013-http-sse.md).
    const fn below(self) -> &'static str {
        match self {
            Self::Mcp => "",
            Self::Stream => "/sse",
            Self::Messages => "/messages",
        }
    }

    /// Where a server of this name has it.
    pub(crate) fn path(self, name: &str) -> String {
        format!("/{name}/mcp{}", self.below())
    }

    /// What it takes, as `Allow` says it.
    pub(crate) const fn methods(self) -> &'static str {
        match self {
            Self::Mcp => "POST, GET, DELETE, OPTIONS",
            Self::Stream => "GET, OPTIONS",
            Self::Messages => "POST, OPTIONS",
        }
    }

    pub(crate) fn takes(self, method: &Method) -> bool {
        match *method {
            Method::POST => self != Self::Stream,
            Method::GET => self != Self::Messages,
            Method::DELETE => self == Self::Mcp,
            _ => false,
        }
    }
}

impl Route {
    /// The scope that a message needs, or one that contains it. What tools do needs the wide one; so does a method that
    /// nobody knows. Answers to the server's own questions belong to what asked for them.
    pub(crate) fn needed_scope(&self, message: &Envelope<'_>) -> &str {
        match message.method() {
            Some(method) if !method::only_looks(method) => &self.scope,
            Some(_) | None => &self.read_scope,
        }
    }
}

impl Routes {
    /// Endpoints stand at `/{server}/mcp`, with or without a slash behind it, those of 2024-11-05 below; metadata at the
    /// path-inserted place and, while there is one resource, at the root (RFC 9728 §3.1).
    pub(crate) fn new(issuer: &Issuer, served: Vec<(ServedResource, Upstream)>) -> Self {
        let (mut endpoints, mut metadata) = (HashMap::new(), HashMap::new());
        let alone = served.len() == 1;
        for (served, upstream) in served {
            let (scope, read_scope) = (served.call_scope(), served.read_scope());
            let issuers = [issuer.as_str().to_owned()];
            let resource = ProtectedResource {
                resource: served.resource.to_string(),
                authorization_servers: issuers
                    .into_iter()
                    .filter(|_| !weakened("n_rs_01"))
                    .collect(),
                // `offline_access` is between client and issuer (N-AS-27).
                scopes: match weakened("n_as_27") {
                    true => vec![scope.clone(), OFFLINE_ACCESS.to_owned()],
                    false => vec![scope.clone()],
                },
                name: served.name.clone(),
            };
            let route = Arc::new(Route {
                name: served.name,
                resource,
                scope,
                read_scope,
                scopes: served.scopes,
                upstream,
            });
            for door in [Door::Mcp, Door::Stream, Door::Messages] {
                endpoints.insert(door.path(&route.name), (Arc::clone(&route), door));
            }
            let slash = format!("{}/", Door::Mcp.path(&route.name));
            endpoints.insert(slash, (Arc::clone(&route), Door::Mcp));
            let document = route.resource.metadata_path();
            metadata.insert(format!("{document}/"), Arc::clone(&route));
            metadata.insert(document, Arc::clone(&route));
            if alone {
                metadata.insert("/.well-known/oauth-protected-resource".to_owned(), route);
            }
        }
        Self {
            endpoints,
            metadata,
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.endpoints
            .iter()
            .filter(|(path, (_, door))| *door == Door::Mcp && !path.ends_with('/'))
            .map(|(_, (route, _))| route)
    }

    /// The path is compared as it came: `%6dcp` or `//` name nothing (CHECKLIST A-124).
    pub(crate) fn find(&self, path: &str) -> Option<Place<'_>> {
        let path = if weakened("a_124") {
            path.trim_end_matches('/')
        } else {
            path
        };
        let endpoint = self.endpoints.get(path);
        let endpoint = endpoint.map(|(route, door)| Place::Endpoint(route, *door));
        endpoint.or_else(|| self.metadata.get(path).map(Place::Metadata))
    }
}
