"""The command line: parses, and leaves the work to one module per command."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from undeterred import DETERMINED_VERSION, __version__
from undeterred.base.errors import Failure

_MODULES = {"up": "undeterred.cli.up", "search": "undeterred.cli.search"}
"""Where the commands are that take long to import; the others are in `control`."""


def parser() -> argparse.ArgumentParser:
    """Every command and flag."""
    top = argparse.ArgumentParser(
        prog="undeterred",
        description=f"A machine-learning training platform that speaks the REST API of Determined AI {DETERMINED_VERSION}.",
    )
    top.add_argument("--version", action="version", version=f"undeterred {__version__} (API {DETERMINED_VERSION})")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    up = commands.add_parser(
        "up", help="start the server in the foreground", description="Start the server. Ctrl-C or SIGTERM ends it."
    )
    up.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    up.add_argument("--port", type=int, help="port to listen on (default 8080; 0 takes a free one)")
    _data_dir(up)
    up.add_argument("--db", help="sqlite:///FILE or postgresql://USER@HOST/NAME (default: SQLite in the data folder)")
    up.add_argument("--config", metavar="FILE", help="settings in YAML; a Determined master.yaml is accepted")
    up.add_argument("--slots", type=int, help="slots of this machine (default: its GPUs, else its cores)")
    up.add_argument("--no-agent", action="store_true", help="keep this machine out of the pool `default`")
    up.add_argument("--initial-password", help="password of the users admin and determined at the first start")
    up.add_argument(
        "--adopt-lost", action="store_true", help="start although tasks live that know another address of this server"
    )

    status = commands.add_parser("status", help="say whether the server of a data folder runs")
    _data_dir(status)

    down = commands.add_parser("down", help="stop the server of a data folder; its tasks go on")
    _data_dir(down)
    down.add_argument("--tasks", action="store_true", help="end the tasks too")

    search = commands.add_parser("search", help="look into the searches of experiments")
    _search(search.add_subparsers(dest="action", required=True, metavar="ACTION"))
    return top


def _search(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    replay = actions.add_parser(
        "replay",
        help="decide the log of a search again: each event, what was decided and why",
        description="Decide the log of a search again from its seed and print each event, what was decided and why. "
        "Ends with status 1 when a decision is not the same bit for bit.",
    )
    replay.add_argument("experiment", type=int, help="id of the experiment")
    _data_dir(replay)
    replay.add_argument("--db", help="the database, where it is not SQLite in the data folder")
    replay.add_argument("--config", metavar="FILE", help="settings in YAML that name the database")
    replay.add_argument("--master", metavar="URL", help="ask a running server instead of reading its data folder")
    replay.add_argument(
        "--user", help="user to log in as at --master (default $DET_USER); the password is $DET_PASS, or asked for"
    )
    replay.add_argument("--json", action="store_true", help="print one JSON object per line: every entry, then a summary")


def _data_dir(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data-dir", metavar="DIR", help="where everything is kept (default ~/.local/share/undeterred)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    arguments = parser().parse_args(argv)
    module = import_module(_MODULES.get(arguments.command, "undeterred.cli.control"))
    try:
        status: int = getattr(module, arguments.command)(arguments)
    except Failure as failure:
        print(f"undeterred: {failure}", file=sys.stderr)
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        print(f"undeterred: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
