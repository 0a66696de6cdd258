"""Plays the recorded conversations against a fresh server: `make conformance`.

    python scripts/conformance.py [--db URL] [--only NAME] [--report FILE] [--strict]

The server starts in a folder of its own without an agent and with capacity overruns as warnings, as the recordings assume.
Steps in tests/conformance/deviations.json are differences on purpose, those in pending.txt are not yet right; that list may
only shrink. Any other difference is an error.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONFORMANCE = ROOT / "tests" / "conformance"
sys.path.insert(0, str(ROOT))

from scripts.server import running  # noqa: E402

PASSWORD = "Determined1"


def main() -> int:
    """Exit status 0 when every step passes or is listed as a deviation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--report", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "master.yaml")
        config.write_text("launch_error: false\n")
        extra = ["--config", str(config), "--no-agent", "--initial-password", PASSWORD]
        extra += ["--db", arguments.db] if arguments.db else []
        report = arguments.report or Path(folder, "report.json")
        with running(Path(folder, "data"), *extra) as url:
            command = [sys.executable, str(CONFORMANCE / "replay.py"), "--url", url, "--allow-fixes", "--report", str(report)]
            for name in arguments.only:
                command += ["--only", name]
            subprocess.run(command, check=False)
        return judge(json.loads(report.read_text()))


def judge(report: dict) -> int:
    """Take out what is listed and say what is left; 1 when a step differs that no list names."""
    deviations = {(d["scenario"], d["step"]) for d in json.loads((CONFORMANCE / "deviations.json").read_text())["deviations"]}
    pending = {tuple(line.split()) for line in (CONFORMANCE / "pending.txt").read_text().splitlines() if line}
    failed = {(step["scenario"], step["id"]) for step in report["steps"] if not step["passed"]}
    unlisted = sorted(failed - deviations - pending)
    print(
        f"{report['passed']} steps pass, {report['failed']} differ: {len(failed & deviations)} on purpose, "
        f"{len(failed & pending)} not yet right, {len(unlisted)} unexpected"
    )
    for scenario, step in unlisted:
        print(f"unexpected: {scenario} {step}")
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
