"""Every operation through the generated client of the unmodified package, against a running server: each answer parses."""

from collections.abc import Callable, Iterator

import pytest

from scripts.server import running
from tests.conftest import PASSWORD
from tests.contract.bindings import structure, work
from tests.contract.bindings.api import Api, operations

AREAS = structure.AREAS + work.AREAS


class Walk:
    """Plays each area once."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self._played: set[str] = set()

    def play(self, area: Callable[[Api], None]) -> None:
        """Play an area unless it was."""
        if area.__name__ not in self._played:
            self._played.add(area.__name__)
            area(self.api)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    """A server with one slot, where roles decide."""
    folder = tmp_path_factory.mktemp("bindings")
    config = folder / "master.yaml"
    config.write_text("launch_error: false\nsecurity: {authz: {type: rbac}}\n")
    with running(folder / "data", "--initial-password", PASSWORD, "--slots", "1", "--config", str(config)) as url:
        yield Walk(Api(url, PASSWORD))
        (folder / "data" / "end-tasks").touch()


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.__name__)
def test_answers_parse(walk: Walk, area: Callable[[Api], None]) -> None:
    """What the client makes of the answers is what was stored."""
    walk.play(area)


def test_no_operation_is_left_out(walk: Walk) -> None:
    """All operations of the client were called."""
    for area in AREAS:
        walk.play(area)
    assert len(operations()) == 261
    assert operations() - walk.api.called == set()
