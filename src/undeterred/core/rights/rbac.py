"""Who may do what to which thing: the one decision every operation asks for.

In `basic` mode the table of `basic.py` decides. In `rbac` mode the grants of a user (their own and their groups') decide, and
a thing that the user may not even see is hidden, so that its existence is not given away. The admin flag means nothing there.
"""

import enum

from undeterred.base.struct import Struct
from undeterred.core.rights import basic
from undeterred.core.rights.permissions import GLOBAL_ONLY, OF_OTHERS, VIEW_OF, Right
from undeterred.core.rights.roles import rights_of


class Mode(enum.StrEnum):
    """How rights are decided; the values are those of the setting `security.authz.type`."""

    BASIC = "basic"
    RBAC = "rbac"


class Decision(enum.Enum):
    """Go on, answer "not found", or answer "forbidden"."""

    ALLOW = "allow"
    HIDE = "hide"
    REFUSE = "refuse"


class Grant(Struct, frozen=True):
    """A role given for one workspace, or for the whole cluster when `workspace_id` is None."""

    role_id: int
    workspace_id: int | None = None


class Subject(Struct, frozen=True):
    """Who asks; `grants` already holds those of the groups named in `groups`."""

    user_id: int
    admin: bool = False
    grants: tuple[Grant, ...] = ()
    groups: frozenset[int] = frozenset()


class Target(Struct, frozen=True):
    """What is asked about: where it is and whose it is; all None is the cluster itself."""

    workspace_id: int | None = None
    owner_id: int | None = None
    workspace_owner_id: int | None = None


class Scope(Struct, frozen=True):
    """Where a right holds, for lists: everywhere, or in these workspaces only (none: an empty list)."""

    everywhere: bool
    workspaces: frozenset[int] = frozenset()

    def admits(self, workspace_id: int | None) -> bool:
        """Whether a thing of that workspace (None: of none, such as a global webhook) is in the list."""
        return self.everywhere or workspace_id in self.workspaces


EVERYWHERE = Scope(everywhere=True)
NOWHERE = Scope(everywhere=False)


def decide(mode: Mode | str, subject: Subject, right: Right, target: Target, rule: basic.Rule | None = None) -> Decision:
    """Whether `subject` may use `right` on `target`.

    `rule` replaces the rule of the right in basic mode, for the acts named in `basic.py`. Basic mode never hides.
    """
    own = target.owner_id is not None and target.owner_id == subject.user_id
    if mode == Mode.BASIC:
        workspace_own = target.workspace_owner_id is not None and target.workspace_owner_id == subject.user_id
        allowed = basic.may(rule or basic.RULES[right], admin=subject.admin, owner=own, workspace_owner=workspace_own)
        return Decision.ALLOW if allowed else Decision.REFUSE
    needed = right if own else OF_OTHERS.get(right, right)
    if _holds(subject, needed, target.workspace_id):
        return Decision.ALLOW
    view = VIEW_OF.get(right)
    return Decision.HIDE if view is not None and not _holds(subject, view, target.workspace_id) else Decision.REFUSE


def scope(mode: Mode | str, subject: Subject, right: Right) -> Scope:
    """Where `subject` holds `right`, for list queries; in basic mode lists show everything that is not for admins only."""
    if mode == Mode.BASIC:
        return NOWHERE if basic.RULES[right] is basic.Rule.ADMIN and not subject.admin else EVERYWHERE
    holding = [grant for grant in subject.grants if right in rights_of(grant.role_id)]
    if any(grant.workspace_id is None for grant in holding):
        return EVERYWHERE
    if right in GLOBAL_ONLY:
        return NOWHERE
    return Scope(everywhere=False, workspaces=frozenset(g.workspace_id for g in holding if g.workspace_id is not None))


def _holds(subject: Subject, right: Right, workspace_id: int | None) -> bool:
    where = scope(Mode.RBAC, subject, right)
    if right is Right.VIEW_GLOBAL_CONFIG_POLICIES:  # the cluster's policies bind every workspace: a role in any one shows them
        return where != NOWHERE
    return where.admits(workspace_id)
