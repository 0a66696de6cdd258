"""Method and path to operation: every route, every overlap, and what is no route."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.shapes import CONTRACT
from undeterred.wire.operation import Operation
from undeterred.wire.operations import OPERATIONS
from undeterred.wire.router import Router

ROUTER = Router(OPERATIONS)
BY_ID = {operation.id: operation for operation in OPERATIONS}


def pattern(path: str) -> re.Pattern[str]:
    """The path of an operation as a pattern: the simple, slow way to route, to compare with."""
    return re.compile(
        "/" + "/".join("([^/]+)" if part.startswith("{") else re.escape(part) for part in path.strip("/").split("/"))
    )


def by_order(method: str, path: str) -> Operation | None:
    """The first operation in the contract's order whose pattern fits."""
    return next((one for one in OPERATIONS if one.method == method and pattern(one.path).fullmatch(path)), None)


def test_every_operation_of_the_contract_has_a_route() -> None:
    """With texts in the place of its parameters it is found, and the texts are given in their order."""
    assert len(CONTRACT["operations"]) == 261
    assert {told["id"] for told in CONTRACT["operations"]} <= BY_ID.keys()
    for operation in OPERATIONS:
        path, expected = operation.path, [f"value {number}" for number in range(len(operation.path_params))]
        for text in expected:
            path = re.sub(r"\{[^}]*\}", text, path, count=1)
        assert ROUTER.find(operation.method, path) == (operation, expected), operation.id
        assert ROUTER.find(operation.method, path + "/") == (operation, expected), operation.id


def test_routes_are_those_of_the_contract() -> None:
    """Method, path and whether it streams."""
    for told in CONTRACT["operations"]:
        operation = BY_ID[told["id"]]
        assert (operation.method, operation.path, operation.streaming) == (told["method"], told["path"], told["streaming"])
        names = [param.name for param in operation.path_params]
        assert names == re.findall(r"\{([^}]*)\}", told["path"]), told["id"]
        assert {param.name for param in operation.query_params} == {param["name"] for param in told["query_params"]}


@pytest.mark.parametrize("conflict", CONTRACT["route_conflicts"], ids=lambda one: f"{one['first']}-{one['second']}")
def test_where_routes_overlap_the_first_wins(conflict: dict[str, str]) -> None:
    """A path that fits both goes to the first; a path that fits only the second still reaches it."""
    first, second = BY_ID[conflict["first"]], BY_ID[conflict["second"]]
    both = "/".join(
        one if not one.startswith("{") else (other if not other.startswith("{") else "x")
        for one, other in zip(first.path.split("/"), second.path.split("/"), strict=True)
    )
    assert pattern(first.path).fullmatch(both)
    assert pattern(second.path).fullmatch(both)
    found = ROUTER.find(conflict["method"], both)
    assert found is not None
    assert found[0] is first
    other = ROUTER.find(conflict["method"], re.sub(r"\{[^}]*\}", "x", second.path))
    assert other is not None
    assert other[0] is second


PARTS = sorted({part for operation in OPERATIONS for part in operation.path.strip("/").split("/") if not part.startswith("{")})


@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    st.lists(st.sampled_from([*PARTS, "1", "x"]), min_size=1, max_size=5).map(lambda parts: "/api/v1/" + "/".join(parts)),
)
def test_the_tree_finds_what_the_contract_s_order_finds(method: str, path: str) -> None:
    """For any path of known words and values."""
    found = ROUTER.find(method, path)
    assert (None if found is None else found[0]) is by_order(method, path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/nope"),
        ("GET", "/api/v1/"),
        ("GET", "/api/v1"),
        ("GET", "/api/v1//users"),
        ("GET", "/api/v1/users//"),
        ("GET", "/api/v1/Users"),
        ("GET", "/API/v1/users"),
        ("GET", "/api/v1/users/1/x"),
        ("POST", "/api/v1/me"),
        ("HEAD", "/api/v1/me"),
        ("OPTIONS", "/api/v1/me"),
        ("get", "/api/v1/me"),
        ("DELETE", "/api/v1/users"),
        ("GET", ""),
        ("GET", "/"),
        ("GET", "users"),
    ],
)
def test_what_is_no_route(method: str, path: str) -> None:
    """Unknown paths, other methods, other cases, double slashes."""
    assert ROUTER.find(method, path) is None


@given(st.text(max_size=40))
def test_no_path_breaks_it(path: str) -> None:
    """Any text is a route or none."""
    ROUTER.find("GET", path)
    ROUTER.find("GET", "/api/v1/" + path)
