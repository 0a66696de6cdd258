"""Runs beside a notebook and tells the server whether anything happens in it. Standard library alone: it lives in the task.

Its text is handed to the task's interpreter, which need not have this package.
"""

import http.client
import json
import os
import ssl
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

PERIOD_S = 10.0
ASK_S = 5.0
"""Longest wait for an answer."""

Things = Sequence[Mapping[str, Any]]


def is_idle(kind: str, kernels: Things, terminals: Things, seen: set[str]) -> bool:
    """Whether nothing happens, by the configured meaning of use.

    `kernels_or_terminals`: one of them exists; `kernel_connections`: a browser is connected to a kernel; `activity`: a kernel
    works, or one of them did something since the last look (`seen` keeps the times of activity known by then).
    """
    if kind == "kernel_connections":
        return not any(kernel.get("connections") for kernel in kernels)
    if kind == "activity":
        times = {str(thing.get("last_activity")) for thing in (*kernels, *terminals)}
        quiet = times <= seen
        seen.clear()
        seen.update(times)
        return quiet and not any(kernel.get("execution_state") == "busy" for kernel in kernels)
    return not kernels and not terminals


def look(environment: Mapping[str, str], fetch: Callable[[str, str, bytes | None], Any], seen: set[str]) -> bool:
    """Ask the notebook once and report; what was reported. Raises OSError or ValueError when one of both cannot be asked."""
    base = f"http://127.0.0.1:{environment['NOTEBOOK_PORT']}{environment['NOTEBOOK_BASE_URL']}api/"
    token = f"token {environment['JUPYTER_TOKEN']}"
    kernels, terminals = fetch(base + "kernels", token, None), fetch(base + "terminals", token, None)
    idle = is_idle(environment["NOTEBOOK_IDLE_TYPE"], kernels, terminals, seen)
    task = environment["DET_TASK_ID"]
    body = json.dumps({"idle": idle}).encode()
    url = f"{environment['DET_MASTER']}/api/v1/notebooks/{task}/report_idle"
    fetch(url, f"Bearer {environment['DET_SESSION_TOKEN']}", body)
    return idle


def request(url: str, credential: str, body: bytes | None) -> Any:
    """GET, or PUT of a body; the JSON of the answer."""
    headers = {"Authorization": credential, "Content-Type": "application/json"}
    asked = urllib.request.Request(url, body, headers, method="GET" if body is None else "PUT")  # noqa: S310 (our own two)
    # both are reached without the proxy that programs of the task may use
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=_trust(os.environ)))
    with direct.open(asked, timeout=ASK_S) as answer:
        return json.loads(answer.read() or b"null")


def main() -> None:
    """Report until the notebook is gone; what cannot be asked now is asked again later."""
    notebook, seen = os.getppid(), set[str]()
    while os.getppid() == notebook:
        try:
            look(os.environ, request, seen)
        except (OSError, ValueError, http.client.HTTPException):
            pass  # not up yet, or an outage of the server: no report means in use
        time.sleep(PERIOD_S)


def _trust(environment: Mapping[str, str]) -> ssl.SSLContext:
    name = environment.get("DET_MASTER_CERT_FILE", "")
    if name == "noverify":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    context = ssl.create_default_context(cafile=name or None)
    context.check_hostname = not environment.get("DET_MASTER_CERT_NAME")
    return context


if __name__ == "__main__":
    main()
