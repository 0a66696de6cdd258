"""Whether a notebook is idle."""

import inspect
import json
from typing import Any

import pytest

from undeterred.launch import notebookidle
from undeterred.launch.notebookidle import is_idle, look

QUIET = {"execution_state": "idle", "connections": 0, "last_activity": "1"}


@pytest.mark.parametrize(
    ("kind", "kernels", "terminals", "idle"),
    [
        ("kernels_or_terminals", [], [], True),
        ("kernels_or_terminals", [QUIET], [], False),
        ("kernels_or_terminals", [], [{"name": "1"}], False),
        ("kernel_connections", [QUIET], [{"name": "1"}], True),
        ("kernel_connections", [QUIET | {"connections": 1}], [], False),
        ("activity", [QUIET | {"execution_state": "busy"}], [], False),
    ],
)
def test_each_meaning_of_use(kind: str, kernels: list[Any], terminals: list[Any], idle: bool) -> None:
    """Kernels, connections or work, as configured."""
    assert is_idle(kind, kernels, terminals, {"1"}) is idle


def test_activity_since_the_last_look_counts() -> None:
    """The first look sees news, the second none, until something happens again."""
    seen: set[str] = set()
    later = QUIET | {"last_activity": "2"}
    assert [is_idle("activity", [thing], [], seen) for thing in (QUIET, QUIET, later, later)] == [False, True, False, True]


def test_a_look_asks_the_notebook_and_tells_the_server() -> None:
    """With the credentials of each, and not the other's."""
    calls: list[tuple[str, str, bytes | None]] = []

    def fetch(url: str, credential: str, body: bytes | None) -> Any:
        calls.append((url, credential, body))
        return []

    environment = {
        "NOTEBOOK_PORT": "2900",
        "NOTEBOOK_BASE_URL": "/proxy/t/",
        "NOTEBOOK_IDLE_TYPE": "kernels_or_terminals",
        "JUPYTER_TOKEN": "jt",
        "DET_TASK_ID": "t",
        "DET_MASTER": "http://master:1",
        "DET_SESSION_TOKEN": "st",
    }
    assert look(environment, fetch, set()) is True
    assert [(url, credential) for url, credential, _ in calls] == [
        ("http://127.0.0.1:2900/proxy/t/api/kernels", "token jt"),
        ("http://127.0.0.1:2900/proxy/t/api/terminals", "token jt"),
        ("http://master:1/api/v1/notebooks/t/report_idle", "Bearer st"),
    ]
    assert json.loads(calls[-1][2] or b"") == {"idle": True}


def test_it_needs_nothing_of_this_package() -> None:
    """Its text runs in an interpreter of the task's own."""
    assert "undeterred" not in inspect.getsource(notebookidle)
