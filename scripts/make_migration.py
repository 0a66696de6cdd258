"""Writes the next migration from what differs between the migrations so far and the schema.

    python scripts/make_migration.py "what changes"

Read the file that it writes before you commit it, and set HEAD in store/migrations/migrate.py to its number.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import sqlalchemy as sa
from alembic import command

from undeterred.store.migrations import migrate

VERSIONS = Path(migrate.__file__).parent / "versions"


def main(message: str) -> None:
    """Upgrade an empty SQLite database, compare, write."""
    number = f"{len(list(VERSIONS.glob('[0-9]*.py'))) + 1:04d}"
    with tempfile.TemporaryDirectory() as folder:
        engine = sa.create_engine(f"sqlite:///{folder}/x.db")
        migrate.upgrade(engine)
        with engine.connect() as conn:
            config = migrate.alembic_config()
            config.attributes["connection"] = conn
            command.revision(config, message, autogenerate=True, rev_id=number)
    for path in VERSIONS.glob(f"{number}_*.py"):
        path.write_text(for_both(path.read_text(encoding="utf-8")), encoding="utf-8")
        subprocess.run([sys.executable, "-m", "ruff", "format", "-q", str(path)], check=True)


def for_both(text: str) -> str:
    """Boolean defaults are compared on SQLite, where they are numbers, and must be booleans on PostgreSQL."""
    for number, word in (("0", "false"), ("1", "true")):
        text = text.replace(f"sa.Boolean(), server_default=sa.text('{number}')", f"sa.Boolean(), server_default=sa.{word}()")
    return re.sub(r"\n    # ### .* ###", "", text)


if __name__ == "__main__":
    main(sys.argv[1])
