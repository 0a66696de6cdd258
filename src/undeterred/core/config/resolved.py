"""The resolved configuration with typed access to what the rest of the program needs."""

from typing import Any

from undeterred.base.struct import Struct
from undeterred.core.config.kinds import Tree


class GcPolicy(Struct, frozen=True):
    """How many checkpoints survive when an experiment ends."""

    save_experiment_best: int
    save_trial_best: int
    save_trial_latest: int


class Resolved(Struct, frozen=True):
    """A complete experiment configuration; `config` is plain JSON data with every key present, keys in alphabetical order."""

    config: Tree

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return str(self.config["name"])

    @property
    def description(self) -> str:
        """The description, "" when there is none."""
        return self.config["description"] or ""

    @property
    def labels(self) -> list[str]:
        """The labels, sorted."""
        return sorted(self.config["labels"] or [])

    @property
    def project(self) -> str:
        """The project's name as configured, "" when it is not."""
        return str(self.config["project"])

    @property
    def workspace(self) -> str:
        """The workspace's name as configured, "" when it is not."""
        return str(self.config["workspace"])

    @property
    def entrypoint(self) -> str | list[str] | None:
        """What runs: a shell command as one text, an argument list, or None for an unmanaged experiment."""
        entrypoint: str | list[str] | None = self.config["entrypoint"]
        return entrypoint

    @property
    def hyperparameters(self) -> Tree:
        """The space, in canonical form."""
        return dict(self.config["hyperparameters"])

    @property
    def searcher(self) -> Tree:
        """The whole searcher section."""
        return dict(self.config["searcher"])

    @property
    def searcher_name(self) -> str:
        """The search method."""
        return str(self.searcher["name"])

    @property
    def metric(self) -> str:
        """The validation metric that the search looks at."""
        return str(self.searcher["metric"])

    @property
    def smaller_is_better(self) -> bool:
        """The direction of the metric."""
        return bool(self.searcher["smaller_is_better"])

    @property
    def source_trial_id(self) -> int | None:
        """The trial whose latest checkpoint every trial starts from."""
        found: int | None = self.searcher["source_trial_id"]
        return found

    @property
    def source_checkpoint_uuid(self) -> str | None:
        """The checkpoint that every trial starts from."""
        found: str | None = self.searcher["source_checkpoint_uuid"]
        return found

    @property
    def seed(self) -> int:
        """The experiment's seed, 32 bits."""
        return int(self.config["reproducibility"]["experiment_seed"])

    @property
    def max_restarts(self) -> int:
        """How often a trial may fail and start again."""
        return int(self.config["max_restarts"])

    @property
    def slots_per_trial(self) -> int:
        """Slots of one trial, 0 for none."""
        return int(self.config["resources"]["slots_per_trial"])

    @property
    def max_slots(self) -> int | None:
        """Slots of all trials together, None for no limit."""
        found: int | None = self.config["resources"]["max_slots"]
        return found

    @property
    def pool(self) -> str:
        """The resource pool, "" for the default one."""
        return str(self.config["resources"]["resource_pool"])

    @property
    def priority(self) -> int | None:
        """1 to 99, None where the pool's scheduler knows no priorities."""
        found: int | None = self.config["resources"]["priority"]
        return found

    @property
    def weight(self) -> float:
        """The share under fair-share scheduling."""
        return float(self.config["resources"]["weight"])

    @property
    def single_node(self) -> bool:
        """Whether all slots of a trial must be on one machine."""
        return bool(self.config["resources"]["is_single_node"])

    @property
    def shm_size(self) -> int | None:
        """Bytes of shared memory, None for the default of the pool."""
        found: int | None = self.config["resources"]["shm_size"]
        return found

    @property
    def preemption_timeout(self) -> int:
        """Seconds between the signal to stop and the kill."""
        return int(self.config["preemption_timeout"])

    @property
    def storage(self) -> Tree:
        """The checkpoint storage, secrets and policy numbers included."""
        return dict(self.config["checkpoint_storage"])

    @property
    def gc(self) -> GcPolicy:
        """How many checkpoints survive."""
        storage = self.config["checkpoint_storage"]
        return GcPolicy(storage["save_experiment_best"], storage["save_trial_best"], storage["save_trial_latest"])

    @property
    def log_policies(self) -> list[Tree]:
        """Entries with `name`, `pattern` and `action` where they are given; one without a pattern is switched off."""
        return list(self.config["log_policies"])

    @property
    def retention_days(self) -> int | None:
        """Days that logs are kept, -1 for ever, None for the server's setting."""
        found: int | None = self.config.get("retention_policy", {}).get("log_retention_days")
        return found

    @property
    def webhooks(self) -> Tree:
        """`webhook_id`, `webhook_name` and `exclude` where they are given."""
        integrations: dict[str, Any] = self.config["integrations"] or {}
        return dict(integrations.get("webhooks") or {})
