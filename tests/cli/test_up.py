"""`undeterred up`, `status` and `down` as processes: what people see, and what is left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.server import running
from undeterred.cli.main import main

MASTER = """
cluster_name: lab
checkpoint_storage:
  type: shared_fs
  host_path: FOLDER
  storage_path: checkpoints
  save_experiment_best: 0
  save_trial_best: 1
  save_trial_latest: 1
log: {level: info, color: false}
root: /usr/share/determined/master
telemetry: {enabled: true}
launch_error: false
task_container_defaults: {shm_size_bytes: 4294967296, network_mode: bridge, dtrain_network_interface: eth0}
resource_manager:
  type: agent
  default_aux_resource_pool: small
  default_compute_resource_pool: large
  scheduler: {type: priority, fitting_policy: best, preemption: true}
resource_pools:
  - {pool_name: large, description: with GPUs, max_aux_containers_per_agent: 0}
  - {pool_name: small}
security: {initial_user_password: FromFile9}
"""


def undeterred(*arguments: str, environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """A command that ends by itself."""
    command = [sys.executable, "-m", "undeterred", *arguments]
    env = clean() | (environment or {})
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)


def clean() -> dict[str, str]:
    """The environment without settings of a server."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("DET_", "UNDETERRED_"))}


def refused(capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """The one thing that `up` says when it cannot start, called in this process."""
    assert main(["up", "--port", "0", *flags]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    return said_once(printed.err)


def said_once(error: str) -> str:
    """A message for people, without its program's name."""
    assert error.startswith("undeterred: ")
    assert "Traceback" not in error
    return error.removeprefix("undeterred: ").rstrip("\n")


def login(url: str, username: str, password: str) -> int:
    """The status that a login is answered with."""
    body = json.dumps({"username": username, "password": password}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{url}/api/v1/auth/login", body), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def get(url: str, path: str, password: str) -> Any:
    """A call as admin."""
    body = json.dumps({"username": "admin", "password": password}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/api/v1/auth/login", body), timeout=30) as answer:
        headers = {"Authorization": f"Bearer {json.load(answer)['token']}"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/api/v1/{path}", headers=headers), timeout=30) as answer:
        return json.load(answer)


class Started(subprocess.Popen[str]):
    """A server, and the lines that it printed until it was ready."""

    said: list[str]
    url: str


Start = Callable[..., Started]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts servers without an agent; those that still run at the end of the test are killed."""
    servers: list[Started] = []

    def up(folder: Path, *flags: str, environment: dict[str, str] | None = None) -> Started:
        command = [sys.executable, "-m", "undeterred", "up", "--no-agent", "--port", "0", "--data-dir", str(folder), *flags]
        with folder.with_suffix(".log").open("a") as log:
            server = Started(command, stdout=subprocess.PIPE, stderr=log, text=True, env=clean() | (environment or {}))
        servers.append(server)
        server.said = []
        assert server.stdout is not None
        for line in server.stdout:
            server.said.append(line.rstrip("\n"))
            if line.startswith("Ready: "):
                server.url = line.split()[1]
                return server
        raise AssertionError(f"{server.said}\n{folder.with_suffix('.log').read_text()}")

    yield up
    for server in servers:
        server.kill()
        server.wait()


def ended(server: Started) -> None:
    """SIGTERM is a clean end."""
    server.send_signal(signal.SIGTERM)
    assert server.wait(30) == 0


NO_IPV6 = pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", pytest.param("::", marks=NO_IPV6)])
def test_a_taken_port_is_told_before_anything_is_made(tmp_path: Path, host: str) -> None:
    """One line with the port, on whichever address it is held; the data folder is not even made, and no process is left."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((host, 0))
        held.listen()
        port = held.getsockname()[1]
        done = undeterred("up", "--port", str(port), "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 1
    assert said_once(done.stderr).splitlines() == [
        f"port {port} on 127.0.0.1 is in use by another program; choose one with --port"
    ]
    assert list(tmp_path.iterdir()) == []
    assert [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path).encode() in read(path)] == []


def read(path: Path) -> bytes:
    """What a file holds, nothing when it is gone."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_of_two_that_start_at_once_one_is_told(tmp_path: Path) -> None:
    """Two data folders, one port: one serves, the other says in one line why it does not."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "undeterred", "up", "--no-agent", "--port", str(port), "--data-dir"]
    both = [
        subprocess.Popen([*command, str(tmp_path / name)], env=clean(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    while all(server.poll() is None for server in both):
        time.sleep(0.02)
    for server in both:
        server.send_signal(signal.SIGTERM)
    ends = [(*server.communicate(timeout=30), server.returncode) for server in both]
    (error,) = [error for _, error, status in ends if status == 1]
    assert "Traceback" not in error
    assert error.splitlines()[-1].startswith(f"undeterred: port {port} on 127.0.0.1 is in use by another program")
    assert [status for _, _, status in ends if status != 1] == [0]


def test_the_port_is_bound_before_slow_libraries_are_imported() -> None:
    """So a person waits for a fraction of a second to read that it is taken."""
    slow = ["sqlalchemy", "starlette", "uvicorn", "alembic", "numpy", "undeterred.app", "determined"]
    code = f"import sys, undeterred.cli.up; print([name for name in {slow} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_start_imports_nothing_that_it_may_not_need() -> None:
    """Pages, migrations, vectors, proxies and the other database are imported by who needs them."""
    slow = ["starlette", "alembic", "numpy", "h11", "websockets", "sqlalchemy.dialects.postgresql", "fsspec", "optuna"]
    code = f"import sys, undeterred.app, undeterred.cli.up; print([name for name in {slow} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_data_folder_that_cannot_be_used_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with its path."""
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nothing")):
        said = refused(capsys, "--data-dir", str(folder))
        assert said.startswith(f"the data folder {folder} cannot be used: ")
        assert "\n" not in said


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is in the way in the data folder: one line with its path."""
    (tmp_path / "lock").mkdir()
    assert refused(capsys, "--data-dir", str(tmp_path)) == f"{tmp_path / 'lock'}: Is a directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_data_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The permission that is missing is told."""
    tmp_path.chmod(0o500)
    for command in ("status", "down"):
        assert undeterred(command, "--data-dir", str(tmp_path / "data")).returncode in (0, 3)
    said = refused(capsys, "--data-dir", str(tmp_path / "data"))
    tmp_path.chmod(0o700)
    assert said == f"the data folder {tmp_path / 'data'} cannot be used: Permission denied"


@pytest.mark.parametrize(
    ("flags", "text", "says"),
    [
        (
            (),
            "nonsense: 1\nsecurity: {tls: {certificate: x}}\nundeterred: {hots: a}",
            ["nonsense", "security.tls.certificate", "hots"],
        ),
        ((), "port: eighty", ["port: Expected `int`, got `str`"]),
        ((), "{", ["not valid YAML"]),
        ((), "- 1", ["must be a mapping"]),
        ((), "resource_pools: [{description: x}]", ["resource_pools", "pool_name"]),
        ((), "resource_manager: {scheduler: {type: nope}}", ["scheduler.type", "priority, fair_share"]),
        ((), "checkpoint_storage: {type: floppy, host_path: 1}", ["type", "floppy", "shared_fs"]),
        ((), "task_container_defaults: {shm_size_bytes: x, shm: 1}", ["shm_size_bytes", "unknown key"]),
        (("--port", "70000"), "", ["70000", "65535"]),
        (("--slots", "-1"), "", ["slots", "-1"]),
        (("--host", "999.1.1.1"), "", ["cannot listen on 999.1.1.1"]),
        (("--db", "mysql://x"), "", ["mysql", "sqlite:///FILE"]),
    ],
)
def test_wrong_settings_are_named_and_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], text: str, says: list[str]
) -> None:
    """All unknown keys at once; a data folder is not made for settings that cannot be."""
    (tmp_path / "master.yaml").write_text(text)
    files = ["--config", str(tmp_path / "master.yaml")]
    said = refused(capsys, "--data-dir", str(tmp_path / "data"), *files, *flags)
    assert [word for word in says if word not in said] == [], said
    assert not (tmp_path / "data").exists()


def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is none, a folder that is missing, a server that does not answer: one line each, without the password."""
    (tmp_path / "text").write_text("no database at all" * 100)
    for db, says in (
        (f"sqlite:///{tmp_path / 'text'}", "file is not a database"),
        (f"sqlite:///{tmp_path / 'missing' / 'x.db'}", "unable to open"),
    ):
        said = refused(capsys, "--data-dir", str(tmp_path / "data"), "--db", db)
        assert said.startswith(f"the database {db} cannot be opened: ")
        assert says in said
        assert "\n" not in said


def test_a_settings_file_of_determined_is_taken(tmp_path: Path) -> None:
    """Its pools, its storage, its name and its password; what has no meaning here is accepted."""
    (tmp_path / "master.yaml").write_text(MASTER.replace("FOLDER", str(tmp_path)))
    with running(tmp_path / "data", "--config", str(tmp_path / "master.yaml"), "--no-agent") as url:
        assert login(url, "determined", "FromFile9") == 200
        assert get(url, "master", "FromFile9")["clusterName"] == "lab"
        pools = {pool["name"]: pool for pool in get(url, "resource-pools", "FromFile9")["resourcePools"]}
        assert list(pools) == ["large", "small"]
        assert (pools["large"]["defaultComputePool"], pools["small"]["defaultAuxPool"]) == (True, True)
        shown = get(url, "master/config", "FromFile9")["config"]
        assert shown["checkpoint_storage"]["storage_path"] == "checkpoints"


def test_one_life_of_a_data_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str], start: Start) -> None:
    """Status, a second server on the same folder (by its name and by a link), a death, a foreign process id, an end."""
    folder = tmp_path / "data"
    data = ["--data-dir", str(folder)]
    assert undeterred("status", *data).returncode == 3
    assert undeterred("down", *data).returncode == 0
    assert not folder.exists()
    server = start(folder, "--initial-password", "")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (login(server.url, "admin", ""), login(server.url, "determined", ""), login(server.url, "admin", "x")) == (
        200,
        200,
        401,
    )
    said = undeterred("status", *data)
    assert said.returncode == 0
    assert f"Running at {server.url} (process {server.pid}, cluster " in said.stdout
    (tmp_path / "link").symlink_to(folder)
    before = sorted(folder.rglob("*"))
    for name in (folder, tmp_path / "link"):
        second = refused(capsys, "--data-dir", str(name))
        assert second == f"the data folder {folder} is in use by the server with process id {server.pid}"
    assert sorted(folder.rglob("*")) == before
    assert undeterred("status", "--data-dir", str(tmp_path / "link")).returncode == 0

    server.kill()
    server.wait()
    record = json.loads((folder / "server.json").read_text())
    (folder / "server.json").write_text(json.dumps(record | {"pid": os.getpid()}))
    assert undeterred("status", *data).returncode == 3
    assert undeterred("down", *data).stdout.startswith("No server runs on ")  # and this process lives on
    server = start(folder, "--initial-password", "Another1")
    assert server.said.count("The initial password is ignored: users exist already") == 1
    assert (login(server.url, "admin", ""), login(server.url, "admin", "Another1")) == (200, 401)

    down = undeterred("down", *data)
    assert (down.returncode, down.stdout) == (0, "Stopped; no tasks are running\n")
    assert server.wait(30) == 0
    assert undeterred("status", *data).returncode == 3


def test_the_first_password_is_made_and_shown_once_or_taken_from_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], start: Start
) -> None:
    """Without one given it is printed at the first start only; a start that fails before has not used it up."""
    (tmp_path / "bad.yaml").write_text("resource_pools: [{}]")
    refused(capsys, "--data-dir", str(tmp_path / "one"), "--config", str(tmp_path / "bad.yaml"))
    server = start(tmp_path / "one")
    password = server.said[0].removeprefix("First start: the password of the users admin and determined is ")
    assert login(server.url, "admin", password) == 200
    ended(server)
    server = start(tmp_path / "one")
    assert not [line for line in server.said if "password of" in line]
    ended(server)
    server = start(tmp_path / "two", environment={"UNDETERRED_INITIAL_PASSWORD": "FromOutside1"})
    assert not [line for line in server.said if "password of" in line]
    assert login(server.url, "admin", "FromOutside1") == 200
    ended(server)
