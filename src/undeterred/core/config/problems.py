"""Collected mistakes: each has a path and a sentence, and all of them are told at once."""

from undeterred.base.errors import Invalid

CONFIG, TEMPLATE, DEFAULTS = "<config>", "<template>", "<task container defaults>"
WORKSPACE_STORAGE, MASTER_STORAGE = "<workspace checkpoint storage>", "<master checkpoint storage>"
GLOBAL_POLICY, WORKSPACE_POLICY = "<global policy>", "<workspace policy>"


class Problems:
    """Mistakes found so far; the order of finding does not show in what is told."""

    __slots__ = ("_found", "_heading", "_places")

    def __init__(self, heading: str) -> None:
        self._heading = heading
        self._found: dict[tuple[str, str], None] = {}
        self._places: set[str] = set()

    def add(self, path: str, message: str) -> None:
        """Note a mistake at `path`, such as `<config>.searcher.name`."""
        self._places.add(_below_root(path))
        self._found[path, message] = None

    def add_new(self, path: str, message: str) -> None:
        """Note a mistake found in merged data, unless its place (or one around or inside it) has one in a layer already."""
        place = _below_root(path)
        if not any(_touch(place, known) for known in self._places):
            self._found[path, message] = None

    def found(self) -> list[tuple[str, str]]:
        """Path and message of the mistakes, as found."""
        return list(self._found)

    def lines(self) -> list[str]:
        """The mistakes, one line each, sorted."""
        return sorted(f"{path}: {message}" for path, message in self._found)

    def raise_if_any(self) -> None:
        """Raises Invalid with the heading on the first line and one further line per mistake."""
        if self._found:
            raise Invalid("\n".join([f"{self._heading}:", *self.lines()]))


def _below_root(path: str) -> str:
    return path[path.index(">") + 1 :] if path.startswith("<") else path


def _touch(left: str, right: str) -> bool:
    shorter, longer = sorted((left, right), key=len)
    return longer.startswith(shorter) and (len(longer) == len(shorter) or longer[len(shorter)] in ".[")
