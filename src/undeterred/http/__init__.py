"""ASGI: dispatch of the contract's operations, credentials, documentation, and what is no JSON message."""
