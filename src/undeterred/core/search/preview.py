"""What a search will roughly do, told before it runs: how many trials train how long."""

from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct
from undeterred.core.search.adaptive import shapes_of
from undeterred.core.search.halving import Shape, metric_of
from undeterred.core.search.space import grid


class Expected(Struct, frozen=True):
    """`count` trials train for `units` of the metric `time_metric`; both None: to the end of their own script."""

    count: int
    time_metric: str | None = None
    units: int | None = None


def preview(config: Mapping[str, Any]) -> list[Expected]:
    """The expected trials of a resolved configuration (`searcher`, `hyperparameters`), shortest training first.

    Raises Invalid for searchers whose trials cannot be told in advance: only single, random, grid and adaptive_asha can.
    """
    searcher: Mapping[str, Any] = config["searcher"]
    name = searcher.get("name")
    if name == "single":
        return [Expected(1)]
    if name == "random":
        return [Expected(int(searcher["max_trials"]))]
    if name == "grid":
        return [Expected(grid(config.get("hyperparameters") or {}).size)]
    if name == "adaptive_asha":
        time_metric = metric_of(searcher).time_name
        return [Expected(count, time_metric, units) for units, count in sorted(_stopped(shapes_of(searcher)).items())]
    raise Invalid(f"a search of single, random, grid or adaptive_asha can be previewed, not {name!r}")


def _stopped(shapes: list[Shape]) -> dict[int, int]:
    """Units to the number of trials expected to end there: of n trials at a rung max(1, n // divisor) go on."""
    counts: dict[int, int] = {}
    for shape in shapes:
        left = shape.max_trials
        for rung in range(shape.rungs):
            on = max(1, int(left / shape.divisor)) if rung < shape.rungs - 1 else 0
            units = shape.units(rung)
            counts[units] = counts.get(units, 0) + left - on
            left = on
    return counts
