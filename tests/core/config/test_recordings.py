"""What the original server answered to configurations, wherever it was recorded, is what is resolved here."""

from typing import Any

import pytest

from tests.core.config.recordings import SCENARIOS, differences, steps
from undeterred.base.errors import Failure, Invalid
from undeterred.core.config.mask import read_storage, show_storage
from undeterred.core.config.ntsc import TaskKind, default_description, resolve_ntsc, shown_entrypoint, wanted
from undeterred.core.config.parse import parse_tree
from undeterred.core.config.policy import parse_policy
from undeterred.core.config.resolve import Sources, early, resolve, search_section

NOT_OURS = {"027", "055", "073", "074"}
"""Refused for an unknown project, pool or template, or for the context: none of it shows in the configuration."""

SIZE_AS_TEXT = "068-CreateExperiment-bad-shm-text"
"""The original documents shm_size as a text and then refuses it; here it is accepted."""

KINDS = {
    "LaunchNotebook": TaskKind.NOTEBOOK,
    "LaunchShell": TaskKind.SHELL,
    "LaunchCommand": TaskKind.COMMAND,
    "LaunchTensorboard": TaskKind.TENSORBOARD,
}


def _templates(scenario: str) -> dict[str, Any]:
    found = [step for step, told in steps(scenario) if step["op"] == "PostTemplate" and told["status"] == 200]
    return {step["path"].rsplit("/", 1)[-1]: step["body"].get("config") or {} for step in found}


def _created(scenario: str, statuses: range) -> list[Any]:
    return [
        pytest.param(step, told, _templates(scenario).get(step["body"].get("template")), id=f"{scenario}-{step['id']}")
        for step, told in steps(scenario)
        if step["op"] in ("CreateExperiment", "PutExperiment")
        and isinstance(step["body"].get("config", ""), str)
        and told["status"] in statuses
    ]


def _resolve(step: dict[str, Any], template: Any) -> dict[str, Any]:
    body = step["body"]
    submitted = parse_tree(body.get("config", ""))
    if not body.get("projectId"):
        early(submitted, template).home()
    sources = Sources(
        submitted=submitted,
        template=template,
        master_storage={"type": "shared_fs", "host_path": "/m"},
        pool_priority=42,
        seed=5,
        default_name="Experiment (calm-jade-otter)",
        unmanaged=bool(body.get("unmanaged")),
    )
    return resolve(sources).config


@pytest.mark.parametrize(("step", "told", "template"), [case for name in SCENARIOS for case in _created(name, range(200, 201))])
def test_accepted_configurations(step, told, template):
    """The resolved configuration has the recorded keys, defaults and nulls at every level."""
    config = _resolve(step, template)
    if step["op"] == "CreateExperiment" and told.get("body", {}).get("config") is not None:
        assert differences(told["body"]["config"], config) == []


@pytest.mark.parametrize(("step", "told", "template"), [case for name in SCENARIOS for case in _created(name, range(400, 600))])
def test_refused_configurations(step, told, template):
    """What the original refused because of the configuration is refused here, as a mistake of the caller."""
    if step["id"][:3] in NOT_OURS and "bad-config" not in step["id"]:
        assert _resolve(step, template)
        return
    if step["id"] == SIZE_AS_TEXT:
        assert _resolve(step, template)["resources"]["shm_size"] == 1024**3
        return
    with pytest.raises(Invalid):
        _resolve(step, template)


@pytest.mark.parametrize(
    ("step", "told"), [pytest.param(*pair, id=pair[0]["id"]) for pair in steps("11_preview") if "seed-text" not in pair[0]["id"]]
)
def test_previewed_searches(step, told):
    """The searcher section is completed as recorded (the original also sorted bracket_rungs), and wrong ones are refused."""
    submitted = (step.get("body") or {}).get("config", {})
    if told["status"] == 200:
        searcher = search_section(submitted)["searcher"]
        searcher["bracket_rungs"] = sorted(searcher.get("bracket_rungs", []), reverse=True)
        told["body"]["summary"]["config"].setdefault("bracket_rungs", [])
        assert differences(told["body"]["summary"]["config"], searcher) == []
    elif "async-halving" not in step["id"]:
        with pytest.raises(Invalid):
            search_section(submitted)


def _launches() -> list[Any]:
    kept = [pair for pair in steps("16_ntsc") if pair[0]["op"] in KINDS]
    return [pytest.param(*pair, id=pair[0]["id"]) for pair in kept if isinstance(pair[0]["body"].get("config", {}), dict)]


@pytest.mark.parametrize(("step", "told"), _launches())
def test_launched_tasks(step, told):
    """Task configurations have the recorded keys, defaults and nulls, and what was refused is refused (or asks for slots)."""
    kind, body = KINDS[step["op"]], step["body"]
    submitted, template = body.get("config", {}), _templates("16_ntsc").get(body.get("templateName"))
    asked = wanted(kind, submitted)
    if told["status"] == 404 or (told["status"] == 400 and (asked.slots > 0 or asked.pool)):
        return
    files = bool(body.get("files"))
    words = default_description(kind, "calm-jade-otter")
    inherited = {"bind_mounts": [{"host_path": "/ckpts", "container_path": "/determined_shared_fs"}]}
    extra: dict[str, Any] = {"inherited": inherited, "idle_timeout": 300_000_000} if kind is TaskKind.TENSORBOARD else {}

    def launch() -> dict[str, Any]:
        config = resolve_ntsc(
            kind, submitted, template, pool="default", priority=42, description=words, has_files=files, **extra
        ).config
        return config if body.get("preview") else {**config, "entrypoint": _shown(kind, config, told)}

    if told["status"] == 200:
        assert differences(told["body"]["config"], launch()) == []
    else:
        with pytest.raises(Invalid):
            launch()


def _shown(kind: TaskKind, config: dict[str, Any], told: dict[str, Any]) -> list[str]:
    paths = (told["body"]["config"]["entrypoint"][-1],) if kind is TaskKind.TENSORBOARD else ()
    return shown_entrypoint(kind, config["entrypoint"] or [], port=3210, paths=paths)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        pytest.param(*pair, id=pair[0]["id"])
        for pair in steps("09_admin")
        if pair[0]["op"].startswith("Put") and "ConfigPolicies" in pair[0]["op"] and pair[1]["status"] in (200, 400)
    ],
)
def test_config_policies(step, told):
    """Policies are shown as they were written, and wrong ones are refused."""
    text, workload = step["body"]["configPolicies"], step["path"].rsplit("/", 1)[-1]
    if told["status"] == 200:
        assert parse_policy(text, workload) == told["body"]["configPolicies"]
    elif isinstance(text, str):
        with pytest.raises(Invalid):
            parse_policy(text, workload)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        pytest.param(*pair, id=pair[0]["id"])
        for pair in steps("06_workspaces")
        if pair[0]["op"] in ("PostWorkspace", "PatchWorkspace") and (pair[0]["body"] or {}).get("checkpointStorageConfig")
    ],
)
def test_storage_of_workspaces(step, told):
    """A workspace shows every key of its storage's type with stars for secrets; unknown and incomplete ones are refused."""
    given = step["body"]["checkpointStorageConfig"]
    if told["status"] == 200:
        assert show_storage(read_storage(given)) == told["body"]["workspace"]["checkpointStorageConfig"]
    else:
        with pytest.raises(Failure):
            read_storage(given)
