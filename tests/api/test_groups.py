"""Groups in basic mode: administrators change them, everybody reads them."""

from typing import Any

from tests.support import Client


async def make(client: Client, name: str, *users: int) -> int:
    """A new group; its id."""
    return int((await client.ok("POST", "groups", {"name": name, "addUsers": users}))["group"]["groupId"])


async def members(client: Client, group: int) -> list[int]:
    """Ids of the users in a group."""
    return [user["id"] for user in (await client.ok("GET", f"groups/{group}"))["group"]["users"]]


async def search(client: Client, **body: Any) -> tuple[list[str], dict[str, int]]:
    """Names found, and the page."""
    answer = await client.ok("POST", "groups/search", body)
    return [one["group"]["name"] for one in answer["groups"]], answer["pagination"]


async def test_a_group_is_created_with_users_in_it(client: Client) -> None:
    """The answer shows them in full."""
    await client.token("determined")
    answer = await client.ok("POST", "groups", {"name": "team", "add_users": [2]})
    group = answer["group"]
    assert (group["name"], [user["username"] for user in group["users"]]) == ("team", ["determined"])
    assert await client.ok("GET", f"groups/{group['groupId']}", user="determined") == answer


async def test_any_name_is_accepted_once(client: Client) -> None:
    """Empty, blank and foreign ones; too long ones are told."""
    for name in ("", " ", "Grüppe 😀", "user:1"):
        await client.ok("POST", "groups", {"name": name})
        assert (await client.post("groups", {"name": name})).error["code"] == 6
    assert (await client.post("groups", {})).error["code"] == 6
    assert (await client.post("groups", {"name": "x" * 501})).error["code"] == 3


async def test_a_group_with_a_bad_user_is_not_created(client: Client) -> None:
    """Unknown or named twice: nothing is stored."""
    assert (await client.post("groups", {"name": "a", "addUsers": [2, 99]})).error["code"] == 5
    assert (await client.post("groups", {"name": "a", "addUsers": [2, 2]})).error["code"] == 6
    assert (await search(client, limit=5))[0] == []


async def test_unknown_groups_are_not_found(client: Client) -> None:
    """To read, change and delete; a user's own hidden group is as unknown as any."""
    for group in (1, 2, 0, -1, 99):
        assert (await client.get(f"groups/{group}")).error["code"] == 5
        assert (await client.put(f"groups/{group}", {"name": "q"})).error["code"] == 5
        assert (await client.delete(f"groups/{group}")).error["code"] == 5
    assert (await client.get("groups/x")).error["code"] == 3


async def test_members_may_read_and_not_change(client: Client) -> None:
    """Every change is 403, whatever it is."""
    group = await make(client, "team", 1)
    assert (await client.ok("POST", "groups/search", {"limit": 5}, user="determined"))["groups"][0]["numMembers"] == 1
    for method, path, body in (
        ("POST", "groups", {"name": "x"}),
        ("PUT", f"groups/{group}", {"addUsers": [2]}),
        ("DELETE", f"groups/{group}", None),
        ("PATCH", "users/assignments", {"userIds": [2], "addGroups": [group]}),
        ("PATCH", "users/assignments", {}),
    ):
        assert (await client.call(method, path, body, user="determined")).error["code"] == 7
    assert await members(client, group) == [1]


async def test_a_group_is_renamed_and_its_users_change(client: Client) -> None:
    """An empty name keeps the old one; what is there already is 409, what is absent 404, and then nothing changes."""
    group, _other = await make(client, "team", 1), await make(client, "other")
    changed = await client.ok("PUT", f"groups/{group}", {"name": "band", "addUsers": [2], "removeUsers": [1]})
    assert (changed["group"]["name"], changed["group"]["users"][0]["id"]) == ("band", 2)
    for body, code in (
        ({"addUsers": [1, 2]}, 6),
        ({"addUsers": [99]}, 5),
        ({"removeUsers": [2, 1]}, 5),
        ({"name": "other", "addUsers": [1]}, 6),
        ({"name": "x" * 501}, 3),
    ):
        assert (await client.put(f"groups/{group}", body)).error["code"] == code
    assert (await client.ok("PUT", f"groups/{group}", {}))["group"] == changed["group"]
    assert (await client.ok("PUT", f"groups/{group}", {"name": " "}))["group"]["name"] == " "


async def test_a_deleted_group_is_gone(client: Client) -> None:
    """Deleting it again is 404; its name is free."""
    group = await make(client, "team", 1, 2)
    assert await client.ok("DELETE", f"groups/{group}") == {}
    assert (await client.delete(f"groups/{group}")).error["code"] == 5
    assert await make(client, "team") != group


async def test_search_needs_a_limit_and_cuts(client: Client) -> None:
    """1 to 500, or -1 for all; the name is exact; pages tell what they show."""
    for name in ("one", "two", "three"):
        await make(client, name, *([2] if name == "two" else []))
    for limit in (0, 501, -2):
        assert (await client.post("groups/search", {"limit": limit})).error["code"] == 3
    assert await search(client, limit=-1) == (
        ["one", "two", "three"],
        {"offset": 0, "limit": -1, "startIndex": 0, "endIndex": 3, "total": 3},
    )
    assert (await search(client, limit=5, name="two"))[0] == (await search(client, limit=5, userId=2))[0] == ["two"]
    assert (await search(client, limit=5, name="tw"))[0] == (await search(client, limit=5, userId=99))[0] == []
    assert await search(client, limit=2, offset=1) == (
        ["two", "three"],
        {"offset": 1, "limit": 2, "startIndex": 1, "endIndex": 3, "total": 3},
    )
    assert await search(client, limit=2, offset=9) == ([], {"offset": 9, "limit": 2, "startIndex": 9, "endIndex": 9, "total": 3})
    assert await search(client, limit=2, offset=-1) == (
        ["one", "two"],
        {"offset": -1, "limit": 2, "startIndex": -1, "endIndex": 1, "total": 3},
    )


async def test_many_users_change_groups_at_once(client: Client) -> None:
    """Repeating it changes nothing; unknown users and groups are 404; an empty request is fine."""
    one, two = await make(client, "one", 1), await make(client, "two", 1, 2)
    body = {"userIds": [1, 2], "addGroups": [one], "removeGroups": [two]}
    for _ in range(2):
        assert await client.ok("PATCH", "users/assignments", body) == {}
        assert (await members(client, one), await members(client, two)) == ([1, 2], [])
    for bad in (
        {"userIds": [99], "addGroups": [one]},
        {"userIds": [1], "removeGroups": [99]},
        {"userIds": [1], "addGroups": [1]},
    ):
        assert (await client.patch("users/assignments", bad)).error["code"] == 5
    assert (await client.patch("users/assignments", {"userIds": [1] * 400, "addGroups": [one] * 400})).error["code"] == 3
    assert await client.ok("PATCH", "users/assignments", {}) == {}
