"""Notebooks, TensorBoards, shells and commands through the real client and the proxy."""

import re
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import Cluster

pytestmark = pytest.mark.e2e


def browser(cluster: Cluster) -> httpx.Client:
    """A client that is logged in by the cookie and says that a person looks at the answer."""
    headers = {"Cookie": f"auth={cluster.token}", "Accept": "text/html"}
    return httpx.Client(base_url=cluster.url, headers=headers, timeout=30, trust_env=False)


def address(printed: str) -> str:
    """The address that the client would have opened, below the server's."""
    found = re.search(r"running at: https?://[^/]+(/\S+?)(?:\x1b|\s|$)", printed)
    assert found, printed
    return found.group(1)


def test_a_notebook_opens_as_soon_as_it_is_ready_and_is_gone_after_the_kill(cluster: Cluster) -> None:
    """The first request after "ready" is answered by JupyterLab; one before it at once and clearly."""
    notebook = cluster.det("notebook", "start", "--no-browser", "-d", "--config", "resources.slots=0").strip()
    with browser(cluster) as http:
        early = http.get(f"/proxy/{notebook}/lab")
        assert early.status_code == 503
        assert "not ready" in early.text
        allocation = f"{notebook}.1"
        cluster.until(
            lambda: cluster.api("GET", f"allocations/{allocation}")["allocation"], lambda a: a.get("isReady"), "the notebook", 90
        )
        sent = http.get(f"/det/interactive/{notebook}/jupyter-lab/x/default/y")
        assert sent.status_code == 303
        opened = http.get(sent.headers["location"], follow_redirects=True)
        assert opened.status_code == 200
        assert "JupyterLab" in opened.text
        assert http.get(f"/proxy/{notebook}/api/status").status_code in (200, 403)
        cluster.det("notebook", "kill", notebook)
        end = time.monotonic() + 10
        while (status := http.get(f"/proxy/{notebook}/lab").status_code) != 404:
            assert time.monotonic() < end, status
            time.sleep(0.1)


def test_a_tensorboard_shows_an_experiment(cluster: Cluster, finished: int) -> None:
    """The page and its data come through the proxy, below the address that the client opens."""
    printed = cluster.det("tensorboard", "start", str(finished), "--no-browser")
    with browser(cluster) as http:
        sent = http.get(address(printed))
        assert sent.status_code == 303
        where = sent.headers["location"]
        page = http.get(where, follow_redirects=True)
        assert page.status_code == 200
        assert "TensorBoard" in page.text
        assert http.get(f"{where}data/environment").json()["data_location"]
    task = where.split("/")[2]
    cluster.det("tensorboard", "kill", task)


def test_a_shell_runs_a_command(cluster: Cluster) -> None:
    """Over the real SSH client and the proxy's tunnel."""
    missing = [
        program for program in ("ssh", "sshd") if shutil.which(program) is None and not Path("/usr/sbin", program).exists()
    ]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed (on Debian: apt install openssh-client openssh-server)")
    shell = cluster.det("shell", "start", "-d", "--config", "resources.slots=0").strip().splitlines()[-1]
    cluster.until(lambda: cluster.api("GET", f"allocations/{shell}.1")["allocation"], lambda a: a.get("isReady"), "the shell", 60)
    printed = cluster.det("shell", "open", shell, "--", "-o", "BatchMode=yes", "echo", "from $((20 + 22))")
    assert "from 42" in printed
    cluster.det("shell", "kill", shell)


def test_a_command_runs_to_its_end_with_its_output(cluster: Cluster) -> None:
    """As in a terminal: both streams, a progress bar step by step, what is no text, a long line, a last one without an end."""
    program = """
import sys
sys.stderr.write("two\\n")
write = sys.stdout.buffer.write
for number in range(200):
    write(b"step %d\\r" % number)
write(b"\\xff\\x80\\xc3\\n" + b"x" * 1000000 + b"\\nnul \\0\\n\\x1b[31mred\\x1b[0m\\nthe end")
"""
    printed = cluster.det("cmd", "run", "--config", "resources.slots=0", "python3", "-c", program)
    lines = [line.partition("|| ")[2] for line in printed.split("\n")]
    expected = [f"step {number}" for number in range(200)]
    expected += ["\ufffd\ufffd\ufffd", "x" * 1_000_000, "nul \ufffd", "\x1b[31mred\x1b[0m", "the end"]
    assert [line for line in lines if line in expected] == expected
    assert "two" in lines


def test_a_notebook_whose_start_fails_says_so(cluster: Cluster, tmp_path: Path) -> None:
    """The client comes back with an error, the log has the reason, and the task has ended."""
    (tmp_path / "startup-hook.sh").write_text("echo the hook fails\nexit 7\n")
    status, out, error = cluster.det.run(
        "notebook", "start", "--no-browser", "--config", "resources.slots=0", "--context", str(tmp_path)
    )
    assert status != 0, out + error
    task = re.search(r"[0-9a-f-]{36}", out + error)
    assert task, out + error
    assert "the hook fails" in cluster.det("task", "logs", task.group(0))
    notebook = cluster.api("GET", f"notebooks/{task.group(0)}")["notebook"]
    assert (notebook["state"], "exit code: 7" in notebook["exitStatus"]) == ("STATE_TERMINATED", True), notebook
    with (
        pytest.raises(urllib.error.HTTPError) as refused,
        urllib.request.urlopen(
            urllib.request.Request(f"{cluster.url}/proxy/{task.group(0)}/", headers={"Authorization": f"Bearer {cluster.token}"})
        ),
    ):
        pass
    assert refused.value.code == 404
