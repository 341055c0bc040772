"""An open MCP server on the Python SDK that speaks HTTP+SSE of 2024-11-05. usage: python py_sse.py [PORT]; prints {"url":…}
when it listens."""

import asyncio
import json
import socket
import sys

import uvicorn
from mcp.server.mcpserver import MCPServer

server = MCPServer("py-sse")


@server.tool()
def add(a: float, b: float) -> float:
    """Adds two numbers."""
    return a + b


async def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0))
    config = uvicorn.Config(server.sse_app(), log_level="warning", timeout_graceful_shutdown=0)
    # Connections queue on the listener from here on, so the line may go out before uvicorn has started.
    print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}/sse"}), flush=True)
    await uvicorn.Server(config).serve(sockets=[listener])


asyncio.run(main())
