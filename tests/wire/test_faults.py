"""How failures travel: codes, reasons, statuses and the three bodies."""

import json

import pytest

from undeterred.base import errors
from undeterred.wire.faults import fault_of

KINDS = [
    (errors.Invalid, 3, "InvalidArgument", 400),
    (errors.Refused, 9, "FailedPrecondition", 400),
    (errors.NotFound, 5, "NotFound", 404),
    (errors.Exists, 6, "AlreadyExists", 409),
    (errors.Forbidden, 7, "PermissionDenied", 403),
    (errors.Unauthenticated, 16, "Unauthenticated", 401),
    (errors.Busy, 14, "Unavailable", 503),
    (errors.Unsupported, 12, "Unimplemented", 501),
    (errors.Broken, 13, "Internal", 500),
]


@pytest.mark.parametrize(("kind", "code", "reason", "status"), KINDS)
def test_each_kind_has_its_code_and_status(kind: type[errors.Failure], code: int, reason: str, status: int) -> None:
    """As the gateway of the API maps them."""
    fault = fault_of(kind("what was wrong"))
    assert (fault.code, fault.reason, fault.status, fault.text) == (code, reason, status, "what was wrong")


def test_no_kind_is_forgotten() -> None:
    """Every class of failure is in the table above."""
    kinds = {kind for kind in errors.Failure.__subclasses__() if kind.__module__ == errors.__name__}
    assert kinds == {kind for kind, _, _, _ in KINDS}


def test_a_special_kind_travels_as_its_parent() -> None:
    """And a failure of no kind as our own fault."""

    class Gone(errors.NotFound):
        """A special not found."""

    assert fault_of(Gone("x")).status == 404
    assert fault_of(errors.Failure("x")).status == 500


def test_the_body_of_an_operation() -> None:
    """Code, reason and text inside `error`, ended by a newline."""
    body = fault_of(errors.NotFound('user "ü" not found')).unary()
    assert json.loads(body) == {"error": {"code": 5, "reason": "NotFound", "error": 'user "ü" not found'}}
    assert body.endswith(b"}\n")


def test_the_body_of_a_stream() -> None:
    """Both codes, the phrase of the status and no details, on one line."""
    body = fault_of(errors.Unauthenticated("log in\nfirst")).stream()
    inner = {"grpcCode": 16, "httpCode": 401, "message": "log in\nfirst", "httpStatus": "Unauthorized", "details": []}
    assert json.loads(body) == {"error": inner}
    assert body.count(b"\n") == 1


def test_the_body_outside_the_api() -> None:
    """A message and nothing else."""
    assert json.loads(fault_of(errors.Forbidden("no")).plain()) == {"message": "no"}
