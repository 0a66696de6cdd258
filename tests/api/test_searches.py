"""Custom searches asked and told from outside, and every search explained."""

import asyncio
import uuid
from typing import Any

import pytest

from tests.api.worlds import EDITOR, VIEWER, grant, user
from tests.conftest import make_settings
from tests.support import Answer, Client
from undeterred.app import App
from undeterred.base.settings import Settings
from undeterred.store.schema.experiments import search_events

OWN = "/api/undeterred/v1"
CUSTOM = "{name: custom, metric: loss}"
HALVING = (
    "{name: async_halving, metric: loss, num_rungs: 2, max_trials: 4, max_concurrent_trials: 2, max_time: 4, time_metric: t}"
)


async def create(client: Client, searcher: str = CUSTOM, *, activate: bool = True, by: str = "admin", **more: Any) -> int:
    """A new experiment; its id."""
    space = "{x: {type: double, minval: 0, maxval: 1}}"
    config = f"{{name: s, entrypoint: 'true', max_restarts: 0, searcher: {searcher}, hyperparameters: {space}}}"
    made = await client.ok("POST", "experiments", {"config": config, "activate": activate} | more, user=by)
    return int(made["experiment"]["id"])


async def tell(client: Client, experiment: int, tell_id: str, **body: Any) -> Any:
    """An instruction that is carried out."""
    return await client.ok("POST", f"{OWN}/experiments/{experiment}/search/tell", {"tellId": tell_id} | body)


async def told(client: Client, experiment: int, body: dict[str, Any], by: str = "admin") -> Answer:
    """An instruction that may be refused."""
    return await client.post(f"{OWN}/experiments/{experiment}/search/tell", body, user=by)


async def ask(client: Client, experiment: int, **query: Any) -> Any:
    """What happened."""
    return await client.ok("GET", f"{OWN}/experiments/{experiment}/search/events", **query)


async def validate(client: Client, trial: int, **metrics: Any) -> None:
    """A trial reports a validation."""
    report = {"trialRunId": 1, "stepsCompleted": metrics.get("t", 1), "metrics": {"avgMetrics": metrics}}
    await client.ok("POST", f"trials/{trial}/metrics", {"group": "validation", "metrics": report})


def kinds(answer: Any) -> list[str]:
    """The types of events, in short."""
    return [event["type"].removeprefix("SEARCH_EVENT_TYPE_") for event in answer["events"]]


async def replay(client: Client, experiment: int, **query: Any) -> list[Any]:
    """The explained entries."""
    answer = await client.get(f"{OWN}/experiments/{experiment}/search/replay", **query)
    assert answer.status == 200, answer.text
    return answer.lines


async def test_a_program_decides_a_search(client: Client) -> None:
    """It makes two trials, hears of them, stops one, and ends the search; everything stands in the log for a second program."""
    experiment = await create(client)
    assert await ask(client, experiment) == {"events": [], "last": 0, "state": "STATE_ACTIVE", "over": False}
    name = str(uuid.uuid4())
    body: dict[str, Any] = {"create": [{"hparams": {"x": 0.25}, "requestId": name.upper()}, {}], "progress": 0.25}
    first = await tell(client, experiment, "1", **body)
    assert (first["created"][0]["requestId"], first["created"][0]["hparams"]) == (name, {"x": 0.25})
    assert 0 <= first["created"][1]["hparams"]["x"] <= 1
    assert (first["repeated"], first["last"]) == (False, 1)
    assert await tell(client, experiment, "1", **body) == first | {"repeated": True}
    one, two = first["created"]
    await validate(client, one["trialId"], loss=0.5, t=1)
    heard = await ask(client, experiment, after=1)
    (event,) = heard["events"]
    assert (event["type"], event["trialId"]) == ("SEARCH_EVENT_TYPE_VALIDATION_COMPLETED", one["trialId"])
    assert (event["metrics"], event["seq"], heard["last"]) == ({"loss": 0.5, "t": 1}, 2, 2)
    await tell(client, experiment, "2", stop=[two["requestId"]], reason="one is enough")
    await tell(client, experiment, "3", shutdown={})
    answer = await ask(client, experiment)
    assert kinds(answer) == [
        "TRIAL_CREATED",
        "TRIAL_CREATED",
        "VALIDATION_COMPLETED",
        "TRIAL_STOPPED",
        "TRIAL_EXITED",
        "TRIAL_STOPPED",
        "TRIAL_EXITED",
        "SHUTDOWN",
    ]
    assert answer["events"][3]["reason"] == "one is enough"
    assert [one["tellId"] for one in answer["events"]][:4] == ["1", "1", "", "2"]
    assert (answer["over"], answer["state"]) == (True, "STATE_COMPLETED")
    shown = (await client.ok("GET", f"experiments/{experiment}"))["experiment"]
    assert (shown["state"], shown["numTrials"], shown["progress"]) == ("STATE_COMPLETED", 2, 1)


async def test_pages_of_events(client: Client) -> None:
    """A limit counts entries; none is cut in two."""
    experiment = await create(client)
    for number in range(3):
        await tell(client, experiment, str(number), create=[{}, {}])
    seen, after = [], 0
    while True:
        answer = await ask(client, experiment, after=after, limit=1)
        if not answer["events"]:
            break
        seen.append(len(answer["events"]))
        after = answer["last"]
    assert seen == [2, 2, 2]
    assert after == 3


async def test_a_question_waits(client: Client) -> None:
    """Until something happens in the search, until its experiment ends, or for as long as was asked for."""
    experiment = await create(client)
    assert (await ask(client, experiment, timeoutSeconds=1))["events"] == []
    waiting = asyncio.create_task(ask(client, experiment, timeoutSeconds=30))
    await asyncio.sleep(0.05)
    await tell(client, experiment, "1", create=[{}])
    assert kinds(await waiting) == ["TRIAL_CREATED"]
    waiting = asyncio.create_task(ask(client, experiment, after=1, timeoutSeconds=30))
    await asyncio.sleep(0.05)
    await client.ok("POST", f"experiments/{experiment}/kill")
    answer = await waiting
    assert answer["over"]
    assert answer["state"] in ("STATE_STOPPING_KILLED", "STATE_CANCELED")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 3),
        ({"tellId": "x" * 201}, 3),
        ({"tellId": "x", "progress": 1.5}, 3),
        ({"tellId": "x", "progress": "NaN"}, 3),
        ({"tellId": "x", "create": [{"requestId": "../x"}]}, 3),
        ({"tellId": "x", "shutdown": {"cancel": True, "failure": True}}, 3),
        ({"tellId": "x", "shutdown": {}, "create": [{}]}, 3),
        ({"tellId": "x", "create": [{}], "stop": ["nobody"]}, 5),
        ({"tellId": "x", "create": [{"requestId": "6c3b2f5e-9a0c-4a57-8f5b-1d2f3a4b5c6d"}] * 2}, 6),
        ({"tellId": "x", "reason": "x" * 10_001}, 3),
    ],
)
async def test_wrong_instructions_do_nothing(client: Client, body: dict[str, Any], code: int) -> None:
    """The right kind of failure, and nothing of the instruction is carried out or remembered."""
    experiment = await create(client)
    assert (await told(client, experiment, body)).error["code"] == code
    assert (await ask(client, experiment))["events"] == []
    assert not (await tell(client, experiment, "x", create=[{}]))["repeated"]


async def test_other_searches_and_ended_ones(client: Client) -> None:
    """A random search decides by itself; an ended custom one takes nothing new, but knows what it was told."""
    other = await create(client, "{name: random, metric: loss, max_trials: 2}")
    assert (await told(client, other, {"tellId": "x"})).error["code"] == 3
    answer = await client.get(f"{OWN}/experiments/{other}/search/events")
    assert (answer.status, "random" in answer.error["error"]) == (400, True)
    experiment = await create(client)
    first = await tell(client, experiment, "1", create=[{}])
    await client.ok("POST", f"experiments/{experiment}/kill")
    refused = await told(client, experiment, {"tellId": "2", "create": [{}]})
    assert (refused.error["code"], "CANCELED" in refused.error["error"]) == (9, True)
    assert (await tell(client, experiment, "1"))["created"] == first["created"]
    assert (await client.get(f"{OWN}/experiments/999/search/events")).error["code"] == 5
    assert (await client.get(f"{OWN}/experiments/{experiment}/search/events", after=-1)).error["code"] == 3


async def test_a_paused_experiment_is_told(client: Client) -> None:
    """Its trials are made paused and run when it is activated."""
    experiment = await create(client, activate=False)
    made = await tell(client, experiment, "1", create=[{}])
    trial = (await client.ok("GET", f"trials/{made['created'][0]['trialId']}"))["trial"]
    assert trial["state"] == "STATE_PAUSED"
    await client.ok("POST", f"experiments/{experiment}/activate")
    trial = (await client.ok("GET", f"trials/{trial['id']}"))["trial"]
    assert trial["state"] == "STATE_QUEUED"


class TestRoles:
    """Where roles decide."""

    @pytest.fixture
    def settings(self) -> Settings:
        """Roles decide."""
        return make_settings(security__authz__type="rbac")

    async def test_who_may(self, client: Client) -> None:
        """An editor of the workspace tells a search what to do; a viewer only reads the replay; a stranger finds nothing."""
        ann, bob = [await user(client, name) for name in ("ann", "bob")]
        await user(client, "eve")
        await grant(client, ann, EDITOR, 1)
        await grant(client, bob, VIEWER, 1)
        experiment = await create(client, by="ann")
        path = f"{OWN}/experiments/{experiment}/search"
        for name, status in (("ann", 200), ("bob", 403), ("eve", 404)):
            assert (await told(client, experiment, {"tellId": "1", "create": [{}]}, by=name)).status == status
            assert (await client.get(f"{path}/events", user=name)).status == status
        assert len((await client.get(f"{path}/replay", user="bob")).lines) == 2
        assert (await client.get(f"{path}/replay", user="eve")).status == 404


async def test_a_search_is_explained(client: Client) -> None:
    """The rung, the rank and how many go on; what was left alone; and that the replay decides the same."""
    experiment = await create(client, HALVING)
    trials = (await client.ok("GET", f"experiments/{experiment}/trials"))["trials"]
    one, two = (trial["id"] for trial in trials)
    await validate(client, one, loss=0.5, t=1)
    await validate(client, two, loss=0.9, t=1)
    await validate(client, two, loss=0.1, t=2)
    steps = await replay(client, experiment)
    assert all(step["same"] for step in steps)
    assert [step["event"]["type"] for step in steps][:3] == ["start", "validation_completed", "validation_completed"]
    assert [decision["kind"].rpartition("_")[2] for decision in steps[0]["decisions"]] == ["CREATE", "CREATE"]
    assert steps[1]["decisions"][0]["kind"] == "SEARCH_DECISION_KIND_NOTE"
    stop, new = steps[2]["decisions"]
    assert (stop["kind"], stop["trialId"], stop["facts"]["rank"]) == ("SEARCH_DECISION_KIND_STOP", two, 2)
    assert "not among the best 1" in stop["reason"]
    assert (new["kind"], 0 <= new["hparams"]["x"] <= 1) == ("SEARCH_DECISION_KIND_CREATE", True)
    assert [step["seq"] for step in await replay(client, experiment, after=1)] == [step["seq"] for step in steps[2:]]
    assert await replay(client, experiment, after=1, limit=1) == steps[2:3]


LADDER = (
    "{{name: async_halving, metric: loss, smaller_is_better: {smaller}, num_rungs: 2, divisor: 4, max_time: 4, time_metric: t, "
    "max_trials: 12, max_concurrent_trials: 12}}"
)
LOSSES: list[Any] = ["NaN", "NaN", 0.9, 0.1, "NaN", 0.5, 0.2, 0.95, "NaN", 0.05, 0.7, 0.6]


async def climbed(client: Client, searcher: str, losses: list[Any]) -> tuple[dict[str, Any], list[list[Any]]]:
    """Let trials report in turn, those that are left once more at the top: the experiment, and each trial's stop and best."""
    experiment = await create(client, searcher)
    path = f"experiments/{experiment}/trials"
    order = sorted(trial["id"] for trial in (await client.ok("GET", path))["trials"])
    for trial, loss in zip(order, losses, strict=True):
        await validate(client, trial, loss=loss, t=1)
    stopped = {trial["id"] for trial in (await client.ok("GET", path))["trials"] if trial["state"] == "STATE_COMPLETED"}
    for trial, loss in zip(order, losses, strict=True):
        if trial not in stopped:
            await validate(client, trial, loss=loss, t=4)
    shown = (await client.ok("GET", "experiments", showTrialData="true"))["experiments"]
    found = [(await client.ok("GET", f"trials/{trial}"))["trial"] for trial in order]
    best = [trial["bestValidation"] and trial["bestValidation"]["metrics"]["avgMetrics"]["loss"] for trial in found]
    return next(one for one in shown if one["id"] == experiment), [[trial in stopped for trial in order], best]


@pytest.mark.parametrize("smaller", ["true", "false"])
async def test_what_is_no_number_is_the_worst_and_never_the_best(client: Client, smaller: str) -> None:
    """A search whose losses are NaN in part stops and keeps the same trials as one with a terrible loss in their place."""
    terrible = 1e300 if smaller == "true" else -1e300
    searcher = LADDER.format(smaller=smaller)
    shown, (stopped, best) = await climbed(client, searcher, LOSSES)
    _, (expected, _) = await climbed(client, searcher, [terrible if loss == "NaN" else loss for loss in LOSSES])
    assert stopped == expected
    assert stopped[:4] == ([False, False, False, False] if smaller == "true" else [False, False, False, True])
    assert best == [None if loss == "NaN" else loss for loss in LOSSES]
    assert shown["state"] == "STATE_COMPLETED"
    assert shown["bestTrialSearcherMetric"] == (0.05 if smaller == "true" else 0.95)


async def test_a_changed_log_is_noticed(client: Client, app: App) -> None:
    """A decision that the replay does not make is told with the entry."""
    experiment = await create(client, HALVING)

    def change(tx: Any) -> None:
        row = tx.row(search_events.select().where(search_events.c.experiment_id == experiment))
        tx.run(search_events.update().values(actions=row.actions.replace('"seed":', '"seed":1', 1)))

    await app.db.write(change)
    (step,) = await replay(client, experiment)
    assert not step["same"]
    assert step["difference"].startswith("decision 1 was")


async def test_experiments_without_a_search(client: Client) -> None:
    """Unmanaged ones have nothing to explain; unknown ones are not there."""
    experiment = await create(client, unmanaged=True)
    assert await replay(client, experiment) == []
    assert (await client.get(f"{OWN}/experiments/999/search/replay")).error["httpCode"] == 404
    assert (await client.get(f"{OWN}/experiments/{experiment}/search/replay", limit=-1)).status == 400


OPTUNA = "{{name: optuna, metric: loss, max_trials: 3, max_concurrent_trials: 1, sampler: {}}}"


async def test_an_optuna_search_is_checked_when_it_is_submitted(client: Client) -> None:
    """A wrong sampler or option is refused with what is known; a right one draws its first trial."""
    pytest.importorskip("optuna")
    for sampler, words in (("Magic", "TPESampler"), ("{name: TPESampler, x: 1}", "options"), ("3", "a name, or an object")):
        config = f"{{name: s, entrypoint: 'true', searcher: {OPTUNA.format(sampler)}}}"
        for only_check in (False, True):
            answer = await client.post("experiments", {"config": config, "validateOnly": only_check})
            assert (answer.status, words in answer.error["error"]) == (400, True), answer.text
    experiment = await create(client, OPTUNA.format("RandomSampler"))
    shown = (await client.ok("GET", f"experiments/{experiment}"))["experiment"]
    assert (shown["config"]["searcher"]["sampler"], shown["numTrials"]) == ("RandomSampler", 1)
    (start,) = await replay(client, experiment)
    assert start["same"]
    assert start["event"]["reproducibility"]["experiment_seed"] == shown["config"]["reproducibility"]["experiment_seed"]
