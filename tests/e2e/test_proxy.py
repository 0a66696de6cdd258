"""A service of a command through the proxy of a real server: what it is sent, what comes back, what the server keeps of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.e2e.conftest import Cluster
from tests.recovery.support import free_port

pytestmark = pytest.mark.e2e

ECHO = Path(__file__).parent / "echo"
MB = 1 << 20


@pytest.fixture(scope="module")
def service(cluster: Cluster) -> Iterator[str]:
    """The path of a service that is up."""
    port = free_port()
    flags = ["--config", "resources.slots=0", "--config", f"environment.proxy_ports=[{{proxy_port: {port}}}]"]
    printed = cluster.det("cmd", "run", "-d", "--context", str(ECHO), *flags, "python3", "serve.py", str(port))
    command = printed.split()[-1]
    path = f"/proxy/{command}:{port}"
    with httpx.Client(base_url=cluster.url, headers=credentials(cluster), trust_env=False) as http:
        cluster.until(lambda: http.get(f"{path}/").status_code, lambda status: status == 200, "the service")
    yield path
    cluster.det("cmd", "kill", command)


def credentials(cluster: Cluster) -> dict[str, str]:
    """A login, as a token and as a cookie beside another one."""
    return {"Authorization": f"Bearer {cluster.token}", "Cookie": f"auth={cluster.token}; theme=dark"}


def resident(cluster: Cluster) -> int:
    """Bytes of memory that the server holds."""
    pid = json.loads((cluster.data_dir / "server.json").read_text())["pid"]
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_a_request_arrives_as_it_was_sent_and_without_its_login(cluster: Cluster, service: str) -> None:
    """50 MB in chunks, of which the server keeps little; path and query byte for byte; both cookies of the answer."""
    grown = [resident(cluster)]

    def body() -> Iterator[bytes]:
        for _ in range(50):
            yield b"x" * MB
            grown.append(resident(cluster))

    with httpx.Client(base_url=cluster.url, trust_env=False, timeout=60) as http:
        answer = http.post(f"{service}/x%2Fy?q=%2B", headers=credentials(cluster), content=body())
        seen = answer.json()
        assert http.get(f"{service}/x", headers={}).status_code == 401
    assert (seen["path"], seen["query"], seen["size"]) == (f"{service}/x%2Fy", "q=%2B", 50 * MB)
    headers = dict(seen["headers"])
    assert (headers["cookie"], headers["transfer-encoding"], "authorization" in headers) == ("theme=dark", "chunked", False)
    assert cluster.token not in answer.text
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert max(grown) - grown[0] < 20 * MB


def test_events_come_while_others_are_awaited(cluster: Cluster, service: str) -> None:
    """All, in order, and not together at the end."""
    with (
        httpx.Client(base_url=cluster.url, trust_env=False, timeout=60) as http,
        http.stream("GET", f"{service}/events", headers=credentials(cluster)) as answer,
    ):
        pieces = list(answer.iter_raw())
    assert b"".join(pieces) == b"".join(b"data: %d\n\n" % number for number in range(5))
    assert len(pieces) > 1


def test_a_websocket_passes_both_ways(cluster: Cluster, service: str) -> None:
    """Subprotocol, texts, 5 MB, the close code; neither token nor login cookie."""
    address = f"{cluster.url.replace('http', 'ws', 1)}{service}/x%2Fy?q=%2B"
    options = {"subprotocols": ["one", "two"], "additional_headers": credentials(cluster), "max_size": None, "proxy": None}
    with connect(address, **options) as socket:  # type: ignore[arg-type]
        seen = json.loads(socket.recv(30))
        assert (socket.subprotocol, seen["path"], seen["query"]) == ("two", f"{service}/x%2Fy", "q=%2B")
        assert dict(seen["headers"])["cookie"] == "theme=dark"
        assert cluster.token not in str(seen)
        for message in ("text ✓", bytes(range(256)) * (5 * MB // 256)):
            socket.send(message)
            assert socket.recv(30) == message
        socket.send("close")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(30)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as told")
