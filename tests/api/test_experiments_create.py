"""Submitting an experiment."""

from typing import Any

from tests.support import Client

CONFIG = """
{name: one, entrypoint: python x.py, searcher: {name: single, metric: loss}, labels: [b, a], resources: {slots_per_trial: 0}}
"""


async def create(client: Client, config: str = CONFIG, **body: Any) -> Any:
    """A new experiment."""
    return await client.ok("POST", "experiments", {"config": config, **body})


async def test_a_new_experiment_is_paused_and_has_its_first_trial(client: Client) -> None:
    """Created paused, with the trials its search begins with, and read back the same."""
    made = await create(client)
    experiment = made["experiment"]
    assert (experiment["state"], experiment["numTrials"], len(experiment["trialIds"])) == ("STATE_PAUSED", 1, 1)
    assert sorted(experiment["labels"]) == ["a", "b"]
    read = await client.ok("GET", f"experiments/{experiment['id']}")
    assert read["experiment"] == experiment
    assert (made["config"]["resources"].pop("resource_pool"), read["config"]["resources"].pop("resource_pool")) == ("", "default")
    assert read["config"] == made["config"]


async def test_all_mistakes_are_reported_at_once(client: Client) -> None:
    """Each with its path, in the contract's error shape, and nothing is stored."""
    bad = "{entrypoint: 5, searcher: {name: nope}, max_restarts: -1, what: 1}"
    answer = await client.post("experiments", {"config": bad})
    assert answer.status == 400
    for part in ("entrypoint", "searcher", "max_restarts", "what"):
        assert part in answer.error["error"]


async def test_checking_only_stores_nothing(client: Client) -> None:
    """`validateOnly` answers an empty experiment."""
    answer = await create(client, validateOnly=True)
    assert answer["experiment"]["id"] == 0
    assert answer["config"] is None


async def test_a_file_outside_the_context_is_refused(client: Client) -> None:
    """Paths that lead out of the context directory never reach the disk."""
    for path in ("../x", "/etc/x", "a/../../x"):
        answer = await client.post(
            "experiments", {"config": CONFIG, "modelDefinition": [{"path": path, "type": 48, "content": "eA=="}]}
        )
        assert answer.status == 400, path


async def test_a_context_over_95_mb_is_refused(client: Client) -> None:
    """The limit is named."""
    content = "A" * (4 * 34 * 2**20)
    answer = await client.post(
        "experiments", {"config": CONFIG, "modelDefinition": [{"path": "big", "type": 48, "content": content}]}
    )
    assert answer.status == 400
    assert "MB" in answer.error["error"]
