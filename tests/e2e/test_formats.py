"""Every list and description of `det`, as a table and in the formats that it offers, around one finished experiment."""

import csv
import json
from typing import Any

import pytest

from tests.e2e.conftest import Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TABLES: list[tuple[str, tuple[str, ...], str]] = [
    ("user list", (), "determined"),
    ("experiment list --all", ("--csv",), "small"),
    ("experiment describe {experiment}", ("--json", "--csv"), "COMPLETED"),
    ("experiment describe {experiment} --metrics", ("--json", "--csv"), "COMPLETED"),
    ("experiment list-trials {experiment}", ("--csv",), "COMPLETED"),
    ("experiment list-checkpoints {experiment}", ("--csv",), "COMPLETED"),
    ("experiment list-checkpoints {experiment} --best 1", ("--csv",), "COMPLETED"),
    ("trial describe {trial}", ("--json", "--csv"), "COMPLETED"),
    ("trial describe {trial} --metrics", ("--json", "--csv"), "validation_loss"),
    ("trial describe {trial} --metrics-summary", ("--json", "--csv"), "validation_loss"),
    ("trial logs {trial} --head 1", (), "Scheduling Trial"),
    ("task logs {task} --tail 1", (), "finished"),
    ("agent list", ("--json", "--csv"), "local"),
    ("slot list", ("--json", "--csv"), "local"),
    ("job list", ("--json", "--csv"), ""),
    ("task list", ("--json", "--csv"), ""),
    ("command list", ("--json", "--csv"), ""),
    ("notebook list", ("--json", "--csv"), ""),
    ("shell list", ("--json", "--csv"), ""),
    ("tensorboard list", ("--json", "--csv"), ""),
    ("model list", ("--json",), ""),
    ("template list", (), ""),
    ("workspace list", ("--json",), "Uncategorized"),
    ("project list Uncategorized", ("--json",), "Uncategorized"),
    ("project list-experiments Uncategorized Uncategorized", ("--json",), "small"),
    ("master info", ("--json", "--yaml"), "0.38.1"),
    ("master config show", ("--json", "--yaml"), "cluster_name"),
    ("resources raw 2026-01-01T00:00:00Z 2099-01-01T00:00:00Z", (), "trial,admin"),
    ("version", (), "0.38.1"),
    ("token list", ("--json", "--yaml"), ""),
]


@pytest.mark.parametrize(("command", "formats", "word"), TABLES, ids=[command for command, _, _ in TABLES])
def test_a_table_and_its_formats(cluster: Cluster, finished: int, command: str, formats: tuple[str, ...], word: str) -> None:
    """The command succeeds in each of its formats, which parse, and shows what it is about."""
    trial = cluster.trial_of(finished)
    words = command.format(experiment=finished, trial=trial["id"], task=trial["taskId"]).split()
    assert word in cluster.det(*words)
    for flag in formats:
        printed = cluster.det(*words, flag)
        assert word in printed
        if flag == "--json":
            json.loads(printed)
        if flag == "--csv" and words[1] in ("list", "list-trials", "list-checkpoints"):
            head, *rows = csv.reader(printed.splitlines())
            assert [row for row in rows if len(row) not in (len(head), 1, 2)] == []


def test_editing_by_every_word(cluster: Cluster, finished: int) -> None:
    """Name, description, labels and log retention of an experiment, in any writing."""
    experiment = str(finished)
    for words in (
        ("set", "name", experiment, "small and renamed"),
        ("set", "description", experiment, "naïve 模型 🎉"),
        ("set", "log-retention", experiment, "--days", "5"),
        ("label", "add", experiment, "first"),
        ("label", "add", experiment, "second label"),
        ("label", "remove", experiment, "first"),
    ):
        got, out, error = cluster.det.run("experiment", *words)
        assert got == 0, (words, out, error)
    changed = cluster.experiment(finished)
    assert changed["name"] == "small and renamed"
    assert changed["description"] == "naïve 模型 🎉"
    assert changed["labels"] == ["second label"]
    assert "naïve 模型 🎉" in cluster.det("experiment", "describe", experiment)
    cluster.det("experiment", "set", "name", experiment, "small")


def test_a_queue_is_shown_and_changed(cluster: Cluster) -> None:
    """An experiment waits behind another for both slots: the order of the list, its priority, and a new place in it."""
    config = ["resources.slots_per_trial=2", "entrypoint=sleep 60"]
    first, second, third = (cluster.submit(cluster.small, *config) for _ in range(3))
    cluster.until(lambda: queue(cluster), lambda now: [job[1] for job in now] == ["SCHEDULED", "QUEUED", "QUEUED"], "the queue")
    jobs = {number: cluster.experiment(number)["jobId"] for number in (first, second, third)}
    assert [job[0] for job in queue(cluster)] == [jobs[first], jobs[second], jobs[third]]
    assert str(first) in cluster.det("task", "list")
    cluster.det("job", "update", jobs[third], "--priority", "10")
    assert [job[0] for job in queue(cluster)] == [jobs[third], jobs[first], jobs[second]]
    for word, value in (("max-slots", 2), ("weight", 3), ("priority", 50)):
        cluster.det("experiment", "set", word, str(second), str(value))
        assert cluster.experiment(second)["config"]["resources"][word.replace("-", "_")] == value
    cluster.det("trial", "kill", str(cluster.trial_of(third)["id"]))
    assert cluster.wait(third)["state"] == "STATE_CANCELED"
    for number in (second, first):
        cluster.det("experiment", "kill", str(number))
        assert cluster.wait(number)["state"] == "STATE_CANCELED"
    assert queue(cluster) == []


def queue(cluster: Cluster) -> list[Any]:
    """Id and state of each job, as `det job list` shows them."""
    jobs = json.loads(cluster.det("job", "list", "--json"))["jobs"]
    return [(job["jobId"], job["summary"]["state"].removeprefix("STATE_")) for job in jobs]


def test_slots_and_agents_are_switched(cluster: Cluster) -> None:
    """A slot and the whole agent, off and on again."""
    for off, on, shown in (
        (("slot", "disable", "local", "0"), ("slot", "enable", "local", "0"), ("slot", "list", "--json")),
        (("agent", "disable", "local"), ("agent", "enable", "local"), ("agent", "list", "--json")),
    ):
        cluster.det(*off)
        assert json.loads(cluster.det(*shown))[0]["enabled"] is False
        cluster.det(*on)
        assert {row["enabled"] for row in json.loads(cluster.det(*shown))} == {True}
