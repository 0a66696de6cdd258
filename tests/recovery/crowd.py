"""One process of a crowd of clients: `python crowd.py HOST PORT TOKEN TRIAL RUN TASK NUMBER SECONDS`.

Of its threads two read lists all the time; all others write: two make experiments and kill them, then they report as the rest
does: metrics, lines of a log, checkpoints. It prints as JSON what was acknowledged and what went wrong.
"""

import http.client
import itertools
import json
import sys
import threading
import time
import uuid
from typing import Any

LISTERS, MAKERS, WRITERS, EACH = 2, 2, 16, 13
"""Threads that read, that make experiments, that write in all; and how many experiments a maker makes."""
CONFIG = "{name: crowd, entrypoint: x, searcher: {name: single, metric: l}, resources: {slots_per_trial: 0}}"
LISTS = ("experiments?limit=50", "job-queues-v2?resourcePool=default", "trials/{trial}", "tasks")


class Client:
    """One thread of the crowd with its connection."""

    def __init__(self, crowd: "Crowd", number: int) -> None:
        self.crowd = crowd
        self.number = number
        self.connection = http.client.HTTPConnection(crowd.host, crowd.port, timeout=90)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer, None after noting that it was not 200."""
        headers = {"Authorization": f"Bearer {self.crowd.token}"}
        self.connection.request(method, f"/api/v1/{path}", body and json.dumps(body), headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status == 200:
            return json.loads(text)
        self.crowd.trouble.append([answer.status, path, text.decode()[:200]])
        return None

    def read(self) -> None:
        """List after list until the time is over."""
        for path in itertools.cycle(LISTS):
            if time.monotonic() > self.crowd.end:
                return
            if self.call("GET", path.format(trial=self.crowd.trial)) is not None:
                self.crowd.told.append(["list", 1])

    def make(self) -> None:
        """Experiments that are killed at once."""
        for _ in range(EACH):
            made = self.call("POST", "experiments", {"config": CONFIG, "activate": False})
            if made and self.call("POST", f"experiments/{made['experiment']['id']}/kill") is not None:
                self.crowd.told.append(["experiment", made["experiment"]["id"]])

    def write(self) -> None:
        """Reports of all kinds until the time is over."""
        for turn in itertools.count():
            if time.monotonic() > self.crowd.end:
                return
            mark = str(uuid.uuid4())
            steps = self.crowd.number * 10_000_000 + self.number * 100_000 + turn
            if turn % 4 == 0:
                line = {"taskId": self.crowd.task, "timestamp": "2026-01-01T00:00:00Z", "log": f"{mark}\n"}
                kind, path, body, told = "line", "task/logs", {"logs": [line] * 3}, mark
            elif turn % 4 == 1:
                about = {"steps_completed": steps}
                body = {"uuid": mark, "taskId": self.crowd.task, "resources": {"a": "1"}, "metadata": about}
                kind, path, told = "checkpoint", "checkpoints", mark
            else:
                values = {"avgMetrics": {"l": turn, "m": 1.5}}
                metrics = {"trialRunId": self.crowd.run, "stepsCompleted": steps, "metrics": values}
                body = {"group": "training", "metrics": metrics}
                kind, path, told = "report", f"trials/{self.crowd.trial}/metrics", str(steps)
            if self.call("POST", path, body) is not None:
                self.crowd.told.append([kind, told])


class Crowd:
    """The process."""

    def __init__(self, host: str, port: str, token: str, trial: str, run: str, task: str, number: str, seconds: str) -> None:
        self.host, self.port, self.token, self.task = host, int(port), token, task
        self.trial, self.run, self.number = int(trial), int(run), int(number)
        self.end = time.monotonic() + float(seconds)
        self.told: list[list[Any]] = []
        self.trouble: list[list[Any]] = []

    def work(self, number: int) -> None:
        """One thread."""
        client = Client(self, number)
        try:
            if number < LISTERS:
                client.read()
                return
            if number < LISTERS + MAKERS:
                client.make()
            client.write()
        except OSError as error:
            self.trouble.append([0, "connection", repr(error)])


def main() -> None:
    """Run all threads, then say what came of it."""
    crowd = Crowd(*sys.argv[1:])
    threads = [threading.Thread(target=crowd.work, args=(number,)) for number in range(LISTERS + WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"told": crowd.told, "trouble": crowd.trouble}))


if __name__ == "__main__":
    main()
