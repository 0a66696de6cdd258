"""Plays the recorded conversations against a fresh server: `make conformance`.

    python scripts/conformance.py [--db URL] [--only NAME] [--report FILE] [--strict]

The server starts in a folder of its own without an agent and with capacity overruns as warnings, as the recordings assume.
Steps listed in tests/conformance/deviations.json are differences on purpose; they are counted apart.
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
    parser.add_argument("--pending", type=int, default=0, help="accept up to so many failing steps")
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
        return judge(json.loads(report.read_text()), arguments.pending)


def judge(report: dict, pending: int) -> int:
    """Take the deviations out and say what is left."""
    listed = json.loads((CONFORMANCE / "deviations.json").read_text())["deviations"]
    known = {(item["scenario"], item["step"]) for item in listed}
    failed = [step for step in report["steps"] if not step["passed"] and (step["scenario"], step["id"]) not in known]
    print(f"{report['passed']} steps pass, {report['failed']} differ, of these {report['failed'] - len(failed)} on purpose")
    return 0 if len(failed) <= pending else 1


if __name__ == "__main__":
    sys.exit(main())
