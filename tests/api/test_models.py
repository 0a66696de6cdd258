"""The model registry through the API."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.api import unmanaged, worlds
from tests.api.registered import checkpoint, model, uuid
from tests.support import Client


async def names(client: Client, user: str = "admin", **query: Any) -> list[str]:
    """Names of the listed models."""
    return [one["name"] for one in (await client.ok("GET", "models", user=user, **query))["models"]]


async def test_a_model_is_found_as_it_was_typed(client: Client) -> None:
    """By its name whatever it is made of, and by its number in the same place."""
    for name in ("50%", "a%2Fb", "naïve 模型", "v.1", "1e3", "mod?n#o", "trailing ", "+5", "٣", "..."):
        made = await model(client, name)
        for path in (quote(name, safe=""), str(made)):
            found = (await client.ok("GET", f"/api/v1/models/{path}"))["model"]
            assert (found["name"], found["id"]) == (name, made)
    for path in ("zzz", "99999", "9" * 40, "%00", "a%252Fb%20"):
        assert (await client.get(f"/api/v1/models/{path}")).status == 404, path


@pytest.mark.parametrize("name", ["", "  ", "123", "a/b", "a\\b", "a  b", ".", ".."])
async def test_names_that_cannot_stand_in_a_path_are_refused(client: Client, name: str) -> None:
    """When a model is made and when it is renamed."""
    assert (await client.post("models", {"name": name})).status == 400
    await model(client, "good")
    assert (await client.patch("models/good", {"name": name})).status == 400
    assert await names(client) == ["good"]


async def test_names_are_taken_once(client: Client) -> None:
    """Capitals make another name; renaming to one's own name changes nothing."""
    await model(client, "m")
    await model(client, "M")
    for answer in (await client.post("models", {"name": "m"}), await client.patch("models/M", {"name": "m"})):
        assert (answer.status, answer.error["reason"]) == (409, "AlreadyExists")
    assert (await client.ok("PATCH", "models/M", {"name": "M"}))["model"]["name"] == "M"


async def test_lists_are_filtered_sorted_and_cut(client: Client) -> None:
    """Every filter and key; labels are alternatives; unknown workspace names are ignored, unknown users find nothing."""
    ann, place = await worlds.user(client, "ann"), await worlds.workspace(client, "w")
    await model(client, "b", description="two words", labels=["x"])
    await model(client, "a", by="ann", workspaceId=place, labels=["y", "x"])
    await model(client, "c", await checkpoint(client, 1), description="Word", labels=["z"])
    await client.ok("PATCH", "models/b", {"notes": "new"})
    await client.ok("POST", "models/c/archive")
    assert await names(client) == ["b", "a", "c"]
    for sort, order in (
        ("NAME", ["a", "b", "c"]),
        ("DESCRIPTION", ["a", "c", "b"]),
        ("CREATION_TIME", ["b", "a", "c"]),
        ("LAST_UPDATED_TIME", ["a", "b", "c"]),
        ("NUM_VERSIONS", ["b", "a", "c"]),
        ("WORKSPACE", ["b", "c", "a"]),
    ):
        assert await names(client, sortBy=f"SORT_BY_{sort}") == order, sort
        assert await names(client, sortBy=f"SORT_BY_{sort}", orderBy="ORDER_BY_DESC") == order[::-1], sort
    for query, found in (
        ({"name": "B"}, ["b"]),
        ({"name": "%"}, ["b", "a", "c"]),
        ({"description": "word"}, ["b", "c"]),
        ({"archived": "true"}, ["c"]),
        ({"archived": "false"}, ["b", "a"]),
        ({"labels": ["y", "z"]}, ["a", "c"]),
        ({"labels": "zz"}, []),
        ({"users": "ann"}, ["a"]),
        ({"users": "nobody"}, []),
        ({"userIds": ann}, ["a"]),
        ({"workspaceIds": place}, ["a"]),
        ({"workspaceIds": 999}, []),
        ({"workspaceNames": ["w", "nothing"]}, ["a"]),
        ({"workspaceNames": "nothing"}, ["b", "a", "c"]),
        ({"id": 2}, ["a"]),
        ({"limit": 1, "offset": 1}, ["a"]),
        ({"offset": -1}, ["c"]),
        ({"labels": "x", "users": "ann"}, ["a"]),
    ):
        assert await names(client, **query) == found, query
    for query in ({"offset": 4}, {"offset": -4}, {"limit": -1}, {"sortBy": 99}, {"sortBy": 3}, {"orderBy": 9}):
        assert (await client.get("models", **query)).status == 400, query


async def test_labels_are_counted(client: Client) -> None:
    """All, or those of one workspace, the most used first; a model may repeat one."""
    place = await worlds.workspace(client, "w")
    await model(client, "a", labels=["x", "x", "", "q"])
    await model(client, "b", labels=["z", "q"], workspaceId=place)
    assert (await client.ok("GET", "models/a"))["model"]["labels"] == ["x", "x", "", "q"]
    assert (await client.ok("GET", "model/labels"))["labels"] == ["q", "", "x", "z"]
    assert (await client.ok("GET", "model/labels", workspaceId=place))["labels"] == ["q", "z"]
    assert (await client.ok("GET", "model/labels", workspaceId=999))["labels"] == []


async def test_only_what_is_named_is_changed(client: Client) -> None:
    """Null keeps, an empty value empties; metadata and labels are replaced as a whole; nothing changed says so."""
    await model(client, "m", description="d", metadata={"a": 1}, labels=["x"], notes="n")
    for change, expected in (
        ({"description": None, "labels": None, "metadata": None, "name": None, "notes": None}, {}),
        ({"notes": ""}, {"notes": ""}),
        ({"metadata": {"b": None}}, {"metadata": {"b": None}}),
        ({"labels": []}, {"labels": []}),
        ({"workspaceId": 1, "workspaceName": "Uncategorized"}, {}),
    ):
        before = (await client.ok("GET", "models/m"))["model"]
        answer = (await client.ok("PATCH", "models/m", change))["model"]
        after = (await client.ok("GET", "models/m"))["model"]
        before.pop("lastUpdatedTime")
        assert (answer["id"] == 0) == bool(expected)
        assert after.pop("lastUpdatedTime") == answer["lastUpdatedTime"]
        assert after == before | expected
    for bad in ({"labels": [1]}, {"workspaceId": 999}, {"workspaceName": "none"}):
        assert (await client.patch("models/m", bad)).status in (400, 404)


async def test_an_archived_model_is_not_changed(client: Client) -> None:
    """No patch, no new version; its versions can be patched, and it can be moved and deleted."""
    one, place = await checkpoint(client, 1), await worlds.workspace(client, "w")
    await model(client, "m", one)
    for _ in range(2):
        await client.ok("POST", "models/m/archive")
    assert (await client.patch("models/m", {"notes": "x"})).error["reason"] == "FailedPrecondition"
    assert (await client.post("models/m/versions", {"checkpointUuid": one})).error["reason"] == "FailedPrecondition"
    await client.ok("PATCH", "models/m/versions/1", {"name": "x"})
    await client.ok("POST", "models/m/move", {"destinationWorkspaceId": place})
    for _ in range(2):
        await client.ok("POST", "models/m/unarchive")
    await client.ok("PATCH", "models/m", {"notes": "x"})
    await client.ok("DELETE", "models/m")


async def test_a_model_moves(client: Client) -> None:
    """Also to where it is; not to an unknown or archived workspace."""
    place, closed = await worlds.workspace(client, "w"), await worlds.workspace(client, "closed")
    await client.ok("POST", f"workspaces/{closed}/archive")
    await model(client, "m")
    for _ in range(2):
        await client.ok("POST", "models/m/move", {"destinationWorkspaceId": place})
    assert (await client.ok("GET", "models/m"))["model"]["workspaceId"] == place
    assert (await client.post("models/m/move", {"destinationWorkspaceId": 999})).status == 404
    assert (await client.post("models/m/move", {"destinationWorkspaceId": closed})).status == 400
    assert (await client.post("models/zzz/move", {"destinationWorkspaceId": place})).status == 404
    for body in ({"workspaceId": closed}, {"workspaceId": 999}, {"workspaceName": "none"}):
        assert (await client.post("models", {"name": "n"} | body)).status in (400, 404)


async def test_version_numbers_are_never_used_again(client: Client) -> None:
    """Not even those of the last one; a checkpoint may be registered any number of times."""
    one = await checkpoint(client, 1)
    await model(client, "m", one, one)
    await client.ok("DELETE", "models/m/versions/2")
    answer = (await client.ok("POST", "models/m/versions", {"checkpointUuid": one.upper(), "notes": "n"}))["modelVersion"]
    assert (answer["version"], answer["model"]["numVersions"], answer["notes"]) == (3, 1, "")
    shown = (await client.ok("GET", "models/m/versions/3"))["modelVersion"]
    assert (shown["notes"], shown["checkpoint"]["uuid"], shown["model"]["numVersions"]) == ("n", one, 2)
    listed = await client.ok("GET", "models/m/versions", orderBy="ORDER_BY_DESC")
    assert [version["version"] for version in listed["modelVersions"]] == [3, 1]
    assert listed["pagination"]["total"] == 2
    for path in ("models/m/versions/2", "models/zzz/versions/1"):
        assert (await client.get(path)).status == 404
        assert (await client.delete(path)).status == 404
    assert (await client.get("models/m/versions", sortBy=1)).status == 400


async def test_lists_and_counts_agree_through_a_model_s_life(client: Client) -> None:
    """One checkpoint, twice in one model and once in another; versions go and come, and the checkpoint goes after the last."""
    one = await checkpoint(client, 1)
    for name in ("50%", "a%2Fb", "naïve 模型"):
        await model(client, name)

    async def counts() -> dict[str, list[int]]:
        """Model -> numbers of its versions, which everything that counts them must agree on."""
        found = {}
        for shown in (await client.ok("GET", "models"))["models"]:
            path = f"/api/v1/models/{quote(shown['name'], safe='')}"
            alone = await client.ok("GET", path)
            versions = await client.ok("GET", f"{path}/versions")
            numbers = [version["version"] for version in versions["modelVersions"]]
            assert len(numbers) == versions["pagination"]["total"] == shown["numVersions"] == alone["model"]["numVersions"]
            assert all(version["checkpoint"]["uuid"] == one for version in versions["modelVersions"])
            found[shown["name"]] = sorted(numbers)
        return found

    async def register(name: str) -> int:
        body = {"checkpointUuid": one}
        made = await client.ok("POST", f"/api/v1/models/{quote(name, safe='')}/versions", body)
        return int(made["modelVersion"]["version"])

    async def unregister(name: str, version: int) -> None:
        assert (await client.delete("checkpoints", {"checkpointUuids": [one]})).status == 400
        await client.ok("DELETE", f"/api/v1/models/{quote(name, safe='')}/versions/{version}")

    assert [await register("50%"), await register("50%"), await register("a%2Fb")] == [1, 2, 1]
    assert await counts() == {"50%": [1, 2], "a%2Fb": [1], "naïve 模型": []}
    await unregister("50%", 2)
    assert await register("50%") == 3
    assert await counts() == {"50%": [1, 3], "a%2Fb": [1], "naïve 模型": []}
    for name, version in (("50%", 1), ("50%", 3), ("a%2Fb", 1)):
        await unregister(name, version)
    assert await counts() == {"50%": [], "a%2Fb": [], "naïve 模型": []}
    await client.ok("DELETE", "checkpoints", {"checkpointUuids": [one]})


async def test_an_experiment_with_a_registered_checkpoint_is_not_deleted(client: Client) -> None:
    """The refusal names the model; without the version it is deleted."""
    experiment = await unmanaged.experiment(client)
    await model(client, "kept", await checkpoint(client, 1, experiment))
    for trial in (await client.ok("GET", f"experiments/{experiment}/trials"))["trials"]:
        await unmanaged.patch(client, trial["id"], "COMPLETED")
    answer = await client.delete(f"experiments/{experiment}")
    assert (answer.status, "'kept'" in answer.error["error"]) == (400, True)
    (refused,) = (await client.ok("DELETE", "projects/1/experiments/delete", {"experimentIds": [experiment]}))["results"]
    assert "'kept'" in refused["error"]
    await client.ok("DELETE", "models/kept/versions/1")
    await client.ok("DELETE", f"experiments/{experiment}")


async def test_only_complete_checkpoints_are_registered(client: Client) -> None:
    """Unknown ones, texts that are no uuid, and those without all their files are refused."""
    await model(client, "m")
    partly = await checkpoint(client, 1, resources={"a": "1", "b": "1"})
    left = {"uuid": partly, "resources": {"resources": {"a": "1"}}}
    await client.ok("PATCH", "checkpoints", {"checkpoints": [left]})
    for given, status in ((uuid(9), 404), ("x", 400), ("", 400), (partly, 400)):
        assert (await client.post("models/m/versions", {"checkpointUuid": given})).status == status, given


async def test_versions_are_changed(client: Client) -> None:
    """Only what is named; the checkpoint never."""
    one, two = await checkpoint(client, 1), await checkpoint(client, 2)
    await model(client, "m", one)
    await client.ok(
        "PATCH", "models/m/versions/1", {"name": "n", "comment": "c", "notes": "o", "labels": ["l"], "metadata": {"a": 1}}
    )
    unchanged = (await client.ok("PATCH", "models/m/versions/1", {"checkpoint": {"uuid": two}, "labels": ["l"]}))["modelVersion"]
    shown = (await client.ok("GET", "models/m/versions/1"))["modelVersion"]
    assert unchanged == shown
    assert shown["checkpoint"]["uuid"] == one
    assert (shown["name"], shown["comment"], shown["notes"], shown["labels"]) == ("n", "c", "o", ["l"])
    assert (await client.patch("models/m/versions/1", {"labels": [{}]})).status == 400
    assert (await client.patch("models/m/versions/9", {"name": "x"})).status == 404


async def test_registered_checkpoints_are_protected(client: Client) -> None:
    """Until the last version is gone, in whichever model; nothing of a list is changed when one is protected."""
    one, two = await checkpoint(client, 1), await checkpoint(client, 2)
    await model(client, "m", one, one)
    await model(client, "n", one)
    nothing: dict[str, Any] = {"resources": {}}
    refused = [
        ("DELETE", "checkpoints", {"checkpointUuids": [two, one]}),
        ("POST", "checkpoints/rm", {"checkpointUuids": [two, one], "checkpointGlobs": ["a"]}),
        ("PATCH", "checkpoints", {"checkpoints": [{"uuid": two, "resources": nothing}, {"uuid": one, "resources": nothing}]}),
    ]
    for path in ("models/m/versions/1", "models/m/versions/2", "models/n"):
        for method, target, body in refused:
            answer = await client.call(method, target, body)
            assert answer.status == 400
            assert "'m'" in answer.error["error"] or "'n'" in answer.error["error"]
        await client.ok("DELETE", path)
    assert (await client.ok("GET", f"checkpoints/{two}"))["checkpoint"]["state"] == "STATE_COMPLETED"
    await client.ok(*refused[2])
    for each in (one, two):
        assert (await client.ok("GET", f"checkpoints/{each}"))["checkpoint"]["state"] == "STATE_DELETED"


async def test_members_change_and_owners_delete(client: Client) -> None:
    """In basic mode: everybody edits, only who made a model or a version (or an admin) deletes it."""
    await worlds.user(client, "ann")
    one = await checkpoint(client, 1)
    await model(client, "m", one)
    await client.ok("PATCH", "models/m", {"notes": "x"}, user="ann")
    await client.ok("POST", "models/m/versions", {"checkpointUuid": one}, user="ann")
    assert (await client.delete("models/m/versions/1", user="ann")).status == 403
    assert (await client.delete("models/m", user="ann")).status == 403
    assert (await client.delete("models/m/versions/9", user="ann")).status == 404
    await client.ok("DELETE", "models/m/versions/2", user="ann")
    await model(client, "own", one, by="ann")
    await client.ok("DELETE", "models/own", user="ann")
    assert await names(client) == ["m"]


async def test_metrics_of_trials_that_use_a_version(client: Client) -> None:
    """Those that said so, by the way they use it and by group; another version has its own."""
    experiment = await unmanaged.experiment(client)
    one = await checkpoint(client, 1, experiment)
    number = await model(client, "m", one, one)
    trial = await unmanaged.trial(client, experiment)
    await unmanaged.report(client, trial, 1, {"score": 1}, "inference", time="2020-01-01T00:05:00Z")
    await unmanaged.report(client, trial, 1, {"loss": 2}, "validation")
    source = {"trialId": trial, "checkpointUuid": one, "modelId": number, "modelVersion": 2}
    kind = "TRIAL_SOURCE_INFO_TYPE_INFERENCE"
    await client.ok("POST", "trial-source-info", {"trialSourceInfo": source | {"trialSourceInfoType": kind}})

    async def scores(path: str, **query: Any) -> list[tuple[str, Any]]:
        found = (await client.ok("GET", f"{path}/metrics", **query))["metrics"]
        assert all(one["trialId"] == trial for one in found)
        return [(one["group"], one["metrics"]) for one in found]

    inference = ("inference", {"avg_metrics": {"score": 1}, "batch_metrics": None})
    both = [inference, ("validation", {"validation_metrics": {"loss": 2}})]
    for path in ("models/m/versions/2", f"checkpoints/{one}"):
        assert await scores(path) == both
        assert await scores(path, metricGroup="inference") == [inference]
        assert await scores(path, metricGroup="none") == []
        assert await scores(path, trialSourceInfoType=kind) == both
        assert await scores(path, trialSourceInfoType="TRIAL_SOURCE_INFO_TYPE_FINE_TUNING") == []
        assert (await client.get(f"{path}/metrics", trialSourceInfoType=9)).status == 400
    assert await scores("models/m/versions/1") == []
    for path, status in (("models/m/versions/9", 404), (f"checkpoints/{uuid(9)}", 404), ("checkpoints/x", 400)):
        assert (await client.get(f"{path}/metrics")).status == status
