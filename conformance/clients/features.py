"""features.mjs on PyPI `mcp` 2.x: the same features, words and events. usage: python features.py CLIENT URL [ISSUER SCOPE]

CLIENT is `legacy` (2025-11-25), `legacy+sse` (over HTTP+SSE) or `2026-07-28`. KEYSTILE_NODE signs in.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import traceback
import warnings
from collections import defaultdict
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
from mcp import Client, MCPError
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CreateMessageResult, ElicitResult, ListRootsResult, PromptReference, ResourceTemplateReference, Root, TextContent

CLIENT, URL, *SIGN_IN = sys.argv[1:]
MODE, _, CARRIER = CLIENT.partition("+")
HERE = Path(__file__).resolve().parent
COUNTER, GREETING = "features://counter", "features://greeting/{name}"
ASKING, REMARK = "features://asking", "features://remark"
PAY = "https://example.com/pay"
STEPS = [1, 2, 3]
# Longer than any notification takes.
PATIENCE = 30

# What 2026-07-28 has deprecated is here on purpose.
warnings.simplefilter("ignore")


def say(event, **detail):
    print(json.dumps({"event": event, **detail}), flush=True)


class Instead(Exception):
    """What came instead of a feature: `absent` or `dropped`."""


class Refused(Exception):
    """A tool that failed, in its own words."""


class Inbox:
    """What the server sends on its own account, kept until somebody asks for it."""

    def __init__(self):
        self.kept = defaultdict(asyncio.Queue)

    async def put(self, message):
        if isinstance(message, Exception):
            raise message
        self.kept[message.method].put_nowait(message.params)

    def take(self, method):
        return None if self.kept[method].empty() else self.kept[method].get_nowait()

    async def next(self, method):
        try:
            return await asyncio.wait_for(self.kept[method].get(), PATIENCE)
        except TimeoutError:
            raise RuntimeError(f"no {method} came") from None


LOG, UPDATED = "notifications/message", "notifications/resources/updated"


class Features:
    def __init__(self, client, inbox, stack):
        self.client, self.inbox, self.stack = client, inbox, stack
        self.legacy = MODE == "legacy"

    async def call(self, tool, arguments=None, **options):
        result = await self.client.call_tool(tool, arguments or {}, **options)
        if result.is_error:
            raise Refused(result.content[0].text)
        return result.content[0].text

    async def offers(self, tool):
        return tool in named((await self.client.list_tools()).tools)

    async def watch(self, **what):
        """`resource_subscriptions`, or the lists; in the 2025 revisions those are told of without being asked."""
        if not self.legacy:
            # What it tells of reaches the handler of messages, too.
            await self.stack.enter_async_context(self.client.listen(**what))
            return
        for uri in what.get("resource_subscriptions", []):
            await self.client.subscribe_resource(uri)

    async def ping(self):
        there = await self.offers("ping")
        if self.legacy:
            await self.client.send_ping()
        elif not there:
            raise Instead("absent")
        if there:
            assert await self.call("ping") == "pong"

    async def tools(self):
        assert await self.offers("add")
        assert await self.call("add", {"a": 20, "b": 22}) == "42"

    async def prompts(self):
        assert "greet" in named((await self.client.list_prompts()).prompts)
        assert said(await self.client.get_prompt("greet", {"name": "Ada"})) == "Greet Ada"

    async def resources(self):
        assert "counter" in named((await self.client.list_resources()).resources)
        templates = (await self.client.list_resource_templates()).resource_templates
        assert templates[0].uri_template == GREETING
        assert read(await self.client.read_resource(GREETING.replace("{name}", "Ada"))) == "Hello, Ada"

    async def completion(self):
        for ref in PromptReference(name="greet"), ResourceTemplateReference(uri=GREETING):
            answer = await self.client.complete(ref, {"name": "name", "value": "ad"})
            assert answer.completion.values == ["ada", "adele"]

    async def progress(self):
        seen, top = [], asyncio.Event()

        async def see(progress, _total, _message):
            seen.append(progress)
            if progress == STEPS[-1]:
                top.set()

        climbing = asyncio.create_task(self.call("climb", {"word": "top"}, progress_callback=see))
        await soon(top.wait())
        await self.call("say", {"word": "top"})
        assert await climbing == "top"
        assert seen == STEPS

    async def cancellation(self):
        word, begun = "cancelled", asyncio.Event()

        async def see(*_):
            begun.set()

        waiting = asyncio.create_task(self.call("wait", {"word": word}, progress_callback=see))
        await soon(begun.wait())
        waiting.cancel()
        assert await self.call("hear", {"word": word}) == word

    async def log_messages(self):
        if self.legacy:
            await self.client.set_logging_level("info")
        assert await self.call("log") == "logged"
        assert (await self.inbox.next(LOG)).data == "logged"

    async def log_messages_of_two_calls_at_once(self):
        word, begun = "both", asyncio.Event()

        async def see(*_):
            begun.set()

        other = asyncio.create_task(self.call("climb", {"word": word}, progress_callback=see))
        await soon(begun.wait())
        await self.call("log")
        await self.call("say", {"word": word})
        # Two answers later nothing of the call is still to come.
        await other
        if not self.inbox.take(LOG):
            raise Instead("dropped")

    async def log_messages_of_no_request(self):
        if "remark" not in named((await self.client.list_resources()).resources):
            raise Instead("absent")
        await self.watch(resource_subscriptions=[COUNTER])
        await self.watch(resource_subscriptions=[REMARK])
        # The server says it after the remark, the same way: once it is here, the remark does not come any more.
        await self.inbox.next(UPDATED)
        if not self.inbox.take(LOG):
            raise Instead("dropped")

    async def sampling(self):
        assert await self.call("sample") == "a model"

    async def roots(self):
        assert await self.call("roots") == "file:///home/ada"

    async def elicitation_form(self):
        assert await self.call("ask") == "Ada"

    async def elicitation_url(self):
        assert await self.call("visit") == "accept"

    async def elicitation_url_by_an_error(self):
        if not await self.offers("pay"):
            raise Instead("absent")
        # Clients of 2025-11-25 see the error and come back; for those of 2026-07-28 there is none.
        try:
            paid = await self.call("pay")
        except MCPError as error:
            if not error.data:
                raise
            assert error.data["elicitations"][0]["url"] == PAY
            paid = await self.call("pay")
        assert paid == "paid"

    async def elicitation_by_prompts_and_resources(self):
        assert said(await self.client.get_prompt("ask")) == "Ada"
        assert read(await self.client.read_resource(ASKING)) == "Ada"

    async def list_changes(self):
        await self.watch(tools_list_changed=True, prompts_list_changed=True, resources_list_changed=True)
        await self.call("grow")
        for kind in "tools", "prompts", "resources":
            await self.inbox.next(f"notifications/{kind}/list_changed")
        assert await self.offers("grown")
        assert "grown" in named((await self.client.list_prompts()).prompts)
        assert "grown" in named((await self.client.list_resources()).resources)

    async def resource_updates(self):
        await self.watch(resource_subscriptions=[COUNTER])
        count = await self.call("count")
        assert (await self.inbox.next(UPDATED)).uri == COUNTER
        assert read(await self.client.read_resource(COUNTER)) == count

    async def tasks(self):
        raise Instead("absent")


FEATURES = {
    "ping": Features.ping,
    "tools": Features.tools,
    "prompts": Features.prompts,
    "resources": Features.resources,
    "completion": Features.completion,
    "progress": Features.progress,
    "cancellation": Features.cancellation,
    "log messages": Features.log_messages,
    "log messages of two calls at once": Features.log_messages_of_two_calls_at_once,
    "log messages of no request": Features.log_messages_of_no_request,
    "sampling": Features.sampling,
    "roots": Features.roots,
    "elicitation, form": Features.elicitation_form,
    "elicitation, URL": Features.elicitation_url,
    "elicitation, URL by an error": Features.elicitation_url_by_an_error,
    "elicitation by prompts, resources": Features.elicitation_by_prompts_and_resources,
    "list changes": Features.list_changes,
    "resource updates": Features.resource_updates,
    "tasks": Features.tasks,
}


async def soon(event):
    await asyncio.wait_for(event, PATIENCE)


def named(things):
    return [thing.name for thing in things]


def said(prompt):
    return prompt.messages[0].content.text


def read(resource):
    return resource.contents[0].text


def transport():
    headers = {}
    if SIGN_IN:
        issuer, scope = SIGN_IN
        words = [os.environ["KEYSTILE_NODE"], HERE.parent / "judges/sign-in.mjs", issuer, URL, scope]
        token = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
        headers["Authorization"] = f"Bearer {token}"
    if CARRIER == "sse":
        return sse_client(f"{URL}/sse" if SIGN_IN else URL, headers=headers)
    return streamable_http_client(URL, http_client=httpx2.AsyncClient(headers=headers, timeout=60))


async def sample(_context, _params):
    return CreateMessageResult(role="assistant", model="none", content=TextContent(type="text", text="a model"))


async def elicit(_context, params):
    return ElicitResult(action="accept", content={"name": "Ada"} if params.mode == "form" else None)


async def roots(_context):
    return ListRootsResult(roots=[Root(uri="file:///home/ada")])


async def outcome(play):
    """Like the function of that name in features.mjs."""
    try:
        await play
        return {"saw": "worked"}
    except Instead as instead:
        return {"saw": str(instead)}
    except MCPError as error:
        return {"saw": "refused", "code": error.code, "message": error.message}
    except Refused as error:
        code, message = re.fullmatch(r"(?s)(?:MCP error (-\d+): )?(.*)", str(error)).groups()
        return {"saw": "refused", "code": code and int(code), "message": message}
    except Exception:
        return {"saw": "broken", "message": traceback.format_exc()}


async def main():
    inbox = Inbox()
    async with AsyncExitStack() as stack:
        client = Client(
            transport(),
            mode=MODE,
            sampling_callback=sample,
            elicitation_callback=elicit,
            list_roots_callback=roots,
            log_level="info",
            message_handler=inbox.put,
        )
        features = Features(await stack.enter_async_context(client), inbox, stack)
        for name, play in FEATURES.items():
            say("feature", name=name, **await outcome(play(features)))
    say("done")


asyncio.run(main())
