"""Queries of sessions and access tokens."""

import pytest

from undeterred.base.errors import NotFound
from undeterred.store import sessions, users
from undeterred.store.database import Database, Tx
from undeterred.store.schema.identity import sessions as table
from undeterred.store.sessions import TokenFilter


def token(tx: Tx, user: int, description: str = "", expires_in: int = 1_000_000) -> int:
    """An access token."""
    secret = f"{user}{description}{expires_in}"
    return sessions.create(tx, user, secret, kind="access", expires_at=tx.now + expires_in, description=description)


def test_a_session_is_found_by_its_token_and_the_token_is_kept_nowhere(db: Database) -> None:
    """Only the hash is stored."""

    def work(tx: Tx) -> None:
        ann = users.create(tx, "ann", active=True)
        sessions.create(tx, ann, "the secret", expires_at=tx.now + 1)
        row = sessions.find(tx, "the secret")
        assert (row.user_id, row.username, row.kind, row.active, row.revoked) == (ann, "ann", "session", True, False)
        assert sessions.find(tx, "the secret ") is None
        assert "the secret" not in str(tx.rows(table.select()))

    db.write_now(work)


def test_ending_logins_leaves_tokens_and_tasks(db: Database) -> None:
    """A new password ends logins; what runs and what programs use goes on."""

    def work(tx: Tx) -> None:
        ann, bob = users.create(tx, "ann"), users.create(tx, "bob")
        sessions.create(tx, ann, "login")
        sessions.create(tx, bob, "other")
        sessions.create(tx, ann, "access", kind="access")
        sessions.create(tx, ann, "task", kind="allocation", allocation_id="t.1")
        sessions.delete_logins(tx, ann)
        assert [sessions.find(tx, name) is not None for name in ("login", "other", "access", "task")] == [False, True, True, True]
        sessions.delete_of_allocation(tx, "t.1")
        assert sessions.find(tx, "task") is None

    db.write_now(work)


def test_expired_logins_are_swept_and_tokens_stay_listed(db: Database) -> None:
    """Only logins that ran out before the moment are removed."""

    def work(tx: Tx) -> None:
        ann = users.create(tx, "ann")
        sessions.create(tx, ann, "old", expires_at=tx.now - 5)
        sessions.create(tx, ann, "new", expires_at=tx.now + 5)
        token(tx, ann, expires_in=-5)
        assert sessions.delete_expired(tx, tx.now) == 1
        assert sessions.find(tx, "new") is not None
        assert sessions.count_tokens(tx, TokenFilter(inactive=True)) == 1

    db.write_now(work)


def test_lists_show_usable_tokens_unless_all_are_wanted(db: Database) -> None:
    """Expired and revoked ones are inactive; logins are no access tokens."""

    def work(tx: Tx) -> None:
        ann, bob = users.create(tx, "ann"), users.create(tx, "bob")
        good, expired, revoked, of_bob = token(tx, ann, "g"), token(tx, ann, "e", -1), token(tx, ann, "r"), token(tx, bob)
        login = sessions.create(tx, ann, "login")
        sessions.revoke_token(tx, revoked)

        def found(**which: object) -> list[int]:
            rows = sessions.search_tokens(tx, TokenFilter(**which))  # type: ignore[arg-type]
            assert len(rows) == sessions.count_tokens(tx, TokenFilter(**which))  # type: ignore[arg-type]
            return [row.id for row in rows]

        assert found() == [good, of_bob]
        assert found(inactive=True) == [good, expired, revoked, of_bob]
        assert found(user_id=ann) == [good]
        assert found(token_ids=[expired, of_bob, login], inactive=True) == [expired, of_bob]
        assert found(token_ids=[expired]) == []
        with pytest.raises(NotFound):
            sessions.access_token(tx, login)

    db.write_now(work)


@pytest.mark.parametrize(
    ("sort", "descending", "names"),
    [("description", False, "ab-"), ("description", True, "-ba"), ("expires_at", False, "b-a"), ("id", True, "-ba")],
)
def test_tokens_are_sorted(db: Database, sort: str, descending: bool, names: str) -> None:
    """Without a description last, in descending order first."""

    def work(tx: Tx) -> None:
        ann = users.create(tx, "ann")
        for name, lifespan in (("a", 30), ("b", 10), ("", 20)):
            token(tx, ann, name, lifespan)
        rows = sessions.search_tokens(tx, TokenFilter(inactive=True), sort, descending=descending)
        assert "".join(row.description or "-" for row in rows) == names

    db.write_now(work)


def test_every_sort_key_is_a_query(db: Database) -> None:
    """None of the keys that lists offer fails."""
    db.read_now(lambda tx: [sessions.search_tokens(tx, TokenFilter(), sort) for sort in sessions.TOKEN_SORTS])


def test_a_token_is_described_anew_and_revoked(db: Database) -> None:
    """Both are seen at once."""

    def work(tx: Tx) -> None:
        ann = users.create(tx, "ann")
        one = token(tx, ann, "old")
        sessions.describe_token(tx, one, "new")
        sessions.revoke_token(tx, one)
        row = sessions.access_token(tx, one)
        assert (row.description, row.revoked) == ("new", True)

    db.write_now(work)
