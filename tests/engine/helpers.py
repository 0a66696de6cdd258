"""A small world for tests of lifecycles: a database with a user and a project, an engine, and what happens to allocations."""

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings

from undeterred.base.settings import Settings
from undeterred.core.lifecycle.exits import Cause, ExitFacts
from undeterred.engine import allocations, experiments
from undeterred.engine.engine import Engine
from undeterred.engine.searchers import Searchers
from undeterred.engine.waiters import Waiters
from undeterred.store import allocations as allocation_rows
from undeterred.store import runs, users
from undeterred.store.database import Database, Tx
from undeterred.store.schema.experiments import experiments as experiment_table
from undeterred.store.schema.spaces import projects, workspaces
from undeterred.store.schema.tasks import allocations as allocation_table

NO_TRIAL_LEFT = frozenset({"COMPLETED", "CANCELED", "ERROR"})


def config(searcher: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A resolved configuration with the parts that the engine reads."""
    return {
        "name": "test",
        "searcher": {"name": "single", "metric": "loss", "smaller_is_better": True} | (searcher or {}),
        "hyperparameters": {"x": {"type": "double", "minval": 0.0, "maxval": 1.0}},
        "reproducibility": {"experiment_seed": 7},
        "resources": {"slots_per_trial": 1, "resource_pool": "default", "priority": None, "weight": 1},
        "max_restarts": 2,
        "log_policies": [],
        "entrypoint": "true",
    } | more


def live_out(machine: Any, template: Path, *, lives: int, steps: int) -> None:
    """Play random lives of a state machine of hypothesis, each on a copy of an empty database."""
    machine.template = template
    case = machine.TestCase
    case.settings = settings(
        max_examples=lives,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        print_blob=True,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
    )
    case().runTest()


class World:
    """Calls engine functions in transactions of their own."""

    def __init__(self, db: Database, searchers: Searchers | None = None) -> None:
        self.db = db
        self.engine = Engine(db, Settings(), db.clock, Waiters(), "cluster", "master", searchers=searchers)
        self.user_id = self.project_id = self.workspace_id = 0

    @classmethod
    def make(cls, db: Database, searchers: Searchers | None = None) -> "World":
        """A world on an empty database."""
        world = cls(db, searchers)
        db.write_now(world._seed)
        return world

    def again(self, db: Database | None = None) -> "World":
        """A new engine on the same database (`db`: opened anew), as after a crash of the server."""
        world = World(db or self.db, self.engine.searchers)
        world.user_id, world.project_id, world.workspace_id = self.user_id, self.project_id, self.workspace_id
        return world

    def _seed(self, tx: Tx) -> None:
        self.user_id = users.create(tx, "ann", active=True)
        self.workspace_id = tx.insert(workspaces, name="w", user_id=self.user_id, created_at=tx.now)
        self.project_id = tx.insert(
            projects, name="p", workspace_id=self.workspace_id, user_id=self.user_id, key="P", created_at=tx.now
        )

    def create(self, settings: dict[str, Any] | None = None, *, activate: bool = True) -> int:
        """An experiment with this resolved configuration."""
        new = experiments.NewExperiment(
            project_id=self.project_id,
            workspace_id=self.workspace_id,
            user_id=self.user_id,
            config=settings or config(),
            original_config="",
            context_digest=None,
            activate=activate,
        )
        return self.db.write_now(lambda tx: experiments.create(tx, new))

    def do(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """One engine function in a transaction."""
        return self.db.write_now(lambda tx: function(tx, *args, **kwargs))

    def experiment(self, experiment_id: int) -> Any:
        """The experiment's row."""
        return self.db.read_now(lambda tx: tx.row(experiment_table.select().where(experiment_table.c.id == experiment_id)))

    def runs(self, experiment_id: int) -> list[Any]:
        """The runs of an experiment, oldest first."""
        return self.db.read_now(lambda tx: runs.of_experiment(tx, experiment_id))

    def open(self) -> list[Any]:
        """Allocations that are not over, in order of their requests."""
        return self.db.read_now(
            lambda tx: tx.rows(
                allocation_table.select()
                .where(allocation_table.c.state != allocation_rows.ENDED)
                .order_by(allocation_table.c.queued_at, allocation_table.c.id)
            )
        )

    def start(self, allocation_id: str, *, ready: bool = True) -> None:
        """Give an allocation a slot and let its process run."""

        def work(tx: Tx) -> None:
            assert allocations.assign(tx, allocation_id, [("agent", [0])])
            allocations.submitted(tx, allocation_id, "{}", "{}")
            allocations.running(tx, allocation_id, ["127.0.0.1"], {})
            if ready:
                allocations.ready(tx, allocation_id)

        self.db.write_now(work)

    def exit(self, allocation_id: str, code: int | None = 0, cause: Cause = Cause.EXITED, message: str = "") -> None:
        """An allocation's process is gone."""
        self.db.write_now(
            lambda tx: allocations.exited(tx, allocation_rows.locked(tx, allocation_id), ExitFacts(cause, code, message=message))
        )

    def acknowledge(self, allocation_id: str) -> None:
        """The process says that it leaves because it was asked to."""
        self.do(allocations.acknowledge, allocation_id)
