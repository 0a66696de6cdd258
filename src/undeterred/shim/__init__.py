"""The supervisor of one task on one machine: standard library only, imported by nobody.

The launcher copies this folder into the task's run folder and starts it from there (`python -m shim <run>/spec.json`), so
an upgrade of the server never changes code under a live task.
"""
