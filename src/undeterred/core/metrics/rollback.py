"""After a restart a trial repeats steps that an earlier run had already reported: those reports are archived.

When a run reports a group at some steps, live reports of earlier runs are out of date
- in the same group from those steps on (they are being repeated),
- in every other group beyond those steps (the trial is not there yet).
Profiler groups neither archive nor are archived.
"""

from undeterred.base.struct import Struct
from undeterred.core.metrics.checks import Kind, kind_of


class Reported(Struct, frozen=True):
    """Where a report, or a stored row, belongs."""

    group: str
    steps: int
    run_id: int


def first_archived(report: Reported, group: str) -> int | None:
    """The lowest steps of `group` at which reports of runs before `report.run_id` are archived; None: none are."""
    if Kind.PROFILING in (kind_of(report.group), kind_of(group)):
        return None
    return report.steps if group == report.group else report.steps + 1


def archives(report: Reported, row: Reported) -> bool:
    """Whether a report archives one stored row."""
    start = first_archived(report, row.group)
    return start is not None and row.run_id < report.run_id and row.steps >= start
