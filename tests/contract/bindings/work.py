"""Experiments, trials, runs, checkpoints, models, tasks."""

import base64
import time
import uuid
from collections.abc import Callable
from typing import Any

from determined.common.api import bindings

from tests.contract.bindings.api import Api
from tests.contract.bindings.structure import CONFIG

FILE = {
    "path": "model.py",
    "type": 48,
    "content": base64.b64encode(b"pass\n").decode(),
    "mode": 0o644,
    "uid": 0,
    "gid": 0,
    "mtime": "0",
}


def unmanaged(api: Api, **fields: Any) -> int:
    """An experiment that no launcher runs."""
    return int(api("CreateExperiment", body={"config": CONFIG, "unmanaged": True} | fields).experiment.id)


def project(api: Api, name: str) -> int:
    """A project in a workspace of its own."""
    workspace = api("PostWorkspace", body={"name": name}).workspace.id
    return int(api("PostProject", workspaceId=workspace, body={"name": name, "workspaceId": workspace}).project.id)


def trial_of(api: Api, experiment: int, **hparams: Any) -> Any:
    """A started trial of it."""
    trial = api("CreateTrial", body={"experimentId": experiment, "hparams": hparams, "unmanaged": True}).trial
    api("StartTrial", trialId=trial.id, body={"trialId": trial.id, "resume": False})
    return trial


def managed(api: Api) -> int:
    """A paused experiment."""
    body = {"config": CONFIG, "modelDefinition": [FILE], "activate": False, "projectId": 1}
    return int(api("CreateExperiment", body=body).experiment.id)


def ended(api: Api, experiment: int) -> None:
    """Wait until what ran for it has stopped: until then it is being stopped, and cannot be deleted."""
    limit = time.monotonic() + 60
    while (state := api("GetExperiment", experimentId=experiment).experiment.state.value) != "STATE_CANCELED":
        assert time.monotonic() < limit, state
        time.sleep(0.1)


def metrics_of(trial: int, steps: int, **values: float) -> dict[str, Any]:
    """A report."""
    return {"trialId": trial, "trialRunId": 1, "stepsCompleted": steps, "metrics": {"avgMetrics": values}}


def experiments(api: Api) -> None:
    """A paused experiment: reading, its files, marks, moves, continuation, end."""
    one = managed(api)
    assert api("GetExperiment", experimentId=one).experiment.state.value == "STATE_PAUSED"
    assert one in {e.id for e in api("GetExperiments", limit=100).experiments}
    filter_ = '{"filterGroup":{"children":[],"conjunction":"and","kind":"group"},"showArchived":false}'
    found = api("SearchExperiments", body={"limit": 100, "projectId": 1, "filter": filter_, "sort": "id=desc"})
    assert one in {item.experiment.id for item in found.experiments}
    assert base64.b64decode(api("GetModelDef", experimentId=one).b64Tgz)
    assert api("GetModelDefTree", experimentId=one).files[0].name == "model.py"
    file = api("GetModelDefFile", experimentId=one, body={"experimentId": one, "path": "model.py"})
    assert base64.b64decode(file.file) == b"pass\n"
    api("PatchExperiment", experiment_id=one, body={"id": one, "name": "named", "notes": "a note", "labels": ["a"]})
    api("PutExperimentLabel", experimentId=one, label="b")
    assert "b" in api("GetExperimentLabels").labels
    api("DeleteExperimentLabel", experimentId=one, label="b")
    (trial,) = api("GetExperimentTrials", experimentId=one).trials
    api("ReportTrialSearcherEarlyExit", trialId=trial.id, body={"reason": "EXITED_REASON_INVALID_HP"})
    place = project(api, "elsewhere")
    api("MoveExperiment", experimentId=one, body={"experimentId": one, "destinationProjectId": place})
    preview = {
        "searcher": {"name": "random", "metric": "loss", "max_trials": 2},
        "hyperparameters": {},
        "name": "x",
        "entrypoint": "x",
    }
    assert api("PreviewHPSearch", body={"config": preview, "seed": 1}).summary.trials
    api("KillExperiment", id=one)
    api("DeleteTensorboardFiles", experimentId=one)
    api("PutExperimentRetainLogs", experimentId=one, body={"experimentId": one, "numDays": 3})
    api("ArchiveExperiment", id=one)
    api("UnarchiveExperiment", id=one)
    more = api("ContinueExperiment", body={"id": one}).experiment.id
    api("PauseExperiment", id=more)
    api("CancelExperiment", id=more)
    ended(api, more)
    api("DeleteExperiment", experimentId=more)
    again = managed(api)
    api("ActivateExperiment", id=again)
    api("KillTrial", id=api("GetExperimentTrials", experimentId=again).trials[0].id)
    api("KillExperiment", id=again)
    external = {"config": CONFIG, "unmanaged": True}
    first, second = (api("PutExperiment", externalExperimentId="mine", body=external).experiment for _ in range(2))
    assert first.id == second.id
    api.refused("GetExperiment", 404, "not found", experimentId=99999)
    api.refused("CreateExperiment", 400, "name", body={"config": "searcher: {name: nothing}"})


def bulk(api: Api) -> None:
    """Actions on many experiments."""
    ids = [managed(api), managed(api)]
    for action in ("Activate", "Pause", "Cancel", "Kill", "Archive", "Unarchive"):
        results = api(f"{action}Experiments", projectId=1, body={"experimentIds": ids, "projectId": 1}).results
        assert {result.id for result in results} == set(ids)
    retain = {"experimentIds": ids, "projectId": 1, "numDays": 2}
    api("PutExperimentsRetainLogs", projectId=1, body=retain)
    place = project(api, "many")
    api("MoveExperiments", projectId=1, body={"experimentIds": ids, "destinationProjectId": place, "projectId": 1})
    assert len(api("DeleteExperiments", projectId=place, body={"experimentIds": ids, "projectId": place}).results) == 2


def trials(api: Api) -> None:
    """Trials that report, and everything that shows what they reported."""
    experiment = unmanaged(api, config=CONFIG.replace("name: single", "name: random, max_trials: 5"))
    trial = trial_of(api, experiment, lr=0.1)
    api("ReportTrialTrainingMetrics", trainingMetrics_trialId=trial.id, body=metrics_of(trial.id, 10, loss=1.5))
    api("ReportTrialValidationMetrics", validationMetrics_trialId=trial.id, body=metrics_of(trial.id, 10, loss=2.5))
    report = {"metrics": metrics_of(trial.id, 20, loss=float("nan"), acc=float("inf")), "group": "test"}
    api("ReportTrialMetrics", metrics_trialId=trial.id, body=report)
    api("ReportTrialProgress", trialId=trial.id, body={"trialId": trial.id, "progress": 0.5})
    api("PostTrialRunnerMetadata", trialId=trial.id, body={"state": "training"})
    assert api("GetTrial", trialId=trial.id).trial.latestValidation.metrics.avgMetrics == {"loss": 2.5}
    assert api("GetExperimentTrials", experimentId=experiment).trials[0].id == trial.id
    only = bindings.GetTrialWorkloadsRequestFilterOption.VALIDATION
    assert len(api("GetTrialWorkloads", trialId=trial.id, filter=only).workloads) == 1
    validation = bindings.v1MetricType.VALIDATION
    compared = api("CompareTrials", trialIds=[trial.id], metricNames=["loss"], metricType=validation).trials[0]
    assert compared.metrics[0].data[0].values == {"loss": 2.5}
    assert [one.metrics[0].totalBatches for one in api("GetMetrics", trialIds=[trial.id], group="test")] == [20]
    assert api("GetTrainingMetrics", trialIds=[trial.id])[0].metrics[0].metrics["avg_metrics"] == {"loss": 1.5}
    assert api("GetValidationMetrics", trialIds=[trial.id])
    end = {"experimentId": experiment, "metricName": "loss", "metricType": validation, "periodSeconds": 1}
    api("PatchTrial", trialId=trial.id, body={"trialId": trial.id, "state": "STATE_COMPLETED"})
    api("PatchExperiment", experiment_id=experiment, body={"id": experiment})
    api("KillExperiment", id=experiment)
    names = api("ExpMetricNames", ids=[experiment], periodSeconds=1)[-1]
    assert "loss" in {one.name for one in names.metricNames}
    assert api("MetricBatches", **end)[0].batches == [10]
    assert api("TrialsSample", **end)[0].trials[0].trialId == trial.id
    assert api("TrialsSnapshot", batchesProcessed=10, **end)[0].trials[0].metric == 2.5
    assert api("GetBestSearcherValidationMetric", experimentId=experiment).metric == 2.5
    assert api("GetExperimentValidationHistory", experimentId=experiment).validationHistory[0].searcherMetric == 2.5
    profile = {
        "values": [1.0, 2.0],
        "batches": [1, 2],
        "timestamps": ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"],
        "labels": {"trialId": trial.id, "name": "gpu_util", "metricType": "PROFILER_METRIC_TYPE_SYSTEM"},
    }
    api("PostTrialProfilerMetricsBatch", body={"batches": [profile]})
    api("GetTrialProfilerMetrics", labels_trialId=trial.id, labels_name="gpu_util")
    api("GetTrialProfilerAvailableSeries", trialId=trial.id)
    api("PutTrialRetainLogs", trialId=trial.id, body={"trialId": trial.id, "numDays": 3})
    api("GetTrialRemainingLogRetentionDays", id=trial.id)
    api.refused("KillTrial", 400, "has ended", id=trial.id)
    outer = api("PutExperiment", externalExperimentId="outer", body={"config": CONFIG, "unmanaged": True}).experiment.id
    request = {"experimentId": outer, "hparams": {}, "unmanaged": True}
    same = api("PutTrial", body={"externalTrialId": "t", "createTrialRequest": request}).trial.id
    assert api("GetTrialByExternalID", externalExperimentId="outer", externalTrialId="t").trial.id == same
    api.refused("KillTrial", 400, "not run by this server", id=same)


def logs(api: Api) -> None:
    """Lines that a task sends, and their ways out."""
    trial = trial_of(api, unmanaged(api))
    line = {"taskId": trial.taskId, "log": "hello\n", "timestamp": "2026-01-01T00:00:00Z", "level": "LOG_LEVEL_INFO"}
    api("PostTaskLogs", body={"logs": [line | {"stdtype": "stdout", "rankId": 0, "source": "test"}]})
    assert api("TrialLogs", trialId=trial.id)[0].message.endswith("hello\n")
    assert api("TaskLogs", taskId=trial.taskId)[0].log.endswith("hello\n")
    assert api("TrialLogsFields", trialId=trial.id)[0].rankIds == [0]
    assert api("TaskLogsFields", taskId=trial.taskId)[0].sources == ["test"]
    assert api("CleanupLogs") is not None


def checkpoints_and_models(api: Api) -> None:
    """Checkpoints of a trial, and a model made of one."""
    experiment = unmanaged(api)
    trial = trial_of(api, experiment)
    api("ReportTrialValidationMetrics", validationMetrics_trialId=trial.id, body=metrics_of(trial.id, 10, loss=2.5))
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    for one in (first, second):
        body = {"uuid": one, "taskId": trial.taskId, "resources": {"a": "1", "b/": "0"}, "metadata": {"steps_completed": 10}}
        api("ReportCheckpoint", body=body | {"training": {}, "state": "STATE_COMPLETED"})
    api(
        "PostCheckpointMetadata",
        checkpoint_uuid=first,
        body={"checkpoint": {"uuid": first, "metadata": {"a": 1}, "training": {}, "resources": {}, "state": "STATE_COMPLETED"}},
    )
    assert api("GetCheckpoint", checkpointUuid=first).checkpoint.metadata["a"] == 1
    assert len(api("GetExperimentCheckpoints", id=experiment).checkpoints) == 2
    assert len(api("GetTrialCheckpoints", id=trial.id).checkpoints) == 2
    api("PatchCheckpoints", body={"checkpoints": [{"uuid": second, "resources": {"resources": {"a": "1"}}}]})
    sources = {
        "trialSourceInfo": {
            "trialId": trial.id,
            "checkpointUuid": first,
            "trialSourceInfoType": "TRIAL_SOURCE_INFO_TYPE_INFERENCE",
        }
    }
    api("ReportTrialSourceInfo", body=sources)
    assert api("GetTrialMetricsByCheckpoint", checkpointUuid=first).metrics
    api("PostModel", body={"name": "m", "labels": ["l"], "metadata": {"k": "v"}})
    version = api("PostModelVersion", modelName="m", body={"modelName": "m", "checkpointUuid": first}).modelVersion.version
    assert api("GetModel", modelName="m").model.numVersions == 1
    assert api("GetModels", limit=5).models[0].name == "m"
    assert api("GetModelLabels").labels == ["l"]
    assert api("GetModelVersion", modelName="m", modelVersionNum=version).modelVersion.checkpoint.uuid == first
    assert len(api("GetModelVersions", modelName="m").modelVersions) == 1
    api("GetTrialMetricsByModelVersion", modelName="m", modelVersionNum=version)
    api("PatchModel", modelName="m", body={"notes": "n"})
    api("PatchModelVersion", modelName="m", modelVersionNum=version, body={"comment": "c", "name": "v", "notes": "n"})
    api("ArchiveModel", modelName="m")
    api("UnarchiveModel", modelName="m")
    shelf = api("PostWorkspace", body={"name": "shelf"}).workspace.id
    api("MoveModel", modelName="m", body={"modelName": "m", "destinationWorkspaceId": shelf})
    api.refused("DeleteCheckpoints", 400, first, body={"checkpointUuids": [first]})
    api("CheckpointsRemoveFiles", body={"checkpointUuids": [second], "checkpointGlobs": ["nothing*"]})
    api("DeleteModelVersion", modelName="m", modelVersionNum=version)
    api("DeleteModel", modelName="m")
    api("DeleteCheckpoints", body={"checkpointUuids": [second]})


def runs(api: Api) -> None:
    """Runs, searched and acted on."""
    run = trial_of(api, unmanaged(api), lr=0.1).id
    api("RunPrepareForReporting", body={"runId": run, "checkpointStorage": {"type": "shared_fs", "host_path": "/tmp"}})
    assert api("PostRunMetadata", runId=run, body={"runId": run, "metadata": {"a": {"b": 1}}}).metadata == {"a": {"b": 1}}
    assert api("GetRunMetadata", runId=run).metadata == {"a": {"b": 1}}
    assert run in {one.id for one in api("SearchRuns", body={"limit": 100, "projectId": 1, "sort": "hp.lr=desc"}).runs}
    for action in ("Pause", "Resume", "Kill", "Archive", "Unarchive"):
        assert api(f"{action}Runs", body={"runIds": [run], "projectId": 1, "skipMultitrial": False}).results[0].id == run
    place = project(api, "of runs")
    move = {"runIds": [run], "sourceProjectId": 1, "destinationProjectId": place, "skipMultitrial": False}
    api("MoveRuns", body=move)
    assert api("DeleteRuns", body={"runIds": [run], "projectId": place}).results[0].id == run


def tasks(api: Api) -> None:
    """Tasks of every kind; one command runs."""
    config = {"entrypoint": ["sleep", "100"], "resources": {"slots": 0}}
    command = api("LaunchCommand", body={"config": config}).command
    assert api("GetCommand", commandId=command.id).command.id == command.id
    assert api("GetCommands").commands
    api("SetCommandPriority", commandId=command.id, body={"commandId": command.id, "priority": 50})
    allocation = running_allocation(api, command.id)
    allocations(api, allocation, command.id)
    api("KillCommand", commandId=command.id)
    notebook = api("LaunchNotebook", body={"config": {}, "preview": False}).notebook
    assert api("GetNotebook", notebookId=notebook.id).notebook.id == notebook.id
    assert api("GetNotebooks").notebooks
    api("SetNotebookPriority", notebookId=notebook.id, body={"notebookId": notebook.id, "priority": 50})
    api("IdleNotebook", notebookId=notebook.id, body={"notebookId": notebook.id, "idle": False})
    api("KillNotebook", notebookId=notebook.id)
    shell = api("LaunchShell", body={"config": {}}).shell
    assert api("GetShell", shellId=shell.id).shell.privateKey
    assert api("GetShells").shells
    api("SetShellPriority", shellId=shell.id, body={"shellId": shell.id, "priority": 50})
    api("KillShell", shellId=shell.id)
    board = api("LaunchTensorboard", body={"experimentIds": [unmanaged(api)], "config": {}}).tensorboard
    assert api("GetTensorboard", tensorboardId=board.id).tensorboard.id == board.id
    assert api("GetTensorboards").tensorboards
    api("SetTensorboardPriority", tensorboardId=board.id, body={"tensorboardId": board.id, "priority": 50})
    api("KillTensorboard", tensorboardId=board.id)


def wait_for(good: Callable[[], Any]) -> Any:
    """The first answer that is true."""
    for _ in range(300):
        if got := good():
            return got
        time.sleep(0.1)
    raise AssertionError("waited 30 s")


def running_allocation(api: Api, task: str) -> str:
    """The allocation of a task, once it runs."""

    def running() -> str:
        found = api("GetTask", taskId=task).task.allocations
        return str(found[0].allocationId) if found and found[0].state.value == "STATE_RUNNING" else ""

    return str(wait_for(running))


def allocations(api: Api, allocation: str, task: str) -> None:
    """What a running task tells and asks."""
    assert api("GetAllocation", allocationId=allocation).allocation.taskId == task
    assert api("GetTasks").allocationIdToSummary
    assert api("GetActiveTasksCount").commands >= 1
    named = {"allocationId": allocation}
    api("AllocationReady", allocationId=allocation, body=named)
    api("AllocationWaiting", allocationId=allocation, body=named)
    api("PostAllocationProxyAddress", allocationId=allocation, body=named | {"proxyAddress": "127.0.0.1"})
    data = {"containerId": "c", "allocationId": allocation, "nodeName": "n", "acceleratorType": "cpu", "acceleratorUuids": ["u"]}
    api("PostAllocationAcceleratorData", allocationId=allocation, body=named | {"acceleratorData": data})
    assert api("GetTaskAcceleratorData", taskId=task).acceleratorData[0].acceleratorUuids == ["u"]
    resources = {"resourcesId": "r"} | named
    api("MarkAllocationResourcesDaemon", allocationId=allocation, resourcesId="r", body=resources)
    api.refused("AllocationRendezvousInfo", 404, "resources", allocationId=allocation, resourcesId="r")
    gather = named | {"requestUuid": str(uuid.uuid4()), "numPeers": 1, "data": {"a": 1}}
    assert api("AllocationAllGather", allocationId=allocation, body=gather).data == [{"a": 1}]
    api("NotifyContainerRunning", allocationId=allocation, body=gather | {"rank": 0, "nodeName": "n"})
    api.refused("AllocationPreemptionSignal", 400, "cannot be preempted", allocationId=allocation, timeoutSeconds=0)


def preemption(api: Api, allocation: str) -> None:
    """What a task that can be preempted asks and tells."""
    named = {"allocationId": allocation}
    assert api("AllocationPreemptionSignal", allocationId=allocation, timeoutSeconds=0).preempt is False
    api("AllocationPendingPreemptionSignal", allocationId=allocation, body=named)
    assert api("AllocationPreemptionSignal", allocationId=allocation, timeoutSeconds=5).preempt is True
    api("AckAllocationPreemptionSignal", allocationId=allocation, body=named)


def generic_tasks(api: Api) -> None:
    """Tasks of no kind, and the queue."""
    body = {"config": "entrypoint: ['sleep', '100']\nresources: {slots: 1}\n", "contextDirectory": [FILE]}
    task = api("CreateGenericTask", body=body).taskId
    preemption(api, running_allocation(api, task))
    assert api("GetGenericTaskConfig", taskId=task).config
    assert base64.b64decode(api("GetTaskContextDirectory", taskId=task).b64Tgz)
    queue = api("GetJobs", resourcePool="default").jobs
    assert queue
    assert api("GetJobsV2", resourcePool="default").jobs
    assert api("GetJobQueueStats").results
    api("UpdateJobQueue", body={"updates": [{"jobId": queue[0].jobId, "priority": 43}]})
    waits = api("CreateGenericTask", body=body).taskId
    api("PauseGenericTask", taskId=waits)
    api("UnpauseGenericTask", taskId=waits)
    api("KillGenericTask", taskId=waits, body={"taskId": waits, "killFromRoot": False})
    api("KillGenericTask", taskId=task, body={"taskId": task, "killFromRoot": True})
    event = {"title": "t", "description": "d", "level": "LOG_LEVEL_INFO"}
    api("PostWebhookEventData", body={"experimentId": unmanaged(api), "data": event})


AREAS = (experiments, bulk, trials, logs, checkpoints_and_models, runs, tasks, generic_tasks)
