"""Imports every area, so that every handler is registered."""

from undeterred.api import auth as auth
from undeterred.api import master as master
from undeterred.api.operation import HANDLERS as HANDLERS
