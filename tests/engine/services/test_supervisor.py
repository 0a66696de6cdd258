"""The frame of all services."""

import asyncio
from collections.abc import Hashable

from tests.engine.fakes import FakeClock
from undeterred.engine.services import supervisor
from undeterred.engine.services.supervisor import Supervisor
from undeterred.engine.waiters import Waiters


class Counting:
    """Counts its runs; fails while told to."""

    period = 3600.0
    wakes: tuple[Hashable, ...] = (("key",),)

    def __init__(self, name: str = "counting") -> None:
        self.name = name
        self.runs = 0
        self.failing = False
        self.ran = asyncio.Event()
        self.hold: asyncio.Event | None = None

    async def run_once(self) -> None:
        """One run."""
        self.runs += 1
        self.ran.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.failing:
            raise ValueError("not now")


async def test_a_service_runs_at_once_and_whenever_it_is_woken() -> None:
    """Not before it is woken again: its period is an hour."""
    waiters, service = Waiters(), Counting()
    frame = Supervisor([service], waiters, FakeClock())
    frame.start()
    for expected in (1, 2, 3):
        await asyncio.wait_for(service.ran.wait(), 5)
        service.ran.clear()
        await asyncio.sleep(0)
        assert service.runs == expected
        waiters.wake([("key",)])
    await frame.stop()


async def test_being_woken_while_it_runs_is_not_forgotten() -> None:
    """What happened during a run is looked at in the next."""
    waiters, service = Waiters(), Counting()
    service.hold = asyncio.Event()
    frame = Supervisor([service], waiters, FakeClock())
    frame.start()
    await asyncio.wait_for(service.ran.wait(), 5)
    service.ran.clear()
    waiters.wake([("key",)])
    service.hold.set()
    await asyncio.wait_for(service.ran.wait(), 5)
    assert service.runs == 2
    await frame.stop()


async def test_a_failing_service_is_shown_and_comes_back(monkeypatch: object) -> None:
    """Its error is remembered until a run goes well; the others are not concerned."""
    waiters, bad, good = Waiters(), Counting("bad"), Counting("good")
    bad.failing = True
    frame = Supervisor([bad, good], waiters, FakeClock())
    frame.start()
    await asyncio.wait_for(bad.ran.wait(), 5)
    await asyncio.sleep(0.01)
    shown = {state.name: state for state in frame.states()}
    assert (shown["bad"].failures, shown["bad"].error) == (1, "ValueError: not now")
    assert (shown["good"].failures, shown["good"].runs) == (0, 1)
    bad.failing = False
    bad.ran.clear()
    await asyncio.wait_for(bad.ran.wait(), 10 * supervisor.FIRST_DELAY)
    await asyncio.sleep(0.01)
    assert shown["bad"].error == ""
    await frame.stop()


async def test_stopping_lets_a_run_finish() -> None:
    """Work under way is not torn apart; single services can be stopped before the others."""
    waiters, service, other = Waiters(), Counting(), Counting("other")
    service.hold = asyncio.Event()
    frame = Supervisor([service, other], waiters, FakeClock())
    frame.start()
    await asyncio.wait_for(service.ran.wait(), 5)
    stopping = asyncio.create_task(frame.stop("counting"))
    await asyncio.sleep(0.01)
    assert not stopping.done()
    service.hold.set()
    await asyncio.wait_for(stopping, 5)
    runs = service.runs
    waiters.wake([("key",)])
    await asyncio.sleep(0.01)
    assert (service.runs, other.runs) == (runs, 2)
    await frame.stop()
