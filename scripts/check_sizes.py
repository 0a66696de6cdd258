"""No source file over 500 lines: a file that grows past it is two files. Generated code is apart."""

import sys
from pathlib import Path

LIMIT = 500
ROOT = Path(__file__).parent.parent
APART = {
    "src/undeterred/wire/operations.py",
    "src/undeterred/wire/messages",
    "src/undeterred/store/migrations/versions",
    "tests/conformance",
}


def main() -> int:
    """Print each file that is too long; 1 when there is one."""
    long = []
    for folder in ("src", "tests", "contract", "bench", "scripts", "examples"):
        for path in (ROOT / folder).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > LIMIT and not any(name.startswith(part) for part in APART):
                long.append(f"{name}: {lines} lines, the limit is {LIMIT}")
    print("\n".join(long), file=sys.stderr, end="\n" if long else "")
    return 1 if long else 0


if __name__ == "__main__":
    sys.exit(main())
