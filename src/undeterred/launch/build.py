"""From a `LaunchSpec` and the place where it runs to environment, info files and command line. Pure functions."""

import shlex
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from undeterred.base import json
from undeterred.base.struct import Struct, field
from undeterred.launch.spec import Device, LaunchSpec

INHERITED = (
    *("PATH", "SHELL", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "CUDA_HOME", "CUDA_PATH"),
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_CERT", "PIP_FIND_LINKS", "PIP_NO_INDEX"),
    *("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INSECURE_HOST"),
)
"""Variables of the server that tasks get too. All others stay with the server: they may hold its secrets."""

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LARGEST_VARIABLE = 100_000
"""Linux refuses a program one of whose variables has 128 KiB or more."""


class Place(Struct, frozen=True):
    """Where one rank of a task runs."""

    run_dir: str
    work_dir: str
    bin_dir: str
    """Folder of the task's own `python`, first on its PATH."""
    venv: str
    redirect_dir: str
    home: str
    login: str
    """Name of the Unix user."""
    inherited: Mapping[str, str] = field(default_factory=dict)
    """The server's environment; only `INHERITED` is taken from it."""
    language: str = "C.UTF-8"
    address: str = "127.0.0.1"
    devices: tuple[Device, ...] = ()
    """Assigned to this rank."""
    hide_gpus: bool = False
    """The machine has GPUs: a task that was given none must see none."""
    ports: Mapping[str, int] = field(default_factory=dict)
    urllib3: tuple[int, int] | None = None
    """Version in the task's environment; None when it has none."""


def environment(spec: LaunchSpec, place: Place) -> dict[str, str]:
    """All variables of the task.

    Later ones win: machine, task, kind, the user's own, facts of cluster and place (a user cannot give a task another
    identity by a variable). PATH and PYTHONPATH of the user come after ours.
    """
    env = _machine(place) | _defaults(spec, place) | _task(spec) | dict(spec.env)
    env |= {name: str(port) for name, port in place.ports.items() if name not in spec.env}
    env |= spec.user_env
    if spec.user_env.keys() & {"TORCH_FORCE_WEIGHTS_ONLY_LOAD"}:
        env.pop("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", None)
    env |= _facts(spec, place)
    env["PATH"] = f"{place.bin_dir}:{env['PATH']}"
    env["PYTHONPATH"] = place.redirect_dir + (f":{env['PYTHONPATH']}" if env.get("PYTHONPATH") else "")
    return env


def info_files(spec: LaunchSpec, place: Place) -> dict[str, bytes]:
    """The files that a harness reads about itself, by their path relative to the run folder."""
    slots = [device.id for device in place.devices]
    trial = spec.trial
    files: dict[str, object] = {
        "cluster": {
            "master_url": spec.cluster.master_url,
            "cluster_id": spec.cluster.cluster_id,
            "agent_id": spec.cluster.agent_id,
            "slot_ids": slots,
            "task_id": spec.task_id,
            "allocation_id": spec.allocation_id,
            "session_token": spec.session_token,
            "task_type": spec.task_type,
            "master_cert_name": spec.cluster.master_cert_name or None,
            "master_cert_file": spec.cluster.master_cert_file or None,
            "latest_checkpoint": trial.latest_checkpoint if trial else None,
        },
        "resources": {"gpu_uuids": [device.uuid for device in place.devices if device.kind != "cpu"]},
        "rendezvous": {"container_addrs": [place.address], "container_rank": 0, "container_slot_counts": [len(slots)]},
    }
    if trial:
        files["trial"] = {
            "trial_id": trial.trial_id,
            "experiment_id": trial.experiment_id,
            "trial_seed": trial.seed,
            "hparams": dict(trial.hparams),
            "config": dict(trial.config),
            "steps_completed": trial.steps_completed,
            "trial_run_id": trial.trial_run_id,
            "debug": trial.debug,
            "inter_node_network_interface": trial.network_interface,
        }
    return {f"info/{name}.json": json.dumps(value).encode() for name, value in files.items()}


def start_script(hooks: Sequence[str], shell: str) -> str:
    """A shell script that runs `hooks` (files) in the shell that then becomes the task: what they export, the task sees.

    A failing command in a hook ends the task with its status, and `exit 0` in a hook with status 1: the task has not run.
    """
    lines = [f"#!{shell}", "_undeterred_hook_ended() {", "    status=$?", '    [ "$status" -ne 0 ] || status=1']
    lines += ['    echo "ERROR: startup hook failed, the task is not started (status $status)" >&2', "    exit $status", "}"]
    lines += ["trap _undeterred_hook_ended EXIT", "set -e"]
    lines += [f". {shlex.quote(hook)}" for hook in hooks]
    lines += ["set +e", "trap - EXIT", "unset -f _undeterred_hook_ended", 'exec "$@"', ""]
    return "\n".join(lines)


def retry_config(urllib3: tuple[int, int] | None) -> str:
    """Value of `DET_RETRY_CONFIG` (arguments of urllib3's `Retry`) with which a task outlives any outage of the server.

    With urllib3 2 the waits are random, up to 5 s: its doubling waits overflow after about a thousand errors in a row, even
    when they are capped. Older versions cannot do that: there the waits double up to 120 s, and a thousand of them are 33
    hours.
    """
    patient: dict[str, object] = {"status_forcelist": [502, 503, 504]}
    if urllib3 is None or urllib3 >= (2, 0):
        patient |= {"total": 1_000_000, "backoff_factor": 0, "backoff_jitter": 5, "backoff_max": 5, "allowed_methods": False}
    else:
        methods = "allowed_methods" if urllib3 >= (1, 26) else "method_whitelist"
        patient |= {"total": 1000, "backoff_factor": 0.2, methods: False}
    return json.dumps(patient)


def _machine(place: Place) -> dict[str, str]:
    kept = {name: place.inherited[name] for name in INHERITED if place.inherited.get(name)}
    own = {"HOME": place.home, "USER": place.login, "LOGNAME": place.login, "LANG": place.language}
    return {"PATH": DEFAULT_PATH} | kept | own


def _defaults(spec: LaunchSpec, place: Place) -> dict[str, str]:
    return {
        "PYTHONUNBUFFERED": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "DET_RETRY_CONFIG": retry_config(place.urllib3),
        # PyTorch 2.6 and newer refuse the harness's own checkpoints without this.
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
        "DET_SEGMENT_ENABLED": "false",
        "DET_TASK_LOGGING_METADATA": json.dumps({"container_id": _container_id(spec), "agent_id": spec.cluster.agent_id}),
    }


def _task(spec: LaunchSpec) -> dict[str, str]:
    env = {"DET_RESOURCES_TYPE": "docker-container", "DET_USER": spec.user}
    if spec.trial is None:
        return env
    trial = spec.trial
    env |= {
        "DET_EXPERIMENT_ID": str(trial.experiment_id),
        "DET_TRIAL_ID": str(trial.trial_id),
        "DET_TRIAL_RUN_ID": str(trial.trial_run_id),
        "DET_TRIAL_SEED": str(trial.seed),
        "DET_STEPS_COMPLETED": str(trial.steps_completed),
    }
    if trial.latest_checkpoint:
        env["DET_LATEST_CHECKPOINT"] = trial.latest_checkpoint
    if trial.network_interface:
        env["DET_INTER_NODE_NETWORK_INTERFACE"] = trial.network_interface
    large = {"DET_EXPERIMENT_CONFIG": json.dumps(dict(trial.config)), "DET_HPARAMS": json.dumps(dict(trial.hparams))}
    # The harness reads both from info/trial.json; as variables they are a convenience for the user's own scripts.
    return env | {name: text for name, text in large.items() if len(text.encode()) < LARGEST_VARIABLE}


def _facts(spec: LaunchSpec, place: Place) -> dict[str, str]:
    url = urlsplit(spec.cluster.master_url)
    port = url.port or (443 if url.scheme == "https" else 80)
    resources = spec.resources_id or spec.allocation_id
    facts = {
        "DET_MASTER": spec.cluster.master_url,
        "DET_MASTER_HOST": url.hostname or "",
        "DET_MASTER_ADDR": url.hostname or "",
        "DET_MASTER_PORT": str(port),
        "DET_MASTER_ID": spec.cluster.cluster_id,
        "DET_CLUSTER_ID": spec.cluster.cluster_id,
        "DET_AGENT_ID": spec.cluster.agent_id,
        "DET_USE_TLS": "true" if url.scheme == "https" else "false",
        "DET_SLOT_IDS": json.dumps([device.id for device in place.devices]),
        "DET_TASK_ID": spec.task_id,
        "DET_TASK_TYPE": spec.task_type,
        "DET_ALLOCATION_ID": spec.allocation_id,
        "DET_SESSION_TOKEN": spec.session_token,
        "DET_RESOURCES_ID": resources,
        "DET_CONTAINER_ID": _container_id(spec),
        "DET_WORKDIR": place.work_dir,
        "DET_RUN_DIR": place.run_dir,
        "PYTHONUSERBASE": f"{place.run_dir}/pythonuserbase",
        "VIRTUAL_ENV": place.venv,
        "UNDETERRED_ALLOCATION": spec.allocation_id,
        "UNDETERRED_RUN_DIR": place.run_dir,
    }
    if spec.cluster.master_cert_file:
        facts["DET_MASTER_CERT_FILE"] = spec.cluster.master_cert_file
    if spec.cluster.master_cert_name:
        facts["DET_MASTER_CERT_NAME"] = spec.cluster.master_cert_name
    if spec.shared_fs:
        facts["UNDETERRED_SHARED_FS"] = spec.shared_fs
    return facts | _visible_devices(place)


def _visible_devices(place: Place) -> dict[str, str]:
    by_kind = {kind: [d for d in place.devices if d.kind == kind] for kind in ("cuda", "rocm")}
    if by_kind["cuda"]:
        return {"CUDA_VISIBLE_DEVICES": ",".join(device.uuid or str(device.id) for device in by_kind["cuda"])}
    if by_kind["rocm"]:
        return {"ROCR_VISIBLE_DEVICES": ",".join(device.uuid or str(device.id) for device in by_kind["rocm"])}
    return {"CUDA_VISIBLE_DEVICES": "", "ROCR_VISIBLE_DEVICES": ""} if place.hide_gpus else {}


def _container_id(spec: LaunchSpec) -> str:
    return spec.container_id or spec.resources_id or spec.allocation_id
