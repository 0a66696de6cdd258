"""A slow model of every search, written apart from the product: numpy's own stream, plain lists, everything recomputed.

Actions come out as tuples: ("create", request id, seed, hparams), ("stop", id), ("fail", id), ("shutdown", cancel, failure).
"""

import itertools
import math
import uuid
from typing import Any

import numpy

BIGGEST = 1.7976931348623157e308


def close_power(base: float, exponent: float) -> float:
    """The power that any library gives; the last bit is compared elsewhere."""
    return math.pow(base, exponent)


def draw(space: Any, random: numpy.random.RandomState) -> Any:
    """Sample a nested space in the order of sorted names."""
    out = {}
    for name in sorted(space):
        item = space[name]
        match item.get("type"):
            case None | dict():
                out[name] = draw(item, random)
            case "const":
                out[name] = item["val"]
            case "categorical":
                out[name] = item["vals"][int(random.randint(0, len(item["vals"])))]
            case "int":
                out[name] = item["minval"] + int(random.randint(0, item["maxval"] - item["minval"] + 1))
            case "double":
                out[name] = item["minval"] + (item["maxval"] - item["minval"]) * random.random_sample()
            case "log":
                out[name] = close_power(item["base"], random.uniform(item["minval"], item["maxval"]))
    return out


def spread(item: Any) -> list[Any]:
    """All values of one member of a grid."""
    kind = item.get("type")
    if not isinstance(kind, str):
        names = sorted(item)
        return [dict(zip(names, row, strict=True)) for row in itertools.product(*(spread(item[name]) for name in names))]
    if kind == "const":
        return [item["val"]]
    if kind == "categorical":
        return list(item["vals"])
    low, high, count = item["minval"], item["maxval"], item["count"]
    if kind == "int":
        count = min(count, high - low + 1)
    points = [(low + high) / 2] if count == 1 else [low + step * (high - low) / (count - 1) for step in range(count)]
    if kind == "int":
        return [int(point + 0.5) if point >= 0 else -int(-point + 0.5) for point in points]
    return points if kind == "double" else [close_power(item["base"], point) for point in points]


class Record:
    """One trial."""

    def __init__(self, bracket: int) -> None:
        self.bracket, self.rung = bracket, 0
        self.stopped = self.failed_report = self.gone = False
        self.reason: str | None = None


class Bracket:
    """The numbers and the entries of one bracket: each entry is (value, request id), the best first."""

    def __init__(self, rungs: int, trials: int, divisor: float, max_time: int, at_once: int) -> None:
        self.trials, self.divisor = trials, divisor
        self.needs = [max(1, math.floor(max_time / divisor ** (rungs - 1 - index))) for index in range(rungs)]
        self.entries: list[list[tuple[float, str]]] = [[] for _ in range(rungs)]
        free = min(max(int(divisor ** (rungs - 1)), 1), trials)
        self.start = min(at_once, trials) if at_once > 0 else free

    def place(self, rung: int, value: float, request_id: str) -> int:
        """Insert in front of the first entry that is not smaller."""
        index = 0
        while index < len(self.entries[rung]) and self.entries[rung][index][0] < value:
            index += 1
        self.entries[rung].insert(index, (value, request_id))
        return index

    def forget(self, request_id: str) -> None:
        """Remove what one trial entered."""
        self.entries = [[entry for entry in rung if entry[1] != request_id] for rung in self.entries]


def brackets_of(searcher: Any) -> list[Bracket]:
    """The brackets of a halving or adaptive search."""
    divisor, max_time, most = searcher["divisor"], searcher["max_time"], searcher["max_trials"]
    at_once = searcher["max_concurrent_trials"]
    if searcher["name"] == "async_halving":
        return [Bracket(searcher["num_rungs"], most, divisor, max_time, at_once)]
    top = min([searcher["max_rungs"]] + [math.floor(math.log(n) / math.log(divisor)) + 1 for n in (max_time, most)])
    low = {"aggressive": top, "standard": (top - 1) // 2 + 1, "conservative": 1}[searcher["mode"]]
    rungs = sorted(searcher["bracket_rungs"] or range(low, top + 1))[::-1]
    weight = [divisor ** (n - 1) / n for n in rungs]
    trials = [max(math.floor(most * w / sum(weight)), 1) for w in weight]
    trials[0] += max(most - sum(trials), 0)
    count = len(rungs)
    if at_once == 0:
        starts = [max(trials[-1], int(divisor))] * count
    else:
        starts = [max(at_once, count) // count + (1 if index < max(at_once, count) % count else 0) for index in range(count)]
    return [Bracket(n, t, divisor, max_time, s) for n, t, s in zip(rungs, trials, starts, strict=True)]


class Model:
    """All decisions of one search."""

    def __init__(self, config: Any) -> None:
        self.searcher, self.space = config["searcher"], config["hyperparameters"]
        self.name = self.searcher["name"]
        self.random = numpy.random.RandomState(config["reproducibility"]["experiment_seed"])
        self.trials: dict[str, Record] = {}
        self.over = False
        self.points = spread(self.space) if self.name == "grid" else []
        self.brackets = brackets_of(self.searcher) if "num_rungs" in self.searcher or "max_rungs" in self.searcher else []

    def create(self, bracket: int = 0, hparams: Any = None) -> tuple[Any, ...]:
        """Draw one trial."""
        hparams = draw(self.space, self.random) if hparams is None else hparams
        request_id = str(uuid.UUID(bytes=self.random.bytes(16), version=4))
        seed = int(self.random.randint(0, 2**31))
        self.trials[request_id] = Record(bracket)
        return ("create", request_id, seed, hparams)

    def start(self) -> list[tuple[Any, ...]]:
        """The first trials."""
        if self.brackets:
            return [self.create(index) for index, bracket in enumerate(self.brackets) for _ in range(bracket.start)]
        if self.name == "single":
            return [self.create()]
        most = len(self.points) if self.name == "grid" else self.searcher["max_trials"]
        first = min(most, self.searcher["max_concurrent_trials"] or most)
        return [self.next() for _ in range(first)]

    def next(self) -> tuple[Any, ...]:
        """One more trial of a random or grid search."""
        return self.create(0, self.points.pop()) if self.name == "grid" else self.create()

    def good(self, bracket: int | None = None) -> int:
        """Trials that count against a budget."""
        return sum(
            record.reason != "invalid_hp" or record.stopped
            for record in self.trials.values()
            if bracket is None or record.bracket == bracket
        )

    def refill(self, record: Record) -> list[tuple[Any, ...]]:
        """A replacement within the bracket's budget."""
        return [self.create(record.bracket)] if self.good(record.bracket) < self.brackets[record.bracket].trials else []

    def validated(self, request_id: str, metrics: Any) -> list[tuple[Any, ...]]:
        """A report."""
        record = self.trials[request_id]
        if self.over or not self.brackets or record.stopped or record.gone or record.reason or record.failed_report:
            return []
        value, time = (as_number(metrics.get(self.searcher[key])) for key in ("metric", "time_metric"))
        if value is None or time is None or not math.isfinite(time):
            record.failed_report = True
            return [("fail", request_id)]
        rank_by = BIGGEST if not math.isfinite(value) else value if self.searcher["smaller_is_better"] else -value
        bracket = self.brackets[record.bracket]
        while math.trunc(time) >= bracket.needs[record.rung]:
            rank = bracket.place(record.rung, rank_by, request_id)
            best = max(1, math.floor(len(bracket.entries[record.rung]) / bracket.divisor))
            if record.rung == len(bracket.needs) - 1 or rank >= best:
                record.stopped = True
                return [("stop", request_id), *self.refill(record)]
            record.rung += 1
        return []

    def early(self, request_id: str, reason: str) -> list[tuple[Any, ...]]:
        """An early exit."""
        record = self.trials[request_id]
        if self.over or record.gone or record.reason:
            return []
        record.reason = reason
        if record.stopped or not self.brackets:
            return []
        bracket = self.brackets[record.bracket]
        if reason == "invalid_hp":
            bracket.forget(request_id)
        else:
            bracket.place(record.rung, BIGGEST, request_id)
        return self.refill(record)

    def gone(self, request_id: str) -> list[tuple[Any, ...]]:
        """An exit."""
        record = self.trials[request_id]
        if self.over or record.gone:
            return []
        record.gone = True
        actions = []
        if (self.name == "random" and self.open_budget()) or (self.name == "grid" and self.points):
            actions = [self.next()]
        if all(other.gone for other in self.trials.values()):
            self.over = True
            reasons = [other.reason for other in self.trials.values()]
            actions.append(("shutdown", reasons.count("user_canceled") == len(reasons), reasons.count("errored") == len(reasons)))
        return actions

    def open_budget(self) -> bool:
        """Whether a random search may draw another sample."""
        return self.good() < self.searcher["max_trials"]


def as_number(value: Any) -> float | None:
    """What counts as a number."""
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    return float(value) if type(value) in (int, float) else None
