"""Config policies: what an administrator fixes (invariants) and limits (constraints) for all of the server or one workspace."""

from collections.abc import Mapping
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct
from undeterred.core.config.checks import read
from undeterred.core.config.kinds import Field, Record, Tree, Whole
from undeterred.core.config.parse import parse_tree
from undeterred.core.config.problems import Problems
from undeterred.core.config.schema import PRIORITY, experiment

WORKLOADS = ("EXPERIMENT", "NTSC")
_ROOT = "<policy>"

_CONSTRAINTS = Record({"priority_limit": Field(PRIORITY), "resources": Field(Record({"max_slots": Field(Whole(0))}))})


class Constraints(Struct, frozen=True):
    """Limits, None for no limit: most slots of one workload, and the best priority that it may have."""

    max_slots: int | None = None
    priority_limit: int | None = None


def check_workload(text: str) -> str:
    """The kind of workload that a policy is for; raises Invalid unless it is EXPERIMENT or NTSC."""
    if text not in WORKLOADS:
        raise Invalid(f'a policy is for EXPERIMENT or NTSC workloads, not "{text}"')
    return text


def parse_policy(text: str, workload: str, *, higher_is_better: bool = False) -> Tree:
    """A policy as it is stored and shown: `invariant_config` and `constraints` as they were written.

    Raises Invalid with all mistakes: text that is no YAML or JSON, unknown keys, wrong types, invariants for NTSC workloads (they
    are not supported), and invariants that break the constraints beside them.
    """
    check_workload(text=workload)
    if not text.strip():
        raise Invalid("a policy must not be empty; delete it instead")
    given = parse_tree(text)
    problems = Problems("invalid config policy")
    invariants = Record({}, open=True) if workload == "NTSC" else experiment()
    shape = Record({"constraints": Field(_CONSTRAINTS), "invariant_config": Field(invariants)})
    policy = read(shape, given, _ROOT, problems)
    if workload == "NTSC" and given.get("invariant_config") is not None:
        problems.add(f"{_ROOT}.invariant_config", "is supported for EXPERIMENT workloads only")
    else:
        _report_conflict(policy, higher_is_better, problems)
    problems.raise_if_any()
    return {key: value for key, value in given.items() if value is not None}


def constraints(server: Mapping[str, Any] | None, workspace: Mapping[str, Any] | None) -> Constraints:
    """The limits of two stored policies together: each limit from the server's if it sets it, else from the workspace's."""
    high, low = _limits(server), _limits(workspace)
    return Constraints(
        max_slots=low.max_slots if high.max_slots is None else high.max_slots,
        priority_limit=low.priority_limit if high.priority_limit is None else high.priority_limit,
    )


def invariant(policy: Mapping[str, Any] | None) -> Tree | None:
    """What a stored policy fixes, None for nothing."""
    found = (policy or {}).get("invariant_config")
    return dict(found) if found else None


def check_constraints(
    limits: Constraints,
    *,
    slots: int | None = None,
    max_slots: int | None = None,
    priority: int | None = None,
    higher_is_better: bool = False,
) -> None:
    """Whether a workload, or a later change of one, stays within the limits; raises Invalid with all that are broken.

    `slots` are those of one trial or task, `max_slots` those of a whole experiment; None is not checked. The best priority is
    the lowest number, except where `higher_is_better` (Kubernetes).
    """
    broken = []
    for name, number in (("slots", slots), ("max_slots", max_slots)):
        if number is not None and limits.max_slots is not None and number > limits.max_slots:
            broken.append(f"{name} is {number}, the config policy allows at most {limits.max_slots}")
    limit = limits.priority_limit
    if priority is not None and limit is not None and (priority > limit if higher_is_better else priority < limit):
        broken.append(f"priority is {priority}, the config policy allows no better one than {limit}")
    if broken:
        raise Invalid("\n".join(broken))


def check_unfixed(policies: tuple[Mapping[str, Any] | None, ...], path: tuple[str, ...], value: Any) -> None:
    """Whether a value in a configuration may be changed later; raises Invalid when a stored policy fixes it to another one."""
    for policy in policies:
        fixed: Any = invariant(policy)
        for key in path:
            fixed = fixed.get(key) if isinstance(fixed, Mapping) else None
        if fixed is not None and fixed != value:
            raise Invalid(f"{'.'.join(path)} is fixed to {fixed} by a config policy")


def _limits(policy: Mapping[str, Any] | None) -> Constraints:
    given = (policy or {}).get("constraints") or {}
    return Constraints((given.get("resources") or {}).get("max_slots"), given.get("priority_limit"))


def _report_conflict(policy: Mapping[str, Any], higher_is_better: bool, problems: Problems) -> None:
    resources = (policy.get("invariant_config") or {}).get("resources", {})
    try:
        check_constraints(
            _limits(policy),
            slots=resources.get("slots_per_trial"),
            max_slots=resources.get("max_slots"),
            priority=resources.get("priority"),
            higher_is_better=higher_is_better,
        )
    except Invalid as error:
        problems.add(f"{_ROOT}.invariant_config.resources", str(error).replace("\n", "; "))
