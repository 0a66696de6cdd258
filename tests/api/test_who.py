"""From a token to a caller, and what is remembered of it."""

import pytest

from tests.clocks import Hands
from undeterred.api.who import Identities
from undeterred.base.clock import DAY, SECOND, Micros
from undeterred.base.errors import Forbidden, Unauthenticated
from undeterred.store import sessions, users
from undeterred.store.database import Database, Tx


@pytest.fixture
def clock(db: Database) -> Hands:
    """The clock of the database too."""
    db.clock = Hands()
    return db.clock


async def session(db: Database, token: str, *, kind: str = "session", lasts: Micros | None = DAY, active: bool = True) -> int:
    """A session of a new user; the user's id."""

    def work(tx: Tx) -> int:
        user_id = users.create(tx, f"user of {token}", active=active)
        expires = None if lasts is None else tx.now + lasts
        allocation = "7.uuid.1" if kind in ("allocation", "supervisor") else None
        sessions.create(tx, user_id, token, kind=kind, expires_at=expires, allocation_id=allocation)
        return user_id

    return await db.write(work)


async def test_a_token_ends_at_its_time_though_it_is_remembered(db: Database, clock: Hands) -> None:
    """Good until then, refused from then on."""
    user_id = await session(db, "t")
    identities = Identities(db, clock)
    assert (await identities.who("t")).user_id == user_id
    clock.time += DAY - 1
    assert (await identities.who("t")).user_id == user_id
    clock.time += 1
    with pytest.raises(Unauthenticated):
        await identities.who("t")


async def test_a_task_s_token_has_no_end_of_its_own(db: Database, clock: Hands) -> None:
    """Weeks later it is as good as on the first day; it names its task."""
    await session(db, "t", kind="allocation", lasts=None)
    clock.time += 365 * DAY
    who = await Identities(db, clock).who("t")
    assert (who.kind, who.allocation_id, who.task_id) == ("allocation", "7.uuid.1", "7.uuid")


async def test_a_deactivated_user_may_do_nothing_and_its_tasks_go_on(db: Database, clock: Hands) -> None:
    """Logins and access tokens are refused, tokens of tasks and their supervisors not."""
    identities = Identities(db, clock)
    for kind, good in (("session", False), ("access", False), ("allocation", True), ("supervisor", True)):
        await session(db, kind, kind=kind, active=False)
        if good:
            assert (await identities.who(kind)).kind == kind
        else:
            with pytest.raises(Forbidden):
                await identities.who(kind)


async def test_unknown_and_revoked_tokens_are_refused(db: Database, clock: Hands) -> None:
    """The same way, so that nothing is told apart."""
    await session(db, "t", kind="access")
    identities = Identities(db, clock)
    session_id = (await identities.who("t")).session_id
    await db.write(lambda tx: (sessions.revoke_token(tx, session_id), tx.after.append(identities.forget)))
    messages = []
    for token in ("t", "other", "", "\x00", "\ud800"):
        with pytest.raises(Unauthenticated) as caught:
            await identities.who(token)
        messages.append(str(caught.value))
    assert len(set(messages)) == 1


async def test_what_is_remembered_is_bounded(db: Database, clock: Hands) -> None:
    """More tokens than the limit are all recognised, whatever is forgotten in between."""
    identities = Identities(db, clock, limit=2)
    ids = [await session(db, f"t{number}") for number in range(5)]
    for _ in range(2):
        assert [(await identities.who(f"t{number}")).user_id for number in range(5)] == ids


async def test_what_ends_elsewhere_is_noticed_within_a_second(db: Database, clock: Hands) -> None:
    """A task that is over, or another process, tells nothing here; within the second no query is made."""
    await session(db, "t", kind="allocation", lasts=None)
    identities = Identities(db, clock)
    known = await identities.who("t")
    await db.write(lambda tx: sessions.delete_of_allocation(tx, "7.uuid.1"))
    assert await identities.who("t") is known
    clock.time += SECOND
    with pytest.raises(Unauthenticated):
        await identities.who("t")


async def test_a_long_call_ends_with_its_session(db: Database, clock: Hands) -> None:
    """At its time, within a second when it was ended elsewhere, at once when it was ended here; calls of tasks go on."""
    identities = Identities(db, clock)
    for token in ("elsewhere", "here", "late"):
        await session(db, token)
    await session(db, "task", kind="allocation", lasts=None)
    elsewhere, here, late, task = [await identities.who(token) for token in ("elsewhere", "here", "late", "task")]
    for who in (elsewhere, here, late, task):
        await identities.check(who)
        await db.write(lambda tx, who=who: sessions.delete(tx, who.session_id) if who is not late else None)  # type: ignore[misc]
    await identities.check(elsewhere)
    clock.time += SECOND
    with pytest.raises(Unauthenticated):
        await identities.check(elsewhere)
    identities.forget()
    with pytest.raises(Unauthenticated):
        await identities.check(here)
    await identities.check(late)
    clock.time += DAY
    with pytest.raises(Unauthenticated):
        await identities.check(late)
    await identities.check(task)


async def test_what_a_caller_was_allowed_is_remembered_for_a_second(db: Database, clock: Hands) -> None:
    """And not after anything changed about callers."""
    await session(db, "t")
    identities = Identities(db, clock)
    who = await identities.who("t")
    assert not identities.permitted(who, "key")
    identities.permit(who, "key")
    assert identities.permitted(who, "key")
    assert not identities.permitted(who, "other")
    clock.time += SECOND
    assert not identities.permitted(who, "key")
    identities.permit(who, "key")
    identities.forget()
    assert not identities.permitted(who, "key")


async def test_a_login_that_cannot_be_stored_is_lent(db: Database, clock: Hands) -> None:
    """Good for an hour, unless it is given back, the password changes or the user is deactivated."""
    identities = Identities(db, clock)
    user_id = await session(db, "stored")
    row = await db.read(lambda tx: users.get(tx, user_id))
    for token in ("a", "b"):
        identities.lend(row, token)
    first, second = await identities.who("a"), await identities.who("b")
    assert (first.user_id, first.kind, second.username) == (user_id, "session", row.username)
    identities.take_back(first)
    with pytest.raises(Unauthenticated):
        await identities.who("a")
    assert await identities.who("b") == second
    await db.write(lambda tx: users.set_password_hash(tx, user_id, "another"))
    clock.time += 2 * SECOND
    with pytest.raises(Unauthenticated):
        await identities.who("b")
    identities.lend(await db.read(lambda tx: users.get(tx, user_id)), "c")
    await identities.who("c")
    clock.time += 3601 * SECOND
    with pytest.raises(Unauthenticated):
        await identities.who("c")
