"""The experiment configuration as data: every key with its kind, range and default.

Keys of earlier versions that no longer mean anything are accepted and dropped (`ignored`).
"""

from typing import Any

from undeterred.core.config import rules, shims
from undeterred.core.config.kinds import (
    Anything,
    Field,
    Flag,
    Items,
    Join,
    Kind,
    Null,
    Number,
    OneOf,
    Pod,
    Record,
    Shaped,
    Size,
    Space,
    Table,
    Text,
    Tree,
    Union,
    Whole,
)

CURRENT_SEARCHERS = ("single", "random", "grid", "async_halving", "adaptive_asha")
TIMED_SEARCHERS = ("async_halving", "adaptive_asha")
REMOVED_SEARCHERS = ("custom", "adaptive", "adaptive_simple", "sync_halving")
"""Names that older experiments carry: they can be shown, new experiments cannot use them."""
OPTUNA = "optuna"
"""A searcher that can always be read, and is run only where Optuna is installed."""

_CPU_IMAGE = "determinedai/pytorch-ngc:0.38.0"
_ROCM_IMAGE = "determinedai/environments:rocm-5.0-pytorch-1.10-tf-2.7-rocm-0.26.4"
DEFAULT_IMAGES: Tree = {"cpu": _CPU_IMAGE, "cuda": _CPU_IMAGE, "rocm": _ROCM_IMAGE}

_TEXT, _FLAG, _COUNT, _LEGACY = Text(), Flag(), Whole(0), Field(Anything(), ignored=True)
_TEXTS = Items(_TEXT)


def _optional(kind: Kind) -> Field:
    """A key that is left out while it has no value."""
    return Field(kind, hide_null=True)


def _keyed(*keys: str) -> Any:
    """The values under some keys of an entry, as what tells entries of a list apart."""
    return lambda entry: tuple(entry.get(key) for key in keys)


def _policy_key(policy: Tree) -> Any:
    """A log policy is told by its name, an older one by what it matches and does."""
    return policy["name"] if "name" in policy else (policy.get("pattern"), policy.get("action"))


BIND_MOUNTS = Items(
    Record(
        {
            "container_path": Field(Text(rule=rules.not_work_dir), at_once=True),
            "host_path": Field(Text(rule=rules.absolute), at_once=True),
            "propagation": Field(_TEXT, "rprivate"),
            "read_only": Field(_FLAG, False),
        }
    ),
    Join.ABOVE,
    _keyed("container_path"),
)

DEVICES = Items(
    Shaped(
        shims.device,
        Record(
            {
                "container_path": Field(_TEXT, at_once=True),
                "host_path": Field(_TEXT, at_once=True),
                "mode": Field(_TEXT, "mrw"),
            }
        ),
    ),
    Join.ABOVE,
    _keyed("container_path"),
)

PROXY_PORTS = Items(
    Record(
        {
            "default_service_id": Field(_FLAG, False),
            "proxy_port": Field(Whole(1, 65535), at_once=True),
            "proxy_tcp": Field(_FLAG, False),
            "unauthenticated": Field(_FLAG, False),
        }
    ),
    Join.ABOVE,
    _keyed("proxy_port"),
)

IMAGES = Shaped(shims.per_device, Record({name: Field(_TEXT, image) for name, image in DEFAULT_IMAGES.items()}))

_VARIABLES = Field(Items(_TEXT, Join.APPEND), [])
VARIABLES = Shaped(shims.per_device, Record(dict.fromkeys(shims.DEVICE_TYPES, _VARIABLES)))

REGISTRY_SECRETS = ("auth", "identitytoken", "password", "registrytoken")
REGISTRY_AUTH = Record(
    {key: _optional(_TEXT) for key in (*REGISTRY_SECRETS, "email", "server", "serveraddress", "username")}, whole=True
)

LOG_POLICIES = Items(
    Record(
        {
            "action": _optional(Shaped(shims.log_action, Text(("cancel_retries", "exclude_node")))),
            "name": _optional(_TEXT),
            "pattern": _optional(Text(rule=rules.pattern)),
        },
        (rules.log_policy,),
    ),
    Join.BELOW,
    _policy_key,
    distinct=True,
)

DEFAULT_LOG_POLICIES = [
    {"name": "CUDA OOM", "pattern": ".*CUDA out of memory.*"},
    {"name": "ECC Error", "pattern": ".*uncorrectable ECC error encountered.*"},
]

_ARGUMENTS = Items(_TEXT, Join.ARGUMENTS)
SLURM = Record(
    {"gpu_type": _optional(_TEXT), "sbatch_args": _optional(_ARGUMENTS), "slots_per_node": _optional(Whole(1))},
)
PBS = Record({"pbsbatch_args": _optional(_ARGUMENTS), "slots_per_node": _optional(Whole(1))})

LENGTH = Record({unit: _optional(_COUNT) for unit in ("batches", "epochs", "records")}, (rules.one_unit,), whole=True)

_KEEP: dict[str, Field] = {
    "save_experiment_best": Field(_COUNT, 0),
    "save_trial_best": Field(_COUNT, 1),
    "save_trial_latest": Field(_COUNT, 1),
}
_BUCKET = Field(Text(rule=rules.not_empty), required=True)
_PREFIX = Field(Text(rule=rules.no_parent))

STORAGE = Union(
    "type",
    _KEEP,
    {
        "shared_fs": Record(
            {
                "host_path": Field(Text(rule=rules.absolute), required=True),
                "propagation": Field(_TEXT, "rprivate"),
                "storage_path": Field(Text(rule=rules.no_parent)),
                **dict.fromkeys(("checkpoint_path", "tensorboard_path", "container_path"), _LEGACY),
            },
            (rules.inside_host_path,),
        ),
        "directory": Record({"container_path": Field(Text(rule=rules.not_empty), required=True)}),
        "s3": Record(
            {
                "access_key": Field(_TEXT),
                "bucket": _BUCKET,
                "endpoint_url": Field(_TEXT),
                "prefix": _PREFIX,
                "secret_key": Field(_TEXT),
            }
        ),
        "gcs": Record({"bucket": _BUCKET, "prefix": _PREFIX}),
        "azure": Record(
            {
                "account_url": Field(_TEXT),
                "connection_string": Field(_TEXT),
                "container": _BUCKET,
                "credential": Field(_TEXT),
            },
            (rules.azure_login,),
        ),
    },
    "one of shared_fs, directory, s3, gcs, azure",
    together=("account_url", "connection_string", "credential"),
)

_SEARCH: dict[str, Field] = {
    "metric": Field(_TEXT, required=True),
    "smaller_is_better": Field(_FLAG, True),
    "source_checkpoint_uuid": Field(_TEXT),
    "source_trial_id": Field(Whole()),
}
_MAX_LENGTH = _optional(OneOf((_COUNT, LENGTH), "a number, or an object with one of batches, records, epochs"))
_MAX_TRIALS = Field(Whole(1), required=True)
_AT_ONCE = Field(_COUNT, 16)
_TIMED: dict[str, Field] = {
    "divisor": Field(Number(above=1), 4),
    "max_concurrent_trials": _AT_ONCE,
    "max_length": _MAX_LENGTH,
    "max_time": Field(Whole(1)),
    "max_trials": _MAX_TRIALS,
    "stop_once": _LEGACY,
    "time_metric": Field(_TEXT),
}
_FREE = Record({}, open=True)
_BY_NAME = Record({"name": Field(_TEXT, at_once=True)}, whole=True, open=True)
_NAMED = OneOf((_TEXT, _BY_NAME), "a name, or an object with a name and options")

_SEARCHERS: dict[str, Record] = {
    "single": Record({"max_length": _MAX_LENGTH}),
    "random": Record({"max_concurrent_trials": _AT_ONCE, "max_length": _MAX_LENGTH, "max_trials": _MAX_TRIALS}),
    "grid": Record({"max_concurrent_trials": _AT_ONCE, "max_length": _MAX_LENGTH}),
    "async_halving": Record({**_TIMED, "num_rungs": Field(Whole(1), required=True)}),
    "adaptive_asha": Record(
        {
            **_TIMED,
            "bracket_rungs": Field(Items(Whole(1)), []),
            "max_rungs": Field(Whole(1), 5),
            "mode": Field(Text(("aggressive", "standard", "conservative")), "standard"),
        }
    ),
    OPTUNA: Record(
        {
            "max_concurrent_trials": _AT_ONCE,
            "max_length": _MAX_LENGTH,
            "max_trials": _MAX_TRIALS,
            "pruner": Field(_NAMED, "NopPruner"),
            "sampler": Field(_NAMED, "TPESampler"),
            "time_metric": Field(_TEXT),
        }
    ),
    **dict.fromkeys(REMOVED_SEARCHERS, _FREE),
}


def searchers(extra: frozenset[str] = frozenset()) -> Union:
    """The `searcher` section; `extra` are names of further searchers, which check their own keys where none are known here."""
    names = {**_SEARCHERS, **dict.fromkeys(sorted(extra - set(_SEARCHERS)), _FREE)}
    known = [name for name in names if name in CURRENT_SEARCHERS or name in extra]
    return Union("name", _SEARCH, names, f"one of {', '.join(known)}")


ENVIRONMENT = Record(
    {
        "add_capabilities": Field(_TEXTS, []),
        "drop_capabilities": Field(_TEXTS, []),
        "environment_variables": Field(VARIABLES, {}),
        "force_pull_image": Field(_FLAG, False),
        "image": Field(IMAGES, {}),
        "pod_spec": Field(Pod()),
        "ports": Field(Table(Whole()), {}),
        "proxy_ports": Field(PROXY_PORTS, []),
        "registry_auth": Field(REGISTRY_AUTH),
    }
)

PRIORITY = Whole(1, 99)
RESOURCES = Record(
    {
        "agent_label": _LEGACY,
        "devices": Field(DEVICES, []),
        "is_single_node": Field(_FLAG),
        "max_slots": Field(_COUNT),
        "native_parallel": Field(_FLAG, False),
        "priority": Field(PRIORITY),
        "resource_pool": Field(_TEXT, ""),
        "shm_size": Field(Size()),
        "slots": Field(Null("use slots_per_trial for an experiment"), ignored=True),
        "slots_per_trial": Field(_COUNT, 1),
        "weight": Field(Number(minimum=0), 1),
    }
)

_OPTIMIZATIONS = Record(
    {
        "aggregation_frequency": Field(Whole(1), 1),
        "auto_tune_tensor_fusion": Field(_FLAG, False),
        "average_aggregated_gradients": Field(_FLAG, True),
        "average_training_metrics": Field(_FLAG, True),
        "grad_updates_size_file": Field(_TEXT),
        "gradient_compression": Field(_FLAG, False),
        "mixed_precision": Field(Text(("O0", "O1", "O2", "O3")), "O0"),
        "tensor_fusion_cycle_time": Field(_COUNT, 1),
        "tensor_fusion_threshold": Field(_COUNT, 64),
    }
)

_PROFILING = Record(
    {
        "begin_on_batch": Field(_COUNT, 0),
        "enabled": Field(_FLAG, False),
        "end_after_batch": Field(_COUNT),
        "sync_timings": Field(_FLAG, True),
    },
    (rules.profiled_range,),
)


def _texts(*keys: str) -> Record:
    return Record({key: _optional(_TEXT) for key in keys})


_PACHYDERM = Record(
    {
        "dataset": _optional(_texts("branch", "commit", "project", "repo", "token")),
        "pachd": _optional(Record({"host": _optional(_TEXT), "port": _optional(Whole()), "token": _optional(_TEXT)})),
        "proxy": _optional(Record({"host": _optional(_TEXT), "port": _optional(Whole()), "scheme": _optional(_TEXT)})),
    }
)

INTEGRATIONS = Record(
    {
        "pachyderm": _optional(_PACHYDERM),
        "webhooks": _optional(
            Record(
                {
                    "exclude": Field(_FLAG, False),
                    "webhook_id": _optional(Items(Whole())),
                    "webhook_name": _optional(_TEXTS),
                }
            )
        ),
    }
)


def experiment(extra_searchers: frozenset[str] = frozenset()) -> Record:
    """The whole configuration of an experiment."""
    return Record({**_EXPERIMENT, "searcher": Field(searchers(extra_searchers), {})})


_EXPERIMENT: dict[str, Field] = {
    "bind_mounts": Field(BIND_MOUNTS, []),
    "checkpoint_policy": Field(Text(("best", "all", "none")), "best"),
    "checkpoint_storage": Field(STORAGE, {}),
    "data": Field(Table(Anything()), {}),
    "data_layer": _LEGACY,
    "debug": Field(_FLAG, False),
    "description": Field(_TEXT),
    "entrypoint": Field(OneOf((_TEXT, _TEXTS), "a text or a list of texts")),
    "environment": Field(ENVIRONMENT, {}),
    "hyperparameters": Field(Space(), {}),
    "integrations": Field(INTEGRATIONS),
    "internal": Field(Null("it is no longer used"), ignored=True),
    "labels": Field(Items(_TEXT, Join.UNION), []),
    "log_policies": Field(LOG_POLICIES, DEFAULT_LOG_POLICIES),
    "max_restarts": Field(_COUNT, 5),
    "min_checkpoint_period": Field(LENGTH, {"batches": 0}),
    "min_validation_period": Field(LENGTH, {"batches": 0}),
    "name": Field(_TEXT, required=True),
    "optimizations": Field(_OPTIMIZATIONS, {}),
    "pbs": Field(PBS, {}),
    "perform_initial_validation": Field(_FLAG, False),
    "preemption_timeout": Field(_COUNT),
    "profiling": Field(_PROFILING, {}),
    "project": Field(_TEXT, ""),
    "records_per_epoch": Field(_COUNT, 0),
    "reproducibility": Field(Record({"experiment_seed": Field(Whole(0, 2**32 - 1))}), {}),
    "resources": Field(RESOURCES, {}),
    "retention_policy": _optional(Record({"log_retention_days": Field(Whole(-1, 32767))})),
    "scheduling_unit": Field(Whole(1), 100),
    "security": _LEGACY,
    "slurm": Field(SLURM, {}),
    "tensorboard_storage": _LEGACY,
    "workspace": Field(_TEXT, ""),
}
