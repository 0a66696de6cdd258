"""Actions on experiments, one by one and in bulk."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from tests.api.running import end, pretend
from tests.support import Client
from undeterred.app import App
from undeterred.engine import specs
from undeterred.store import allocations as rows
from undeterred.store.database import Tx
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.identity import sessions
from undeterred.store.schema.tasks import allocations, jobs, tasks

SINGLE = "{{name: {name}, entrypoint: python x.py, searcher: {{name: single, metric: loss}}, labels: [{label}], max_restarts: 0}}"


async def create(client: Client, name: str = "one", *, label: str = "a", activate: bool = False, user: str = "admin") -> int:
    """A new experiment of a user; its id."""
    body = {"config": SINGLE.format(name=name, label=label), "activate": activate}
    made = await client.ok("POST", "experiments", body, user=user)
    return int(made["experiment"]["id"])


async def ended(client: Client, **kwargs: Any) -> int:
    """An experiment that was killed."""
    experiment = await create(client, **kwargs)
    await client.ok("POST", f"experiments/{experiment}/kill")
    return experiment


async def state(client: Client, experiment: int) -> str:
    """The word shown."""
    return str((await client.ok("GET", f"experiments/{experiment}"))["experiment"]["state"]).removeprefix("STATE_")


async def test_a_life_by_hand(client: Client) -> None:
    """Paused, active, paused, canceled, archived, unarchived; every step shows."""
    experiment = await create(client)
    path = f"experiments/{experiment}"
    assert await state(client, experiment) == "PAUSED"
    await client.ok("POST", f"{path}/activate")
    assert await state(client, experiment) == "QUEUED"
    await client.ok("POST", f"{path}/activate")
    await client.ok("POST", f"{path}/pause")
    await client.ok("POST", f"{path}/pause")
    assert await state(client, experiment) == "PAUSED"
    await client.ok("POST", f"{path}/cancel")
    assert await state(client, experiment) == "CANCELED"
    await client.ok("POST", f"{path}/cancel")
    await client.ok("POST", f"{path}/kill")
    await client.ok("POST", f"{path}/archive")
    assert (await client.ok("GET", path))["experiment"]["archived"] is True
    await client.ok("POST", f"{path}/unarchive")
    assert (await client.ok("GET", path))["experiment"]["archived"] is False


@pytest.mark.parametrize(("act", "code"), [("activate", 5), ("pause", 9), ("unarchive", 9)])
async def test_what_an_ended_experiment_refuses(client: Client, act: str, code: int) -> None:
    """Activating it is "not found", as clients expect; the others are refused by its state."""
    experiment = await ended(client)
    assert (await client.post(f"experiments/{experiment}/{act}")).error["code"] == code


@pytest.mark.parametrize("act", ["activate", "pause", "cancel", "kill", "archive", "unarchive"])
async def test_unknown_experiments_are_not_found(client: Client, act: str) -> None:
    """For every action."""
    assert (await client.post(f"experiments/99999/{act}")).status == 404


async def test_a_live_experiment_is_neither_archived_nor_deleted_nor_continued(client: Client) -> None:
    """400 with the code of a wrong state."""
    experiment = await create(client)
    assert (await client.post(f"experiments/{experiment}/archive")).error["code"] == 9
    assert (await client.delete(f"experiments/{experiment}")).error["code"] == 9
    assert (await client.post("experiments/continue", {"id": experiment})).error["code"] == 9
    assert (await client.delete(f"experiments/{experiment}/tensorboard-files")).error["code"] == 9


async def test_members_may_do_all_but_delete_with_foreign_experiments(client: Client) -> None:
    """In basic mode."""
    experiment = await create(client)
    for act in ("activate", "pause", "kill", "archive", "unarchive"):
        await client.ok("POST", f"experiments/{experiment}/{act}", user="determined")
    assert (await client.delete(f"experiments/{experiment}", user="determined")).status == 403
    await client.ok("DELETE", f"experiments/{experiment}")


async def test_continue_runs_a_single_trial_again_with_changes(client: Client) -> None:
    """Same experiment and trial, a second task, the changed configuration; the original text stays."""
    experiment = await ended(client)
    before = (await client.ok("GET", f"experiments/{experiment}"))["experiment"]
    answer = await client.ok("POST", "experiments/continue", {"id": experiment, "overrideConfig": "max_restarts: 3"})
    shown = answer["experiment"]
    assert (shown["id"], shown["trialIds"], shown["config"]["max_restarts"]) == (experiment, before["trialIds"], 3)
    assert shown["originalConfig"] == before["originalConfig"]
    assert await state(client, experiment) == "QUEUED"
    trial = (await client.ok("GET", f"trials/{shown['trialIds'][0]}"))["trial"]
    assert trial["taskIds"][1] == trial["taskIds"][0] + "-1"


async def test_continue_refuses_what_it_cannot_do(client: Client) -> None:
    """Bad text, another searcher, changes to a search of many trials, an unknown experiment, an inactive owner."""
    experiment = await ended(client, user="determined")
    for text in ("{{", "- 1", "searcher: {name: random, max_trials: 2}", "max_restarts: -1"):
        answer = await client.post("experiments/continue", {"id": experiment, "overrideConfig": text})
        assert answer.error["code"] == 3, text
    assert (await client.post("experiments/continue", {})).status == 404
    grid = "{name: g, entrypoint: x, searcher: {name: grid, metric: l}, hyperparameters: {a: {type: categorical, vals: [1, 2]}}}"
    many = (await client.ok("POST", "experiments", {"config": grid}))["experiment"]["id"]
    await client.ok("POST", f"experiments/{many}/kill")
    refused = await client.post("experiments/continue", {"id": many, "overrideConfig": "max_restarts: 1"})
    assert refused.error["code"] == 3
    await client.ok("PATCH", "users/2", {"active": False})
    refused = await client.post("experiments/continue", {"id": experiment})
    assert (refused.error["code"], await state(client, experiment)) == (9, "CANCELED")


def kept(tx: Tx) -> list[Any]:
    """All that says what runs and as whom."""
    return [[tuple(row) for row in tx.rows(table.select())] for table in (experiments, runs, jobs, tasks, allocations, sessions)]


async def test_a_refused_continuation_leaves_nothing(client: Client, app: App) -> None:
    """For an owner who has left: why is told, and there is no task, no allocation, no credential and no job more than before."""
    experiment = await create(client, activate=True, user="determined")
    await end(app, await pretend(app, 2))
    await client.ok("PATCH", "users/2", {"active": False})
    before = await app.db.read(kept)
    refused = await client.post("experiments/continue", {"id": experiment})
    assert (refused.status, "owner" in refused.error["error"]) == (400, True)
    assert await app.db.read(kept) == before
    assert (await client.ok("GET", "job-queues-v2"))["jobs"] == []


async def test_a_continued_experiment_runs_as_its_owner(client: Client, app: App) -> None:
    """Whoever continues it: its job and both its tasks are the owner's, as are the credentials that the second gets."""
    experiment = await create(client, activate=True, user="determined")
    await end(app, await pretend(app, 2))
    await client.ok("POST", "experiments/continue", {"id": experiment})
    assert await app.db.read(lambda tx: tx.values(select(tasks.c.user_id))) == [2, 2]
    (job,) = (await client.ok("GET", "job-queues-v2"))["jobs"]
    assert (job["full"]["entityId"], job["full"]["username"]) == (str(experiment), "determined")
    (again,) = await app.db.read(lambda tx: rows.in_states(tx, ["PENDING"]))
    assert (await app.db.read(lambda tx: specs.gather(tx, again.id))).owner.id == 2


SEARCHES = [
    "{name: async_halving, metric: l, num_rungs: 2, max_trials: 2, max_time: 4, time_metric: t}",
    "{name: adaptive_asha, metric: l, max_trials: 2, max_time: 4, time_metric: t}",
    "{name: custom, metric: l}",
]


@pytest.mark.parametrize("searcher", SEARCHES)
async def test_only_searches_without_early_stopping_are_continued(client: Client, searcher: str) -> None:
    """The others would have to decide again what was decided; they stay as they ended."""
    config = f"{{name: s, entrypoint: x, searcher: {searcher}}}"
    experiment = (await client.ok("POST", "experiments", {"config": config, "activate": True}))["experiment"]["id"]
    await client.ok("POST", f"experiments/{experiment}/kill")
    assert await state(client, experiment) == "CANCELED"
    assert (await client.post("experiments/continue", {"id": experiment})).error["code"] == 9
    assert await state(client, experiment) == "CANCELED"


async def test_a_continued_experiment_has_not_ended_and_a_completed_search_has_nothing_left(client: Client, app: App) -> None:
    """Its end is forgotten and its progress begins anew; a random search whose trials are complete is refused."""
    experiment = await create(client, activate=True)
    await end(app, await pretend(app))
    ended_one = (await client.ok("GET", f"experiments/{experiment}"))["experiment"]
    assert (ended_one["state"], ended_one["progress"], ended_one["endTime"] is None) == ("STATE_COMPLETED", 1, False)
    await client.ok("POST", "experiments/continue", {"id": experiment})
    again = (await client.ok("GET", f"experiments/{experiment}"))["experiment"]
    assert (again["state"], again["progress"], again["endTime"]) == ("STATE_QUEUED", 0, None)
    await client.ok("POST", f"experiments/{experiment}/kill")
    config = "{name: r, entrypoint: x, searcher: {name: random, metric: l, max_trials: 1}}"
    search = (await client.ok("POST", "experiments", {"config": config, "activate": True}))["experiment"]["id"]
    await end(app, await pretend(app))
    assert await state(client, search) == "COMPLETED"
    assert "nothing to continue" in (await client.post("experiments/continue", {"id": search})).error["error"]


async def test_bulk_actions_answer_for_each_id(client: Client) -> None:
    """Errors are per item and do not stop the others; repeated ids are answered once."""
    one, two = await create(client, "one"), await create(client, "two")
    answer = await client.ok("POST", "projects/1/experiments/activate", {"experimentIds": [one, 99999, two, one]})
    results = {result["id"]: result["error"] for result in answer["results"]}
    assert results.keys() == {one, two, 99999}
    assert (results[one], results[two], bool(results[99999])) == ("", "", True)
    assert await state(client, two) == "QUEUED"
    await client.ok("POST", "projects/1/experiments/kill", {"experimentIds": [one, two]})
    archived = await client.ok("POST", "projects/1/experiments/archive", {"experimentIds": [one, two]})
    again = await client.ok("POST", "projects/1/experiments/archive", {"experimentIds": [one, two]})
    assert {result["error"] for result in archived["results"]} == {""}
    assert all(result["error"] for result in again["results"])


async def test_each_action_in_bulk_does_what_it_does_to_one(client: Client) -> None:
    """In the order of a life, by numbers and by filter; only who may delete one may delete many."""
    path, two = "projects/1/experiments", [await create(client, "first"), await create(client, "second")]
    first, second = two
    for act, shown in (("activate", "QUEUED"), ("pause", "PAUSED"), ("activate", "QUEUED"), ("cancel", "CANCELED")):
        answer = await client.ok("POST", f"{path}/{act}", {"experimentIds": two})
        assert {one["id"]: one["error"] for one in answer["results"]} == dict.fromkeys(two, ""), act
        assert [await state(client, one) for one in two] == [shown, shown]
    for act, archived in (("archive", True), ("unarchive", False)):
        await client.ok("POST", f"{path}/{act}", {"experimentIds": two})
        shown_now = [(await client.ok("GET", f"experiments/{one}"))["experiment"]["archived"] for one in two]
        assert shown_now == [archived, archived], act
    live = await create(client, "third")
    refused = await client.ok("DELETE", f"{path}/delete", {"experimentIds": [first, live]}, user="determined")
    assert all(one["error"] for one in refused["results"])
    answer = await client.ok("DELETE", f"{path}/delete", {"experimentIds": [first, live]})
    assert {one["id"]: bool(one["error"]) for one in answer["results"]} == {first: False, live: True}
    answer = await client.ok("DELETE", f"{path}/delete", {"filters": {"projectId": 1, "name": "second"}})
    assert answer["results"] == [{"id": second, "error": ""}]
    async with asyncio.timeout(30):
        while [one["id"] for one in (await client.ok("GET", "experiments"))["experiments"]] != [live]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_an_experiment_of_another_project_is_an_error_item(client: Client) -> None:
    """The path's project must hold it."""
    workspace = (await client.ok("POST", "workspaces", {"name": "w"}))["workspace"]["id"]
    project = (await client.ok("POST", f"workspaces/{workspace}/projects", {"name": "p"}))["project"]["id"]
    experiment = await create(client)
    answer = await client.ok("POST", f"projects/{project}/experiments/kill", {"experimentIds": [experiment]})
    assert answer["results"][0]["error"]
    assert await state(client, experiment) == "PAUSED"


async def test_filters_choose_by_name_labels_and_state(client: Client) -> None:
    """Only experiments that the action concerns are chosen, so that none of them fails."""
    live, dead = await create(client, "grid one", label="x"), await ended(client, name="grid two", label="x")
    other = await create(client, "Grid three", label="y")
    path = "projects/1/experiments"

    async def chosen(act: str, **filters: Any) -> list[int]:
        method = "DELETE" if act == "delete" else "POST"
        answer = await client.ok(method, f"{path}/{act}", {"filters": {"projectId": 1, **filters}})
        assert all(not result["error"] for result in answer["results"])
        return [result["id"] for result in answer["results"]]

    assert await chosen("activate", name="grid") == [live, other]
    assert await chosen("pause", labels=["x"]) == [live]
    assert await chosen("pause", states=["STATE_ACTIVE"]) == [other]
    assert await chosen("archive", name="grid") == [dead]
    assert await chosen("unarchive", name="grid") == [dead]
    assert await chosen("cancel", name="nothing") == []
    assert await chosen("kill", excludedExperimentIds=[live]) == [other]
    assert await chosen("delete", userIds=[99]) == []
    assert (await client.ok("POST", f"{path}/kill", {}))["results"] == []
    unknown = await client.post(f"{path}/kill", {"filters": {"states": [77]}})
    assert unknown.status == 400


async def test_an_unmanaged_experiment_is_not_driven_from_here(client: Client) -> None:
    """Activating is not found, killing does nothing, continuing is refused, deleting works."""
    config = "{name: u, searcher: {name: single, metric: loss}}"
    made = await client.ok("POST", "experiments", {"config": config, "unmanaged": True})
    experiment = made["experiment"]["id"]
    path = f"experiments/{experiment}"
    assert (await client.post(f"{path}/activate")).status == 404
    assert (await client.post(f"{path}/pause")).status == 400
    await client.ok("POST", f"{path}/cancel")
    await client.ok("POST", f"{path}/kill")
    assert await state(client, experiment) == "PAUSED"
    assert (await client.post("experiments/continue", {"id": experiment})).status == 400
