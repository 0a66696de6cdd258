"""Meetings whose guests leave before all are there."""

import asyncio

import pytest

from undeterred.engine.meetings import Meetings


@pytest.mark.parametrize("first", [0, 1])
async def test_who_called_twice_leaves_twice(first: int) -> None:
    """In whichever order its calls end, each ends as canceled, and what was brought is gone."""
    meetings: Meetings[str] = Meetings()
    calls = [asyncio.create_task(meetings.meet("key", "a", 2, thing)) for thing in ("old", "new")]
    await asyncio.sleep(0)
    for call in (calls[first], calls[1 - first]):
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    both = [asyncio.create_task(meetings.meet("key", name, 2, name)) for name in ("b", "c")]
    assert await asyncio.gather(*both) == [["b", "c"]] * 2
