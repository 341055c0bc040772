//! The MCP server: what a client sees of the knowledge base.

mod prompts;
mod resources;
mod tools;

use std::{borrow::Cow, path::PathBuf, sync::Arc};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    handler::server::router::{prompt::PromptRouter, tool::ToolRouter},
    model::{
        DiscoverRequestMethod, DiscoverResult, Implementation, ListResourceTemplatesResult,
        ListResourcesResult, PaginatedRequestParams, ProtocolVersion, ReadResourceRequestParams,
        ReadResourceResponse, ServerCapabilities, ServerConfig,
    },
    prompt_handler,
    service::RequestContext,
    tool_handler,
};

use crate::{Error, corpus::Corpus, index::Index};

/// What a knowledge base is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// A folder of Markdown; without one, this project's own documentation, which is in the binary.
    pub folder: Option<PathBuf>,
    /// Where notes and the index are kept. Made when missing; several processes may share it.
    pub state: PathBuf,
}

/// Which revisions of MCP are spoken. A real server speaks both eras; the other two stand in for servers that don't.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Eras {
    /// `initialize` up to 2025-11-25, and the stateless 2026-07-28.
    #[default]
    Both,
    /// Up to 2025-11-25: `server/discover` is an unknown method.
    Only2025,
    /// 2026-07-28: `initialize` is refused.
    Only2026,
}

/// One open knowledge base. Clones share it, so that each session of an HTTP server has one.
#[derive(Debug, Clone)]
pub struct Server {
    index: Arc<Index>,
    eras: Eras,
    tool_router: ToolRouter<Self>,
    prompt_router: PromptRouter<Self>,
}

impl Server {
    /// Opens the state folder and looks at the folder of documents; neither is read yet.
    ///
    /// # Errors
    /// [`Error::Folder`] or [`Error::State`], with what to change.
    pub async fn open(options: Options, eras: Eras) -> Result<Self, Error> {
        let corpus = Corpus::open(options.folder)?;
        let index = Arc::new(Index::open(corpus, &options.state).await?);
        Ok(Self {
            index,
            eras,
            tool_router: Self::tool_router(),
            prompt_router: Self::prompt_router(),
        })
    }
}

#[tool_handler(router = self.tool_router)]
#[prompt_handler(router = self.prompt_router)]
impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_resources()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(
                Implementation::new("keystile-knowledge-base", env!("CARGO_PKG_VERSION"))
                    .with_title("Knowledge base"),
            )
            .with_instructions(INSTRUCTIONS)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(match self.eras {
            Eras::Both => ProtocolVersion::KNOWN_VERSIONS,
            Eras::Only2025 => ProtocolVersion::known_up_to(&ProtocolVersion::V_2025_11_25),
            Eras::Only2026 => &[ProtocolVersion::V_2026_07_28],
        })
    }

    async fn discover(
        &self,
        _context: RequestContext<RoleServer>,
    ) -> Result<DiscoverResult, ErrorData> {
        if self.eras == Eras::Only2025 {
            return Err(ErrorData::method_not_found::<DiscoverRequestMethod>());
        }
        let versions = self.supported_protocol_versions().into_owned();
        Ok(DiscoverResult::from_server_info(versions, self.get_info()))
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        resources::list(&self.index, request).await
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(resources::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        resources::read(&self.index, &request.uri).await
    }
}

const INSTRUCTIONS: &str = "Full-text search over a collection of Markdown documents and notes. \
    Use `search` first, then `read` the paths it gives. `add_note` keeps something for later; it is found at once.";
