"""The driver protocol of script.mjs for Python clients: same arguments, same acts, same events."""

import asyncio
import base64
import json
import os
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

HERE = Path(__file__).resolve().parent
PERSON = HERE.parent / "browser" / "person.mjs"

URL, TOOL = sys.argv[1], sys.argv[2]
ARGS = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
ACTS = sys.argv[4].split(",") if len(sys.argv) > 4 else ["full"]


def say(event, **detail):
    print(json.dumps({"event": event, **detail}), flush=True)


async def play(client):
    """Plays the acts: `client.call()` gives a tool's text, `client.access_token()` what it would send now."""
    try:
        for act in ACTS:
            say("act", name=act)
            if act == "refresh":
                await until_expired(await client.access_token())
            if act == "revoked":
                say("waiting", **{"for": "revoked"})
                await asyncio.to_thread(sys.stdin.readline)
            say("result", act=act, text=await client.call())
        await client.session.close()
        say("done")
    except BaseException as error:
        say("error", message=explain(error))
        raise SystemExit(1)


class Session:
    """One live session, opened when it is first needed and once more when the server has ended it."""

    def __init__(self, connect):
        self.connect, self.stack, self.client = connect, None, None

    async def call(self, use):
        for last in (False, True):
            try:
                if self.client is None:
                    self.stack = AsyncExitStack()
                    self.client = await self.stack.enter_async_context(self.connect())
                    say("protocol", version=self.client.protocol_version)
                    tools = await self.client.list_tools()
                    say("tools", names=[tool.name for tool in getattr(tools, "tools", tools)])
                return await use(self.client)
            except Exception as error:
                # Over HTTP+SSE a session is its stream, which ends with its token or its grant.
                if last or not any(word in explain(error).lower() for word in ("session", "connection closed")):
                    raise
                say("session_lost", message=explain(error))
                await self.close()

    async def close(self):
        if self.stack:
            await self.stack.aclose()
        self.stack = self.client = None


def text_of(result):
    """The text of a `tools/call` result, which must not be an error."""
    text = "\n".join(getattr(part, "text", f"[{part.type}]") for part in result.content)
    if result.is_error:
        raise RuntimeError(f"the tool failed: {text}")
    return text


def visit(authorize_url):
    """Lets the scripted person answer an authorize URL; gives the URL the browser was sent to."""
    node = os.environ.get("KEYSTILE_NODE", "node")
    done = subprocess.run([node, PERSON, authorize_url], capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"the person gave up: {done.stderr.strip()}")
    return done.stdout.strip().splitlines()[-1]


def without_code(callback):
    """A callback URL without its code."""
    parts = urlsplit(callback)
    query = {k: "<code>" if k == "code" else v[0] for k, v in parse_qs(parts.query).items()}
    return urlunsplit(parts._replace(query=urlencode(query, safe="<>:/")))


def without_secrets(tokens):
    """What a test asserts about tokens (a pydantic OAuthToken), without the tokens."""
    rest = tokens.model_dump(exclude_none=True, mode="json")
    claims = claims_of(rest.pop("access_token"))
    rest["refresh_token"] = rest.pop("refresh_token", None) is not None
    rest["claims"] = {k: claims.get(k) for k in ("exp", "aud", "scope")}
    return rest


async def report_refusal(response):
    """An httpx response hook, so that a test can tell a 401 from a silent refresh."""
    if response.status_code >= 400:
        request = response.request
        say("refused", status=response.status_code, method=request.method, path=request.url.path,
            challenge=response.headers.get("www-authenticate"))  # fmt: skip


def claims_of(token):
    try:
        payload = token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}


async def until_expired(token):
    """Waits for the moment the token itself names, and one second for the SDK's own clock: it counts `expires_in` from
    the answer's arrival, and when it believes in a token that the server no longer does it signs in instead of refreshing."""
    await asyncio.sleep(max(0.0, claims_of(token)["exp"] - time.time()) + 1.05)


def explain(error):
    """One line for an exception, its causes and the members of an exception group."""
    inner = getattr(error, "exceptions", None) or ([error.__cause__] if error.__cause__ else [])
    return " <- ".join([f"{type(error).__name__}: {error}", *(explain(e) for e in inner)])
