"""Permissions, roles, and the one decision about them."""

from undeterred.core.rights.basic import Rule as Rule
from undeterred.core.rights.permissions import Right as Right
from undeterred.core.rights.rbac import Decision as Decision
from undeterred.core.rights.rbac import Grant as Grant
from undeterred.core.rights.rbac import Mode as Mode
from undeterred.core.rights.rbac import Scope as Scope
from undeterred.core.rights.rbac import Subject as Subject
from undeterred.core.rights.rbac import Target as Target
from undeterred.core.rights.rbac import decide as decide
from undeterred.core.rights.rbac import scope as scope
