"""What lines of a trial's log set off (log policies of its experiment), in the transaction that stores the lines."""

import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from undeterred.base import json
from undeterred.base.errors import Invalid
from undeterred.core.loglines import LogLine
from undeterred.core.logpolicy import LogPolicy, PolicyAction, matches, policies_of
from undeterred.engine import logs
from undeterred.store import experiments, runs, tasks
from undeterred.store.database import Tx

log = logging.getLogger(__name__)


def look(tx: Tx, task_id: str, lines: Sequence[LogLine]) -> None:
    """Match new lines of a task against the policies of its experiment; tasks that are no trials have none."""
    run_id = runs.of_task(tx, task_id)
    if run_id is None:
        return
    run = runs.get(tx, run_id)
    policies = _policies(experiments.log_policies(tx, run.experiment_id))
    for match in matches(policies, (line.text for line in lines)) if policies else ():
        _apply(tx, task_id, run, match.policy, lines[match.line])


@lru_cache(maxsize=256)
def _policies(text: str) -> tuple[LogPolicy, ...]:
    """Policies by their JSON text: every experiment of a cluster tends to have the same ones."""
    try:
        return policies_of({"log_policies": json.loads(text)})
    except Invalid as error:
        log.warning("log policies are not used: %s", error)
        return ()


def _apply(tx: Tx, task_id: str, run: Any, policy: LogPolicy, line: LogLine) -> None:
    name = policy.name or policy.pattern.text
    if policy.name and run.log_policy_matched != policy.name:
        runs.update(tx, run.id, log_policy_matched=policy.name)
        tasks.update(tx, task_id, log_policy_matched=policy.name)
    if policy.action is PolicyAction.CANCEL_RETRIES and not run.retries_canceled_by:
        runs.update(tx, run.id, retries_canceled_by=line.text[:500] or name)
        logs.say(
            tx, task_id, f"Log policy {name!r} matched: the trial will not be tried again after a failure: {line.text[:500]}"
        )
    elif policy.action is PolicyAction.EXCLUDE_NODE and line.agent_id and tasks.exclude_node(tx, task_id, line.agent_id, name):
        logs.say(tx, task_id, f"Log policy {name!r} matched: node {line.agent_id} is avoided from now on: {line.text[:500]}")
