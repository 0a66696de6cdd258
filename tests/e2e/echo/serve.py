"""A service of a task that tells what it was sent: `python3 serve.py PORT`. HTTP, server-sent events, WebSockets."""

import asyncio
import json
import sys
from typing import Any

import uvicorn


def told(scope: Any) -> dict[str, Any]:
    """Path, query and headers as they arrived."""
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    return {"path": scope["raw_path"].decode(), "query": scope["query_string"].decode(), "headers": headers}


async def socket(scope: Any, receive: Any, send: Any) -> None:
    """First what the handshake said, then every message back; "close" closes."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": scope["subprotocols"][-1]})
    await send({"type": "websocket.send", "text": json.dumps(told(scope))})
    while (message := await receive())["type"] == "websocket.receive":
        if message.get("text") == "close":
            await send({"type": "websocket.close", "code": 4001, "reason": "as told"})
            return
        await send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})


async def events(_scope: Any, receive: Any, send: Any) -> None:
    """Five events, a tenth of a second apart."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for number in range(5):
        await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
        await asyncio.sleep(0.1)
    await send({"type": "http.response.body"})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """What was sent, and how long its body was; two cookies."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    headers = [(b"content-type", b"application/json"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(told(scope) | {"size": size}).encode()})


async def app(scope: Any, receive: Any, send: Any) -> None:
    """By kind and path."""
    if scope["type"] == "websocket":
        await socket(scope, receive, send)
    elif scope["path"].endswith("/events"):
        await events(scope, receive, send)
    else:
        await echo(scope, receive, send)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), lifespan="off", ws_max_size=1 << 24)
