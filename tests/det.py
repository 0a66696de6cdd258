"""The unmodified `det` for tests: a process that has imported it once and forks for each command.

Importing takes most of the time of a short command; apart from that a command runs as from a shell: in a process, a folder and
an environment of its own.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SECONDS = 120.0
LOGIN = """
import warnings
warnings.simplefilter("ignore")
import json, os, pathlib
from determined.experimental import client
client.login(os.environ["DET_MASTER"], os.environ["DET_USER"], os.environ["DET_PASS"])
"""


class Det:
    """`det` against one server, as `admin` unless told otherwise."""

    def __init__(self, url: str, password: str, home: Path) -> None:
        self._base = {name: value for name, value in os.environ.items() if not name.startswith("DET_")}
        self._own = {"DET_MASTER": url, "DET_USER": "admin", "DET_PASS": password, "NO_COLOR": "1", "HOME": str(home)}
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What `det` and the SDK read."""
        return self._base | self._own

    def __call__(self, *command: str, status: int = 0, stdin: str = "", **environment: str) -> str:
        """What a command prints on its standard output; its exit status must be the expected one."""
        got, out, error = self.run(*command, stdin=stdin, **environment)
        assert got == status, f"det {' '.join(command)}: {got}\n{out[-2000:]}\n{error[-2000:]}"
        return out

    def python(self, code: str, **environment: str) -> Any:
        """What a program prints that uses the SDK, read as JSON; `client` is logged in."""
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder, name) for name in ("in", "out", "err")]
            files[0].write_text("")
            status = self._ask({"code": LOGIN + code, "files": [str(path) for path in files], "env": environment})
            out, error = (path.read_text(errors="replace") for path in files[1:])
        assert status == 0, f"{code}\n{out[-2000:]}\n{error[-2000:]}"
        return json.loads(out.splitlines()[-1])

    def run(self, *command: str, stdin: str = "", **environment: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder, name) for name in ("in", "out", "err")]
            files[0].write_text(stdin)
            status = self._ask({"argv": command, "files": [str(path) for path in files], "env": environment})
            return status, files[1].read_text(errors="replace"), files[2].read_text(errors="replace")

    def close(self) -> None:
        """End the process."""
        if self._server is not None:
            os.killpg(self._server.pid, signal.SIGKILL)
            self._server.wait()
            self._server = None

    def _ask(self, request: dict[str, Any]) -> int:
        if self._server is None or self._server.poll() is not None:
            self._server = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=self.environment,
                start_new_session=True,
            )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(request).encode() + b"\n")
        self._server.stdin.flush()
        if not select.select([self._server.stdout], [], [], SECONDS)[0]:
            self.close()
            raise AssertionError(f"det {request.get('argv')} has not ended within {SECONDS:.0f} s")
        return int(self._server.stdout.readline())


def serve() -> None:
    """Fork for each line of the standard input and answer with an exit status."""
    import determined.cli.__main__
    import determined.experimental.client  # noqa: F401

    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(request)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(request: dict[str, Any]) -> None:
    os.environ.update(request["env"])
    for number, path in enumerate(request["files"]):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), number)
    sys.stdin = open(0)  # noqa: SIM115
    status: Any = 1
    try:
        if "code" in request:
            exec(compile(request["code"], "program", "exec"), {"__name__": "__main__"})
            status = 0
        else:
            from determined.cli.__main__ import main

            sys.argv = ["det", *request["argv"]]
            status = main(request["argv"])
    except SystemExit as leaving:
        status = leaving.code
        if isinstance(status, str):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(status or 0))


if __name__ == "__main__":
    serve()
