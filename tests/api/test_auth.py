"""Login, logout, and the places a token may stand."""

from tests.support import Client


async def test_login_gives_a_token_that_names_its_user(client: Client) -> None:
    """The token of a login is the key to everything and tells whose it is."""
    answer = await client.ok("GET", "auth/user", user="determined")
    assert answer["user"]["username"] == "determined"
    assert answer["user"]["admin"] is False


async def test_a_wrong_password_is_refused_in_the_contract_s_shape(client: Client) -> None:
    """401, code 16, and no hint whether the name exists."""
    wrong = await client.post("auth/login", {"username": "admin", "password": "no"}, user=None)
    unknown = await client.post("auth/login", {"username": "nobody", "password": "no"}, user=None)
    assert wrong.status == unknown.status == 401
    assert wrong.error == unknown.error == {"code": 16, "reason": "Unauthenticated", "error": wrong.error["error"]}


async def test_logout_ends_the_session_at_once(client: Client) -> None:
    """The very next request with the token is 401."""
    token = await client.token("admin")
    await client.ok("POST", "auth/logout")
    assert (await client.get("auth/user", user=f"token:{token}")).status == 401
