"""A small client for tests of operations: paths below `/api/v1`, JSON in and out, any user."""

import asyncio
import json
import urllib.parse
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx


class Answer:
    """Status and body of one answer."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.text = response.text

    @property
    def body(self) -> Any:
        """The JSON body."""
        return json.loads(self.text)

    @property
    def lines(self) -> list[Any]:
        """The items of a stream."""
        return [json.loads(line)["result"] for line in self.text.split("\n") if line]

    @property
    def error(self) -> dict[str, Any]:
        """The error of the contract's shape: code, reason, error."""
        error: dict[str, Any] = self.body["error"]
        return error


class Stream:
    """A stream that is read item by item while it goes on; see `Client.stream`."""

    def __init__(self) -> None:
        self._items: asyncio.Queue[Any] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._asked = False

    async def next(self) -> Any:
        """The next item, None when the stream has ended; an error is {"error": ...}."""
        return await asyncio.wait_for(self._items.get(), 30)

    async def rest(self) -> list[Any]:
        """All further items until the stream ends."""
        items = []
        while (item := await self.next()) is not None:
            items.append(item)
        return items

    def leave(self) -> None:
        """The client goes away."""
        self._gone.set()

    async def receive(self) -> dict[str, Any]:
        """What the server reads: the request, then nothing until the client goes away."""
        if self._asked:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        self._asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """What the server writes."""
        if message["type"] == "http.response.start":
            assert message["status"] == 200, message
            return
        for line in message.get("body", b"").splitlines():
            item = json.loads(line)
            self._items.put_nowait(item.get("result", item))
        if not message.get("more_body"):
            self._items.put_nowait(None)


class Client:
    """Logs users in on first use and keeps their tokens."""

    def __init__(self, http: httpx.AsyncClient, password: str) -> None:
        self.http = http
        self.password = password
        self.tokens: dict[str, str] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, asgi: Any, password: str) -> AsyncIterator["Client"]:
        """A client of an ASGI application in this process."""
        transport = httpx.ASGITransport(app=asgi)
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # or a call without a token would be logged in
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=30, cookies=no_cookies) as http:
            yield cls(http, password)

    async def token(self, user: str) -> str:
        """A token of the user, all of whom have the same password in tests."""
        if user not in self.tokens:
            answer = await self.http.post("/api/v1/auth/login", json={"username": user, "password": self.password})
            assert answer.status_code == 200, answer.text
            self.tokens[user] = answer.json()["token"]
        return self.tokens[user]

    async def call(self, method: str, path: str, body: Any = None, *, user: str | None = "admin", **query: Any) -> Answer:
        """One call; `user=None` sends no token, a user of the form "token:T" sends T."""
        headers = {}
        if user is not None:
            token = user.removeprefix("token:") if user.startswith("token:") else await self.token(user)
            headers["Authorization"] = f"Bearer {token}"
        url = path if path.startswith("/") else f"/api/v1/{path}"
        content = None if body is None else json.dumps(body).encode()
        return Answer(await self.http.request(method, url, content=content, headers=headers, params=query or None))

    @asynccontextmanager
    async def stream(self, asgi: Any, path: str, *, user: str = "admin", **query: Any) -> AsyncIterator[Stream]:
        """GET of a stream of the ASGI application `asgi`; the client goes away at the end of the block."""
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": f"/api/v1/{path}",
            "raw_path": f"/api/v1/{path}".encode(),
            "query_string": urllib.parse.urlencode(query, doseq=True).encode(),
            "root_path": "",
            "headers": [(b"authorization", f"Bearer {await self.token(user)}".encode())],
            "client": ("test", 1),
            "server": ("test", 80),
        }
        stream = Stream()
        task = asyncio.create_task(asgi(scope, stream.receive, stream.send))
        try:
            yield stream
        finally:
            stream.leave()
            await asyncio.wait_for(task, 30)

    async def get(self, path: str, **kwargs: Any) -> Answer:
        """GET."""
        return await self.call("GET", path, **kwargs)

    async def post(self, path: str, body: Any = None, **kwargs: Any) -> Answer:
        """POST."""
        return await self.call("POST", path, body, **kwargs)

    async def put(self, path: str, body: Any = None, **kwargs: Any) -> Answer:
        """PUT."""
        return await self.call("PUT", path, body, **kwargs)

    async def patch(self, path: str, body: Any = None, **kwargs: Any) -> Answer:
        """PATCH."""
        return await self.call("PATCH", path, body, **kwargs)

    async def delete(self, path: str, body: Any = None, **kwargs: Any) -> Answer:
        """DELETE."""
        return await self.call("DELETE", path, body, **kwargs)

    async def ok(self, method: str, path: str, body: Any = None, **kwargs: Any) -> Any:
        """The body of an answer that must be 200."""
        answer = await self.call(method, path, body, **kwargs)
        assert answer.status == 200, f"{method} {path}: {answer.status} {answer.text}"
        return answer.body
