"""Plays the recorded conversations against a fresh server: `make conformance`.

    python scripts/conformance.py [--db sqlite|postgres|URL ...] [--require-postgres] [--only NAME] [--report FILE]

The server starts in a folder of its own without an agent and with capacity overruns as warnings, as the recordings assume; once
for every `--db` (SQLite when none is named). `postgres` starts a PostgreSQL of its own, and where that cannot be it is told and
left out, or an error with `--require-postgres` (or REQUIRE_POSTGRES=1). Steps in tests/conformance/deviations.json are
differences on purpose, those in pending.txt are not yet right; that list may only shrink. Any other difference is an error.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONFORMANCE = ROOT / "tests" / "conformance"
sys.path.insert(0, str(ROOT))

from scripts import postgres  # noqa: E402
from scripts.server import running  # noqa: E402

PASSWORD = "Determined1"


def main() -> int:
    """Exit status 0 when every step passes or is listed as a deviation, on every database."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", action="append", help="sqlite, postgres, or the URL of an empty database (may be repeated)")
    parser.add_argument("--require-postgres", action="store_true", default=bool(os.environ.get("REQUIRE_POSTGRES")))
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    return max([on(db, arguments) for db in arguments.db or ["sqlite"]])


def on(db: str, arguments: argparse.Namespace) -> int:
    """Play on one database; 0 when all is well or PostgreSQL, which is not required, is not here."""
    if db == "sqlite":
        return play("sqlite", "", arguments)
    if db != "postgres":
        return play("the database given", db, arguments)
    try:
        with postgres.running() as server:
            return play("postgres", server.create("conformance"), arguments)
    except postgres.Unavailable as reason:
        print(f"postgres: not played: {reason}")
        return 1 if arguments.require_postgres else 0


def play(name: str, url: str, arguments: argparse.Namespace) -> int:
    """Play every scenario on an empty database."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "master.yaml")
        config.write_text("launch_error: false\n")
        extra = ["--config", str(config), "--no-agent", "--initial-password", PASSWORD]
        extra += ["--db", url] if url else []
        report = Path(folder, "report.json")
        with running(Path(folder, "data"), *extra) as server:
            command = [sys.executable, str(CONFORMANCE / "replay.py"), "--url", server, "--allow-fixes", "--report", str(report)]
            for scenario in arguments.only:
                command += ["--only", scenario]
            subprocess.run(command, check=False)
        if arguments.report:
            shutil.copy(report, arguments.report)
        return judge(name, json.loads(report.read_text()))


def judge(name: str, report: dict) -> int:
    """Take out what is listed and say what is left; 1 when a step differs that no list names."""
    deviations = {(d["scenario"], d["step"]) for d in json.loads((CONFORMANCE / "deviations.json").read_text())["deviations"]}
    pending = {tuple(line.split()) for line in (CONFORMANCE / "pending.txt").read_text().splitlines() if line}
    failed = {(step["scenario"], step["id"]) for step in report["steps"] if not step["passed"]}
    unlisted = sorted(failed - deviations - pending)
    print(
        f"{name}: {report['passed']} steps pass, {report['failed']} differ: {len(failed & deviations)} on purpose, "
        f"{len(failed & pending)} not yet right, {len(unlisted)} unexpected"
    )
    for scenario, step in unlisted:
        print(f"{name}: unexpected: {scenario} {step}")
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
