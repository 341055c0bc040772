"""PyPI FastMCP's client with its own OAuth: it opens a browser (the xdg-open stand-in) and listens on loopback itself."""

import asyncio
import os
from pathlib import Path

BROWSER = Path(__file__).resolve().parent.parent / "browser" / "xdg-open"
os.environ["BROWSER"] = f"{BROWSER} %s"

from fastmcp import Client  # noqa: E402 - `webbrowser` reads BROWSER when it is imported
from fastmcp.client.auth import OAuth  # noqa: E402
from key_value.aio.stores.memory import MemoryStore  # noqa: E402
from script import ARGS, TOOL, URL, Session, play, say, without_secrets  # noqa: E402


class ReportingOAuth(OAuth):
    """Says what happens and changes nothing."""

    async def redirect_handler(self, authorization_url):
        say("authorize_url", url=authorization_url)
        await super().redirect_handler(authorization_url)

    async def callback_handler(self):
        answer = await super().callback_handler()
        say("callback", url=f"{self.context.client_metadata.redirect_uris[0]}?code=<code>&iss={answer.iss}")
        return answer


class FastMcp:
    def __init__(self):
        metadata_url = os.environ.get("CLIENT_METADATA_URL")
        self.oauth = ReportingOAuth(
            URL, client_name="FastMCP client", token_storage=MemoryStore(), client_metadata_url=metadata_url
        )
        self.session = Session(lambda: Client(URL, auth=self.oauth))
        self.oauth.token_storage_adapter.set_tokens = self.keep(self.oauth.token_storage_adapter.set_tokens)

    def keep(self, set_tokens):
        async def reporting(tokens):
            say("tokens", **without_secrets(tokens))
            await set_tokens(tokens)

        return reporting

    async def access_token(self):
        return self.oauth.context.current_tokens.access_token

    async def call(self):
        result = await self.session.call(lambda client: client.call_tool(TOOL, ARGS))
        return "\n".join(getattr(part, "text", f"[{part.type}]") for part in result.content)


asyncio.run(play(FastMcp()))
