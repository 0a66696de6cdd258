"""What a running task and the server tell each other."""

import asyncio
import json
from typing import Any

import pytest

from tests.api.running import end, pretend, token_of
from tests.support import Client
from undeterred.app import App
from undeterred.engine import allocations
from undeterred.store import allocations as rows
from undeterred.store.database import Tx

CONFIG = "{name: one, entrypoint: python x.py, searcher: {name: single, metric: loss}, max_restarts: 0}"


class Task:
    """A trial whose processes run, as far as the server knows."""

    def __init__(self, app: App, client: Client, experiment: int, trial: int, allocation: str) -> None:
        self.app, self.client = app, client
        self.experiment, self.trial, self.allocation = experiment, trial, allocation
        self.token = f"token:{token_of(allocation)}"

    async def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """A call with the task's own token, which must be answered."""
        return await self.client.ok(method, path, body, user=self.token, **query)

    async def preempted(self, seconds: int = 0) -> bool:
        """What the task is told when it asks whether to leave."""
        answer = await self.call("GET", f"allocations/{self.allocation}/signals/preemption", timeoutSeconds=seconds)
        return bool(answer["preempt"])


@pytest.fixture
async def task(app: App, client: Client) -> Task:
    """One running trial."""
    made = await client.ok("POST", "experiments", {"config": CONFIG, "activate": True})
    trial = made["experiment"]["trialIds"][0]
    return Task(app, client, made["experiment"]["id"], trial, await pretend(app))


async def test_an_allocation_is_shown_with_what_is_known(task: Task) -> None:
    """State, slots and start; what is not known yet is left out."""
    shown = (await task.client.ok("GET", f"allocations/{task.allocation}"))["allocation"]
    assert (shown["allocationId"], shown["state"], shown["slots"]) == (task.allocation, "STATE_RUNNING", 1)
    assert "startTime" in shown
    assert shown.keys().isdisjoint({"endTime", "exitReason", "statusCode"})


async def test_a_long_poll_ends_when_the_experiment_is_paused(task: Task) -> None:
    """The task that waits is told at once, and acknowledges."""
    assert await task.preempted() is False
    waiting = asyncio.create_task(task.preempted(60))
    await asyncio.sleep(0.05)
    await task.client.ok("POST", f"experiments/{task.experiment}/pause")
    assert await asyncio.wait_for(waiting, 5) is True
    await task.call("POST", f"allocations/{task.allocation}/signals/ack_preemption")
    row = await task.app.db.read(lambda tx: rows.get(tx, task.allocation))
    assert row.preempt_acked_at is not None


async def test_a_long_poll_ends_with_the_allocation(task: Task) -> None:
    """Whoever still waits when the processes are gone is told to leave."""
    waiting = asyncio.create_task(task.preempted(60))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await end(task.app, task.allocation)
    assert await asyncio.wait_for(waiting, 30) is True


async def test_a_task_that_has_not_asked_yet_is_killed_instead(task: Task) -> None:
    """Nobody listens, so nothing can be saved."""
    await task.client.ok("POST", f"experiments/{task.experiment}/pause")
    row = await task.app.db.read(lambda tx: rows.get(tx, task.allocation))
    assert (row.preempt_at, row.kill_at is not None) == (None, True)


async def test_unknown_allocations_are_never_preempted_and_bad_ids_are_refused(client: Client) -> None:
    """A task that outlived its allocation gets an answer; an id of another form is a mistake."""
    for seconds in (0, -1, 100_000):
        answer = await client.ok("GET", "allocations/nope.1/signals/preemption", timeoutSeconds=seconds)
        assert answer == {"preempt": False}
    for path in ("nope", "%20", ".1", "a.b", "a.-1"):
        assert (await client.get(f"allocations/{path}")).status == 400
        assert (await client.get(f"allocations/{path}/signals/preemption")).status == 400
    assert (await client.get("allocations/nope.1")).status == 404
    assert (await client.post("allocations/nope.1/ready", {})).status == 404


async def test_an_allocation_in_the_queue_cannot_be_asked(client: Client) -> None:
    """Nothing runs that could leave."""
    await client.ok("POST", "experiments", {"config": CONFIG, "activate": True})
    trials = await client.ok("GET", "experiments/1/trials")
    task_id = trials["trials"][0]["taskIds"][0]
    answer = await client.get(f"allocations/{task_id}.1/signals/preemption")
    assert (answer.status, answer.error["code"]) == (400, 9)


async def test_rendezvous_gives_a_single_node_its_address(task: Task) -> None:
    """One node meets itself at once and is ready from then on; unknown resources are not found."""
    info = (await task.call("GET", f"allocations/{task.allocation}/resources/{task.allocation}/rendezvous"))["rendezvousInfo"]
    assert info == {"addresses": ["127.0.0.1"], "rank": 0, "slots": [1]}
    assert (await task.app.db.read(lambda tx: rows.get(tx, task.allocation))).is_ready
    answer = await task.client.get(f"allocations/{task.allocation}/resources/other/rendezvous")
    assert answer.status == 404


async def test_rendezvous_of_several_nodes(task: Task) -> None:
    """Each waits for the others and for their addresses; each gets all addresses and slots in the order of ranks, and its own."""
    id_ = task.allocation
    nodes = json.dumps([["one", [0, 1]], ["two", [0]], ["three", [0, 1, 2]]])
    await task.app.db.write(lambda tx: rows.update(tx, id_, nodes=nodes, addresses="[]"))

    def ask(rank: int) -> "asyncio.Task[Any]":
        return asyncio.create_task(task.call("GET", f"allocations/{id_}/resources/{id_}.{rank}/rendezvous"))

    async def waiting(count: int) -> None:
        while task.app.waiters.count(("allocation", id_)) < count:  # noqa: ASYNC110 (nothing tells when one begins to wait)
            await asyncio.sleep(0.01)

    asked = [ask(2), ask(0), ask(0)]  # the second of rank 0 is its first call, sent again
    await waiting(3)
    assert not any(one.done() for one in asked)
    asked.append(ask(1))
    await waiting(8)  # twice each: for the end of the allocation, and for addresses
    assert not any(one.done() for one in asked)
    addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]

    def found(tx: Tx) -> None:
        rows.update(tx, id_, addresses=json.dumps(addresses))
        tx.wake(("allocation", id_))

    await task.app.db.write(found)
    answers = [one["rendezvousInfo"] for one in await asyncio.wait_for(asyncio.gather(*asked), 30)]
    assert answers == [{"addresses": addresses, "rank": rank, "slots": [2, 1, 3]} for rank in (2, 0, 0, 1)]
    for resources in (id_, f"{id_}.3", f"{id_}.-1"):
        assert (await task.client.get(f"allocations/{id_}/resources/{resources}/rendezvous")).status == 404


async def test_all_gather_waits_for_all_and_gives_all_the_same(task: Task) -> None:
    """Three processes bring data; a repeated call of one replaces its first; each gets all three in one order."""
    path = f"allocations/{task.allocation}/all_gather"

    def bring(name: str, value: int) -> Any:
        return task.call("POST", path, {"requestUuid": name, "numPeers": 3, "data": {"v": value}})

    waits = [asyncio.create_task(bring("a", 0)), asyncio.create_task(bring("b", 2))]
    await asyncio.sleep(1)  # both have arrived, also on a busy machine
    assert not any(one.done() for one in waits)
    waits.append(asyncio.create_task(bring("a", 1)))
    await asyncio.sleep(1)  # likewise: the last one must not come before it
    waits.append(asyncio.create_task(bring("c", 3)))
    answers = await asyncio.wait_for(asyncio.gather(*waits), 5)
    assert answers == [{"data": [{"v": 1}, {"v": 2}, {"v": 3}]}] * 4


async def test_all_gather_ends_with_the_allocation(task: Task) -> None:
    """Who waits for peers that will never come is told so."""
    path, body = f"allocations/{task.allocation}/all_gather", {"requestUuid": "a", "numPeers": 2, "data": {}}
    waiting = asyncio.create_task(task.client.post(path, body))
    await asyncio.sleep(0.05)
    facts = allocations.ExitFacts(allocations.Cause.EXITED, 1)
    await task.app.db.write(lambda tx: allocations.exited(tx, rows.locked(tx, task.allocation), facts))
    assert (await asyncio.wait_for(waiting, 5)).status == 400
    for peers in (0, -1, 1_000_000):
        assert (await task.client.post(path, body | {"numPeers": peers})).status == 400


async def test_a_task_s_token_ends_with_it_and_reaches_nothing_else(task: Task) -> None:
    """It acts on its own allocation and trial; after the exit it is unknown."""
    other = await task.client.ok("POST", "experiments", {"config": CONFIG, "activate": True})
    trial = other["experiment"]["trialIds"][0]
    refused = await task.client.post(f"trials/{trial}/progress", {"progress": 0.5}, user=task.token)
    assert refused.status == 403
    await task.call("POST", f"trials/{task.trial}/progress", {"progress": 0.5})
    facts = allocations.ExitFacts(allocations.Cause.EXITED, 0)
    await task.app.db.write(lambda tx: allocations.exited(tx, rows.locked(tx, task.allocation), facts))
    gone = await task.client.post(f"trials/{task.trial}/progress", {"progress": 0.6}, user=task.token)
    assert gone.status == 401


async def test_what_a_task_says_of_itself_is_kept(task: Task) -> None:
    """Readiness, waiting, proxy address, accelerators, a machine about to go."""
    path = f"allocations/{task.allocation}"
    await task.call("POST", f"{path}/ready", {})
    await task.call("POST", f"{path}/waiting", {})
    await task.call("POST", f"{path}/proxy_address", {"proxyAddress": "10.0.0.7"})
    data = {"containerId": "c", "nodeName": "n", "acceleratorType": "cuda", "acceleratorUuids": ["u"]}
    await task.call("POST", f"{path}/acceleratorData", {"acceleratorData": data})
    await task.call("POST", f"{path}/notify_container_running", {"requestUuid": "x", "numPeers": 1, "data": {}})
    await task.call("POST", f"{path}/resources/{task.allocation}/daemon", {})
    await task.call("POST", f"{path}/signals/pending_preemption", {})
    row = await task.app.db.read(lambda tx: rows.get(tx, task.allocation))
    assert (row.is_ready, row.state, row.proxy_address) == (True, "WAITING", "10.0.0.7")
    assert '"accelerator_uuids":["u"]' in row.accelerators
    assert row.preempt_at is not None
    assert (await task.client.post(f"{path}/acceleratorData", {})).status == 400


async def test_progress_and_its_limits(task: Task) -> None:
    """0 to 1; NaN says nothing; the experiment's progress follows and never falls."""
    path = f"trials/{task.trial}/progress"
    for value in (0.5, 0.25, "NaN"):
        await task.call("POST", path, {"progress": value})
    experiment = (await task.client.ok("GET", f"experiments/{task.experiment}"))["experiment"]
    assert experiment["progress"] == 0.5
    for value in (1.5, -0.5, "Infinity"):
        assert (await task.client.post(path, {"progress": value})).status == 400
    assert (await task.client.post("trials/99999/progress", {"progress": 0.5})).status == 404


async def test_invalid_hyperparameters_end_a_single_search_without_a_restart(task: Task) -> None:
    """Said by two processes, and again, it counts once: no restart, no second trial, the experiment is over."""
    path = f"trials/{task.trial}/early_exit"
    say = [task.call("POST", path, {"reason": "EXITED_REASON_INVALID_HP"}) for _ in range(2)]
    assert await asyncio.gather(*say) == [{}, {}]
    await task.call("POST", path, {"reason": "EXITED_REASON_INVALID_HP"})
    assert (await task.client.post(path, {"reason": "EXITED_REASON_UNSPECIFIED"})).status == 400
    facts = allocations.ExitFacts(allocations.Cause.EXITED, 0)
    await task.app.db.write(lambda tx: allocations.exited(tx, rows.locked(tx, task.allocation), facts))
    experiment = (await task.client.ok("GET", f"experiments/{task.experiment}"))["experiment"]
    assert (experiment["state"], experiment["numTrials"]) == ("STATE_COMPLETED", 1)
    await task.client.ok("POST", path, {"reason": "EXITED_REASON_INVALID_HP"})
    assert (await task.client.ok("GET", f"experiments/{task.experiment}"))["experiment"] == experiment


async def test_killing_an_ended_trial_is_refused(task: Task) -> None:
    """The first kill ends it, the second says that it has ended."""
    await task.client.ok("POST", f"trials/{task.trial}/kill", user="determined")
    facts = allocations.ExitFacts(allocations.Cause.KILLED, 137)
    await task.app.db.write(lambda tx: allocations.exited(tx, rows.locked(tx, task.allocation), facts))
    assert (await task.client.post(f"trials/{task.trial}/kill")).error["code"] == 9
    assert (await task.client.post("trials/99999/kill")).status == 404
