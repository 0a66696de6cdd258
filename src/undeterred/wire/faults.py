"""How a failure travels: the only place that knows codes, reasons, HTTP statuses and error bodies.

Three shapes exist. Unary operations answer `{"error": {code, reason, error}}`; streams, before their first item or as their
last line, `{"error": {grpcCode, httpCode, message, httpStatus, details}}`; everything outside `/api/v1/` `{"message": text}`.
"""

from http import HTTPStatus

import msgspec

from undeterred.base import errors

_KINDS: dict[type[errors.Failure], tuple[int, str, int]] = {
    errors.Invalid: (3, "InvalidArgument", 400),
    errors.Refused: (9, "FailedPrecondition", 400),
    errors.NotFound: (5, "NotFound", 404),
    errors.Exists: (6, "AlreadyExists", 409),
    errors.Forbidden: (7, "PermissionDenied", 403),
    errors.Unauthenticated: (16, "Unauthenticated", 401),
    errors.Busy: (14, "Unavailable", 503),
    errors.Unsupported: (12, "Unimplemented", 501),
    errors.Broken: (13, "Internal", 500),
}


class Fault(msgspec.Struct, frozen=True):
    """A failure as numbers and text."""

    code: int
    reason: str
    status: int
    text: str

    def unary(self) -> bytes:
        """Body of an operation that answers once."""
        return _dump({"error": {"code": self.code, "reason": self.reason, "error": self.text}})

    def stream(self) -> bytes:
        """Body, or last line, of a stream."""
        phrase = HTTPStatus(self.status).phrase
        inner = {"grpcCode": self.code, "httpCode": self.status, "message": self.text, "httpStatus": phrase, "details": []}
        return _dump({"error": inner})

    def plain(self) -> bytes:
        """Body outside the API."""
        return _dump({"message": self.text})


def fault_of(failure: errors.Failure) -> Fault:
    """The fault of a failure, by its kind."""
    for kind in type(failure).__mro__:
        if kind in _KINDS:
            code, reason, status = _KINDS[kind]
            return Fault(code, reason, status, str(failure))
    return Fault(13, "Internal", 500, str(failure))


def _dump(body: object) -> bytes:
    return msgspec.json.encode(body) + b"\n"
