"""Log policies: what a line of a trial's log that matches a pattern sets off.

A policy of a configuration is `{name, pattern, action}`: `action` is absent (the match is only shown), `exclude_node` (the trial
avoids that node from then on) or `cancel_retries` (the trial is not tried again after its next failure). A null pattern switches
a default policy of that name off. The older form, `{pattern, action: {type: ...}}` without a name, is the same.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from undeterred.base.struct import Struct
from undeterred.core.regex import Pattern, compile_pattern

CONFIG_MARK = "log_policies"
"""Trials print their configuration, which contains every pattern: lines with this word are not looked at."""


class PolicyAction(StrEnum):
    """What a match sets off besides being shown."""

    EXCLUDE_NODE = "exclude_node"
    CANCEL_RETRIES = "cancel_retries"


class LogPolicy(Struct, frozen=True):
    """One policy, ready to be matched."""

    name: str
    """Empty for the older form."""
    pattern: Pattern
    action: PolicyAction | None


class Match(Struct, frozen=True):
    """Line number `line` of a batch matched."""

    policy: LogPolicy
    line: int


def policies_of(config: Mapping[str, Any]) -> tuple[LogPolicy, ...]:
    """The policies of a resolved configuration, in its order. Raises Invalid for a pattern that is no regular expression."""
    found = []
    for entry in config.get("log_policies") or ():
        pattern = entry.get("pattern")
        if pattern is None:
            continue
        found.append(LogPolicy(str(entry.get("name") or ""), compile_pattern(str(pattern)), _action(entry.get("action"))))
    return tuple(found)


def matches(policies: Sequence[LogPolicy], lines: Iterable[str]) -> list[Match]:
    """Which policies which lines match, line by line, the policies in their order: the last match names the task's label."""
    found: list[Match] = []
    for number, line in enumerate(lines):
        if CONFIG_MARK in line:
            continue
        found.extend(Match(policy, number) for policy in policies if policy.pattern.search(line))
    return found


def _action(action: Any) -> PolicyAction | None:
    kind = action.get("type") if isinstance(action, Mapping) else action
    if isinstance(kind, str) and re.fullmatch("[a-z_]+", kind) and kind in set(PolicyAction):
        return PolicyAction(kind)
    return None
