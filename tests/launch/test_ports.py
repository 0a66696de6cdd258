"""Ports for tasks."""

import socket

import pytest

from undeterred.base.errors import Busy
from undeterred.launch.ports import RANGES, choose, is_free
from undeterred.launch.spec import TRIAL_PORTS


def test_each_name_gets_a_port_of_its_range_and_all_differ() -> None:
    """The four ports of a trial are different and where that variable's ports are."""
    chosen = choose(TRIAL_PORTS, set(), lambda port: True)
    assert list(chosen) == list(TRIAL_PORTS)
    assert len(set(chosen.values())) == len(TRIAL_PORTS)
    assert all(RANGES[name][0] <= port < RANGES[name][1] for name, port in chosen.items())


def test_taken_and_busy_ports_are_passed_over() -> None:
    """Neither a port of another task nor one that somebody listens on is given."""
    first = RANGES["C10D_PORT"][0]
    assert choose(["C10D_PORT"], {first}, lambda port: port != first + 1) == {"C10D_PORT": first + 2}


def test_a_used_up_range_is_said() -> None:
    """Without a free port the launch is refused for now, naming the variable."""
    with pytest.raises(Busy, match="NOTEBOOK_PORT"):
        choose(["NOTEBOOK_PORT"], set(), lambda port: False)


def test_a_port_with_a_listener_is_not_free() -> None:
    """Free means that binding works now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)
