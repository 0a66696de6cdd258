"""Checkpoints through the API."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from tests import rows
from tests.support import Client
from undeterred.app import App
from undeterred.store import runs, tasks

CONFIG = (
    "{name: u, searcher: {name: single, metric: loss}, checkpoint_storage: {type: s3, bucket: b, access_key: k, secret_key: s}}"
)


@dataclass(frozen=True)
class Place:
    """An unmanaged experiment with a running trial."""

    experiment: int
    trial: int
    task: str


@pytest.fixture
async def place(client: Client, app: App) -> Place:
    """Where checkpoints are reported."""
    made = await client.ok("POST", "experiments", {"config": CONFIG, "unmanaged": True})
    return await trial_in(app, made["experiment"]["id"])


async def trial_in(app: App, experiment_id: int) -> Place:
    """One more running trial."""

    def make(tx: Any) -> Place:
        run_id = rows.run(tx, experiment_id)
        tasks.create(tx, f"trial-{run_id}", "TRIAL", user_id=1, workspace_id=1)
        runs.link_task(tx, run_id, f"trial-{run_id}", 0)
        return Place(experiment_id, run_id, f"trial-{run_id}")

    return await app.db.write(make)


def uuid(number: int) -> str:
    """A uuid with this number."""
    return f"aaaaaaaa-0000-4000-8000-{number:012}"


def report(place: Place, number: int, steps: int | None = None, **fields: Any) -> dict[str, Any]:
    """A report as the harness sends it."""
    body = {
        "uuid": uuid(number),
        "taskId": place.task,
        "allocationId": None,
        "storageId": None,
        "reportTime": "2020-01-01T00:01:30+00:00",
        "resources": {"a.bin": "100", "dir/": "0"},
        "metadata": {"steps_completed": number * 10 if steps is None else steps},
        "state": "STATE_COMPLETED",
        "training": {"trialId": None, "experimentConfig": None, "hparams": None, "searcherMetric": None},
    }
    return body | fields


async def validate(client: Client, place: Place, steps: int, **metrics: Any) -> None:
    """Report a validation."""
    sent = {"trialRunId": 1, "stepsCompleted": steps, "metrics": {"avgMetrics": metrics}}
    await client.ok("POST", f"trials/{place.trial}/validation_metrics", sent)


async def found(client: Client, path: str, **query: Any) -> list[int]:
    """Numbers of the listed checkpoints."""
    listed = await client.ok("GET", f"{path}/checkpoints", **query)
    return [int(one["uuid"][-12:]) for one in listed["checkpoints"]]


async def counts(client: Client, app: App, place: Place) -> tuple[int, int]:
    """Number and bytes of checkpoints that the experiment shows, the same as its trial."""
    shown = (await client.ok("GET", f"experiments/{place.experiment}"))["experiment"]
    run = await app.db.read(lambda tx: runs.get(tx, place.trial))
    assert (run.checkpoint_count, run.checkpoint_size) == (shown["checkpointCount"], int(shown["checkpointSize"]))
    return run.checkpoint_count, run.checkpoint_size


async def test_a_report_is_shown_with_what_its_trial_measured(client: Client, place: Place) -> None:
    """Metrics of the same step, the configuration without its secrets."""
    await validate(client, place, 10, loss=0.5)
    assert await client.ok("POST", "checkpoints", report(place, 1)) == {}
    shown = (await client.ok("GET", f"checkpoints/{uuid(1).upper()}"))["checkpoint"]
    config = shown["training"].pop("experimentConfig")
    assert config["searcher"]["metric"] == "loss"
    assert config["checkpoint_storage"]["secret_key"] != "s"
    assert shown == {
        "uuid": uuid(1),
        "taskId": place.task,
        "reportTime": "2020-01-01T00:01:30Z",
        "resources": {"a.bin": "100", "dir/": "0"},
        "metadata": {"steps_completed": 10},
        "state": "STATE_COMPLETED",
        "training": {
            "trialId": place.trial,
            "experimentId": place.experiment,
            "hparams": {},
            "searcherMetric": 0.5,
            "trainingMetrics": {"avgMetrics": None, "batchMetrics": []},
            "validationMetrics": {"avgMetrics": {"loss": 0.5}, "batchMetrics": []},
        },
    }


async def test_the_same_report_again_is_stored_once(client: Client, app: App, place: Place) -> None:
    """Sent by many at once and later again: one row, counted once. Other content for the same uuid is refused."""
    answers = await asyncio.gather(*(client.post("checkpoints", report(place, 1)) for _ in range(8)))
    assert {answer.status for answer in answers} == {200}
    assert (await client.post("checkpoints", report(place, 1, reportTime=None))).status == 200
    assert await counts(client, app, place) == (1, 100)
    for other in ({"resources": {"a.bin": "1"}}, {"metadata": {"steps_completed": 11}}):
        answer = await client.post("checkpoints", report(place, 1) | other)
        assert (answer.status, answer.error["reason"]) == (409, "AlreadyExists")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"taskId": "nope"}, 404),
        ({"uuid": "xyz"}, 400),
        ({"uuid": ""}, 400),
        ({"state": "STATE_ERROR"}, 400),
        ({"state": "STATE_ACTIVE"}, 400),
        ({"state": 77}, 400),
        ({"storageId": 99}, 400),
        ({"metadata": {"steps_completed": "x"}}, 400),
        ({"metadata": {"steps_completed": 1.5}}, 400),
        ({"metadata": {"steps_completed": -1}}, 400),
        ({"resources": {"../../x": "1"}}, 400),
        ({"resources": {"/etc/passwd": "1"}}, 400),
        ({"resources": {"": "1"}}, 400),
        ({"state": "STATE_UNSPECIFIED"}, 200),
        ({"metadata": {}}, 200),
        ({"resources": {"a": str(2**63 - 1), "b": str(2**63 - 1)}}, 200),
        ({"resources": {"a": "-5"}}, 200),
    ],
)
async def test_what_a_report_must_look_like(client: Client, place: Place, change: dict[str, Any], status: int) -> None:
    """Mistakes are told; a state may be left out, sizes may be any."""
    answer = await client.post("checkpoints", report(place, 1) | change)
    assert answer.status == status, answer.text


async def test_only_trials_report(client: Client, app: App) -> None:
    """A task of another kind is refused, an empty report names no task."""
    await app.db.write(lambda tx: tasks.create(tx, "nb", "NOTEBOOK", user_id=1, workspace_id=1))
    answer = await client.post("checkpoints", {"uuid": uuid(1), "taskId": "nb"})
    assert answer.status == 400
    assert (await client.post("checkpoints", {})).status == 404


async def test_lists_are_sorted_filtered_and_cut(client: Client, app: App, place: Place) -> None:
    """Every key in both directions; those without a value by the rules of each list."""
    other = await trial_in(app, place.experiment)
    for number, steps, time in ((3, 30, 1), (1, 10, 3), (2, 20, 2)):
        await client.ok("POST", "checkpoints", report(place, number, steps, reportTime=f"2020-01-01T00:00:0{time}Z"))
    await client.ok("POST", "checkpoints", report(other, 4, 5, reportTime="2020-01-01T00:00:04Z"))
    await validate(client, place, 10, loss=0.5, acc=1)
    await validate(client, place, 20, loss="NaN", acc=2)
    await validate(client, place, 30, loss=-1)
    experiment, trial = f"experiments/{place.experiment}", f"trials/{place.trial}"
    up, down = "ORDER_BY_ASC", "ORDER_BY_DESC"
    assert await found(client, experiment) == [3, 1, 2, 4]
    assert await found(client, experiment, sortByAttr="SORT_BY_UUID", orderBy=down) == [4, 3, 2, 1]
    assert await found(client, experiment, sortByAttr="SORT_BY_TRIAL_ID", orderBy=down) == [4, 2, 1, 3]
    assert await found(client, experiment, sortByAttr="SORT_BY_BATCH_NUMBER") == [4, 1, 2, 3]
    assert await found(client, experiment, sortByAttr="SORT_BY_END_TIME") == [3, 2, 1, 4]
    assert await found(client, experiment, sortByAttr="SORT_BY_STATE") == [3, 1, 2, 4]
    assert await found(client, experiment, sortByAttr="SORT_BY_SEARCHER_METRIC", orderBy=up) == [3, 1, 2, 4]
    assert await found(client, experiment, sortByAttr="SORT_BY_SEARCHER_METRIC", orderBy=down) == [1, 3, 2, 4]
    assert await found(client, experiment, sortByAttr="SORT_BY_SEARCHER_METRIC") == [3, 1, 2, 4]
    assert await found(client, experiment, sortByMetric="acc", orderBy=up) == [3, 4, 1, 2]
    assert await found(client, experiment, sortByMetric="acc", orderBy=down) == [2, 1, 3, 4]
    assert await found(client, experiment, sortByMetric="nothing") == [3, 1, 2, 4]
    assert await found(client, trial, sortByAttr="SORT_BY_UUID", limit=2) == [1, 2]
    assert await found(client, trial, sortByAttr="SORT_BY_UUID", offset=-1) == [3]
    assert await found(client, trial, states="STATE_DELETED") == []
    assert await found(client, trial, states=["STATE_DELETED", "STATE_COMPLETED"]) == [3, 1, 2]
    for query in ({"offset": 4}, {"limit": -1}, {"sortByAttr": 77}, {"states": 77}, {"orderBy": 77}):
        assert (await client.get(f"{trial}/checkpoints", **query)).status == 400, query
    for path in ("trials/99999", "experiments/99999"):
        assert (await client.get(f"{path}/checkpoints")).status == 404


async def test_the_first_one_is_never_a_deleted_one(client: Client, place: Place) -> None:
    """The latest and the best, as clients ask for them, have all their files."""
    for number in (1, 2, 3):
        await client.ok("POST", "checkpoints", report(place, number))
        await validate(client, place, number * 10, loss=-number)
    await client.ok("PATCH", "checkpoints", {"checkpoints": [{"uuid": uuid(3), "resources": {"resources": {}}}]})
    gone = {"resources": {"resources": {"dir/": "0"}}}
    await client.ok("PATCH", "checkpoints", {"checkpoints": [{"uuid": uuid(2)} | gone]})
    for path in (f"experiments/{place.experiment}", f"trials/{place.trial}"):
        assert (await found(client, path, sortByAttr="SORT_BY_SEARCHER_METRIC"))[0] == 1
        assert (await found(client, path, sortByAttr="SORT_BY_BATCH_NUMBER", orderBy="ORDER_BY_DESC"))[0] == 1


async def test_files_that_are_gone_change_state_and_counts(client: Client, app: App, place: Place) -> None:
    """Fewer files: PARTIALLY_DELETED; none: DELETED, with the list as it was, and not counted; the same: as before."""
    for number in (1, 2):
        await client.ok("POST", "checkpoints", report(place, number, resources={"a": "10", "b": "20"}))
    assert await counts(client, app, place) == (2, 60)

    async def patch(files: dict[str, str]) -> tuple[str, dict[str, str]]:
        await client.ok("PATCH", "checkpoints", {"checkpoints": [{"uuid": uuid(1), "resources": {"resources": files}}]})
        shown = (await client.ok("GET", f"checkpoints/{uuid(1)}"))["checkpoint"]
        return shown["state"], shown["resources"]

    assert await patch({"b": "20", "a": "10"}) == ("STATE_COMPLETED", {"a": "10", "b": "20"})
    assert await patch({"b": "20"}) == ("STATE_PARTIALLY_DELETED", {"b": "20"})
    assert await counts(client, app, place) == (2, 50)
    for _ in range(2):
        assert await patch({}) == ("STATE_DELETED", {"b": "20"})
        assert await counts(client, app, place) == (1, 30)


async def test_patches_that_are_refused_change_nothing(client: Client, app: App, place: Place) -> None:
    """One wrong item refuses all of them."""
    await client.ok("POST", "checkpoints", report(place, 1))
    nothing: dict[str, Any] = {"resources": {"resources": {}}}
    outside: dict[str, Any] = {"resources": {"resources": {"../../x": "1"}}}
    for second, status in (
        ({"uuid": uuid(9)} | nothing, 404),
        ({"uuid": "x"} | nothing, 400),
        ({"uuid": uuid(1)}, 400),
        ({"uuid": uuid(1)} | outside, 400),
    ):
        answer = await client.patch("checkpoints", {"checkpoints": [{"uuid": uuid(1)} | nothing, second]})
        assert answer.status == status
    assert await counts(client, app, place) == (1, 100)
    assert await client.ok("PATCH", "checkpoints", {}) == {}


async def test_unknown_checkpoints_are_told(client: Client) -> None:
    """404 for an unknown uuid, 400 for a text that is none."""
    assert (await client.get(f"checkpoints/{uuid(9)}")).status == 404
    assert (await client.get("checkpoints/xyz")).status == 400


@pytest.mark.parametrize("glob", ["", "..", "../x", "/etc/*", "a/../../b", "a\\..\\b"])
async def test_globs_that_lead_out_are_refused(client: Client, app: App, place: Place, glob: str) -> None:
    """And nothing is removed."""
    await client.ok("POST", "checkpoints", report(place, 1))
    answer = await client.post("checkpoints/rm", {"checkpointUuids": [uuid(1)], "checkpointGlobs": ["*", glob]})
    assert (answer.status, answer.error["reason"]) == (400, "InvalidArgument")
    assert await counts(client, app, place) == (1, 100)


async def test_removal_of_unknown_ones_is_refused_as_a_whole(client: Client, app: App, place: Place) -> None:
    """404 for an unknown uuid, 400 for a text that is none; an empty list is fine."""
    await client.ok("POST", "checkpoints", report(place, 1))
    for wrong, status in ((uuid(9), 404), ("x", 400)):
        assert (await client.delete("checkpoints", {"checkpointUuids": [uuid(1), wrong]})).status == status
        assert (await client.post("checkpoints/rm", {"checkpointUuids": [wrong, uuid(1)]})).status == status
    assert await client.ok("DELETE", "checkpoints", {}) == {}
    assert await client.ok("POST", "checkpoints/rm", {}) == {}
    assert await counts(client, app, place) == (1, 100)


async def test_metadata_are_replaced(client: Client, place: Place) -> None:
    """As a whole, with the steps; without metadata in the request the answer has none."""
    await client.ok("POST", "checkpoints", report(place, 1) | {"metadata": {"steps_completed": 10, "a": {"b": [1]}}})
    await validate(client, place, 20, loss=1)
    path = f"checkpoints/{uuid(1)}"
    changed = (await client.ok("POST", f"{path}/metadata", {"checkpoint": {"metadata": {"steps_completed": 20, "c": 1}}}))[
        "checkpoint"
    ]
    assert changed["metadata"] == {"steps_completed": 20, "c": 1}
    assert changed["training"]["searcherMetric"] == 1
    assert (await client.ok("GET", path))["checkpoint"] == changed
    assert (await client.ok("POST", f"{path}/metadata", {}))["checkpoint"]["metadata"] is None
    assert (await client.ok("GET", path))["checkpoint"]["metadata"] == {}
    assert (await client.post(f"{path}/metadata", {"checkpoint": {"metadata": {"steps_completed": "x"}}})).status == 400
    assert (await client.post(f"checkpoints/{uuid(9)}/metadata", {})).status == 404
    assert (await client.post("checkpoints/x/metadata", {})).status == 400
