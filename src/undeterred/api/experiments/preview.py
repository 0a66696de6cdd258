"""What a search would do, told before it is submitted."""

import asyncio
from collections.abc import Mapping
from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import Needs, operation
from undeterred.core.config.resolve import search_section
from undeterred.core.search import Expected, preview
from undeterred.wire import messages as m

_MOST = 2**31 - 1
"""What clients can read of a number of trials."""


@operation("PreviewHPSearch", needs=Needs.LOGIN)
async def preview_hp_search(call: Call, req: m.PreviewHPSearchRequest) -> m.PreviewHPSearchResponse:
    """How many trials of a configuration's search are expected to train how long; the configuration may be unfinished.

    The answer holds for every seed.
    """
    config: Any = req.config or {}
    searcher, expected = await asyncio.to_thread(_expected, config, call)
    return m.PreviewHPSearchResponse(summary=m.SearchSummary(config=searcher, trials=[_summary(one) for one in expected]))


def _expected(config: Mapping[str, Any], call: Call) -> tuple[dict[str, Any], list[Expected]]:
    section = search_section(config, call.engine.searchers.names)
    expected = preview(section)
    searcher = dict(section["searcher"])
    if "bracket_rungs" in searcher:
        searcher["bracket_rungs"] = sorted(searcher["bracket_rungs"], reverse=True)
    return searcher, expected


def _summary(expected: Expected) -> m.TrialSummary:
    count = min(expected.count, _MOST)
    if expected.units is None:
        return m.TrialSummary(count=count, unit=m.SearchUnit(max_length=True))
    return m.TrialSummary(count=count, unit=m.SearchUnit(name=expected.time_metric or "", value=min(expected.units, _MOST)))
