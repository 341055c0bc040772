"""An open FastMCP server over Streamable HTTP. usage: python fastmcp_http.py [PORT]; prints {"url":…} when it listens."""

import asyncio
import json
import socket
import sys

import uvicorn
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_http_headers

server = FastMCP("fastmcp")


@server.tool
def add(a: float, b: float) -> float:
    """Adds two numbers."""
    return a + b


@server.tool
def headers() -> dict[str, str]:
    """The request headers this server saw."""
    return dict(get_http_headers(include_all=True))


@server.resource("test://hello")
def hello() -> str:
    return "hello"


@server.prompt
def ask(topic: str) -> str:
    return f"Tell me about {topic}"


async def main():
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0))
    config = uvicorn.Config(server.http_app(path="/mcp"), log_level="warning", timeout_graceful_shutdown=0)
    # Connections queue on the listener from here on, so the line may go out before uvicorn has started.
    print(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"}), flush=True)
    await uvicorn.Server(config).serve(sockets=[listener])


asyncio.run(main())
