"""A real server with an agent, and the unmodified `det` against it."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.server import running
from tests.det import Det

PASSWORD = "Determined1"
SMALL = Path(__file__).parent / "small"


class Cluster:
    """The server's address, and calls to it."""

    def __init__(self, url: str, data_dir: Path) -> None:
        self.url = url
        self.data_dir = data_dir
        self.small = SMALL
        self.token = ""
        self.det = Det(url, PASSWORD, data_dir.parent / "home")
        self.environment = self.det.environment
        self.token = self.api("POST", "auth/login", {"username": "admin", "password": PASSWORD})["token"]

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """One call as admin."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def lines(self, path: str) -> list[Any]:
        """The items of a stream."""
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return [json.loads(line)["result"] for line in answer]

    def submit(self, folder: Path = SMALL, *overrides: str, config: Path | None = None) -> int:
        """Submit an experiment; its id."""
        arguments = [item for override in overrides for item in ("--config", override)]
        printed = self.det("experiment", "create", str(config or folder / "config.yaml"), str(folder), *arguments)
        return int(printed.split("Created experiment ")[1].split()[0])

    def experiment(self, experiment_id: int) -> Any:
        """The experiment now."""
        return self.api("GET", f"experiments/{experiment_id}")["experiment"]

    def wait(self, experiment_id: int, *states: str, seconds: float = 60) -> Any:
        """The experiment once it is in one of the states (the ends, when none are given)."""
        wanted = states or ("COMPLETED", "ERROR", "CANCELED")
        return self.until(
            lambda: self.experiment(experiment_id), lambda e: e["state"].removeprefix("STATE_") in wanted, f"{wanted}", seconds
        )

    def until(self, ask: Callable[[], Any], good: Callable[[Any], bool], what: str, seconds: float = 60) -> Any:
        """Ask again until the answer is good."""
        end = time.monotonic() + seconds
        while True:
            got = ask()
            if good(got):
                return got
            assert time.monotonic() < end, f"waited {seconds} s for {what}; last: {str(got)[:800]}"
            time.sleep(0.1)

    def trial_of(self, experiment_id: int) -> Any:
        """The only trial."""
        return self.api("GET", f"experiments/{experiment_id}/trials")["trials"][0]

    def log_of(self, trial_id: int) -> str:
        """The whole log of a trial."""
        return "".join(line["log"] for line in self.lines(f"trials/{trial_id}/logs"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One server with two slots for all tests of a session."""
    data = tmp_path_factory.mktemp("cluster") / "data"
    (data.parent / "home").mkdir()
    with running(data, "--initial-password", PASSWORD, "--slots", "2") as url:
        cluster = Cluster(url, data)
        yield cluster
        cluster.det.close()
        subprocess.run([sys.executable, "-m", "undeterred", "down", "--data-dir", str(data), "--tasks"], check=False, timeout=60)


@pytest.fixture(scope="session")
def finished(cluster: Cluster) -> int:
    """A small experiment that has completed."""
    experiment = cluster.submit()
    assert cluster.wait(experiment)["state"] == "STATE_COMPLETED", cluster.log_of(cluster.trial_of(experiment)["id"])
    return experiment
