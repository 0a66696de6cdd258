"""Method and path to operation: a tree of path segments, literal segments before parameters.

Where two routes overlap the contract lets the earlier one win; in all of its overlaps that is the one with the literal
segment further left, which is the order in which this tree is searched (a test checks each overlap of the contract).
"""

from collections.abc import Iterable
from itertools import islice

from undeterred.wire.operation import Operation


class _Node:
    __slots__ = ("literal", "operations", "parameter")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.operations: dict[str, Operation] = {}


class Router:
    """Built once from the operations; `find` costs the same for every route."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._root = _Node()
        for operation in operations:
            node = self._root
            for segment in operation.path.strip("/").split("/"):
                if segment.startswith("{"):
                    node.parameter = node.parameter or _Node()
                    node = node.parameter
                else:
                    node = node.literal.setdefault(segment, _Node())
            node.operations.setdefault(operation.method, operation)

    def find(self, method: str, path: str) -> tuple[Operation, list[str]] | None:
        """The operation and the texts of its path parameters; `path` is percent-decoded. One trailing slash is ignored."""
        segments = path.split("/")
        if len(segments) > 2 and not segments[-1]:
            segments.pop()
        node, values = self._root, []
        for segment in islice(segments, 1, None):  # most paths are found without going back
            below = node.literal.get(segment)
            if below is None:
                below = node.parameter
                if below is None or not segment:
                    break
                values.append(segment)
            node = below
        else:
            operation = node.operations.get(method)
            if operation is not None:
                return operation, values
        return _search(self._root, method, segments, 1, [])


def _search(node: _Node, method: str, segments: list[str], at: int, values: list[str]) -> tuple[Operation, list[str]] | None:
    if at == len(segments):
        operation = node.operations.get(method)
        return (operation, values) if operation is not None else None
    segment = segments[at]
    if not segment:
        return None
    below = node.literal.get(segment)
    if below is not None:
        found = _search(below, method, segments, at + 1, values)
        if found is not None:
            return found
    if node.parameter is not None:
        return _search(node.parameter, method, segments, at + 1, [*values, segment])
    return None
