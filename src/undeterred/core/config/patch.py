"""Changes of a running or finished experiment, written into its stored configuration."""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from undeterred.base.errors import Invalid
from undeterred.core.config.kinds import Tree
from undeterred.core.names import check_experiment_name, clean_labels


class Unset(Enum):
    """Tells "leave it" from "set it to null"."""

    UNSET = "unset"


UNSET = Unset.UNSET


def patch(
    config: Mapping[str, Any],
    *,
    name: str | Unset = UNSET,
    description: str | Unset = UNSET,
    notes_changed: bool = False,
    labels: Iterable[str] | Unset = UNSET,
    resource_pool: str | Unset = UNSET,
    priority: int | Unset = UNSET,
    weight: float | Unset = UNSET,
    max_slots: int | Unset | None = UNSET,
    save_experiment_best: int | Unset = UNSET,
    save_trial_best: int | Unset = UNSET,
    save_trial_latest: int | Unset = UNSET,
) -> Tree:
    """The rewritten configuration; `config` stays as it is. Raises Invalid for a value that is not allowed, changing nothing.

    A change of name, description, labels or notes writes all of them anew: a missing description becomes an empty one, and an
    empty set of labels is written as null unless it was given so. Clients of Determined see it that way.
    """
    changed = dict(config)
    if name is not UNSET:
        check_experiment_name(name)
        changed["name"] = name
    if description is not UNSET:
        changed["description"] = description
    if labels is not UNSET:
        changed["labels"] = clean_labels(labels)
        changed["description"] = changed.get("description") or ""
    elif name is not UNSET or description is not UNSET or notes_changed:
        changed["labels"] = changed.get("labels") or None
        changed["description"] = changed.get("description") or ""
    resources = _given(resource_pool=resource_pool, priority=priority, weight=weight, max_slots=max_slots)
    _check_resources(resources)
    changed["resources"] = {**config["resources"], **resources}
    numbers = _given(
        save_experiment_best=save_experiment_best, save_trial_best=save_trial_best, save_trial_latest=save_trial_latest
    )
    _check_numbers(numbers)
    changed["checkpoint_storage"] = {**config["checkpoint_storage"], **numbers}
    return changed


def _given(**values: Any) -> Tree:
    return {key: value for key, value in values.items() if value is not UNSET}


def _check_resources(resources: Mapping[str, Any]) -> None:
    priority, weight = resources.get("priority"), resources.get("weight")
    if priority is not None and not 1 <= priority <= 99:
        raise Invalid(f"a priority is a number from 1 to 99, not {priority}")
    if weight is not None and not 0 <= weight < float("inf"):
        raise Invalid(f"a weight is a number from 0 upwards, not {weight}")


def _check_numbers(numbers: Mapping[str, int]) -> None:
    for key, number in numbers.items():
        if number < 0:
            raise Invalid(f"{key} must be at least 0, not {number}")
