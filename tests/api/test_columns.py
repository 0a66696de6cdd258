"""Columns of a project's tables and the values of its runs' metadata."""

from typing import Any

from tests.api import unmanaged
from tests.rows import experiment, run
from tests.support import Client
from undeterred.app import App


async def test_the_general_columns_are_listed(client: Client) -> None:
    """Those of experiments, unless those of runs are asked for."""
    columns = (await client.ok("GET", "projects/1/columns"))["columns"]
    expected = {"column": "id", "location": "LOCATION_TYPE_EXPERIMENT", "type": "COLUMN_TYPE_NUMBER", "displayName": "ID"}
    assert columns[0] == expected
    assert (await client.ok("GET", "projects/1/columns", tableType="TABLE_TYPE_EXPERIMENT"))["columns"] == columns
    runs = (await client.ok("GET", "projects/1/columns", tableType="TABLE_TYPE_RUN"))["columns"]
    assert runs[0]["displayName"] == "Global Run ID"
    assert (await client.get("projects/1/columns", tableType=9)).error["code"] == 3
    assert (await client.get("projects/9999/columns")).error["code"] == 5


async def test_metadata_values_are_texts(client: Client, app: App) -> None:
    """Each once and sorted; numbers and lists are left out; nested keys are dotted."""

    def fill(tx: Any) -> None:
        number = experiment(tx)
        for metadata in ('{"team": "red", "n": 5}', '{"team": "blue", "a": {"b": "deep"}}', '{"team": "red"}', None):
            run(tx, number, metadata=metadata)

    await app.db.write(fill)
    assert (await client.ok("GET", "projects/1/metadata/team"))["values"] == ["blue", "red"]
    assert (await client.ok("GET", "projects/1/metadata/a.b"))["values"] == ["deep"]
    for key in ("n", "a", "nothing"):
        assert (await client.ok("GET", f"projects/1/metadata/{key}"))["values"] == []
    assert (await client.get("projects/9999/metadata/team")).error["code"] == 5


async def columns_of(client: Client, table: str, project: int = 1) -> dict[str, tuple[str, str]]:
    """Name -> location and type of the columns that not every row has."""
    found = (await client.ok("GET", f"projects/{project}/columns", tableType=f"TABLE_TYPE_{table}"))["columns"]
    kept = [one for one in found if not one["displayName"]]
    return {
        one["column"]: (one["location"].removeprefix("LOCATION_TYPE_"), one["type"].removeprefix("COLUMN_TYPE_")) for one in kept
    }


async def test_columns_of_values(client: Client) -> None:
    """Hyperparameters, metrics of every group and metadata, each with what its values are."""
    space = "{lr: {type: double, minval: 0, maxval: 1}, opt: {type: categorical, vals: [a, b]}, n: {m: x}, on: true}"
    config = f"{{name: u, searcher: {{name: single, metric: loss}}, hyperparameters: {space}}}"
    e = (await client.ok("POST", "experiments", {"config": config, "unmanaged": True}))["experiment"]["id"]
    t = await unmanaged.trial(client, e, {"lr": 0.5, "n": {"m": "x"}, "l": [1]})
    await unmanaged.report(client, t, 1, {"loss": 2, "name": "v"}, "validation")
    await unmanaged.report(client, t, 1, {"score": "NaN"}, "my group")
    await unmanaged.report(client, t, 1, {"at": "2020-01-01T00:00:00Z", "mixed": 1})
    await unmanaged.report(client, t, 2, {"at": "2020-01-01T00:00:00Z", "mixed": "x"})
    await client.ok("POST", f"runs/{t}/metadata", {"metadata": {"team": "red", "deep": {"k": [1, "a"]}, "n": 5}})
    metrics = {
        **{f"validation.loss.{one}": ("VALIDATIONS", "NUMBER") for one in ("last", "min", "max", "mean")},
        "validation.name.last": ("VALIDATIONS", "TEXT"),
        **{f"my group.score.{one}": ("CUSTOM_METRIC", "NUMBER") for one in ("last", "min", "max", "mean")},
        "training.at.last": ("TRAINING", "DATE"),
        "training.mixed.last": ("TRAINING", "TEXT"),
    }
    assert await columns_of(client, "EXPERIMENT") == metrics | {
        "hp.lr": ("HYPERPARAMETERS", "NUMBER"),
        "hp.opt": ("HYPERPARAMETERS", "UNSPECIFIED"),
        "hp.n.m": ("HYPERPARAMETERS", "TEXT"),
        "hp.on": ("HYPERPARAMETERS", "UNSPECIFIED"),
    }
    assert await columns_of(client, "RUN") == metrics | {
        "hp.lr": ("RUN_HYPERPARAMETERS", "NUMBER"),
        "hp.n.m": ("RUN_HYPERPARAMETERS", "TEXT"),
        "hp.l": ("RUN_HYPERPARAMETERS", "UNSPECIFIED"),
        "metadata.team": ("RUN_METADATA", "TEXT"),
        "metadata.deep.k": ("RUN_METADATA", "ARRAY"),
        "metadata.n": ("RUN_METADATA", "NUMBER"),
    }


async def test_ranges_of_metrics(client: Client) -> None:
    """Over all runs of the project, with that of the searchers' metrics; texts, NaN and infinities have none."""
    assert (await client.ok("GET", "projects/1/experiments/metric-ranges"))["ranges"] == []
    e = await unmanaged.experiment(client)
    for loss in (3, 1.5, "NaN"):
        await unmanaged.report(client, await unmanaged.trial(client, e), 1, {"loss": loss, "name": "x"}, "validation")
    found = (await client.ok("GET", "projects/1/experiments/metric-ranges"))["ranges"]
    names = [*(f"validation.loss.{one}" for one in ("last", "max", "mean", "min")), "searcherMetricsVal"]
    assert [(one["metricsName"], one["min"], one["max"]) for one in found] == [(name, 1.5, 3) for name in names]
    assert (await client.get("projects/99/experiments/metric-ranges")).status == 404
