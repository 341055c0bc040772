"""A server on uvicorn and h11: each answer lists every request that was read so far. Prints its port."""

import json
import logging
import os
import socket
import sys
import threading

import uvicorn

seen = []


class Unreadable(logging.Handler):
    def emit(self, record):
        if "Invalid HTTP request" in record.getMessage():
            seen.append({"method": "unreadable", "target": "", "body": ""})


async def app(scope, receive, send):
    body = b""
    more = True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    query = f"?{scope['query_string'].decode('latin1')}" if scope["query_string"] else ""
    target = scope["raw_path"].decode("latin1") + query
    seen.append({"method": scope["method"], "target": target, "body": body.decode("latin1")})
    answer = json.dumps({"jsonrpc": "2.0", "id": 7, "result": {"seen": seen}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def until_nobody_listens():
    sys.stdin.read()
    os._exit(0)


logging.getLogger("uvicorn.error").addHandler(Unreadable())
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
threading.Thread(target=until_nobody_listens, daemon=True).start()
config = uvicorn.Config(app, http="h11", loop="asyncio", lifespan="off", log_config=None)
uvicorn.Server(config).run(sockets=[listener])
