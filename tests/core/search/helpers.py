"""Configurations and small programs that the tests of searches share."""

import json
from typing import Any

from undeterred.core.search import Action, Create, Fail, Search, Shutdown, Stop, method_for

SPACE = {
    "lr": {"type": "log", "base": 10, "minval": -4, "maxval": 0},
    "nest": {"b": {"type": "int", "minval": 1, "maxval": 9}, "a": {"type": "categorical", "vals": ["x", [1, 2], {"k": None}]}},
    "depth": {"type": "const", "val": [3, 4]},
}


def config(name: str, space: Any = None, seed: int = 7, **searcher: Any) -> dict[str, Any]:
    """A resolved configuration, as far as a search reads it."""
    base: dict[str, Any] = {"name": name, "metric": "loss", "smaller_is_better": True}
    if name != "single":
        base["max_concurrent_trials"] = 16
    if name in ("async_halving", "adaptive_asha"):
        base |= {"divisor": 4, "time_metric": "time"}
    if name == "adaptive_asha":
        base |= {"mode": "standard", "max_rungs": 5, "bracket_rungs": []}
    return {
        "searcher": base | searcher,
        "hyperparameters": SPACE if space is None else space,
        "reproducibility": {"experiment_seed": seed},
    }


def reborn(search: Search, conf: dict[str, Any]) -> Search:
    """The search after a crash: a fresh one from a snapshot that went through JSON text."""
    other = method_for(conf)
    other.restore(json.loads(json.dumps(search.snapshot())))
    return other


def brief(actions: list[Action]) -> list[tuple[Any, ...]]:
    """Actions as the model gives them."""
    out: list[tuple[Any, ...]] = []
    for action in actions:
        match action:
            case Create():
                out.append(("create", action.request_id, action.seed, action.hparams))
            case Stop():
                out.append(("stop", action.request_id))
            case Fail():
                out.append(("fail", action.request_id))
            case Shutdown():
                out.append(("shutdown", action.cancel, action.failure))
    return out


def created(actions: list[Action]) -> list[str]:
    """The request ids of the trials that actions create."""
    return [action.request_id for action in actions if isinstance(action, Create)]


def stopped(actions: list[Action]) -> list[str]:
    """The request ids of the trials that actions stop."""
    return [action.request_id for action in actions if isinstance(action, Stop)]


def verdicts(actions: list[Action]) -> list[tuple[bool, bool]]:
    """(cancel, failure) of every shutdown among actions."""
    return [(action.cancel, action.failure) for action in actions if isinstance(action, Shutdown)]
