"""A search that this program decides: duels of two, the winner of which sets the learning rate of the next challenger.

    det experiment create -f examples/custom_search/config.yaml examples/digits_core
    python examples/custom_search/decide.py EXPERIMENT

It needs nothing but the standard library and DET_MASTER, DET_USER and DET_PASS. It keeps no files: what it decides follows from
the events alone, and every instruction is named after the duel that it ends. So it may be killed at any moment and started
again; it then reads everything from the first event, decides the same once more, and what was carried out is not done twice.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from typing import Any

DUELS = 4
EPOCHS = 3
"""A duel is decided when both have reported this many validations."""


class Server:
    """Calls to the server; they are repeated while it cannot be reached."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url, self.token = url.rstrip("/"), ""
        self.token = self.call("POST", "/api/v1/auth/login", {"username": user, "password": password})["token"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call; a refusal ends the program, a server that is away is waited for."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Authorization": f"Bearer {self.token}"}, method=method)
        while True:
            try:
                with urllib.request.urlopen(request, timeout=90) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                sys.exit(f"{path}: {error.code} {error.read().decode()}")
            except OSError:
                time.sleep(1)


class Duels:
    """What is decided. It knows only what the events said."""

    def __init__(self) -> None:
        self.losses: dict[str, list[float]] = {}
        self.rates: dict[str, float] = {}
        self.fighting: list[str] = []
        self.fought = 0

    def begin(self) -> dict[str, Any]:
        """The first two."""
        return {"create": [{"hparams": self.fighter(rate)} for rate in (0.0005, 0.02)], "reason": "the first duel"}

    def hear(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """Take one event; an instruction, or None."""
        kind, one = event["type"].removeprefix("SEARCH_EVENT_TYPE_"), event["requestId"]
        if kind == "TRIAL_CREATED":
            self.losses[one], self.rates[one] = [], event["hparams"]["learning_rate"]
            self.fighting.append(one)
        elif kind == "VALIDATION_COMPLETED":
            self.losses[one].append(float(event["metrics"]["validation_loss"]))
        elif kind in ("TRIAL_EXITED", "TRIAL_EXITED_EARLY"):
            self.losses[one] += [self.losses[one][-1] if self.losses[one] else float("inf")] * EPOCHS
        return self.decide()

    def decide(self) -> dict[str, Any] | None:
        """When both have fought: the loser is stopped and a challenger comes, or the search ends."""
        if len(self.fighting) < 2 or any(len(self.losses[one]) < EPOCHS for one in self.fighting):
            return None
        winner, loser = sorted(self.fighting, key=lambda one: self.losses[one][EPOCHS - 1])
        self.fought += 1
        self.fighting = [winner]
        reason = f"duel {self.fought}: {self.losses[winner][EPOCHS - 1]:.4f} beats {self.losses[loser][EPOCHS - 1]:.4f}"
        if self.fought == DUELS:
            return {"shutdown": {}, "progress": 1, "reason": reason}
        step = 2 if self.rates[winner] > self.rates[loser] else 0.5
        challenger = {"hparams": self.fighter(self.rates[winner] * step)}
        return {"stop": [loser], "create": [challenger], "progress": self.fought / DUELS, "reason": reason}

    @staticmethod
    def fighter(rate: float) -> dict[str, Any]:
        """Hyperparameters of a trial."""
        return {"hidden": 32, "learning_rate": rate, "batch_size": 64, "epochs": 2 * EPOCHS}


def main(experiment: int) -> None:
    """Ask, decide, tell, until the search is over."""
    server = Server(os.environ["DET_MASTER"], os.environ.get("DET_USER", "determined"), os.environ.get("DET_PASS", ""))
    search = f"/api/undeterred/v1/experiments/{experiment}/search"
    duels, after = Duels(), 0
    server.call("POST", f"{search}/tell", {"tellId": "begin", **duels.begin()})
    while True:
        answer = server.call("GET", f"{search}/events?after={after}&timeoutSeconds=60")
        for event in answer["events"]:
            instruction = duels.hear(event)
            if instruction is not None:
                print(instruction["reason"], flush=True)
                told = server.call("POST", f"{search}/tell", {"tellId": f"duel {duels.fought}", **instruction})
                print("  carried out" if not told["repeated"] else "  had been carried out before", flush=True)
        after = answer["last"]
        if answer["over"]:
            print(f"the search is over: {answer['state']}")
            return


if __name__ == "__main__":
    main(int(sys.argv[1]))
