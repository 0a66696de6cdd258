"""Values with which requests get past the first check: what may stand for each parameter and field, by its name.

What exists only once a server has data is drawn as a placeholder, a number of seven digits that begins with 77 and that is valid
as an integer as well as a text; before sending it is replaced by what the world (`world.py`) has at that moment.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

Json = dict[str, Any]

KINDS = (
    "experiment",
    "ended",
    "trial",
    "project",
    "workspace",
    "user",
    "group",
    "token",
    "webhook",
    "model",
    "experiment task",
    "command",
    "notebook",
    "shell",
    "tensorboard",
    "generic",
    "allocation",
    "task allocation",
    "checkpoint",
    "job",
    "username",
    "model name",
    "template",
    "project key",
    "search",
)
"""What the world has; of each kind it offers up to `EACH` things, the oldest first."""
EACH = 3
_PLACEHOLDER = re.compile(rb"77(\d\d)0(\d\d)(?!\d)")


def placeholder(kind: str, number: int) -> int:
    """The number that stands for a thing of the world."""
    return 7_700_000 + KINDS.index(kind) * 1000 + number


def fill(text: bytes, things: Mapping[str, list[str]]) -> bytes:
    """The text with things in the place of placeholders; one that stands for nothing stays."""

    def value(match: re.Match[bytes]) -> bytes:
        kind, number = int(match[1]), int(match[2])
        found = things.get(KINDS[kind], []) if kind < len(KINDS) else []
        return found[number % len(found)].encode() if found else match[0]

    return _PLACEHOLDER.sub(value, text)


def things(*kinds: str, missing: bool = False) -> list[int]:
    """Placeholders for things of these kinds, and when `missing` a number that nothing has."""
    return [placeholder(kind, number) for kind in kinds for number in range(EACH)] + ([999_999] if missing else [])


TASKS = ("experiment task", "command", "notebook", "shell", "tensorboard", "generic")
EXPERIMENT = (
    "name: drawn\nentrypoint: 'true'\nmax_restarts: 1\n"
    "hyperparameters:\n  lr: {type: log, minval: -4, maxval: -1, base: 10, count: 3}\n"
    "  n: {type: int, minval: 1, maxval: 8, count: 3}\n"
)
SEARCHERS = (
    "{name: single, metric: loss, max_length: 10}",
    "{name: random, metric: loss, max_trials: 3}",
    "{name: grid, metric: loss}",
    "{name: adaptive_asha, metric: loss, max_trials: 4, max_time: 4, time_metric: batches, mode: standard}",
    "{name: custom, metric: loss}",
    "{name: async_halving, metric: loss, max_trials: 4, max_time: 4, time_metric: batches, num_rungs: 2, divisor: 2}",
    "{name: nothing}",
)
CONFIGS = [
    *(f"{EXPERIMENT}searcher: {one}\n" for one in SEARCHERS),
    f"{EXPERIMENT}searcher: {SEARCHERS[1]}\nlabels: [a, b]\n"
    "resources: {slots_per_trial: 4, priority: 50, max_slots: 2, weight: 2}\n",
    f"{EXPERIMENT}searcher: {SEARCHERS[0]}\ndata: {{a: [1, 2]}}\n"
    "log_policies: [{name: p, pattern: '.*x', action: cancel_retries}]\n",
    "name: x",
    "- a",
    "{",
    "a: &a [*a]",
    "entrypoint: ['sleep', '100']\nresources: {slots: 1}\n",
    "entrypoint: true\nresources: {slots: -1}\n",
    "resources: 7",
]
CONFIG_OBJECTS = [yaml.safe_load(text) for text in CONFIGS[:9]]
FREE: list[Any] = [
    {},
    {"a": 1, "b": {"c": [1, "x", None, {"d": True}]}, "": ""},
    {"loss": 0.5, "acc": "NaN", "n": -1e300, "text": "x"},
    {"lr": 0.1, "n": 2},
    {"entrypoint": ["sleep", "100"], "resources": {"slots": 0}},
    {"resources": {"slots": 1, "priority": 10, "resource_pool": "default"}, "description": "d", "idle_timeout": "1m"},
    {"resources": {"slots": "many"}, "entrypoint": 7, "environment": {"environment_variables": ["A=1", "B"]}},
    {"name": "x", "entrypoint": "x", "hyperparameters": {}, "searcher": {"name": "random", "metric": "loss", "max_trials": 2}},
    {"name": "x", "entrypoint": "x", "hyperparameters": {}, "searcher": {"name": "random", "metric": "loss", "max_trials": "x"}},
    {"default": 1},
    {"state": "COMPLETED"},
    {"a": "1", "b/c": "2"},
    {"regex": "("},
]
"""Free JSON."""
TEXTS = [
    "",
    "x",
    "a b",
    "ünï💥",
    "../..",
    "%",
    "_",
    "'; --",
    "\0",
    "x" * 300,
    "0",
    "null",
    "7",
    "-1",
    "loss",
    "a",
    ".*",
    "(",
    "=,.",
]
SORTS = [
    "",
    "id=desc",
    "id=asc,name=desc",
    "hp.lr=asc",
    "searcherMetric=desc",
    "validation.loss.min=desc,training.loss.last=asc",
    "metadata.a.b=desc",
    "state=asc",
    "startTime=desc",
    "user=asc,tags=desc,projectName=asc,checkpointSize=desc",
    "nothing=desc",
    "id=up",
    "id",
    "=,=",
]


def _group(*children: Any, conjunction: str = "and") -> str:
    return json.dumps(
        {"filterGroup": {"children": list(children), "conjunction": conjunction, "kind": "group"}, "showArchived": True}
    )


def _field(name: str, operator: str, value: Any, location: str, kind: str) -> Json:
    return {"columnName": name, "kind": "field", "location": f"LOCATION_TYPE_{location}", "operator": operator} | {
        "type": f"COLUMN_TYPE_{kind}",
        "value": value,
    }


FILTERS = [
    "",
    "{",
    "[]",
    "null",
    "{}",
    _group(),
    _group(_field("id", ">=", 1, "EXPERIMENT", "NUMBER"), _field("name", "contains", "x", "EXPERIMENT", "TEXT")),
    _group(_field("hp.lr", "<=", 0.5, "HYPERPARAMETERS", "NUMBER"), conjunction="or"),
    _group(_field("hp.lr", "contains", "a", "RUN_HYPERPARAMETERS", "TEXT"), conjunction="or"),
    _group(_field("validation.loss.min", ">", 0, "VALIDATIONS", "NUMBER"), _field("state", "=", "STATE_ERROR", "RUN", "TEXT")),
    _group(_field("metadata.a.b", "isEmpty", None, "RUN_METADATA", "NUMBER")),
    _group(_field("metadata.a.b", "=", "x", "RUN_METADATA", "TEXT"), _field("startTime", "<", "2030-01-01", "RUN", "DATE")),
    _group(_field("tags", "does not contain", "a", "EXPERIMENT", "TEXT"), _field("user", "=", 1, "EXPERIMENT", "NUMBER")),
    _group(_field("id", ">=", "x", "EXPERIMENT", "NUMBER")),
    _group(_field("id", "~", 1e300, "EXPERIMENT", "NUMBER")),
    _group(_field("startTime", "<", "soon", "EXPERIMENT", "DATE"), {"children": 7, "conjunction": "xor", "kind": "group"}),
    _group({"kind": "field"}),
    _group([]),
]
METRICS = ["loss", "loss", "acc", "batches", "nothing"]
GROUPS = ["training", "validation", "test", "nothing"]
POOLS = ["default", "default", "nothing"]
TIMES = ["2020-01-01T00:00:00Z", "2030-01-01T00:00:00.123456789+02:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
NUMBERS = [0, 1, 2, 3, 5, 100, -1, -2, 2**31 - 1, -(2**31)]

_OF_EXPERIMENTS = ("experimentId", "experimentIds", "excludedExperimentIds", "ids", "forkedFrom", "parentId", "incl", "notIn")
BY_NAME: dict[str, Sequence[Any]] = {
    **dict.fromkeys(_OF_EXPERIMENTS, things("experiment", "ended", "search", missing=True)),
    **dict.fromkeys(("trialId", "trialIds", "runId", "runIds"), things("trial")),
    **dict.fromkeys(("projectId", "sourceProjectId", "destinationProjectId", "entityId"), (1, *things("project", missing=True))),
    **dict.fromkeys(("workspaceId", "workspaceIds", "scopeWorkspaceId", "destinationWorkspaceId"), (1, *things("workspace"))),
    **dict.fromkeys(("userId", "userIds", "addUsers", "removeUsers"), (1, 2, *things("user"))),
    **dict.fromkeys(("groupId", "addGroups", "removeGroups"), things("group")),
    **dict.fromkeys(("roleId", "roleIds", "roleIdAssignedDirectlyToUser"), (1, 2, 3, 4, 5, 6, 77)),
    **dict.fromkeys(("tokenId", "tokenIds"), things("token")),
    **dict.fromkeys(("webhookId",), things("webhook")),
    "modelId": things("model"),
    "modelName": things("model name", "model"),
    "name": [*things("model name", "template", "username"), *TEXTS],
    **dict.fromkeys(("modelVersionNum", "modelVersion"), (1, 2, 3, 99)),
    "taskId": things(*TASKS, missing=True),
    "commandId": things("command"),
    "notebookId": things("notebook"),
    "shellId": things("shell"),
    "tensorboardId": things("tensorboard"),
    **dict.fromkeys(("allocationId", "allocationIds"), things("allocation", "task allocation")),
    **dict.fromkeys(("checkpointUuid", "checkpointUuids", "uuid"), things("checkpoint")),
    **dict.fromkeys(("jobId", "aheadOf", "behindOf"), things("job")),
    **dict.fromkeys(("username", "users"), ("admin", "determined", *things("username"))),
    **dict.fromkeys(("templateName", "oldName", "template"), things("template")),
    "newName": ["renamed", "", *things("template")],
    "externalExperimentId": ["outer", "other", "x"],
    "externalTrialId": ["t", "u", "x"],
    "key": ["a", "a.b", "UNCAT", "k", "NEW", *things("project key")],
    **dict.fromkeys(("label", "labels"), ("a", "b", "ünï", "")),
    **dict.fromkeys(("agentId", "agentIds"), ("agent-0", "agent-1", "nothing")),
    "slotId": ["0", "1", "7", "x"],
    "resourcesId": [*things("allocation"), "r"],
    "trialRunId": [0, 1, 1, 2],
    "stepsCompleted": [0, 1, 2, 3, 100, -1],
    **dict.fromkeys(("resourcePoolName", "resourcePool", "resourcePools"), POOLS),
    **dict.fromkeys(("metricName", "metricNames", "sortByMetric"), METRICS),
    **dict.fromkeys(("metricGroup", "group"), GROUPS),
    "metricIds": ["training.loss", "validation.loss", "a.b.c", "loss", "."],
    "sortKey": ["loss", "validation.loss", "training.acc", "nothing", "."],
    "workloadType": ["EXPERIMENT", "NTSC", "nothing"],
    "sort": SORTS,
    "filter": FILTERS,
    "configPolicies": [
        "constraints: {priority_limit: 10}",
        "{invariant_config: {labels: [a]}, constraints: {}}",
        "- a",
        "{",
        "x: 1",
    ],
    **dict.fromkeys(("requestUuid", "requestId"), ("3f1d7e6a-0000-4000-8000-000000000001", "x")),
    "lifespan": ["1h", "-1", "0h", "5d", "99999999h", "", "x"],
    "duration": ["1h", "240000h", "-1h", "x", ""],
    **dict.fromkeys(("startDate", "endDate"), ("2026-01-01", "2026-02-01", "2026-01", "2026-13", "9999-12-31", "x", "")),
    "url": ["http://127.0.0.1:9/", "https://127.0.0.1:9/x", "http://[", "x"],
    "path": ["model.py", "a/b.py", "../x", "/x", "", "a//b", "."],
    "content": ["cGFzcwo=", ""],
    "data": ["cGFzcwo=", "", "{}"],
    "password": ["Determined1", "", "x" * 300, "ünï"],
    "config": [*CONFIGS, *CONFIG_OBJECTS, *FREE],
    "overrideConfig": [*CONFIGS, ""],
    "limit": [0, 1, 2, 5, 100, -1, 500, 501],
    "offset": [0, 1, 2, -1, -100, 100],
    "timeoutSeconds": [0, 1],
    "numPeers": [0, 1, 2, 1025],
    "rank": [0, 1, -1],
    "priority": [0, 1, 42, 99, 100, -1],
    "numDays": [-2, -1, 0, 1, 30, 36_500, 36_501],
    "condition": [{"state": "COMPLETED"}, {"state": "ERROR"}, {"regex": "x.*"}, {"regex": "("}, {}],
    "checkpointGlobs": ["*", "nothing*", "a/**", "[", ""],
    "searchText": ["hello", ".", "(", "a{1,2}", "(a+)+$", ""],
    "paths": ["log.level", "log.color", "log", "x", ""],
}
"""Name of a parameter or field -> values of which those that fit its type are drawn."""
BY_SEGMENT = {
    "experiments": ("experiment", "ended"),
    "projects": ("project",),
    "workspaces": ("workspace",),
    "trials": ("trial",),
    "runs": ("trial",),
    "webhooks": ("webhook",),
    "models": ("model",),
}
"""Segment of a path -> what the parameter `id` after it names."""
