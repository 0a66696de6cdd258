"""What a fuzzed server holds, made through its own API, and how requests come to name it."""

import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from tests.contract.fuzzing.known import CONFIGS, EACH, KINDS, fill
from tests.contract.fuzzing.request import Request

Json = dict[str, Any]
Call = Callable[[str, str, Any], Awaitable[Json]]
"""Method, path below /api/v1/, body -> answer, which must be 200."""
FILE = {"path": "model.py", "type": 48, "content": "cGFzcwo=", "mode": 420, "uid": 0, "gid": 0, "mtime": "0"}


def with_token(request: Request, token: str) -> Request:
    """The request with a login, unless it tries one of its own."""
    if any(name.lower() in ("authorization", "grpc-metadata-x-allocation-token", "cookie") for name, _ in request.headers):
        return request
    return replace(request, headers=(*request.headers, ("authorization", f"Bearer {token}")))


class World:
    """The things of the server, the newest ones of each kind."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._round = 0
        self.things: dict[str, list[str]] = {kind: [] for kind in KINDS}

    def filled(self, request: Request) -> Request:
        """The request with things in place of what stands for them."""
        target = fill(request.target.encode("utf-8", "surrogatepass"), self.things).decode("utf-8", "surrogatepass")
        return replace(request, target=target, body=None if request.body is None else fill(request.body, self.things))

    async def refresh(self) -> None:
        """Make one more thing of every kind; the oldest ones are forgotten."""
        self._round += 1
        name = f"r{self._round}"
        await self._people(name)
        workspace = await self._spaces(name)
        await self._experiments(name)
        await self._tasks()
        await self._registry(name, workspace)

    def _keep(self, kind: str, thing: Any) -> Any:
        self.things[kind] = [*self.things[kind], str(thing)][-EACH:]
        return thing

    async def _people(self, name: str) -> None:
        user = {"user": {"username": f"user-{name}", "active": True}, "password": "Determined1"}
        made = (await self._call("POST", "users", user))["user"]
        self._keep("user", made["id"])
        self._keep("username", made["username"])
        group = await self._call("POST", "groups", {"name": f"group-{name}", "addUsers": [made["id"]]})
        self._keep("group", group["group"]["groupId"])
        token = await self._call("POST", "tokens", {"userId": made["id"], "lifespan": "1h"})
        self._keep("token", token["tokenId"])

    async def _spaces(self, name: str) -> int:
        workspace = int((await self._call("POST", "workspaces", {"name": f"space-{name}"}))["workspace"]["id"])
        self._keep("workspace", workspace)
        project = (await self._call("POST", f"workspaces/{workspace}/projects", {"name": f"project-{name}"}))["project"]
        self._keep("project", project["id"])
        self._keep("project key", project["key"])
        hook = {
            "url": "http://127.0.0.1:9/",
            "webhookType": "WEBHOOK_TYPE_DEFAULT",
            "mode": "WEBHOOK_MODE_WORKSPACE",
            "name": f"hook-{name}",
            "triggers": [{"triggerType": "TRIGGER_TYPE_EXPERIMENT_STATE_CHANGE", "condition": {"state": "ERROR"}}],
        }
        self._keep("webhook", (await self._call("POST", "webhooks", hook))["webhook"]["id"])
        template = f"template-{name}"
        await self._call("POST", f"templates/{template}", {"name": template, "config": {"labels": ["a"]}, "workspaceId": 1})
        self._keep("template", template)
        return workspace

    async def _experiments(self, name: str) -> None:
        body = {"config": CONFIGS[1], "modelDefinition": [FILE], "activate": True, "projectId": 1}
        running = (await self._call("POST", "experiments", body))["experiment"]
        self._keep("job", running["jobId"])
        custom = {"config": CONFIGS[4], "modelDefinition": [FILE], "activate": False}
        self._keep("search", (await self._call("POST", "experiments", custom))["experiment"]["id"])
        path = f"experiments/by-external-id/{'outer' if self._round == 1 else name}"
        outer = await self._call("PUT", path, {"config": CONFIGS[1], "unmanaged": True})
        experiment = int(outer["experiment"]["id"])
        self._keep("experiment", running["id"])
        self._keep("experiment", experiment)
        trials = await self._call("GET", f"experiments/{running['id']}/trials", None)
        for trial in trials["trials"][:1]:
            self._keep("trial", trial["id"])
            self._keep("experiment task", trial["taskId"])
            self._keep("allocation", f"{trial['taskId']}.1")
        await self._trial("t", experiment)
        body = {"config": CONFIGS[1], "unmanaged": True}
        ended = self._keep("ended", (await self._call("POST", "experiments", body))["experiment"]["id"])
        trial = await self._trial(f"ended-{name}", ended)
        await self._call("PATCH", f"trials/{trial}", {"state": "STATE_COMPLETED"})
        await self._call("POST", f"experiments/{ended}/kill", None)

    async def _trial(self, name: str, experiment: int) -> int:
        request = {"experimentId": experiment, "hparams": {"lr": 0.1, "n": 2}, "unmanaged": True}
        trial = (await self._call("PUT", "trials", {"externalTrialId": name, "createTrialRequest": request}))["trial"]
        number, task = trial["id"], trial["taskId"]
        self._keep("trial", number)
        self._keep("experiment task", task)
        await self._call("POST", f"trials/{number}/start", {"resume": False})
        for group, steps, value in (("training", 1, 2.5), ("validation", 1, 1.5), ("test", 2, "NaN"), ("validation", 3, 0.5)):
            metrics = {"avgMetrics": {"loss": value, "acc": 1, "batches": steps, "text": "x"}, "batchMetrics": [{"loss": 1}]}
            report = {"trialRunId": 1, "stepsCompleted": steps, "metrics": metrics}
            await self._call("POST", f"trials/{number}/metrics", {"group": group, "metrics": report})
        line = {"taskId": task, "log": "hello (a\n", "timestamp": "2026-01-01T00:00:00Z", "level": "LOG_LEVEL_INFO", "rankId": 0}
        await self._call("POST", "task/logs", {"logs": [line, line | {"stdtype": "stderr", "source": "s", "containerId": "c"}]})
        await self._call("POST", f"runs/{number}/metadata", {"metadata": {"a": {"b": 1, "c": "x"}}})
        one = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {self._round}"))
        report = {"uuid": one, "taskId": task, "resources": {"a": "1", "b/": "0"}, "metadata": {"steps_completed": 3}}
        await self._call("POST", "checkpoints", report | {"training": {}, "state": "STATE_COMPLETED"})
        self._keep("checkpoint", one)
        labels = {"trialId": number, "name": "gpu_util", "metricType": "PROFILER_METRIC_TYPE_SYSTEM"}
        profile = {"values": [1.0], "batches": [1], "timestamps": ["2026-01-01T00:00:00Z"], "labels": labels}
        await self._call("POST", "trials/profiler/metrics", {"batches": [profile]})
        return int(number)

    async def _tasks(self) -> None:
        config = {"entrypoint": ["sleep", "100"], "resources": {"slots": 0}}
        for path, kind in (("commands", "command"), ("notebooks", "notebook"), ("shells", "shell")):
            made = await self._call("POST", path, {"config": config if kind == "command" else {}})
            self._task(kind, made[kind]["id"])
        board = await self._call("POST", "tensorboards", {"experimentIds": [int(self.things["experiment"][-1])], "config": {}})
        self._task("tensorboard", board["tensorboard"]["id"])
        generic = await self._call("POST", "generic-tasks", {"config": json.dumps(config), "contextDirectory": [FILE]})
        self._task("generic", generic["taskId"])

    def _task(self, kind: str, task: str) -> None:
        self._keep(kind, task)
        self._keep("task allocation", f"{task}.1")

    async def _registry(self, name: str, workspace: int) -> None:
        model = {"name": f"model-{name}", "labels": ["a"], "metadata": {"k": "v"}, "workspaceId": workspace}
        made = (await self._call("POST", "models", model))["model"]
        self._keep("model", made["id"])
        self._keep("model name", made["name"])
        for _ in range(2):
            await self._call("POST", f"models/{made['id']}/versions", {"checkpointUuid": self.things["checkpoint"][-1]})
