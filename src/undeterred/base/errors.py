"""The nine kinds of failure.

Any room raises them with a message for people; only `wire/faults.py` knows how each travels (code, reason, HTTP status).
An exception of any other class is a defect: it is logged with its request id and leaves the server as `Broken` without detail.
"""


class Failure(Exception):
    """Base of all expected failures; `str(failure)` is the sentence a person reads."""


class NotFound(Failure):
    """No such thing, or a thing the caller may not know about."""


class Refused(Failure):
    """The thing is in a state that does not allow this (archived, still running, already finished)."""


class Invalid(Failure):
    """The request itself is wrong; the message says what is allowed."""


class Exists(Failure):
    """A name, key or id is taken."""


class Forbidden(Failure):
    """The caller is known and lacks the right."""


class Unauthenticated(Failure):
    """No credential, or one that is wrong, expired or revoked."""


class Busy(Failure):
    """The server cannot take this now (no space, queue full, closing); the same call may go through later."""


class Unsupported(Failure):
    """The operation, or this use of it, does not exist here."""


class Broken(Failure):
    """Our own fault; the message holds no internal detail."""
