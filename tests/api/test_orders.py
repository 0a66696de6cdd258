"""Orders of lists: every page holds what the others do not, and all databases give the same order."""

from typing import Any

import pytest

from tests.api import unmanaged, worlds
from tests.support import Client
from undeterred.app import App
from undeterred.engine.services.values import ValuesService

UP = [-3, 1, 1.5, 10**20, "NaN", "1", "B", "a", "é", False, True]
"""Numbers, then NaN, then texts by their characters' numbers, then false and true; each kind stays where it is both ways."""
DOWN = [10**20, 1.5, 1, -3, "NaN", "é", "a", "B", "1", True, False]
MIXED = ["a", None, True, 1, "NaN", "B", -3, None, "1", False, "é", 1.5, 10**20]
NAMES = ["b", "B", "a", "É", "e", "Z", "_x", "1a", "10", "ä", "模", "🎉", " s", "a-b", "a b", "aB"]


async def test_values_of_every_kind_in_one_column(client: Client, app: App) -> None:
    """Hyperparameters, metadata and metrics, before and after they are stored for searches; what is missing comes last."""
    experiment = await unmanaged.experiment(client)
    runs = {}
    for value in MIXED:
        run = await unmanaged.trial(client, experiment, {"x": value} if value is not None else {})
        runs[run] = value
        if value is not None:
            await client.ok("POST", f"runs/{run}/metadata", {"metadata": {"m": value}})
            await unmanaged.report(client, run, 1, {"loss": value}, "my group")
    missing = [run for run, value in runs.items() if value is None]

    async def found(sort: str) -> list[int]:
        pages = [await client.ok("POST", "runs", {"sort": sort, "offset": offset, "limit": 4}) for offset in (0, 4, 8, 12)]
        return [run["id"] for page in pages for run in page["runs"]]

    for stored in (False, True):
        for column in ("hp.x", "metadata.m", "my group.loss.last"):
            up, down = await found(f"{column}=asc"), await found(f"{column}=desc")
            assert [repr(runs[one]) for one in up[:-2]] == [repr(value) for value in UP], (column, stored)
            assert [repr(runs[one]) for one in down[:-2]] == [repr(value) for value in DOWN], (column, stored)
            assert up[-2:] == missing == down[:-3:-1]
        for run in runs:
            await unmanaged.patch(client, run, "COMPLETED")
        await ValuesService(app.db).run_once()


@pytest.mark.parametrize("what", ["experiments", "models", "workspaces", "projects"])
async def test_names_go_by_the_numbers_of_their_characters(client: Client, what: str) -> None:
    """Whatever language the database thinks it speaks."""
    place = await worlds.workspace(client, "w")
    for name in NAMES:
        if what == "experiments":
            await unmanaged.experiment(client, config=f'{{name: "{name}", searcher: {{name: single, metric: l}}}}')
        elif what == "models":
            await client.ok("POST", "models", {"name": f"{name}x"})
        elif what == "workspaces":
            await worlds.workspace(client, name)
        else:
            await worlds.project(client, place, name)
    path = f"workspaces/{place}/projects" if what == "projects" else what
    expected = [f"{name}x" if what == "models" else name for name in NAMES]
    expected += ["Uncategorized", "w"] if what == "workspaces" else []

    async def names(order: str) -> list[Any]:
        answer = await client.ok("GET", path, sortBy="SORT_BY_NAME", orderBy=f"ORDER_BY_{order}", limit=100)
        return [one["name"] for one in answer[what]]

    assert await names("ASC") == sorted(expected)
    assert await names("DESC") == sorted(expected, reverse=True)
