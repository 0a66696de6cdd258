"""Undeterred: a machine-learning training platform that speaks the REST API of Determined AI 0.38.1."""

__version__ = "0.1.0"

DETERMINED_VERSION = "0.38.1"
"""The release whose contract is served; clients compare it with their own version."""
