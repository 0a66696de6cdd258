"""`make bench-search`: what a search costs and what it saves, written to bench/SEARCH.md.

    python bench/search.py [--dry]

Memory and speed with 100,000 trials in one experiment; recovery of 10,000; how well halving fills its slots, and what it spends.
"""

import argparse
import datetime
import gc
import heapq
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench import crash  # noqa: E402
from undeterred.base import json as canonical  # noqa: E402
from undeterred.base.clock import SystemClock  # noqa: E402
from undeterred.core.search import (  # noqa: E402
    Create,
    Event,
    Search,
    Stop,
    TrialExited,
    ValidationCompleted,
    action_to_json,
    event_from_json,
    event_to_json,
    method_for,
    recover,
)
from undeterred.engine.search import Searches  # noqa: E402
from undeterred.store import experiments as rows  # noqa: E402
from undeterred.store.database import Database, Tx  # noqa: E402
from undeterred.store.migrations import migrate  # noqa: E402
from undeterred.store.schema.experiments import experiments  # noqa: E402
from undeterred.store.seed import seed  # noqa: E402

PAGE = ROOT / "bench" / "SEARCH.md"
SPACE = {
    "learning_rate": {"type": "log", "base": 10, "minval": -5, "maxval": -1},
    "hidden": {"type": "int", "minval": 8, "maxval": 512},
    "dropout": {"type": "double", "minval": 0, "maxval": 0.9},
}
MANY = 100_000


def config(trials: int, at_once: int, time_: int, number: int = 1) -> dict[str, Any]:
    """An adaptive_asha search."""
    searcher = {
        "name": "adaptive_asha",
        "metric": "loss",
        "smaller_is_better": True,
        "time_metric": "epochs",
        "max_time": time_,
        "max_trials": trials,
        "max_concurrent_trials": at_once,
        "divisor": 4,
        "max_rungs": 5,
        "mode": "standard",
        "bracket_rungs": [],
    }
    return {"searcher": searcher, "hyperparameters": SPACE, "reproducibility": {"experiment_seed": number}}


def made(actions: list[Any]) -> list[str]:
    """Request ids of new trials."""
    return [action.request_id for action in actions if isinstance(action, Create)]


def memory() -> float:
    """Bytes per trial of a live search of many trials, each of which has reported once."""
    conf = config(MANY, MANY, 64)
    gc.collect()
    tracemalloc.start()
    search = method_for(conf)
    search.initial()
    for place, one in enumerate(search.trial_ids()):
        search.apply(ValidationCompleted(one, {"loss": place % 997 / 997, "epochs": 1}))
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / search.trial_count


def events_of(search: Search, count: int) -> list[Event]:
    """Reports of random trials, in random order of quality, and now and then an exit."""
    dice, ids = Random(1), search.trial_ids()
    events: list[Event] = []
    for number in range(count):
        one = ids[dice.randrange(len(ids))]
        events.append(ValidationCompleted(one, {"loss": dice.random(), "epochs": dice.choice((1, 4, 16, 64))}))
        if number % 10 == 0:
            events.append(TrialExited(ids[dice.randrange(len(ids))]))
    return events


def pure() -> tuple[float, float]:
    """Microseconds per event of the decision alone: the mean, and the slowest of a hundred."""
    search = method_for(config(MANY, MANY, 64))
    search.initial()
    taken = []
    for event in events_of(search, 50_000):
        begun = time.perf_counter()
        actions = search.apply(event)
        canonical.dumps([action_to_json(action) for action in actions])
        taken.append((time.perf_counter() - begun) * 1e6)
    return statistics.fmean(taken), sorted(taken)[len(taken) * 99 // 100]


def stored() -> float:
    """Microseconds per event of the engine: decision, log row and progress in a transaction of 100 events on SQLite."""
    conf = config(MANY, MANY, 64)
    with tempfile.TemporaryDirectory() as folder:
        db = Database(f"sqlite:///{folder}/bench.db", SystemClock())
        migrate.prepare(db.engine, None)
        searches = Searches()

        def begin(tx: Tx) -> int:
            seed(tx, "hash")
            text = canonical.dumps(conf)
            place = {"project_id": 1, "user_id": 1, "name": "b", "state": "ACTIVE", "config": text, "start_time": tx.now}
            experiment = tx.insert(experiments, **place, searcher_name="adaptive_asha")
            searches.begin(tx, rows.locked(tx, experiment))
            return experiment

        experiment = db.write_now(begin)
        events = events_of(db.read_now(lambda tx: searches.search(tx, rows.get(tx, experiment))), 10_000)

        def report(tx: Tx, batch: list[Event]) -> None:
            for event in batch:
                searches.apply(tx, rows.locked(tx, experiment), event)

        begun = time.perf_counter()
        for start in range(0, len(events), 100):
            db.write_now(lambda tx, batch=events[start : start + 100]: report(tx, batch))  # type: ignore[misc]
        spent = time.perf_counter() - begun
        db.close()
    return spent / len(events) * 1e6


def recovery() -> tuple[float, float]:
    """Seconds to bring a search of 10,000 trials back: from its log alone, and from a snapshot with a quarter of the log."""
    conf = config(10_000, 10_000, 64)
    search = method_for(conf)
    search.initial()
    log, middle = [], None
    events = events_of(search, 20_000)
    for place, event in enumerate(events):
        search.apply(event)
        log.append(canonical.dumps(event_to_json(event)))
        if place == len(events) * 3 // 4:
            middle = canonical.dumps(search.snapshot()), len(log)
    assert middle is not None

    def seconds(work: Callable[[], None]) -> float:
        begun = time.perf_counter()
        work()
        return time.perf_counter() - begun

    def alone() -> None:
        recover(method_for(conf), None, (event_from_json(canonical.loads(text)) for text in log))

    def helped() -> None:
        state, done = middle
        recover(method_for(conf), canonical.loads(state), (event_from_json(canonical.loads(text)) for text in log[done:]))

    return seconds(alone), seconds(helped)


def simulate(
    conf: dict[str, Any], slots: int, epoch: float, step: int, *, overhead: bool, noise: float = 0.0
) -> tuple[float, float, int]:
    """A whole search on a simulated clock: (time until the end, time of work, units trained).

    A trial holds a slot from its start to its end, reports every `step` units of `epoch` seconds, and is of random quality, which
    its reports show up to `noise`. Of trials that report at the same time the one that started first is heard first. With
    `overhead` the measured time of each decision passes on the clock, during which the server decides nothing else.
    """
    search, dice = method_for(conf), Random(conf["reproducibility"]["experiment_seed"])
    longest = conf["searcher"]["max_time"]
    waiting = made(search.initial())
    quality: dict[str, float] = {}
    running: list[tuple[float, int, str, int]] = []
    now = busy = work = 0.0
    units = 0

    def decide(event: Event) -> list[Any]:
        nonlocal busy
        begun = time.perf_counter()
        actions = search.apply(event)
        if overhead:
            busy = max(busy, now) + time.perf_counter() - begun
        return actions

    while waiting or running:
        while waiting and len(running) < slots:
            one = waiting.pop(0)
            quality[one] = dice.random()
            heapq.heappush(running, (max(now, busy) + step * epoch, len(quality), one, step))
        now, place, one, reached = heapq.heappop(running)
        work, units = work + step * epoch, units + step
        actions = decide(ValidationCompleted(one, {"loss": quality[one] + noise * dice.random(), "epochs": reached}))
        over = any(isinstance(action, Stop) and action.request_id == one for action in actions) or reached >= longest
        waiting += made(actions)
        if over:
            waiting += made(decide(TrialExited(one)))
        else:
            heapq.heappush(running, (max(now, busy) + step * epoch, place, one, reached + step))
    return max(now, busy), work, units


def filled(at_once: int) -> tuple[float, float]:
    """How far 10,000 trials of one second on 16 slots end after the minimum (1 is 100 %), and how long they train in the mean."""
    end, work, _ = simulate(config(10_000, at_once, 16), 16, 1 / 16, 1, overhead=True, noise=0.1)
    return end / (work / 16) - 1, work / 10_000


def spent() -> list[int]:
    """Units that 100 trials of at most 900 train, 16 at a time, reporting every 10, with 101 seeds; all of them: 90,000."""
    return sorted(simulate(config(100, 16, 900, number), 16, 1.0, 10, overhead=False)[2] for number in range(101))


def page() -> str:
    """Measure everything."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    bytes_each = memory()
    mean, slow = pure()
    engine = stored()
    alone, helped = recovery()
    server = crash.measured(10_000)
    fills = {at_once: filled(at_once) for at_once in (16, 64)}
    units = spent()
    lines = [
        "# What searches cost and save",
        "",
        "Written by `make bench-search`.",
        "",
        f"- {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit.stdout.strip()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
        "",
        "| what | measured | target |",
        "|---|---|---|",
        f"| memory per trial, 100,000 trials in one adaptive_asha search | {bytes_each:,.0f} bytes | 1,024 |",
        f"| decision per event, 100,000 trials: mean / 99th percentile | {mean:.0f} / {slow:.0f} µs | 1,000 |",
        f"| decision, log row and progress per event in SQLite, 100 events a transaction | {engine:.0f} µs | 1,000 |",
        f"| recovery of a search of 10,000 trials from 22,000 log entries / with a snapshot | {alone:.2f} / {helped:.2f} s | 1 |",
        server,
    ]
    for at_once, (over, each) in fills.items():
        lines.append(
            f"| 10,000 simulated trials of 1 s (trained {each:.2f} s in the mean) on 16 slots, max_concurrent_trials {at_once}: "
            f"over the minimum | {over:.1%} | 5 % |"
        )
    lines += [
        f"| 100 trials, max_time 900, 16 at a time, report every 10: units, median of 101 seeds (least to most) "
        f"| {units[50]:,} ({units[0]:,} to {units[-1]:,}) | 15,000 |",
        "",
        "The minimum is the time of all training by the slots; the simulated clock includes the measured time of every decision,",
        "and not what it takes to start a process. All 100 trials trained to the end are 90,000 units, which the original",
        "spends; what is saved depends on which trials happen to come first, and the decisions for a seed are the original's.",
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    text = page()
    print(text)
    if not parser.parse_args().dry:
        PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
