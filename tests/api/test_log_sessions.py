"""Who follows a log is asked for after what all share was read, so that nobody comes late for it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.test_log_followers import Log, caught_up, counted, heard
from tests.api.test_log_followers import log as log
from tests.clocks import Hands
from tests.conftest import server_on
from tests.databases import Stores
from undeterred.app import App
from undeterred.base.clock import SECOND
from undeterred.base.settings import Settings

FOLLOWERS = 400


class Ticking(Hands):
    """A hundredth of a second passes between two looks: what is remembered for a second ends while the followers are woken."""

    def monotonic(self) -> float:
        """A little later each time."""
        self.time += SECOND // 100
        return super().monotonic()


@pytest.fixture
async def app(stores: Stores, data_dir: Path, settings: Settings) -> AsyncIterator[App]:
    """A server on such a clock."""
    with stores.seeded(data_dir) as url:
        application = server_on(url, data_dir, settings, Ticking())
        await application.start()
        yield application
        await application.stop()


async def test_a_look_at_the_session_costs_no_second_reading(log: Log) -> None:
    """Also when it is due in the middle of a batch's followers."""
    async with log.followed(FOLLOWERS) as streams:
        await caught_up(log, streams)
        with counted() as queries:
            for batch in range(5):
                await log.write(f"{batch}")
                assert await heard(streams) == {f"{batch}"}
            assert len(queries) == 5
