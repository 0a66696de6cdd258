"""Whether the server may send something to an address that a user named."""

import ipaddress
from collections.abc import Iterable

from undeterred.base.errors import Refused

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)
"""Where clouds tell a machine about itself, its credentials among them."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def check_addresses(host: str, addresses: Iterable[str], *, allow_private: bool, allow_link_local: bool) -> None:
    """Raises Refused when any of the addresses of `host` may not be sent to.

    Never allowed are addresses that mean nobody or many. Link-local ones and those of cloud metadata services need
    `allow_link_local`, loopback and all other networks that are not public `allow_private`.
    """
    for text in addresses:
        address = _real(ipaddress.ip_address(text.partition("%")[0]))
        reason = _refusal(address, allow_private=allow_private, allow_link_local=allow_link_local)
        if reason:
            raise Refused(f"{host} is {address}, {reason}")


def _refusal(address: _Address, *, allow_private: bool, allow_link_local: bool) -> str:
    if address.is_unspecified or address.is_multicast:
        return "an address of nobody or of many"
    if address in _METADATA or address.is_link_local:
        return "" if allow_link_local else "a link-local or metadata address; webhooks.allow_link_local admits those"
    if not address.is_global:
        return "" if allow_private else "not a public address; webhooks.allow_private_addresses admits those"
    return ""


def _real(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 address stands for, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)
