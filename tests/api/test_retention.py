"""How long logs are kept."""

from typing import Any

from tests.support import Client

CONFIG = "{name: one, searcher: {name: single, metric: loss}}"


async def ended_trial(client: Client) -> tuple[int, Any]:
    """An ended unmanaged experiment with one trial that wrote a line of log; id of the experiment, the trial."""
    made = await client.ok("POST", "experiments", {"config": CONFIG, "unmanaged": True})
    experiment = made["experiment"]["id"]
    trial = (await client.ok("POST", "trials", {"experimentId": experiment, "unmanaged": True}))["trial"]
    await client.ok("POST", "task/logs", {"logs": [{"taskId": trial["taskId"], "log": "hello\n"}]})
    await client.ok("PATCH", f"trials/{trial['id']}", {"state": "STATE_COMPLETED"})
    return experiment, trial


async def remaining(client: Client, trial_id: int) -> Any:
    """The answer."""
    return await client.ok("GET", f"trials/{trial_id}/remaining_log_retention_days")


async def test_expired_logs_are_removed_and_counted(client: Client) -> None:
    """Once the days are over; never at -1."""
    _, trial = await ended_trial(client)
    assert await remaining(client, trial["id"]) == {}
    for days, left in ((-1, -1), (3, 2)):
        await client.ok("PUT", f"trials/{trial['id']}/retain_logs", {"numDays": days})
        assert await remaining(client, trial["id"]) == {"remainingDays": left}
        assert await client.ok("POST", "cleanup_logs") == {"removedCount": "0"}
    await client.ok("PUT", f"trials/{trial['id']}/retain_logs", {"numDays": -5})
    assert await remaining(client, trial["id"]) == {"remainingDays": 0}
    assert int((await client.ok("POST", "cleanup_logs"))["removedCount"]) > 0
    assert (await client.get(f"trials/{trial['id']}/logs")).text == ""


async def test_only_admins_clean_up(client: Client) -> None:
    """It concerns everybody's logs."""
    assert (await client.post("cleanup_logs", user="determined")).status == 403


async def test_unknown_trials_and_experiments(client: Client) -> None:
    """Are not found; bulk requests tell it per experiment."""
    assert (await client.get("trials/99/remaining_log_retention_days")).status == 404
    assert (await client.put("trials/99/retain_logs", {"numDays": 1})).status == 404
    assert (await client.put("experiments/99/retain_logs", {"numDays": 1})).status == 404
    answer = await client.ok("PUT", "projects/1/experiments/retain_logs", {"experimentIds": [99], "numDays": 7})
    assert [result["id"] for result in answer["results"] if result["error"]] == [99]


async def test_an_experiment_sets_all_its_trials_once_it_has_ended(client: Client) -> None:
    """Before it is refused, as are numbers that are no days."""
    managed = "{name: m, entrypoint: x, searcher: {name: single, metric: loss}, resources: {slots_per_trial: 0}}"
    made = (await client.ok("POST", "experiments", {"config": managed}))["experiment"]
    path = f"experiments/{made['id']}/retain_logs"
    assert (await client.put(path, {"numDays": 5})).error["code"] == 9
    await client.ok("POST", f"experiments/{made['id']}/kill")
    for days in (-2, 32768):
        assert (await client.put(path, {"numDays": days})).error["code"] == 3
    await client.ok("PUT", path, {"numDays": 5})
    assert await remaining(client, made["trialIds"][0]) == {"remainingDays": 4}
    config = (await client.ok("GET", f"experiments/{made['id']}"))["config"]
    assert config["retention_policy"]["log_retention_days"] == 5
