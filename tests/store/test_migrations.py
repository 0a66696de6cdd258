"""The tables that the migrations make are the tables of the schema."""

from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from undeterred.store.migrations import migrate
from undeterred.store.schema import metadata


def engine_at(tmp_path: Path, name: str) -> sa.Engine:
    """An empty SQLite database."""
    return sa.create_engine(f"sqlite:///{tmp_path / name}")


def test_migrations_and_schema_agree(tmp_path: Path) -> None:
    """Nothing is left to change after the last migration."""
    engine = engine_at(tmp_path, "migrated.db")
    migrate.upgrade(engine)
    with engine.connect() as conn:
        assert compare_metadata(MigrationContext.configure(conn, opts={"compare_server_default": False}), metadata) == []


def test_a_fresh_database_has_what_a_migrated_one_has(tmp_path: Path) -> None:
    """The short way for an empty database leads to the same tables, columns, keys and indexes."""
    migrated, fresh = engine_at(tmp_path, "migrated.db"), engine_at(tmp_path, "fresh.db")
    migrate.upgrade(migrated)
    migrate.prepare(fresh.execution_options(isolation_level="AUTOCOMMIT"), None)
    assert described(migrated) == described(fresh)


def described(engine: sa.Engine) -> dict[str, object]:
    """Columns, primary keys, indexes, unique constraints and foreign keys of every table."""
    inspector = sa.inspect(engine)
    return {
        table: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)],
            inspector.get_pk_constraint(table)["constrained_columns"],
            sorted((i["name"], tuple(i["column_names"]), i["unique"]) for i in inspector.get_indexes(table)),
            sorted(tuple(u["column_names"]) for u in inspector.get_unique_constraints(table)),
            sorted((tuple(f["constrained_columns"]), f["referred_table"]) for f in inspector.get_foreign_keys(table)),
        )
        for table in sorted(inspector.get_table_names())
    }


def test_the_head_is_the_newest_migration() -> None:
    """`HEAD` names the last file."""
    newest = max(path.name.split("_")[0] for path in (Path(migrate.__file__).parent / "versions").glob("[0-9]*.py"))
    assert newest == migrate.HEAD
