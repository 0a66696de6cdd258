"""The one MetaData and the column types that both databases share.

Ids that clients see are AUTOINCREMENT: SQLite otherwise gives the id of the last deleted row out again, and storage paths
contain ids. Times are 64-bit microseconds UTC. Free JSON is canonical text and is passed through unparsed.
"""

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text that compares and sorts byte-wise on both databases."""
Json = sa.Text()
"""Canonical JSON text."""
Time = sa.BigInteger()
"""Microseconds since 1970 UTC."""
BigId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def table(name: str, *items: Any, rowid: bool = True) -> sa.Table:
    """A table of ours. `rowid=False` clusters it by its primary key on SQLite."""
    autoincrement = any(isinstance(i, sa.Column) and i.primary_key and i.autoincrement is True for i in items)
    return sa.Table(name, metadata, *items, sqlite_autoincrement=autoincrement, sqlite_with_rowid=rowid)


def partial_index(name: str, *columns: str, where: str) -> sa.Index:
    """An index of the rows for which an expression holds."""
    return sa.Index(name, *columns, info={"where": where})


def tables_for(*databases: str) -> sa.MetaData:
    """All tables, with what is said in the words of these databases' dialects (for making them only).

    SQLAlchemy loads a dialect to take its words; PostgreSQL's takes longer to load than the rest of a start on SQLite.
    """
    for index in (index for table in metadata.tables.values() for index in table.indexes if "where" in index.info):
        for database in databases:
            index.dialect_kwargs[f"{database}_where"] = sa.text(index.info["where"])
    return metadata


def id_column() -> sa.Column[Any]:
    """`id`, counted by the database and never given out twice."""
    return sa.Column("id", BigId, primary_key=True, autoincrement=True)


def text(name: str, *args: Any, default: str | None = "", **kwargs: Any) -> sa.Column[Any]:
    """A text that is never NULL; `default=None` makes it required."""
    return sa.Column(name, Text, *args, nullable=False, server_default=default, **kwargs)


def flag(name: str, default: bool = False) -> sa.Column[Any]:
    """A boolean that is never NULL."""
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.true() if default else sa.false())


def number(name: str, default: int | None = 0, **kwargs: Any) -> sa.Column[Any]:
    """An integer that is never NULL."""
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=None if default is None else str(default), **kwargs)


def when(name: str, required: bool = False) -> sa.Column[Any]:
    """A time."""
    return sa.Column(name, Time, nullable=not required)


def ref(name: str, target: str, required: bool = True, ondelete: str = "CASCADE", **kwargs: Any) -> sa.Column[Any]:
    """A foreign key to `table.column`, with an index unless it is part of the primary key."""
    kwargs.setdefault("index", not kwargs.get("primary_key"))
    return sa.Column(name, sa.ForeignKey(target, ondelete=ondelete), nullable=not required, **kwargs)
