"""Values to search by are stored in the background."""

from tests import rows
from undeterred.engine.services.values import BATCH, ValuesService
from undeterred.store import run_values, seed
from undeterred.store.database import Database, Tx


async def test_quiet_and_ended_runs_are_brought_up_to_date(db: Database) -> None:
    """All in one pass, experiments too; a run that has just reported is left for later, and a second pass does nothing."""

    def fill(tx: Tx) -> int:
        seed.seed(tx, "hash")
        experiment = rows.experiment(tx, config='{"hyperparameters":{"a":{"type":"const","val":1}}}')
        for number in range(2 * BATCH + 1):
            rows.run(tx, experiment, hparams=f'{{"lr":{number}}}', start_time=0)
        return rows.run(tx, experiment, hparams='{"busy":1}', last_activity=tx.now)

    busy = await db.write(fill)
    service = ValuesService(db)
    for _ in range(2):
        await service.run_once()
        assert await db.read(lambda tx: run_values.stale_runs(tx, 2**60, 100)) == [busy]
        assert await db.read(lambda tx: run_values.stale_experiments(tx, 100)) == []
    found = await db.read(lambda tx: run_values.summarize(tx, run_values.RUNS, 1))
    assert (found["h:lr"].low, found["h:lr"].high, found["h:busy"].low) == (0, 2 * BATCH, 1)
