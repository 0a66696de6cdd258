"""A small client for tests of operations: paths below `/api/v1`, JSON in and out, any user."""

import json
from collections.abc import AsyncIterator
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
        return [json.loads(line)["result"] for line in self.text.splitlines() if line]

    @property
    def error(self) -> dict[str, Any]:
        """The error of the contract's shape: code, reason, error."""
        error: dict[str, Any] = self.body["error"]
        return error


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
