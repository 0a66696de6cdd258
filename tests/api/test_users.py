"""Users: listing, creating, changing, passwords, what a user keeps for itself."""

import urllib.parse
from typing import Any

import pytest

from tests.conftest import PASSWORD
from tests.support import Client
from undeterred.api import passwords
from undeterred.app import App
from undeterred.store import users
from undeterred.store.schema.spaces import projects


async def make(client: Client, name: str, **fields: Any) -> int:
    """A new active user with the common password; its id."""
    user = {"username": name, "active": True} | fields
    return int((await client.ok("POST", "users", {"user": user, "password": PASSWORD}))["user"]["id"])


async def names(client: Client, **query: Any) -> list[str]:
    """User names of a list."""
    return [user["username"] for user in (await client.ok("GET", "users", **query))["users"]]


# --- creating


async def test_a_created_user_has_what_was_given(client: Client) -> None:
    """Every field comes back; never logged in means no lastAuthAt key; a given id is ignored."""
    group = {"agentUid": 1000, "agentGid": 1001, "agentUser": "u", "agentGroup": "g"}
    user = {"id": 77, "username": "ann", "active": True, "admin": True, "displayName": "Ann", "agentUserGroup": group}
    created = (await client.ok("POST", "users", {"user": user, "password": PASSWORD}))["user"]
    assert created.pop("modifiedAt").endswith("Z")
    assert created.pop("id") == 3
    assert created == {
        "username": "ann",
        "active": True,
        "admin": True,
        "displayName": "Ann",
        "agentUserGroup": group,
        "remote": False,
    }
    assert "lastAuthAt" in (await client.ok("GET", "me", user="ann"))["user"]


async def test_a_user_is_created_inactive_and_without_rights(client: Client) -> None:
    """Unless told otherwise; an inactive user with the right password is told so, with a wrong one not."""
    created = (await client.ok("POST", "users", {"user": {"username": "ann"}}))["user"]
    assert (created["active"], created["admin"], created["agentUserGroup"]) == (False, False, None)
    assert (await client.post("auth/login", {"username": "ann", "password": ""}, user=None)).status == 403
    assert (await client.post("auth/login", {"username": "ann", "password": "x"}, user=None)).status == 401


async def test_a_client_may_hash_the_password_itself(client: Client) -> None:
    """The digest given with isHashed is the same password as the plain text."""
    body = {"user": {"username": "ann", "active": True}, "password": passwords.digest("pw"), "isHashed": True}
    await client.ok("POST", "users", body)
    for given, hashed in (("pw", False), (passwords.digest("pw"), True)):
        await client.ok("POST", "auth/login", {"username": "ann", "password": given, "isHashed": hashed}, user=None)


BAD_USERS: list[dict[str, Any]] = [
    {},
    {"user": {}},
    {"user": {"username": ""}},
    {"user": {"username": "  "}},
    {"user": {"username": "jürgen"}},
    {"user": {"username": "a\u0000b"}},
    {"user": {"username": "a" * 1001}},
    {"user": {"username": "ann", "remote": True}, "password": "x"},
    {"user": {"username": "ann", "agentUserGroup": {"agentUid": 5}}},
    {"user": {"username": "ann", "agentUserGroup": {"agentUid": -1, "agentGid": 1, "agentUser": "u", "agentGroup": "g"}}},
    {"user": {"username": "ann", "displayName": "Determined"}},
]


async def test_a_bad_user_is_refused(client: Client) -> None:
    """400, and nothing is stored."""
    for body in BAD_USERS:
        answer = await client.post("users", body)
        assert (answer.status, answer.error["code"]) == (400, 3), body
    assert await names(client) == ["admin", "determined"]


async def test_names_are_unique_to_the_letter(client: Client) -> None:
    """The same name is 409, the same letters in another case another user."""
    await make(client, "ann")
    assert (await client.post("users", {"user": {"username": "ann"}})).error["code"] == 6
    await make(client, "ANN")
    assert (await client.ok("GET", "users/ANN/by-username"))["user"]["username"] == "ANN"
    assert (await client.get("users/Ann/by-username")).status == 404


async def test_a_user_is_found_by_name_whatever_its_name(client: Client) -> None:
    """Names with characters that mean something in an address are found when these are escaped."""
    for name in ("CORP\\ann", "a?b#c%2F", "... ", "a;b=c&d+e"):
        made = await make(client, name)
        path = f"users/{urllib.parse.quote(name, safe='')}/by-username"
        assert (await client.ok("GET", path))["user"]["id"] == made, name


async def test_a_name_that_no_path_can_hold_is_refused(client: Client, app: App) -> None:
    """At creation and when a user is renamed; who has such a name keeps it, and everything of theirs can be changed by id."""
    made = await make(client, "ann")
    for name in ("a/b", ".", ".."):
        assert "username must not" in (await client.post("users", {"user": {"username": name}})).error["error"]
        assert (await client.call("PATCH", f"users/{made}", {"username": name})).error["code"] == 3
    await app.db.write(lambda tx: users.update(tx, made, username="team/ann"))
    changed = await client.ok("PATCH", f"users/{made}", {"username": "team/ann", "displayName": "Ann", "active": True})
    assert (changed["user"]["username"], changed["user"]["displayName"]) == ("team/ann", "Ann")
    assert "team/ann" in await names(client)
    assert (await client.ok("PATCH", f"users/{made}", {"username": "ann2"}))["user"]["username"] == "ann2"


async def test_only_administrators_create_users(client: Client) -> None:
    """A member is 403 whatever the body says."""
    for body in ({"user": {"username": "ann"}}, {}):
        assert (await client.post("users", body, user="determined")).error["code"] == 7


async def test_a_remote_user_has_no_password(client: Client) -> None:
    """No login, not even with an empty password, and none can be set."""
    created = await client.ok("POST", "users", {"user": {"username": "far", "active": True, "remote": True}})
    path = f"users/{created['user']['id']}"
    assert (await client.post("auth/login", {"username": "far", "password": ""}, user=None)).status == 401
    assert (await client.post(f"{path}/password", "x")).status == 400
    assert (await client.patch(path, {"password": "x"})).status == 400
    await client.ok("PATCH", path, {"remote": False, "password": PASSWORD})
    assert (await client.ok("GET", "me", user="far"))["user"]["remote"] is False


# --- reading


async def test_unknown_users_are_not_found(client: Client) -> None:
    """By id and by name."""
    for path in ["users/99", "users/0", "users/-1", "users/nobody/by-username", "users/%C3%BC/by-username"]:
        assert (await client.get(path)).error["code"] == 5, path


async def test_every_user_sees_every_user(client: Client) -> None:
    """Lists and single users are open to members."""
    assert await names(client, user="determined") == ["admin", "determined"]
    assert (await client.ok("GET", "users/1", user="determined"))["user"]["admin"] is True


async def test_the_list_is_filtered_sorted_and_cut(client: Client) -> None:
    """By part of either name, flags, any key in both directions, and pages that tell what they cut."""
    await make(client, "zoe", displayName="Ann")
    await make(client, "Bob", active=False)
    assert await names(client, name="ANN") == ["zoe"]
    assert await names(client, active="false") == ["Bob"]
    assert await names(client, admin="true") == ["admin"]
    assert await names(client, sortBy="SORT_BY_USER_NAME") == ["Bob", "admin", "determined", "zoe"]
    assert await names(client, sort_by="SORT_BY_NAME", order_by="ORDER_BY_DESC") == ["determined", "admin", "Bob", "zoe"]
    page = await client.ok("GET", "users", sortBy="SORT_BY_USER_NAME", offset=-3, limit=2)
    assert [user["username"] for user in page["users"]] == ["admin", "determined"]
    assert page["pagination"] == {"offset": -3, "limit": 2, "startIndex": 1, "endIndex": 3, "total": 4}


BAD_LISTS: list[dict[str, Any]] = [
    {"sortBy": 99},
    {"orderBy": 9},
    {"limit": -1},
    {"limit": -2},
    {"offset": 3},
    {"offset": -3},
    {"roleIdAssignedDirectlyToUser": 1},
]


async def test_a_bad_list_request_is_refused(client: Client) -> None:
    """Unknown enum numbers, pages outside the list, and the role filter where roles decide nothing."""
    for query in BAD_LISTS:
        assert (await client.get("users", **query)).error["code"] == 3, query


async def test_every_sort_key_is_accepted(client: Client) -> None:
    """By name and by number."""
    for number in range(9):
        assert len(await names(client, sortBy=number, orderBy=2)) == 2


# --- changing


async def test_an_administrator_changes_everything(client: Client) -> None:
    """What is not given stays."""
    ann = await make(client, "ann")
    group = {"agentUid": 7, "agentGid": 8, "agentUser": "x", "agentGroup": "y"}
    changes = {"username": "anna", "display_name": "A", "admin": True, "active": False, "agentUserGroup": group}
    user = (await client.ok("PATCH", f"users/{ann}", changes))["user"]
    assert {**user, "modifiedAt": 0} == {
        "id": ann,
        "username": "anna",
        "displayName": "A",
        "admin": True,
        "active": False,
        "agentUserGroup": group,
        "remote": False,
        "modifiedAt": 0,
    }
    for nothing in ({}, {"agentUserGroup": None}, {"user": {"displayName": "w"}}, {"admin": None, "displayName": None}):
        assert (await client.ok("PATCH", f"users/{ann}", nothing))["user"] == user
    zeros = (await client.ok("PATCH", f"users/{ann}", {"agentUserGroup": {}}))["user"]["agentUserGroup"]
    assert zeros == {"agentUid": 0, "agentGid": 0, "agentUser": "", "agentGroup": ""}


async def test_a_member_changes_its_own_names_and_password_and_nothing_else(client: Client) -> None:
    """Not its rights, state or Unix identity, and nothing of others; an unknown user is not found."""
    ann = await make(client, "ann")
    await client.ok("PATCH", f"users/{ann}", {"displayName": "A", "username": "ann2"}, user="ann")
    group = {"agentUid": 7, "agentGid": 8, "agentUser": "x", "agentGroup": "y"}
    for change in ({"admin": True}, {"active": True}, {"agentUserGroup": group}, {"remote": False}):
        assert (await client.patch(f"users/{ann}", change, user="ann")).error["code"] == 7
    for change in ({"displayName": "x"}, {"password": "x"}, {}):
        assert (await client.patch("users/1", change, user="ann")).error["code"] == 7
    assert (await client.post("users/1/password", "x", user="ann")).error["code"] == 7
    assert (await client.patch("users/99", {"active": True}, user="ann")).error["code"] == 5


BAD_CHANGES: list[tuple[dict[str, Any], int]] = [
    ({"username": ""}, 3),
    ({"username": "ü"}, 3),
    ({"username": "admin"}, 3),
    ({"username": "bob"}, 6),
    ({"displayName": "bob"}, 3),
    ({"displayName": "BOB"}, 3),
    ({"agentUserGroup": {"agentUid": 7}}, 3),
    ({"active": "yes"}, 3),
]


async def test_bad_changes_are_refused(client: Client) -> None:
    """Names that are empty, foreign, reserved, taken or somebody else's; half of a Unix identity; wrong types."""
    ann = await make(client, "ann")
    await make(client, "bob")
    before = await client.ok("GET", f"users/{ann}")
    for change, code in BAD_CHANGES:
        assert (await client.patch(f"users/{ann}", change)).error["code"] == code, change
    assert await client.ok("GET", f"users/{ann}") == before


async def test_a_first_user_can_be_renamed_and_its_name_is_not_given_away(client: Client) -> None:
    """Whoever finds `admin` free may not take it."""
    await client.ok("PATCH", "users/2", {"username": "determined"})
    await client.ok("PATCH", "users/2", {"username": "member"})
    assert (await client.patch("users/2", {"username": "determined"})).error["code"] == 3


async def test_the_last_administrator_cannot_be_shut_out(client: Client) -> None:
    """Neither deactivated nor demoted, alone or in bulk, while no other active one is there."""
    for change in ({"active": False}, {"admin": False}):
        assert (await client.patch("users/1", change)).error["code"] == 9
    results = (await client.ok("PATCH", "users", {"userIds": [1, 2], "activate": False}))["results"]
    assert all(one["error"] for one in results)
    assert (await client.ok("GET", "users/2"))["user"]["active"] is True
    await client.ok("PATCH", "users/2", {"admin": True})
    await client.ok("PATCH", "users/1", {"admin": False})


# --- passwords and sessions


@pytest.mark.parametrize(("way", "by"), [("post", "admin"), ("post", "ann"), ("patch", "ann"), ("patch hashed", "admin")])
async def test_a_new_password_ends_every_login_of_that_user(client: Client, way: str, by: str) -> None:
    """Also the one in use; logins of others go on; the new password is the only one."""
    ann = await make(client, "ann")
    old = [await client.token("ann"), (await login(client, "ann", PASSWORD))]
    if way == "post":
        await client.ok("POST", f"users/{ann}/password", "new", user=by)
    elif way == "patch":
        await client.ok("PATCH", f"users/{ann}", {"password": "new"}, user=by)
    else:
        await client.ok("PATCH", f"users/{ann}", {"password": passwords.digest("new"), "isHashed": True}, user=by)
    for token in old:
        assert (await client.get("me", user=f"token:{token}")).status == 401
    assert (await client.post("auth/login", {"username": "ann", "password": PASSWORD}, user=None)).status == 401
    assert await login(client, "ann", "new")
    await client.ok("GET", "me", user="determined")


async def login(client: Client, name: str, password: str) -> str:
    """A further token."""
    return str((await client.ok("POST", "auth/login", {"username": name, "password": password}, user=None))["token"])


async def test_any_password_is_stored(client: Client) -> None:
    """Short and empty ones too; without a body it is the empty one, which the real client sends as it is."""
    ann = await make(client, "ann")
    headers = {"Authorization": f"Bearer {await client.token('admin')}"}
    for raw, password in [('"abc"', "abc"), ('""', ""), ("", ""), ("null", "")]:
        answer = await client.http.post(f"/api/v1/users/{ann}/password", content=raw, headers=headers)
        assert answer.status_code == 200
        await login(client, "ann", password)
        digest = {"username": "ann", "password": passwords.digest(password), "isHashed": True}
        await client.ok("POST", "auth/login", digest, user=None)


async def test_a_password_is_a_text(client: Client) -> None:
    """Anything else is 400 and changes nothing."""
    for body in [5, {"password": "x"}, ["x"], True]:
        assert (await client.post("users/2/password", body)).error["code"] == 3, body
    assert await login(client, "determined", PASSWORD)


async def test_deactivating_suspends_sessions_and_activating_revives_them(client: Client) -> None:
    """403 in between, with the very next request."""
    ann = await make(client, "ann")
    await client.ok("GET", "me", user="ann")
    await client.ok("PATCH", f"users/{ann}", {"active": False})
    assert (await client.get("me", user="ann")).error["code"] == 7
    await client.ok("PATCH", "users", {"userIds": [ann], "activate": True})
    await client.ok("GET", "me", user="ann")


async def test_turning_remote_ends_logins_and_the_password(client: Client) -> None:
    """Turning back does not bring the old password back."""
    ann = await make(client, "ann")
    await client.token("ann")
    await client.ok("PATCH", f"users/{ann}", {"remote": True})
    assert (await client.get("me", user="ann")).status == 401
    await client.ok("PATCH", f"users/{ann}", {"remote": False})
    assert (await client.post("auth/login", {"username": "ann", "password": PASSWORD}, user=None)).status == 401


async def test_rights_follow_the_user_at_once(client: Client) -> None:
    """Promoted and demoted between two requests of one session."""
    ann = await make(client, "ann")
    assert (await client.post("groups", {"name": "a"}, user="ann")).status == 403
    await client.ok("PATCH", f"users/{ann}", {"admin": True})
    await client.ok("POST", "groups", {"name": "a"}, user="ann")
    await client.ok("PATCH", f"users/{ann}", {"admin": False})
    assert (await client.post("groups", {"name": "b"}, user="ann")).status == 403


# --- many at once


async def test_many_users_are_switched_at_once(client: Client) -> None:
    """Each id has its result; unknown ones count as done; a repeated id has one result."""
    ann, bob = await make(client, "ann"), await make(client, "bob")
    done = await client.ok("PATCH", "users", {"userIds": [ann, bob, 99, ann], "activate": False})
    assert done["results"] == [{"id": one, "error": ""} for one in (ann, bob, 99)]
    assert await names(client, active="false") == ["ann", "bob"]
    assert (await client.ok("PATCH", "users", {}))["results"] == []


async def test_a_filter_names_those_whose_state_differs(client: Client) -> None:
    """Together with ids it names those of them that it admits."""
    ann, _bob, cy = await make(client, "ann"), await make(client, "bob"), await make(client, "cy", displayName="Annette")
    on = {"filters": {"name": "ANN"}, "activate": True}
    assert (await client.ok("PATCH", "users", on))["results"] == []
    off = {"filters": {"name": "ann", "admin": False}, "activate": False}
    assert [one["id"] for one in (await client.ok("PATCH", "users", off | {"userIds": [cy, 2]}))["results"]] == [cy]
    assert [one["id"] for one in (await client.ok("PATCH", "users", off))["results"]] == [ann]


async def test_a_member_is_told_per_user(client: Client) -> None:
    """200, an error for each, and nothing changed."""
    answer = await client.ok("PATCH", "users", {"userIds": [1, 2], "activate": False}, user="determined")
    assert [(one["id"], bool(one["error"])) for one in answer["results"]] == [(1, True), (2, True)]
    assert await names(client, active="false") == []


async def test_too_many_ids_are_refused(client: Client) -> None:
    """A clear 400 instead of a query that no database takes."""
    assert (await client.patch("users", {"userIds": list(range(10_001))})).error["code"] == 3
    await client.ok("PATCH", "users", {"userIds": list(range(3, 10_003)), "activate": True})


# --- settings


async def test_settings_come_back_as_json_with_blanks(client: Client) -> None:
    """By path and key; a new value replaces, an empty one removes; each user has its own."""
    first = [
        {"key": "k", "storagePath": "p", "value": '{"a":1,"b":[1.5,null]}'},
        {"key": "k", "storage_path": "q", "value": '"ü"'},
    ]
    await client.ok("POST", "users/setting", {"settings": first})
    assert (await client.ok("GET", "users/setting"))["settings"] == [
        {"key": "k", "storagePath": "p", "value": '{"a": 1, "b": [1.5, null]}'},
        {"key": "k", "storagePath": "q", "value": '"ü"'},
    ]
    assert (await client.ok("GET", "users/setting", user="determined"))["settings"] == []
    second = [{"key": "k", "storagePath": "p", "value": ""}, {"value": "1"}]
    await client.ok("POST", "users/setting", {"settings": second})
    assert [one["value"] for one in (await client.ok("GET", "users/setting"))["settings"]] == ["1", '"ü"']
    await client.ok("POST", "users/setting/reset")
    assert (await client.ok("GET", "users/setting"))["settings"] == []


async def test_a_setting_must_be_json(client: Client) -> None:
    """400, and none of the request is stored."""
    for value in ["x", "{", "NaN", "[" * 100_000, '"\\ud800"', "1 2"]:
        settings = [{"key": "good", "value": "1"}, {"key": "bad", "value": value}]
        assert (await client.post("users/setting", {"settings": settings})).error["code"] == 3, value[:9]
    assert (await client.ok("GET", "users/setting"))["settings"] == []


async def test_a_setting_has_a_name_of_bounded_length(client: Client) -> None:
    """A long value is fine, a long name is told."""
    assert (await client.post("users/setting", {"settings": [{"key": "ü" * 1001, "value": "1"}]})).error["code"] == 3
    await client.ok("POST", "users/setting", {"settings": [{"key": "k", "value": '"' + "x" * 100_000 + '"'}]})


async def test_unknown_activities_are_refused(client: Client) -> None:
    """Only looking at a project is recorded."""
    for body in [{}, {"activityType": 1}, {"activityType": 7, "entityType": 1}, {"activityType": "NOPE"}]:
        assert (await client.post("users/activity", body)).error["code"] == 3, body


async def test_an_activity_may_name_an_unknown_project(client: Client) -> None:
    """It is accepted and leaves no trace."""
    body = {"activityType": "ACTIVITY_TYPE_GET", "entityType": "ENTITY_TYPE_PROJECT", "entityId": 999}
    assert await client.ok("POST", "users/activity", body) == {}


async def test_projects_looked_at_are_listed_latest_first(client: Client, app: App) -> None:
    """As many as asked for, none without a limit; each user has its own."""
    second = await app.db.write(
        lambda tx: tx.insert(projects, name="two", workspace_id=1, user_id=1, key="TWO", created_at=tx.now, description="d")
    )
    for project in (1, second, 1, 999):
        await client.ok("POST", "users/activity", {"activityType": 1, "entityType": 1, "entityId": project})
    path = "user/projects/activity"
    found = (await client.ok("GET", path, limit=5))["projects"]
    assert [(one["id"], one["workspaceName"], one["username"], one["key"]) for one in found] == [
        (1, "Uncategorized", "admin", ""),
        (second, "Uncategorized", "admin", ""),
    ]
    assert [one["id"] for one in (await client.ok("GET", path, limit=1))["projects"]] == [1]
    for query in ({}, {"limit": 0}):
        assert (await client.ok("GET", path, **query))["projects"] == []
    assert (await client.ok("GET", path, limit=5, user="determined"))["projects"] == []
    assert (await client.get(path, limit=-1)).error["code"] == 3
