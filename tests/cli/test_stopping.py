"""A server that stops while clients wait for answers."""

import json
import threading
from pathlib import Path

import httpx

from scripts.server import running

PASSWORD = "Determined1"


def test_who_waits_is_told_that_the_server_stops(tmp_path: Path) -> None:
    """A followed stream ends with an error of its own, and nothing that looks like a defect is in the log."""
    followed, told = threading.Event(), []

    def follow(url: str, headers: dict[str, str]) -> None:
        with httpx.stream("GET", f"{url}/api/v1/master/logs?follow=true", headers=headers, timeout=60) as answer:
            for line in answer.iter_lines():
                followed.set()
                told.append(json.loads(line))

    with running(tmp_path / "data", "--no-agent", "--initial-password", PASSWORD) as url:
        login = {"username": "admin", "password": PASSWORD}
        token = httpx.post(f"{url}/api/v1/auth/login", json=login, timeout=30).json()["token"]
        following = threading.Thread(target=follow, args=(url, {"Authorization": f"Bearer {token}"}))
        following.start()
        assert followed.wait(30)
    following.join(30)
    assert told[-1]["error"]["message"] == "the server is stopping; ask again"
    assert "Traceback" not in (tmp_path / "data.log").read_text()
