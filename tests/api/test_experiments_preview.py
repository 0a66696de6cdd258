"""What a search would do."""

from typing import Any

import pytest

from tests.support import Client

SPACE = {"lr": {"type": "double", "minval": 0, "maxval": 1, "count": 3}, "k": {"type": "categorical", "vals": ["a", "b"]}}


async def preview(client: Client, searcher: dict[str, Any]) -> Any:
    """The summary."""
    body = {"config": {"searcher": {"metric": "loss", **searcher}, "hyperparameters": SPACE}, "seed": 7}
    return (await client.ok("POST", "preview-hp-search", body))["summary"]


@pytest.mark.parametrize(
    ("searcher", "count"), [({"name": "single"}, 1), ({"name": "random", "max_trials": 5}, 5), ({"name": "grid"}, 6)]
)
async def test_trials_that_run_to_their_end(client: Client, searcher: dict[str, Any], count: int) -> None:
    """One line, without a length."""
    assert (await preview(client, searcher))["trials"] == [{"count": count, "unit": {"maxLength": True}}]


async def test_a_search_that_stops_trials(client: Client) -> None:
    """How many end where; the configuration is shown complete, its brackets from the longest."""
    searcher = {
        "name": "adaptive_asha",
        "max_trials": 20,
        "max_time": 100,
        "time_metric": "b",
        "bracket_rungs": [2, 3],
        "divisor": 3,
    }
    summary = await preview(client, searcher)
    assert [(one["count"], one["unit"]["value"]) for one in summary["trials"]] == [(10, 11), (7, 33), (3, 100)]
    assert (summary["config"]["bracket_rungs"], summary["config"]["max_rungs"]) == ([3, 2], 5)


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        {"config": {}},
        {"config": {"name": "x"}},
        {"config": {"searcher": {"name": "nope", "metric": "m"}}},
        {"config": {"searcher": {"name": "random", "metric": "m", "max_trials": 0}}},
        {"config": {"searcher": {"name": "single", "metric": "m"}, "nope": 1}},
        {
            "config": {
                "searcher": {"name": "grid", "metric": "m"},
                "hyperparameters": {"d": {"type": "int", "minval": 0, "maxval": 1e9}},
            }
        },
        {"config": {"searcher": {"name": "async_halving", "metric": "m", "max_trials": 3, "num_rungs": 2}}},
        {"config": {"searcher": 5}},
    ],
)
async def test_mistakes(client: Client, body: Any) -> None:
    """Each is refused with all that is wrong."""
    answer = await client.post("preview-hp-search", body)
    assert (answer.status, bool(answer.error["error"])) == (400, True)
