"""Imports every area, so that every handler is registered."""

from undeterred.api import auth as auth
from undeterred.api import groups as groups
from undeterred.api import master as master
from undeterred.api import rbac as rbac
from undeterred.api import tokens as tokens
from undeterred.api import users as users
from undeterred.api.operation import HANDLERS as HANDLERS
