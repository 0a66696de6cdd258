"""States of a generic task, and the trees such tasks form (a task may start children)."""

import enum
from collections.abc import Mapping

from undeterred.base.struct import Struct
from undeterred.core.lifecycle.machine import step


class TaskState(enum.StrEnum):
    """Stored and shown states of a generic task."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    STOPPING_PAUSED = "STOPPING_PAUSED"
    STOPPING_CANCELED = "STOPPING_CANCELED"
    STOPPING_COMPLETED = "STOPPING_COMPLETED"
    STOPPING_ERROR = "STOPPING_ERROR"
    CANCELED = "CANCELED"
    COMPLETED = "COMPLETED"
    ERROR = "ERROR"


_S = TaskState

END_OF: dict[TaskState, TaskState] = {
    _S.STOPPING_PAUSED: _S.PAUSED,
    _S.STOPPING_CANCELED: _S.CANCELED,
    _S.STOPPING_COMPLETED: _S.COMPLETED,
    _S.STOPPING_ERROR: _S.ERROR,
}
"""Stopping state -> the state it ends in once its allocation is gone."""

TERMINAL: frozenset[TaskState] = frozenset({_S.CANCELED, _S.COMPLETED, _S.ERROR})

_ENDINGS = frozenset({_S.STOPPING_CANCELED, _S.STOPPING_COMPLETED, _S.STOPPING_ERROR}) | TERMINAL

TRANSITIONS: dict[TaskState, frozenset[TaskState]] = {
    _S.ACTIVE: _ENDINGS | {_S.STOPPING_PAUSED, _S.PAUSED},
    _S.STOPPING_PAUSED: _ENDINGS | {_S.PAUSED},
    _S.PAUSED: frozenset({_S.ACTIVE, _S.STOPPING_CANCELED, _S.CANCELED, _S.ERROR}),
    _S.STOPPING_CANCELED: frozenset({_S.CANCELED, _S.STOPPING_ERROR, _S.ERROR}),
    _S.STOPPING_COMPLETED: frozenset({_S.COMPLETED, _S.STOPPING_CANCELED, _S.STOPPING_ERROR, _S.ERROR}),
    _S.STOPPING_ERROR: frozenset({_S.ERROR}),
    _S.CANCELED: frozenset(),
    _S.COMPLETED: frozenset(),
    _S.ERROR: frozenset(),
}
"""The whole lifecycle."""


def advance(state: TaskState, wanted: TaskState) -> TaskState:
    """The next state; asking for the present one changes nothing. Raises Refused when the table has no such step."""
    return step("a task", TRANSITIONS, state, wanted)


def end_of_allocation(state: TaskState, *, failed: bool) -> TaskState:
    """The state of a task whose allocation is gone; `failed` tells whether it ended with an error that nobody asked for."""
    if state in TERMINAL or state is _S.PAUSED:
        return state
    if failed:
        return _S.ERROR
    return END_OF.get(state, _S.COMPLETED)


class Member(Struct, frozen=True):
    """One task of a tree; `no_pause` keeps it out of pauses of its parents."""

    parent: str | None
    state: TaskState
    no_pause: bool = False


def root_of(tasks: Mapping[str, Member], task: str) -> str:
    """The topmost known ancestor of a task, itself if it has none."""
    seen = {task}
    while (parent := tasks[task].parent) is not None and parent in tasks and parent not in seen:
        seen.add(parent)
        task = parent
    return task


def subtree(tasks: Mapping[str, Member], top: str) -> tuple[str, ...]:
    """`top` and everything below it, parents before children, siblings by id."""
    children: dict[str, list[str]] = {}
    for name in sorted(tasks):
        parent = tasks[name].parent
        if parent is not None:
            children.setdefault(parent, []).append(name)
    found, seen = [top], {top}
    for name in found:  # grows while it is walked
        for child in children.get(name, ()):
            if child not in seen:
                seen.add(child)
                found.append(child)
    return tuple(found)


def to_kill(tasks: Mapping[str, Member], task: str, *, from_root: bool) -> tuple[str, ...]:
    """The tasks a kill ends: those of the subtree (or of the whole tree) that have not ended."""
    top = root_of(tasks, task) if from_root else task
    return tuple(name for name in subtree(tasks, top) if tasks[name].state not in TERMINAL)


def to_pause(tasks: Mapping[str, Member], task: str) -> tuple[str, ...]:
    """The tasks a pause stops: the active ones of the subtree that allow it."""
    return tuple(name for name in subtree(tasks, task) if tasks[name].state is _S.ACTIVE and not tasks[name].no_pause)


def to_resume(tasks: Mapping[str, Member], task: str) -> tuple[str, ...]:
    """The tasks an unpause starts again: the paused ones of the subtree."""
    return tuple(name for name in subtree(tasks, task) if tasks[name].state is _S.PAUSED)
