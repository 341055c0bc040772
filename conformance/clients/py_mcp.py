"""PyPI `mcp` 2.x. MODE=auto (the default), legacy, 2026-07-28 or sse: HTTP+SSE, the transport of 2024-11-05."""

import asyncio
import os
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, TokenStorage
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata
from script import ARGS, TOOL, URL, Session, play, report_refusal, say, text_of, visit, without_code, without_secrets

MODE = os.environ.get("MODE", "auto")
ADDRESS = f"{URL}/sse" if MODE == "sse" else URL
REDIRECT_URI = "http://127.0.0.1:18767/callback"


class InMemory(TokenStorage):
    tokens = client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens
        say("tokens", **without_secrets(tokens))

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info
        say("registered", **client_info.model_dump(exclude_none=True, exclude={"client_secret"}, mode="json"))


class Person:
    """The application's two OAuth hooks: open the authorize URL, hand back what came to the redirect URI."""

    async def open(self, url):
        say("authorize_url", url=url)
        self.callback = await asyncio.to_thread(visit, url)
        say("callback", url=without_code(self.callback))

    async def answer(self):
        query = {k: v[0] for k, v in parse_qs(urlsplit(self.callback).query).items()}
        if "error" in query:
            raise RuntimeError(f"the sign-in ended in {query['error']}: {query.get('error_description')}")
        return AuthorizationCodeResult(code=query["code"], state=query.get("state"), iss=query.get("iss"))


class PythonSdk:
    def __init__(self):
        self.storage, self.person = InMemory(), Person()
        self.session = Session(self.connect)
        metadata = OAuthClientMetadata(
            client_name="Python SDK",
            redirect_uris=[REDIRECT_URI],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            token_endpoint_auth_method="none",
        )
        # One for all connections: it knows when its token expires, and refreshes it in time.
        self.provider = OAuthClientProvider(
            server_url=ADDRESS,
            client_metadata=metadata,
            storage=self.storage,
            redirect_handler=self.person.open,
            callback_handler=self.person.answer,
            client_metadata_url=os.environ.get("CLIENT_METADATA_URL"),
        )

    def connect(self):
        if MODE == "sse":
            return Client(sse_client(ADDRESS, auth=self.provider), mode="legacy")
        http = httpx2.AsyncClient(auth=self.provider, timeout=60, event_hooks={"response": [report_refusal]})
        return Client(streamable_http_client(ADDRESS, http_client=http), mode=MODE)

    async def access_token(self):
        return self.storage.tokens.access_token

    async def call(self):
        return text_of(await self.session.call(lambda client: client.call_tool(TOOL, ARGS)))


asyncio.run(play(PythonSdk()))
