"""Texts that people and programs give: stored whole and found again, or refused with a message that says why; never cut."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.api import unmanaged
from tests.api.registered import checkpoint, uuid
from tests.support import Client

BASE = {"entrypoint": "x", "searcher": {"name": "single", "metric": "loss"}}
WORDS = "naïve 模型 🎉 سلام"
TEXTS = {
    "of every kind": f"{WORDS} \x01\x1b[31m\x7f\u0085\u2028\ufffe\uffff ",
    "with half characters": "a\ud83cb\udf89\ud83c",
    "with a zero": "a\0b",
    "long": (WORDS + "\t\n") * 600,
    "of a megabyte": "d🎉" * 300_000,
}
REFUSED = re.compile("characters|must hold neither|invalid Unicode")
"""What refusals say."""
PLAIN = ("experiments", "groups", "workspaces", "models", "tokens", "master")
"""Where names, descriptions and the like are stored as they are, not within JSON."""


@dataclass(frozen=True)
class Made:
    """What texts can be given to."""

    experiment: int
    trial: int
    task: str
    project: int
    workspace: int


@pytest.fixture
async def made(client: Client) -> Made:
    """One of each."""
    workspace = (await client.ok("POST", "workspaces", {"name": "place"}))["workspace"]["id"]
    project = (await client.ok("POST", f"workspaces/{workspace}/projects", {"name": "p"}))["project"]["id"]
    experiment = await unmanaged.experiment(client)
    await checkpoint(client, 1, experiment)
    trial = await unmanaged.trial(client, experiment)
    task = (await client.ok("GET", f"trials/{trial}"))["trial"]["taskId"]
    await client.ok("POST", "models", {"name": "m"})
    return Made(experiment, trial, task, project, workspace)


Call = tuple[str, str, Any, str]
"""Method, path and body of a call that gives the text, and where it is read back."""


def calls(made: Made, text: str) -> Iterator[Call]:
    """Every way in which a text comes to be shown to others."""
    e, t = f"experiments/{made.experiment}", f"trials/{made.trial}"
    part: dict[str, Any]
    for part in (
        {"name": text},
        {"description": text},
        {"labels": [text]},
        {"hyperparameters": {"h": text}},
        {"data": {text: 1}},
    ):
        yield "POST", "experiments", {"config": json.dumps({"name": "n"} | BASE | part)}, "experiments/{id}"
    for part in ({"name": text}, {"description": text}, {"labels": [text]}, {"notes": text}):
        yield "PATCH", e, part, e
    yield "PATCH", "users/2", {"displayName": text}, "users/2"
    yield "POST", "users", {"user": {"username": text, "active": True}, "password": "Password1"}, "users"
    yield "POST", "groups", {"name": text}, "groups/search"
    yield "POST", "workspaces", {"name": text}, "workspaces"
    yield "PATCH", f"workspaces/{made.workspace}", {"name": text}, "workspaces"
    for part in ({"name": text}, {"name": "q", "description": text}):
        yield "POST", f"workspaces/{made.workspace}/projects", part, f"workspaces/{made.workspace}/projects"
    yield "PUT", f"projects/{made.project}/notes", {"notes": [{"name": text, "contents": text}]}, f"projects/{made.project}"
    for part in (
        {"name": text},
        {"name": "n", "description": text},
        {"name": "o", "labels": [text]},
        {"name": "r", "notes": text},
    ):
        yield "POST", "models", part, "models"
    yield "POST", "models", {"name": "s", "metadata": {"k": text, text: 1}}, "models"
    yield "POST", "models/m/versions", {"checkpointUuid": uuid(1), "name": text, "comment": text}, "models/m/versions"
    yield "POST", "templates/t", {"name": "t", "config": {"description": text}}, "templates"
    yield "POST", "tokens", {"userId": 1, "description": text}, "tokens"
    yield "POST", f"{t}/metrics", metrics({text: 1}), t
    yield "POST", f"{t}/metrics", metrics({"loss": text}), t
    yield "POST", f"{t}/metrics", metrics({"loss": 1}, group=text), t
    yield "POST", f"runs/{made.trial}/metadata", {"metadata": {"k": text}}, f"runs/{made.trial}/metadata"
    yield "POST", f"runs/{made.trial}/metadata", {"metadata": {text: "v"}}, f"runs/{made.trial}/metadata"
    yield "POST", f"checkpoints/{uuid(1)}/metadata", {"checkpoint": {"metadata": {"k": text}}}, f"checkpoints/{uuid(1)}"
    yield "POST", "task/logs", {"logs": [{"taskId": made.task, "log": text}]}, f"tasks/{made.task}/logs"
    yield "PUT", "master/cluster_message", {"message": text}, "master/cluster_message"


def metrics(values: dict[str, Any], group: str = "validation") -> dict[str, Any]:
    """A report."""
    return {"group": group, "metrics": {"trialRunId": 1, "stepsCompleted": 1, "metrics": {"avgMetrics": values}}}


def texts(value: Any) -> Iterator[str]:
    """All texts and keys of a message."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, str):
        yield value


async def shown(client: Client, path: str) -> set[str]:
    """All texts that are shown there."""
    if path == "groups/search":
        return set(texts(await client.ok("POST", path, {"limit": 100})))
    answer = await client.get(path)
    assert answer.status == 200, (path, answer.text)
    return set(texts(answer.lines if path.endswith("/logs") else answer.body))


@pytest.mark.parametrize("kind", TEXTS)
async def test_a_text_is_kept_whole_or_refused(client: Client, made: Made, kind: str) -> None:
    """Half characters are shown as U+FFFD, a zero may go or be written out, blanks at the ends may go; refusals name limits."""
    for number in range(len(list(calls(made, "")))):
        text = f"{number} {TEXTS[kind]}"
        method, path, body, where = list(calls(made, text))[number]
        if kind == "of a megabyte" and "description" not in str(body)[:200]:
            continue
        answer = await client.call(method, path, body)
        if answer.status == 400:
            assert REFUSED.search(answer.error["error"]), answer.text[:300]
            assert kind != "of every kind" or path == "users"
            continue
        assert answer.status == 200, (path, answer.text[:300])
        whole = "".join("\ufffd" if 0xD800 <= ord(char) < 0xE000 else char for char in text)
        good = {whole, whole + "\n", whole.strip(), whole.replace("\0", ""), whole.replace("\0", r"\u0000")}
        assert good & await shown(client, where.format(**answer.body.get("experiment", {}))), (method, path, list(body))


async def test_a_zero_is_dropped_whatever_the_database(client: Client, made: Made) -> None:
    """From names and descriptions, as of old; JSON that a user gives (configurations, metadata) is kept as it is."""
    for number in range(len(list(calls(made, "")))):
        method, path, body, where = list(calls(made, f"{number} a\0b"))[number]
        if path.startswith(PLAIN) and not {"metadata", "config"} & set(body):
            await client.ok(method, path, body)
            assert f"{number} ab" in await shown(client, where), path
    user = await client.ok("PATCH", "users/2", {"displayName": "a\0b"})
    assert user["user"]["displayName"] == (await client.ok("GET", "users/2"))["user"]["displayName"] == "ab"
    config = json.dumps({"name": "a\0b"} | BASE)
    experiment = (await client.ok("POST", "experiments", {"config": config}))["experiment"]["id"]
    shown_again = (await client.ok("GET", f"experiments/{experiment}"))["experiment"]
    assert (shown_again["name"], shown_again["config"]["name"]) == ("ab", "a\0b")
    await client.ok("POST", f"runs/{made.trial}/metadata", {"metadata": {"k": "a\0b"}})
    assert (await client.ok("GET", f"runs/{made.trial}/metadata"))["metadata"] == {"k": "a\0b"}


def contains(column: str) -> str:
    """A filter of searches."""
    location = "LOCATION_TYPE_RUN_METADATA" if column.startswith("metadata") else "LOCATION_TYPE_EXPERIMENT"
    field = {"kind": "field", "columnName": column, "operator": "contains", "value": "模型 🎉", "location": location}
    return json.dumps({"filterGroup": {"kind": "group", "conjunction": "and", "children": [field]}, "showArchived": True})


async def test_a_text_is_found_by_any_of_its_characters(client: Client, made: Made) -> None:
    """In every list that can be searched, beside others that are not it."""
    await client.ok("PATCH", f"experiments/{made.experiment}", {"name": WORDS, "description": WORDS, "labels": [WORDS]})
    await unmanaged.experiment(client)
    await client.ok("POST", "models", {"name": WORDS, "description": WORDS, "labels": [WORDS]})
    await client.ok("PATCH", f"workspaces/{made.workspace}", {"name": WORDS})
    await client.ok("POST", f"runs/{made.trial}/metadata", {"metadata": {"m": WORDS}})
    await client.ok("POST", "task/logs", {"logs": [{"taskId": made.task, "log": text} for text in ("other", WORDS, "last")]})
    for path, key, queries in (
        ("experiments", "experiments", ({"name": "🎉"}, {"description": "模型"}, {"labels": WORDS})),
        ("models", "models", ({"name": "🎉"}, {"description": "سلام"}, {"labels": WORDS})),
        ("workspaces", "workspaces", ({"name": WORDS.upper()}, {"nameCaseSensitive": WORDS})),
    ):
        for query in queries:
            found = (await client.ok("GET", path, **query))[key]
            assert [one["name"] for one in found] == [WORDS], (path, query)
    for query in ({"searchText": "🎉"}, {"searchText": "模.{2}🎉 .", "enableRegex": "true"}):
        assert [line["log"] for line in (await client.get(f"tasks/{made.task}/logs", **query)).lines] == [WORDS]
    for column in ("name", "description", "tags"):
        found = (await client.ok("POST", "experiments-search", {"filter": contains(column)}))["experiments"]
        assert [one["experiment"]["id"] for one in found] == [made.experiment], column
    for column in ("experimentName", "experimentDescription", "tags"):
        found = (await client.ok("POST", "runs", {"filter": contains(column), "sort": "id=asc"}))["runs"]
        assert {one["experiment"]["id"] for one in found} == {made.experiment}, column
    (run,) = (await client.ok("POST", "runs", {"filter": contains("metadata.m")}))["runs"]
    assert run["id"] == made.trial
