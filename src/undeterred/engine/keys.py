"""Keys of waiters: what a transaction names in `tx.wake(...)` and a waiter or service waits for."""

SCHEDULER = ("service", "scheduler")
LAUNCHER = ("service", "launcher")
OBSERVER = ("service", "observer")
WATCHDOG = ("service", "watchdog")
COLLECTOR = ("service", "collector")
DELETION = ("service", "deletion")
RUN_DELETION = ("service", "run deletion")
SNAPSHOTS = ("service", "snapshots")
WEBHOOKS = ("service", "webhooks")

SESSIONS = ("sessions",)
"""Credentials changed: nothing remembered about them may be used any more."""


def allocation(allocation_id: str) -> tuple[str, str]:
    """An allocation changed: its state, its signals, its readiness."""
    return ("allocation", allocation_id)


def task(task_id: str) -> tuple[str, str]:
    """A task changed."""
    return ("task", task_id)


def experiment(experiment_id: int) -> tuple[str, int]:
    """An experiment or one of its trials changed its state."""
    return ("experiment", experiment_id)


def search(experiment_id: int) -> tuple[str, int]:
    """The search of an experiment has something new to tell (messages of a custom search)."""
    return ("search", experiment_id)


def experiment_metrics(experiment_id: int) -> tuple[str, int]:
    """A trial of an experiment has reported metrics (`store/reports.py` wakes it)."""
    return ("experiment-metrics", experiment_id)
