"""Handlers of the contract's operations, free of any framework; importing `api.all` registers every one."""
