"""Columns of a project's tables and the values of its runs' metadata."""

from typing import Any

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
