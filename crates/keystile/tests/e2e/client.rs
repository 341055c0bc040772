//! The clients, and how each driver is started.

use std::process::Command;

use crate::gate::{Gate, NAME, PASSWORD};
use crate::process::Process;
use crate::tools::{Tools, conformance};

/// One real client in one mode.
pub(crate) struct Client {
    /// The driver's name in `conformance/clients`, or none for the built one.
    script: Option<&'static str>,
    /// What runs it: a name in `tools.json`.
    program: &'static str,
    /// What it is told to speak.
    mode: &'static str,
    /// The revision that it must end up with; `None` where the server decides.
    pub(crate) speaks: Option<&'static str>,
}

const NODE: Client = Client {
    script: None,
    program: "node",
    mode: "auto",
    speaks: None,
};
const LEGACY: Option<&str> = Some("2025-11-25");

pub(crate) const TS_V1: Client = Client {
    script: Some("ts-v1.mjs"),
    speaks: LEGACY,
    ..NODE
};
pub(crate) const TS_V1_SSE: Client = Client {
    mode: "sse",
    speaks: None,
    ..TS_V1
};
pub(crate) const TS_V2_AUTO: Client = Client {
    script: Some("ts-v2.mjs"),
    ..NODE
};
pub(crate) const TS_V2_LEGACY: Client = Client {
    mode: "legacy",
    speaks: LEGACY,
    ..TS_V2_AUTO
};
pub(crate) const TS_V2_2026: Client = Client {
    mode: "2026-07-28",
    speaks: Some("2026-07-28"),
    ..TS_V2_AUTO
};
pub(crate) const MCP_REMOTE: Client = Client {
    script: Some("mcp-remote.mjs"),
    mode: "legacy",
    speaks: LEGACY,
    ..NODE
};
pub(crate) const PYTHON_SDK: Client = Client {
    script: Some("py_mcp.py"),
    program: "python_mcp",
    ..NODE
};
pub(crate) const PYTHON_SDK_SSE: Client = Client {
    mode: "sse",
    ..PYTHON_SDK
};
pub(crate) const FASTMCP_CLIENT: Client = Client {
    script: Some("fastmcp_client.py"),
    program: "python_fastmcp",
    ..NODE
};
pub(crate) const RMCP: Client = Client {
    script: None,
    program: "rmcp_client",
    ..NODE
};

impl Client {
    /// Starts the driver against a gate; the acts are those of `conformance/clients/script.mjs`.
    pub(crate) fn start(
        &self,
        tools: &Tools,
        gate: &Gate,
        tool: &str,
        arguments: &str,
        acts: &str,
    ) -> Process {
        let mut command = Command::new(tools.path(self.program));
        if let Some(script) = self.script {
            command.arg(conformance("clients").join(script));
        }
        command.args([gate.said("mcp_url"), tool, arguments, acts]);
        command.env("MODE", self.mode);
        command.env("KEYSTILE_NODE", tools.path("node"));
        command.env("KEYSTILE_PERSON", conformance("browser/person.mjs"));
        command
            .env("KEYSTILE_PERSON_NAME", NAME)
            .env("KEYSTILE_PERSON_PASSWORD", PASSWORD);
        Process::start(&mut command)
    }
}
