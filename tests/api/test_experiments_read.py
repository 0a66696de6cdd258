"""Reading one experiment."""

import json

from tests.api import unmanaged
from tests.support import Client

CONFIG = "{name: m, entrypoint: x, searcher: {name: single, metric: loss}, resources: {slots_per_trial: 0}}"


async def test_its_place_in_the_queue(client: Client) -> None:
    """While it waits or runs: how many are ahead of it, by priority and submission; otherwise none is told."""

    async def summary(experiment_id: int) -> object:
        return (await client.ok("GET", f"experiments/{experiment_id}"))["jobSummary"]

    first, second, paused = [
        (await client.ok("POST", "experiments", {"config": CONFIG, "activate": active}))["experiment"]["id"]
        for active in (True, True, False)
    ]
    assert await summary(first) == {"state": "STATE_QUEUED", "jobsAhead": 0}
    assert await summary(second) == {"state": "STATE_QUEUED", "jobsAhead": 1}
    assert await summary(paused) is None
    await client.ok("PATCH", f"experiments/{second}", {"resources": {"priority": 1}})
    assert await summary(second) == {"state": "STATE_QUEUED", "jobsAhead": 0}
    await client.ok("POST", f"experiments/{first}/kill")
    assert await summary(first) is None
    assert await summary(await unmanaged.experiment(client)) is None


async def test_unknown(client: Client) -> None:
    """It is not found, and no number is refused."""
    assert (await client.get("experiments/0")).status == 404
    assert (await client.get("experiments/99")).status == 404
    assert (await client.get("experiments/x")).status == 400


SECRETS = """
name: m
entrypoint: x
searcher: {name: single, metric: loss}
checkpoint_storage: {type: s3, bucket: b, access_key: HUSH1, secret_key: HUSH2}
environment: {registry_auth: {username: u, password: HUSH3}}
integrations:
  pachyderm: {pachd: {host: h, port: 1, token: HUSH4}, proxy: {scheme: http, host: h, port: 1}, dataset: {token: HUSH5}}
data: {secrets: {key: HUSH6}, other: shown}
"""


async def test_secrets_are_hidden_everywhere(client: Client) -> None:
    """Of the storage, the image registry, Pachyderm and the data: in the resolved configuration of every answer."""
    made = await client.post("experiments", {"config": SECRETS})
    e = made.body["experiment"]["id"]
    answers = [
        made,
        await client.get(f"experiments/{e}"),
        await client.get("experiments"),
        await client.post("experiments-search", {}),
        await client.patch(f"experiments/{e}", {"name": "n"}),
    ]
    for answer in answers:
        assert answer.status == 200
        text = answer.text.replace(json.dumps(SECRETS)[1:-1], "")
        assert "HUSH" not in text
        assert "shown" in text
