"""Tables of usage as CSV, and the few routes of the oldest clients."""

import csv
import io
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute

from undeterred.api import legacy, usage
from undeterred.api.call import Call, Services
from undeterred.api.usage import Table
from undeterred.base.errors import Invalid
from undeterred.http.guarded import guarded

ROWS = 500
"""Rows of a table that are sent together."""


def routes(services: Services) -> list[BaseRoute]:
    """Routes of exports."""
    return [
        guarded(services, "/resources/allocation/raw", _raw),
        guarded(services, "/resources/allocation/allocations-csv", _allocations),
        guarded(services, "/resources/allocation/aggregated", _aggregated),
        guarded(services, "/users", _users),
        guarded(services, "/users/me", _me),
        guarded(services, "/tasks", _tasks),
        guarded(services, "/agents", _agents),
    ]


async def _raw(call: Call, request: Request) -> Response:
    asked = request.query_params
    return await _csv(usage.raw_table(call, asked.get("timestamp_after", ""), asked.get("timestamp_before", "")))


async def _allocations(call: Call, request: Request) -> Response:
    asked = request.query_params
    return await _csv(usage.allocations_table(call, asked.get("timestamp_after", ""), asked.get("timestamp_before", "")))


async def _aggregated(call: Call, request: Request) -> Response:
    asked = request.query_params
    period = asked.get("period", "RESOURCE_ALLOCATION_AGGREGATION_PERIOD_UNSPECIFIED")
    return await _csv(usage.aggregated_table(call, asked.get("start_date", ""), asked.get("end_date", ""), period))


async def _users(call: Call, _request: Request) -> Response:
    return JSONResponse(await legacy.old_users(call))


async def _me(call: Call, _request: Request) -> Response:
    return JSONResponse(await legacy.old_me(call))


async def _tasks(call: Call, _request: Request) -> Response:
    return JSONResponse(await legacy.old_tasks(call))


async def _agents(_call: Call, _request: Request) -> Response:
    """Where agents of the compatible system connect; this server starts its tasks by itself."""
    raise Invalid("agents do not connect here; GET /api/v1/agents lists them")


async def _csv(table: Table) -> Response:
    """The table. Its heading and first row are made before anything is sent: what is wrong with the request is found by then."""
    head = [await anext(table), await anext(table, None)]
    return StreamingResponse(_lines(head, table), media_type="text/csv")


async def _lines(head: list[list[str] | None], table: Table) -> AsyncIterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerows(_plain(row) for row in head if row is not None)
    waiting = 0
    async for row in table:
        writer.writerow(_plain(row))
        waiting += 1
        if waiting >= ROWS:
            yield _taken(buffer)
            waiting = 0
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _plain(row: list[str]) -> list[str]:
    """Cells that a spreadsheet would take for formulas are made texts."""
    return [
        f"'{cell}" if cell[:1] in ("=", "@", "+", "\t", "\r") or (cell[:1] == "-" and not _is_number(cell)) else cell
        for cell in row
    ]


def _is_number(cell: str) -> bool:
    return cell[1:].replace(".", "", 1).isdigit()
