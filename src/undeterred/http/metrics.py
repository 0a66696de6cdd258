"""What Prometheus reads, and a look at what the process is doing right now."""

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute

from undeterred.api import monitoring
from undeterred.api.call import Call, Services
from undeterred.base.errors import NotFound
from undeterred.core.exposition import Family, Sample, gauge, text
from undeterred.core.rights import Right
from undeterred.http.counters import BOUNDS, Counters
from undeterred.http.guarded import guarded

_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_STARTED = time.time()


def routes(services: Services, counters: Counters) -> list[BaseRoute]:
    """Routes for monitoring; all but the last can be switched off in the settings."""

    async def own(call: Call, _request: Request) -> Response:
        _check_enabled(call)
        families = [*await monitoring.cluster_families(call), *_requests(counters), *_process()]
        return Response(text(families), media_type=_TYPE)

    return [
        guarded(services, "/debug/prom/metrics", own),
        guarded(services, "/prom/det-state-metrics", _state),
        guarded(services, "/prom/det-http-sd-config", _targets),
        guarded(services, "/debug/pprof/", _stacks),
    ]


async def _state(call: Call, _request: Request) -> Response:
    _check_enabled(call)
    return Response(text(await monitoring.state_families(call)), media_type=_TYPE)


async def _targets(call: Call, _request: Request) -> Response:
    _check_enabled(call)
    return JSONResponse(await monitoring.targets(call))


async def _stacks(call: Call, _request: Request) -> Response:
    """Where every thread and every task of the event loop stands; for administrators."""
    await call.read(lambda tx: call.require(tx, Right.VIEW_MASTER_CONFIG))
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    parts = [
        f"thread {names.get(ident, ident)}\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in sorted(sys._current_frames().items())
    ]
    for task in sorted(asyncio.all_tasks(), key=lambda task: task.get_name()):
        lines = [f"  {frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}" for frame in task.get_stack()]
        parts.append("\n".join([f"task {task.get_name()}", *lines, ""]))
    return PlainTextResponse("\n".join(parts))


def _check_enabled(call: Call) -> None:
    if not call.settings.observability.enable_prometheus:
        raise NotFound("metrics are switched off (observability.enable_prometheus)")


def _requests(counters: Counters) -> Iterator[Family]:
    answers = [Sample(count, {"operation": name, "status": str(status)}) for name, status, count in counters.answers()]
    yield Family("undeterred_requests_total", "counter", "Requests by operation and HTTP status (0: gone before)", answers)
    samples = []
    for name, durations in counters.durations():
        total = 0
        for bound, count in zip([*map(str, BOUNDS), "+Inf"], durations.classes, strict=True):
            total += count
            samples.append(Sample(total, {"operation": name, "le": bound}, "_bucket"))
        samples.append(Sample(durations.seconds, {"operation": name}, "_sum"))
        samples.append(Sample(total, {"operation": name}, "_count"))
    yield Family("undeterred_request_seconds", "histogram", "Time from the whole request to the whole answer", samples)


def _process() -> Iterator[Family]:
    used = os.times()
    yield Family("process_cpu_seconds_total", "counter", "Processor time", [Sample(used.user + used.system, {})])
    yield gauge("process_start_time_seconds", "When the process started", _STARTED)
    yield gauge("process_threads", "Threads", threading.active_count())
    status = Path("/proc/self/statm")
    if status.exists():
        pages = int(status.read_text().split()[1])
        yield gauge("process_resident_memory_bytes", "Memory in use", pages * os.sysconf("SC_PAGE_SIZE"))
        yield gauge("process_open_fds", "Open files and sockets", len(os.listdir("/proc/self/fd")))
