"""Sends every operation of the served OpenAPI document what may and what may not be sent: `make fuzz`.

    python scripts/fuzz.py --write-corpus        draw the few requests that `make test` sends
    python scripts/fuzz.py [--examples N] [--seed N] [--only OPERATION ...] [--mode known|free|wrong|raw ...] [--report FILE]

The server runs in a folder of its own on pretended machines, so that nothing of what is drawn is ever started as a process. It is
filled with things of every kind, which requests name. An answer must come in time, be no failure of the server and have the form
that the document promises; at the end the server must live, its log must hold no traceback and its database be sound.
"""

import argparse
import asyncio
import collections
import json
import os
import random
import re
import signal
import sqlite3
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from scripts import postgres  # noqa: E402
from scripts.server import running  # noqa: E402
from tests.contract.fuzzing.drawing import MODES, Drawing  # noqa: E402
from tests.contract.fuzzing.judging import Answer, Finding, Judge  # noqa: E402
from tests.contract.fuzzing.request import CORPUS, Request, write  # noqa: E402
from tests.contract.fuzzing.sending import OverSocket  # noqa: E402
from tests.contract.fuzzing.server import RESCUE  # noqa: E402
from tests.contract.fuzzing.world import World, with_token  # noqa: E402
from undeterred.http.docs import STATIC  # noqa: E402

SHARES = {"known": 0.4, "whole": 0.25, "free": 0.1, "wrong": 0.1, "raw": 0.15}
"""Of the examples of an operation."""
ROUND = 20
"""Examples of an operation in a row; with more of them all operations are gone through several times."""
REFRESH = 40
"""Operations after which new things are made."""
CUT_OFF = "timeout graceful shutdown exceeded"
"""Uvicorn's line about requests that still waited when the server stopped, no fault of theirs."""
KEPT = {"known": 2, "whole": 1, "free": 1, "wrong": 2, "raw": 2}
"""Requests of an operation in the collection that `make test` sends."""
KEPT_SIZE = 1000
"""Bytes of a request beyond which it is not taken into the collection."""
NOISE = ("Traceback", " ERROR ", " CRITICAL ")


class Fuzzing:
    """One server under fire."""

    def __init__(self, url: str, data_dir: Path, document: dict[str, Any], arguments: argparse.Namespace) -> None:
        self._data_dir = data_dir
        self._pid = json.loads((data_dir / "server.json").read_text())["pid"]
        self._send = OverSocket(url)
        self._drawing = Drawing(document)
        self._judge = Judge(document, self._drawing.operations)
        self._arguments = arguments
        self._tokens: dict[str, str] = {}
        self.names = [name for name in sorted(self._drawing.operations) if not arguments.only or name in arguments.only]
        self.world = World(self._call)
        self.sent: collections.Counter[str] = collections.Counter()
        self.statuses: collections.Counter[int] = collections.Counter()
        self.reached: set[str] = set()
        """Operations that answered 200 at least once."""
        self.refusals: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        """What the others said, in the mode that is to reach deep."""
        self.findings: dict[tuple[str, str, str], list[Finding]] = {}

    async def play(self) -> None:
        """Send the examples of all operations, in rounds and in another order each time."""
        random_ = random.Random(self._arguments.seed)
        modes = self._arguments.mode or MODES
        rounds = self._arguments.rounds or max(1, self._arguments.examples // ROUND)
        each = self._arguments.examples / rounds / sum(SHARES[mode] for mode in modes)
        for number in range(rounds):
            random_.shuffle(self.names)
            for index, name in enumerate(self.names):
                if index % REFRESH == 0:
                    await self._rescue()
                    await self.world.refresh()
                for mode in modes:
                    count = max(1, round(each * SHARES[mode]))
                    await self._send_all(self._drawing.requests(name, mode, count, self._arguments.seed * 1000 + number))
                if not await self._logged_in():
                    await self._rescue()
            print(f"round {number + 1} of {rounds}: {sum(self.sent.values())} sent, {len(self.findings)} found", flush=True)

    async def _send_all(self, requests: list[Request]) -> None:
        together = self._arguments.together
        for first in range(0, len(requests), together):
            await asyncio.gather(*(self._one(request) for request in requests[first : first + together]))

    async def _one(self, request: Request) -> None:
        request = self.world.filled(request)
        answer = await self._send(with_token(request, self._tokens[self._arguments.user]))
        if answer.status == 401 and not await self._logged_in():
            await self._rescue()
            answer = await self._send(with_token(request, self._tokens[self._arguments.user]))
        self.sent[request.mode] += 1
        self.statuses[answer.status] += 1
        if answer.status == 200:
            self.reached.add(request.operation)
        elif request.mode in ("known", "whole"):
            self.refusals[request.operation][answer.body[:200].decode("utf-8", "replace").strip()] += 1
        for finding in self._judge.findings(request, answer):
            if not _refused_by_the_web_server(request, answer):
                self.findings.setdefault(finding.key, []).append(finding)

    async def _logged_in(self) -> bool:
        tokens = {self._tokens["admin"], self._tokens[self._arguments.user]}
        answers = [await self._send(with_token(Request("", "GET", "/api/v1/me"), token)) for token in tokens]
        return all(answer.status == 200 for answer in answers)

    async def _rescue(self) -> None:
        """New logins, whatever was done to the users."""
        (self._data_dir / RESCUE).unlink(missing_ok=True)
        os.kill(self._pid, signal.SIGUSR1)
        for _ in range(200):
            if (self._data_dir / RESCUE).exists():
                self._tokens = json.loads((self._data_dir / RESCUE).read_text())
                return
            await asyncio.sleep(0.05)
        raise SystemExit("the server does not answer its signal any more")

    async def _call(self, method: str, path: str, body: Any) -> dict[str, Any]:
        content = None if body is None else json.dumps(body).encode()
        headers = (("authorization", f"Bearer {self._tokens['admin']}"),)
        answer = await self._send(Request("", method, f"/api/v1/{path}", content, headers))
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {answer.body[:500]!r}")
        return dict(json.loads(answer.body))


def _refused_by_the_web_server(request: Request, answer: Answer) -> bool:
    """Bytes that are no HTTP never reach us."""
    return request.mode in ("raw", "wrong") and answer.status == 400 and b"Invalid HTTP request" in answer.body


def after(data_dir: Path, log: Path) -> list[str]:
    """What is wrong with the log and the database once the server has stopped."""
    lines = log.read_text(errors="replace").splitlines()
    wrong = [f"log: {line}" for line in lines if any(word in line for word in NOISE) and CUT_OFF not in line]
    if not (data_dir / "undeterred.db").exists():
        return wrong
    with sqlite3.connect(data_dir / "undeterred.db") as database:
        wrong += [f"database: {row[0]}" for row in database.execute("PRAGMA integrity_check") if row[0] != "ok"]
        wrong += [f"database: {row}" for row in database.execute("PRAGMA foreign_key_check")]
    return wrong


def main() -> int:
    """Exit status 0 when nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=60, help="for each operation (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, help="how often to go through all operations (default: once for 20 examples)")
    parser.add_argument("--only", action="append", default=[], help="an operation (may be repeated)")
    parser.add_argument("--mode", action="append", choices=MODES, help="a kind of requests (may be repeated; default all)")
    parser.add_argument("--db", choices=("sqlite", "postgres"), default="sqlite", help="postgres starts one of its own")
    parser.add_argument("--rbac", action="store_true", help="a server where roles decide")
    parser.add_argument("--user", choices=("admin", "member", "task"), default="admin", help="who sends (default %(default)s)")
    parser.add_argument("--together", type=int, default=1, help="requests at the same time (default %(default)s)")
    parser.add_argument("--report", type=Path, help="a file for all findings in full")
    parser.add_argument("--write-corpus", action="store_true", help="only write the collection that `make test` sends")
    arguments = parser.parse_args()
    if arguments.write_corpus:
        return write_corpus(arguments.seed)
    if arguments.db == "sqlite":
        return fuzz(arguments, [])
    with postgres.running() as server:
        return fuzz(arguments, ["--db", server.create("fuzz")])


def fuzz(arguments: argparse.Namespace, flags: list[str]) -> int:
    """Start a server, play, look at what it left."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        data_dir, log, config = Path(folder, "data"), Path(folder, "server.log"), Path(folder, "master.yaml")
        config.write_text("launch_error: false\n" + ("security: {authz: {type: rbac}}\n" if arguments.rbac else ""))
        flags = [*flags, "--initial-password", "Determined1", "--config", str(config)]
        with running(data_dir, *flags, log=log, module="tests.contract.fuzzing.server") as url:
            with urllib.request.urlopen(f"{url}/api/v1/api.swagger.json") as served:
                document = json.load(served)
            fuzzing = Fuzzing(url, data_dir, document, arguments)
            asyncio.run(fuzzing.play())
        wrong = after(data_dir, log)
        if arguments.report:
            arguments.report.with_suffix(".log").write_text(log.read_text(errors="replace"))
    return report(fuzzing, wrong, arguments.report, time.monotonic() - began)


def write_corpus(seed: int) -> int:
    """Draw the requests of the collection, as the document of this tree describes them."""
    drawing = Drawing(json.loads((STATIC / "openapi.json").read_bytes()))
    drawn = [request for name in sorted(drawing.operations) for request in drawing.examples(name, KEPT, seed)]
    kept = [one for one in drawn if len(one.target) + len(one.body or b"") <= KEPT_SIZE]
    write(kept, CORPUS)
    print(f"{CORPUS.relative_to(ROOT)}: {len(kept)} requests, {CORPUS.stat().st_size} bytes")
    return 0


def report(fuzzing: Fuzzing, wrong: list[str], file: Path | None, seconds: float) -> int:
    """Print what was found; 0 when nothing was."""
    found = sorted(fuzzing.findings.values(), key=lambda same: same[0].key)
    text = "\n".join(f"[{len(same)} times] {same[0]}" for same in found)
    print(text)
    for line, times in collections.Counter(re.sub(r"^(log: )\S+ \S+ ", r"\1", line) for line in wrong).items():
        print(f"[{times} times] {line}")
    kinds = collections.Counter(same[0].kind for same in found)
    print(f"{sum(fuzzing.sent.values())} requests in {seconds:.0f} s: {dict(fuzzing.sent)}, statuses {dict(fuzzing.statuses)}")
    never = sorted(set(fuzzing.names) - fuzzing.reached)
    why = "".join(f"{name}: {fuzzing.refusals[name].most_common(3)}\n" for name in never)
    print(f"{len(never)} of {len(fuzzing.names)} operations never answered 200")
    if file:
        file.write_text(f"{text}\n" + "\n".join(wrong) + f"\n\nNever answered 200, and most often:\n{why}")
    print(f"found: {dict(kinds) or 'nothing'}")
    return 1 if found or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
