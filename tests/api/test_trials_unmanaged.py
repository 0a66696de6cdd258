"""Trials whose program runs elsewhere."""

from typing import Any

from tests.api import unmanaged
from tests.api.unmanaged import patch, report, trial
from tests.support import Client
from undeterred.app import App
from undeterred.store.schema.registry import checkpoints

MANAGED = "{name: m, entrypoint: x, searcher: {name: single, metric: loss}, resources: {slots_per_trial: 0}}"


async def test_a_new_trial_is_paused_and_has_a_task(client: Client) -> None:
    """Hyperparameters left out read back as an empty object."""
    e = await unmanaged.experiment(client)
    made = (await client.ok("POST", "trials", {"experimentId": e, "unmanaged": True}))["trial"]
    assert (made["state"], made["hparams"], made["summaryMetrics"]) == ("STATE_PAUSED", {}, {})
    assert made["taskIds"] == [made["taskId"]]
    assert made["taskId"].startswith(f"{e}.")
    assert (await client.ok("GET", f"trials/{made['id']}"))["trial"] | {"wallClockTime": 0} == made | {"wallClockTime": 0}


async def test_a_first_start_needs_no_resume_and_a_second_one_does(client: Client) -> None:
    """Starts are counted; a report of an earlier start is refused."""
    t = await trial(client, await unmanaged.experiment(client), started=False)
    first = await client.ok("POST", f"trials/{t}/start", {"resume": False})
    assert first == {"trialRunId": 1, "stepsCompleted": 0}
    refused = await client.post(f"trials/{t}/start", {"resume": False})
    assert (refused.status, refused.error["code"]) == (400, 9)
    assert "resume" in refused.error["error"]
    assert (await client.ok("POST", f"trials/{t}/start", {"resume": True}))["trialRunId"] == 2
    await report(client, t, 1, {"a": 1}, run=2)
    old = {"group": "x", "metrics": {"trialRunId": 1, "stepsCompleted": 1, "metrics": {"avgMetrics": {"a": 1}}}}
    assert (await client.post(f"trials/{t}/metrics", old)).status == 400


async def test_a_start_names_the_checkpoint_to_go_on_from(client: Client, app: App) -> None:
    """The complete one with the most steps."""
    t = await trial(client, await unmanaged.experiment(client))
    for uuid, steps, state in (("a", 10, "COMPLETED"), ("b", 20, "COMPLETED"), ("c", 30, "DELETED")):
        values = {"uuid": uuid, "run_id": t, "steps_completed": steps, "state": state, "report_time": 1}
        await app.db.write(lambda tx, values=values: tx.insert(checkpoints, **values))
    started = await client.ok("POST", f"trials/{t}/start", {"resume": True})
    assert started == {"trialRunId": 2, "latestCheckpoint": "b", "stepsCompleted": 20}


async def test_the_experiment_follows_its_trials(client: Client) -> None:
    """Any state in any order; the most advanced trial tells the experiment's; an end stays known until the next start."""
    e = await unmanaged.experiment(client)
    a, b = await trial(client, e), await trial(client, e, started=False)

    async def state() -> str:
        return str((await client.ok("GET", f"experiments/{e}"))["experiment"]["state"])

    assert await state() == "STATE_RUNNING"
    ended = await patch(client, a, "COMPLETED")
    assert (ended["state"], ended["endTime"] is not None, await state()) == ("STATE_COMPLETED", True, "STATE_COMPLETED")
    assert (await patch(client, a, "ERROR"))["state"] == await state() == "STATE_ERROR"
    again = await patch(client, a, "RUNNING")
    assert (again["state"], again["endTime"]) == ("STATE_RUNNING", (await patch(client, a))["endTime"])
    assert again["endTime"] is not None
    await client.ok("POST", f"trials/{a}/start", {"resume": True})
    assert (await client.ok("GET", f"trials/{a}"))["trial"]["endTime"] is None
    assert (await patch(client, b, "CANCELED"))["state"] == "STATE_CANCELED"
    assert await state() == "STATE_RUNNING"


async def test_put_makes_a_trial_once(client: Client) -> None:
    """The second time its hyperparameters are replaced; it is found by both external ids."""
    body = {"config": "{name: u, searcher: {name: single, metric: loss}}", "unmanaged": True}
    made = await client.ok("PUT", "experiments/by-external-id/my exp", body)
    e = made["experiment"]["id"]

    async def put(hparams: Any) -> dict[str, Any]:
        request = {"experimentId": e, "hparams": hparams, "unmanaged": True}
        answer = await client.ok("PUT", "trials", {"createTrialRequest": request, "externalTrialId": "tr 1"})
        return dict(answer["trial"])

    first, second = await put({"z": 1}), await put({"z": 2})
    assert (first["id"], first["taskId"]) == (second["id"], second["taskId"])
    assert (first["hparams"], second["hparams"]) == ({"z": 1}, {"z": 2})
    found = await client.ok("GET", "trials/by-external-id/my exp/tr 1")
    assert (found["trial"]["id"], found["trial"]["hparams"]) == (first["id"], {"z": 2})
    assert (await client.get("trials/by-external-id/my exp/other")).status == 404


MISTAKES: list[Any] = [
    ("POST", "trials", {"experimentId": "{e}"}, 400),
    ("POST", "trials", {}, 400),
    ("POST", "trials", {"unmanaged": True}, 404),
    ("POST", "trials", {"experimentId": 999, "unmanaged": True}, 404),
    ("POST", "trials", {"experimentId": "{m}", "unmanaged": True}, 400),
    ("POST", "trials", {"experimentId": "{e}", "unmanaged": True, "hparams": [1]}, 400),
    ("PUT", "trials", {}, 400),
    ("PUT", "trials", {"createTrialRequest": {"experimentId": "{e}", "unmanaged": True}}, 400),
    ("PUT", "trials", {"createTrialRequest": {"experimentId": "{m}", "unmanaged": True}, "externalTrialId": "a"}, 400),
    ("PUT", "trials", {"createTrialRequest": {"experimentId": "{e}", "unmanaged": True}, "externalTrialId": "a\0"}, 400),
    ("POST", "trials/999/start", {}, 404),
    ("POST", "trials/{tm}/start", {"resume": True}, 400),
    ("PATCH", "trials/999", {"state": "STATE_RUNNING"}, 404),
    ("PATCH", "trials/{tm}", {}, 400),
    ("PATCH", "trials/{t}", {"state": "STATE_QUEUED"}, 400),
    ("PATCH", "trials/{t}", {"state": "STATE_UNSPECIFIED"}, 400),
    ("PATCH", "trials/{t}", {"state": 77}, 400),
    ("PATCH", "trials/{t}", {"state": "nope"}, 400),
]


async def test_mistakes_are_told(client: Client) -> None:
    """Unknown ones, those of a search of this server, states that are none of theirs; nothing is changed."""
    e = await unmanaged.experiment(client)
    t = await trial(client, e)
    managed = (await client.ok("POST", "experiments", {"config": MANAGED}))["experiment"]
    places: dict[str, Any] = {"e": e, "t": t, "m": managed["id"], "tm": managed["trialIds"][0]}

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        return places.get(value.strip("{}"), value) if isinstance(value, str) else value

    for method, path, body, status in MISTAKES:
        answer = await client.call(method, path.format(**places), fill(body))
        assert answer.status == status, (path, body, answer.text)
        assert answer.error["error"]
        assert (await client.ok("GET", f"experiments/{e}/trials"))["pagination"]["total"] == 1
        assert (await client.ok("GET", f"trials/{t}"))["trial"]["state"] == "STATE_RUNNING"
