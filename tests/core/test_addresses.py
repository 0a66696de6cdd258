"""Which addresses may be sent to."""

import pytest

from undeterred.base.errors import Refused
from undeterred.core.addresses import check_addresses

LINK_LOCAL = [
    "169.254.169.254",
    "169.254.1.1",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "100.100.100.200",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]
PRIVATE = ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "100.64.0.1", "::1", "fd12::1", "::ffff:10.0.0.1"]
PUBLIC = ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8"]
NOBODY = ["0.0.0.0", "::", "224.0.0.1", "ff02::1"]


def allowed(address: str, *, private: bool, link_local: bool) -> bool:
    """Whether an address passes."""
    try:
        check_addresses("host", [address], allow_private=private, allow_link_local=link_local)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("address", LINK_LOCAL)
def test_metadata_services_are_out_of_reach(address: str) -> None:
    """In whatever form their address is written, unless link-local ones are admitted."""
    assert not allowed(address, private=True, link_local=False)
    assert allowed(address, private=True, link_local=True)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_networks_are_a_setting(address: str) -> None:
    """They are admitted unless switched off."""
    assert allowed(address, private=True, link_local=False)
    assert not allowed(address, private=False, link_local=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_always_allowed(address: str) -> None:
    """Whatever the settings."""
    assert allowed(address, private=False, link_local=False)


@pytest.mark.parametrize("address", NOBODY)
def test_nobody_and_many_are_never_allowed(address: str) -> None:
    """Whatever the settings."""
    assert not allowed(address, private=True, link_local=True)


def test_one_bad_address_spoils_a_name() -> None:
    """A name that has a public and a forbidden address is refused, and the refusal says which."""
    with pytest.raises(Refused, match=r"host is 169\.254\.169\.254"):
        check_addresses("host", ["8.8.8.8", "169.254.169.254"], allow_private=True, allow_link_local=False)
