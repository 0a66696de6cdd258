"""Access tokens in basic mode: administrators make, list and revoke them."""

from typing import Any

import pytest

from tests.support import Client
from undeterred.api.tokens import lifespan_of
from undeterred.api.who import Identities
from undeterred.app import App
from undeterred.base.clock import DAY, SECOND
from undeterred.base.errors import Invalid, Unauthenticated
from undeterred.base.settings import Token


async def make(client: Client, user: int, **fields: Any) -> tuple[int, str]:
    """A new token: its id and its text."""
    answer = await client.ok("POST", "tokens", {"userId": user} | fields)
    return answer["tokenId"], answer["token"]


async def listed(client: Client, **query: Any) -> list[int]:
    """Ids of a list."""
    return [one["id"] for one in (await client.ok("GET", "tokens", **query))["tokenInfo"]]


async def test_a_token_acts_as_its_user(client: Client) -> None:
    """With that user's rights, until it is revoked; logging out does not end it."""
    _, secret = await make(client, 2, description="robot")
    assert (await client.ok("GET", "me", user=f"token:{secret}"))["user"]["username"] == "determined"
    assert (await client.post("tokens", {"userId": 2}, user=f"token:{secret}")).error["code"] == 7
    await client.ok("POST", "auth/logout", user=f"token:{secret}")
    await client.ok("GET", "me", user=f"token:{secret}")


async def test_a_list_tells_everything_but_the_text(client: Client) -> None:
    """Life span, owner, state, description."""
    token_id, secret = await make(client, 2, lifespan="48h", description="robot")
    answer = await client.get("tokens")
    (info,) = answer.body["tokenInfo"]
    assert secret not in answer.text
    assert info["expiry"][11:] == info["createdAt"][11:], "48 hours later it is the same time of day"
    assert {**info, "expiry": 0, "createdAt": 0} == {
        "id": token_id,
        "userId": 2,
        "tokenType": "TOKEN_TYPE_ACCESS_TOKEN",
        "revoked": False,
        "description": "robot",
        "expiry": 0,
        "createdAt": 0,
    }


async def test_a_revoked_token_is_refused_by_the_very_next_request(client: Client) -> None:
    """Also after a restart of everything that is remembered; it stays listed as inactive and can never be changed again."""
    token_id, secret = await make(client, 2)
    await client.ok("GET", "me", user=f"token:{secret}")
    assert (await client.ok("PATCH", f"tokens/{token_id}", {"setRevoked": True}))["tokenInfo"]["revoked"] is True
    assert (await client.get("me", user=f"token:{secret}")).error["code"] == 16
    assert (await listed(client), await listed(client, showInactive="true")) == ([], [token_id])
    for change in ({"setRevoked": False}, {"description": "x"}, {}):
        assert (await client.patch(f"tokens/{token_id}", change)).error["code"] == 9


async def test_a_restart_knows_what_was_revoked(client: Client, app: App) -> None:
    """Another server on the same data refuses the one and takes the other."""
    (revoked, refused), (_, taken) = await make(client, 2), await make(client, 2)
    await client.ok("PATCH", f"tokens/{revoked}", {"setRevoked": True})
    again = Identities(app.db, app.clock)
    assert (await again.who(taken)).user_id == 2
    with pytest.raises(Unauthenticated):
        await again.who(refused)


async def test_a_token_without_a_life_is_refused(client: Client) -> None:
    """A life span of zero is accepted and over at once."""
    token_id, secret = await make(client, 2, lifespan="0h")
    assert (await client.get("me", user=f"token:{secret}")).error["code"] == 16
    assert (await listed(client), await listed(client, show_inactive="true")) == ([], [token_id])


async def test_a_token_follows_the_state_and_the_rights_of_its_owner(client: Client) -> None:
    """403 while the owner is inactive, good again afterwards; a demoted owner's token administrates nothing."""
    await client.ok("PATCH", "users/2", {"admin": True})
    _, secret = await make(client, 2)
    robot = f"token:{secret}"
    await client.ok("POST", "groups", {"name": "a"}, user=robot)
    await client.ok("PATCH", "users/2", {"active": False})
    assert (await client.get("me", user=robot)).error["code"] == 7
    await client.ok("PATCH", "users/2", {"active": True, "admin": False})
    await client.ok("GET", "me", user=robot)
    assert (await client.post("groups", {"name": "b"}, user=robot)).error["code"] == 7


async def test_a_new_password_leaves_tokens(client: Client) -> None:
    """They are revoked one by one, on purpose."""
    _, secret = await make(client, 2)
    await client.ok("POST", "users/2/password", "other")
    await client.ok("GET", "me", user=f"token:{secret}")


async def test_members_have_no_tokens_of_their_own(client: Client) -> None:
    """Neither made, listed nor changed, not even those that an administrator made for them."""
    token_id, _ = await make(client, 2)
    for method, path, body in (
        ("POST", "tokens", {"userId": 2}),
        ("POST", "tokens", {"userId": 1}),
        ("GET", "tokens", None),
        ("GET", "tokens?username=determined", None),
        ("PATCH", f"tokens/{token_id}", {"description": "x"}),
        ("PATCH", f"tokens/{token_id}", {"setRevoked": True}),
    ):
        assert (await client.call(method, path, body, user="determined")).error["code"] == 7, (method, path)


async def test_lists_are_filtered_sorted_and_cut(client: Client) -> None:
    """By user name, ids, any key in both directions, and pages."""
    first, second, third = [(await make(client, 2 - n % 2, lifespan=f"{30 - n}h", description=f"{n}"))[0] for n in range(3)]
    assert await listed(client) == [first, second, third]
    assert await listed(client, username="determined") == [first, third]
    assert await listed(client, tokenIds=[first, third, 99]) == [first, third]
    assert await listed(client, sortBy="SORT_BY_EXPIRY") == [third, second, first]
    assert await listed(client, sort_by="SORT_BY_CREATED_AT", orderBy="ORDER_BY_DESC") == [third, second, first]
    for number in range(7):
        assert len(await listed(client, sortBy=number, orderBy=2)) == 3
    page = await client.ok("GET", "tokens", offset=-2, limit=1)
    assert [one["id"] for one in page["tokenInfo"]] == [second]
    assert page["pagination"] == {"offset": -2, "limit": 1, "startIndex": 1, "endIndex": 2, "total": 3}


async def test_bad_requests_are_refused(client: Client) -> None:
    """Unknown users, tokens, sort keys; ids that are no numbers; pages outside the list."""
    for query, code in (
        ({"username": "nobody"}, 5),
        ({"tokenIds": "x"}, 3),
        ({"sortBy": 7}, 3),
        ({"orderBy": 3}, 3),
        ({"limit": -1}, 3),
        ({"offset": 1}, 3),
    ):
        assert (await client.get("tokens", **query)).error["code"] == code, query
    assert (await client.post("tokens", {})).error["code"] == 5
    assert (await client.post("tokens", {"userId": 99})).error["code"] == 5
    assert (await client.post("tokens", {"userId": 1, "lifespan": "5d"})).error["code"] == 3
    assert (await client.patch("tokens/99", {"description": "x"})).error["code"] == 5
    assert (await client.patch("tokens/x", {})).error["code"] == 3


async def test_a_login_is_no_access_token(client: Client) -> None:
    """Its number names nothing here."""
    await client.token("determined")
    for number in range(1, 4):
        assert (await client.patch(f"tokens/{number}", {"setRevoked": True})).error["code"] == 5


HOUR = 3600 * SECOND


def test_life_spans_within_the_settings() -> None:
    """The default, the longest, and what lies between."""
    assert lifespan_of(None, Token()) == 30 * DAY
    assert lifespan_of("-1", Token()) == 106_751 * DAY
    assert lifespan_of("36h", Token()) == 36 * HOUR
    limited = Token(max_lifespan_days=10, default_lifespan_days=30)
    assert lifespan_of(None, limited) == lifespan_of("-1", limited) == lifespan_of("240h", limited) == 10 * DAY
    assert lifespan_of(None, Token(default_lifespan_days=-1)) == 106_751 * DAY


@pytest.mark.parametrize("text", ["", "5d", "-5h", "abc", "240h1s", "9999999h"])
def test_other_life_spans_are_refused(text: str) -> None:
    """No duration, negative, or longer than allowed."""
    with pytest.raises(Invalid):
        lifespan_of(text, Token(max_lifespan_days=10))
