"""Free ports for tasks: no two live tasks of this server get the same one."""

import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence, Set

from undeterred.base.errors import Busy

RANGES: dict[str, tuple[int, int]] = {
    "DTRAIN_SSH_PORT": (12350, 15350),
    "INTER_TRAIN_PROCESS_COMM_PORT_1": (15360, 19360),
    "INTER_TRAIN_PROCESS_COMM_PORT_2": (19360, 23360),
    "C10D_PORT": (29400, 32400),
    "TENSORBOARD_PORT": (2600, 2900),
    "NOTEBOOK_PORT": (2900, 3200),
    "SHELL_PORT": (3200, 3500),
}
"""First port and end for each variable, below the range from which systems take the ports of outgoing connections."""
OTHER = (23360, 29400)


def is_free(port: int) -> bool:
    """Whether nobody listens on `port` of any address of this machine."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("", port))
        except OSError:
            return False
    return True


def choose(names: Sequence[str], taken: Set[int], free: Callable[[int], bool] = is_free) -> dict[str, int]:
    """A port for each name: free, not in `taken`, all different. Raises Busy when a range is used up."""
    chosen: dict[str, int] = {}
    for name in names:
        used = taken | set(chosen.values())
        port = next((port for port in _range(name) if port not in used and free(port)), None)
        if port is None:
            first, end = RANGES.get(name, OTHER)
            raise Busy(f"no free port for {name} between {first} and {end - 1}")
        chosen[name] = port
    return chosen


def _range(name: str) -> Iterator[int]:
    return iter(range(*RANGES.get(name, OTHER)))
