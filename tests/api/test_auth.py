"""Login, logout, the places a token may stand, and what the tokens of tasks are good for."""

import asyncio
import threading
from typing import Any

from tests.conftest import PASSWORD
from tests.support import Answer, Client
from undeterred.app import App
from undeterred.base.ids import new_secret
from undeterred.store import sessions


async def test_login_gives_a_token_that_names_its_user(client: Client) -> None:
    """The token of a login is the key to everything and tells whose it is."""
    answer = await client.ok("GET", "auth/user", user="determined")
    assert answer["user"]["username"] == "determined"
    assert answer["user"]["admin"] is False
    assert await client.ok("GET", "me", user="determined") == answer


async def test_a_login_does_not_wait_for_slow_storages(client: Client) -> None:
    """Thirty calls that block (downloads from a storage that does not answer) leave room for the password to be checked."""
    release = threading.Event()
    slow = [asyncio.create_task(asyncio.to_thread(release.wait)) for _ in range(30)]
    try:
        body = {"username": "determined", "password": PASSWORD}
        assert (await asyncio.wait_for(client.ok("POST", "auth/login", body, user=None), 30))["token"]
        assert not any(one.done() for one in slow)
    finally:
        release.set()
        await asyncio.gather(*slow)


async def test_a_wrong_password_is_refused_in_the_contract_s_shape(client: Client) -> None:
    """401, code 16, and no hint whether the name exists; names are told apart by case and blanks."""
    wrong = await client.post("auth/login", {"username": "admin", "password": "no"}, user=None)
    for name in ("nobody", "Admin", " admin", "admin "):
        other = await client.post("auth/login", {"username": name, "password": PASSWORD}, user=None)
        assert other.status == 401
        assert other.error == wrong.error == {"code": 16, "reason": "Unauthenticated", "error": wrong.error["error"]}


async def test_a_login_without_a_name_is_a_bad_request(client: Client) -> None:
    """400 for every form of nothing."""
    for body in ({}, {"username": ""}, {"username": None, "password": "x"}, None):
        assert (await client.post("auth/login", body, user=None)).error["code"] == 3


async def test_a_login_ignores_any_token_that_is_sent(client: Client) -> None:
    """A garbage one does not prevent it."""
    body = {"username": "admin", "password": PASSWORD}
    assert (await client.post("auth/login", body, user="token:garbage")).status == 200


async def test_the_login_cookie_is_set_and_removed(client: Client) -> None:
    """For the browser: for the whole site, unreadable for scripts, seven days; logout empties it."""
    set_cookie = (await client.post("auth/login", {"username": "admin", "password": PASSWORD}, user=None)).headers["set-cookie"]
    assert set_cookie.startswith("auth=")
    for part in ("Path=/", "HttpOnly", "SameSite=Lax", "Expires="):
        assert part in set_cookie
    assert (await client.post("auth/logout")).headers["set-cookie"].startswith("auth=;")


async def test_logout_ends_the_session_at_once(client: Client) -> None:
    """The very next request with the token is 401; other sessions of the user go on."""
    other = (await client.ok("POST", "auth/login", {"username": "admin", "password": PASSWORD}, user=None))["token"]
    token = await client.token("admin")
    await client.ok("POST", "auth/logout")
    assert (await client.get("auth/user", user=f"token:{token}")).status == 401
    assert (await client.post("auth/logout", user=f"token:{token}")).status == 401
    await client.ok("GET", "auth/user", user=f"token:{other}")


async def with_headers(client: Client, **headers: str) -> int:
    """Status of GetMe with these headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (await client.http.get("/api/v1/me", headers=named)).status_code


async def test_a_token_counts_in_some_places_only(client: Client) -> None:
    """Bearer with one blank in Authorization, the cookie without that header, the user-token header; nowhere else."""
    token = await client.token("determined")
    good: list[dict[str, str]] = [
        {"Authorization": f"Bearer {token}"},
        {"Authorization": f"Bearer {token} "},
        {"Cookie": f"auth={token}"},
        {"Cookie": f"theme=dark; auth={token}"},
        {"Authorization": "", "Cookie": f"auth={token}"},
        {"Authorization": f"Bearer {token}", "Cookie": "auth=xyz"},
        {"Grpc_Metadata_x_user_token": f"Bearer {token}"},
    ]
    bad: list[dict[str, str]] = [
        {},
        {"Authorization": token},
        {"Authorization": f"bearer {token}"},
        {"Authorization": f"Bearer  {token}"},
        {"Authorization": f"Token {token}"},
        {"Authorization": f"Bearer {token}x"},
        {"Authorization": "Basic YWRtaW46eA==", "Cookie": f"auth={token}"},
        {"Authorization": "Bearer xyz", "Cookie": f"auth={token}"},
        {"Cookie": "auth=xyz"},
        {"x_user_token": f"Bearer {token}"},
        {"Grpc_Metadata_Authorization": f"Bearer {token}"},
        {"Grpc_Metadata_x_allocation_token": f"Bearer {token}"},
    ]
    for headers in good:
        assert await with_headers(client, **headers) == 200, headers
    for headers in bad:
        assert await with_headers(client, **headers) == 401, headers
    for name in ("token", "auth", "_auth", "access_token"):
        assert (await client.get("me", user=None, **{name: token})).status == 401


# --- tokens of tasks


async def task_token(app: App, user: int) -> str:
    """The token of a running task of a user."""
    token = new_secret()
    await app.db.write(lambda tx: sessions.create(tx, user, token, kind="allocation", allocation_id="7.abc.1"))
    return token


async def as_task(client: Client, token: str, path: str = "me", method: str = "GET", body: Any = None) -> Answer:
    """A call as tasks make it."""
    headers = {"Grpc-Metadata-x-allocation-token": f"Bearer {token}"}
    return Answer(await client.http.request(method, f"/api/v1/{path}", json=body, headers=headers))


async def test_a_task_knows_its_owner_and_administrates_nothing(client: Client, app: App) -> None:
    """Not even where the owner is an administrator."""
    token = await task_token(app, 1)
    assert (await as_task(client, token)).body["user"]["username"] == "admin"
    for method, path, body in (
        ("POST", "users", {"user": {"username": "x"}}),
        ("POST", "users/1/password", "x"),
        ("POST", "tokens", {"userId": 1}),
        ("POST", "auth/logout", None),
        ("GET", "users", None),
    ):
        assert (await as_task(client, token, path, method, body)).error["code"] == 7, path
    await client.ok("GET", "me")


async def test_a_task_outlives_the_sessions_of_its_owner(client: Client, app: App) -> None:
    """A new password, a logout and a deactivation end what people do, not what runs; the end of the task ends its token."""
    token = await task_token(app, 2)
    old = await client.token("determined")
    await client.ok("POST", "users/2/password", "other")
    assert (await client.get("me", user=f"token:{old}")).status == 401
    assert (await as_task(client, token)).status == 200
    await client.ok("PATCH", "users/2", {"active": False})
    assert (await as_task(client, token)).status == 200

    def end(tx: Any) -> None:
        sessions.delete_of_allocation(tx, "7.abc.1")
        tx.after.append(app.identities.forget)

    await app.db.write(end)
    assert (await as_task(client, token)).status == 401
