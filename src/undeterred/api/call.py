"""`Call`: what a handler is given beside its request message."""

from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Any, TypeVar

from undeterred.api.who import Identities, Who
from undeterred.base.clock import Clock
from undeterred.base.errors import Forbidden, NotFound, Unauthenticated
from undeterred.base.settings import Settings
from undeterred.base.struct import Struct, field
from undeterred.core.rights import Decision, Mode, Right, Rule, Scope, Subject, Target, decide, scope
from undeterred.engine.engine import Engine
from undeterred.store import users
from undeterred.store.database import Database, Tx

T = TypeVar("T")


class Services(Struct, frozen=True):
    """What all handlers share."""

    db: Database
    engine: Engine
    settings: Settings
    identities: Identities
    clock: Clock
    version: str
    default_storage: Mapping[str, Any]
    """Where checkpoints go when neither experiment nor workspace says so."""


class Call(Struct):
    """One call of one operation."""

    services: Services
    caller: Who | None
    operation_id: str = ""
    rights_used: set[Right] = field(default_factory=set)
    """Under test the dispatcher compares this with what the handler declared."""

    @property
    def who(self) -> Who:
        """The caller; raises Unauthenticated when nobody is logged in."""
        if self.caller is None:
            raise Unauthenticated("log in first")
        return self.caller

    @property
    def engine(self) -> Engine:
        """Lifecycle commands."""
        return self.services.engine

    @property
    def settings(self) -> Settings:
        """All settings."""
        return self.services.settings

    @property
    def rbac(self) -> bool:
        """Whether roles decide."""
        return self.services.settings.security.authz.type == Mode.RBAC

    async def read(self, work: Callable[[Tx], T], *, quick: bool = False) -> T:
        """Run a reading transaction; `quick` when it only finds some rows by their keys."""
        return await self.services.db.read(work, quick=quick)

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run a writing transaction; returns after its commit."""
        return await self.services.db.write(work)

    async def go_on(self) -> None:
        """Raises when the caller would not be let in any more: streams ask before they tell news."""
        await self.services.identities.check(self.who)

    def forget_sessions(self, tx: Tx) -> None:
        """After this transaction commits nothing remembered of callers is used any more (a session, a user or a role changed)."""
        tx.after.append(self.services.identities.forget)

    def subject(self, tx: Tx) -> Subject:
        """The caller as the rules of rights see it, as of this transaction."""
        if not self.rbac:
            return Subject(self.who.user_id, self.who.admin)
        grants, groups = users.grants(tx, self.who.user_id)
        return Subject(self.who.user_id, self.who.admin, grants, groups)

    def require(
        self,
        tx: Tx,
        right: Right,
        *,
        workspace: int | None = None,
        owner: int | None = None,
        workspace_owner: int | None = None,
        rule: Rule | None = None,
        missing: str = "",
        tasks: Collection[str] = (),
    ) -> None:
        """Go on only with the right on the target; raises Forbidden, or NotFound with `missing` where the target is hidden.

        A task's token has no rights of its user: it passes exactly where `tasks` names its task.
        """
        self.rights_used.add(right)
        if self.who.kind == "allocation":
            if self.who.task_id in tasks:
                return
            raise Forbidden("a task's token reaches that task only")
        decision = decide(
            self.services.settings.security.authz.type, self.subject(tx), right, Target(workspace, owner, workspace_owner), rule
        )
        if decision is Decision.HIDE:
            raise NotFound(missing or "not found")
        if decision is Decision.REFUSE:
            raise Forbidden(f"user {self.who.username} needs the permission {right.name} for this")

    async def permit(self, key: Hashable, right: Right, check: Callable[[Tx], object]) -> None:
        """Run a check of a right, or go by what the same caller was allowed within the last second."""
        if self.services.identities.permitted(self.who, (right, key)):
            self.rights_used.add(right)
            return
        await self.read(check, quick=True)
        self.services.identities.permit(self.who, (right, key))

    def allows(self, tx: Tx, right: Right, *, workspace: int | None = None, owner: int | None = None) -> bool:
        """Whether `require` would go on, for answers that only show less."""
        self.rights_used.add(right)
        if self.who.kind == "allocation":
            return False
        mode = self.services.settings.security.authz.type
        return decide(mode, self.subject(tx), right, Target(workspace, owner, None)) is Decision.ALLOW

    def scope(self, tx: Tx, right: Right) -> Scope:
        """Where the caller holds the right: every list query takes it."""
        self.rights_used.add(right)
        return scope(self.services.settings.security.authz.type, self.subject(tx), right)
