"""Sends a request to an address that a user named, from a worker thread, without being led astray.

The name is resolved once, every address it has is checked, and the connection goes to a checked one: a name that points
elsewhere a moment later changes nothing. Redirects are not followed.
"""

import http.client
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from undeterred.base.errors import Invalid, Refused
from undeterred.base.struct import Struct
from undeterred.core.addresses import check_addresses

MOST_ANSWER = 64 * 1024
"""Bytes of an answer that are read."""


class Sent(Struct, frozen=True):
    """What came back."""

    status: int | None
    """None when there was no answer."""
    error: str
    """Empty when the receiver took it (a status from 200 to 299)."""


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, timeout: float, allow_private: bool, allow_link_local: bool
) -> Sent:
    """POST and read the answer, for at most about twice `timeout` seconds. Raises Invalid (no such URL) or Refused (address)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Invalid(f"{url[:200]!r} is not a URL: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise Invalid(f"{url[:200]!r} is not an http or https URL")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        check_addresses(host, addresses, allow_private=allow_private, allow_link_local=allow_link_local)
        connection = _connection(parts.scheme, host, port, addresses, timeout)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", target, body, {**headers, "Host": parts.netloc.rpartition("@")[2]})
            answer = connection.getresponse()
            answer.read(MOST_ANSWER)
            status = answer.status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        return Sent(None, f"{type(error).__name__}: {error}"[:500])
    except ValueError as error:
        raise Refused(f"{url[:200]!r} cannot be sent to: {error}") from None
    return Sent(status, "" if 200 <= status < 300 else f"the receiver answered {status} {answer.reason}"[:500])


def _connection(scheme: str, host: str, port: int, addresses: list[str], timeout: float) -> http.client.HTTPConnection:
    """A connection to the first of the checked addresses that takes one."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    connection.sock = _connect(addresses, port, timeout)
    if scheme == "https":
        try:
            connection.sock = ssl.create_default_context().wrap_socket(connection.sock, server_hostname=host)
        except BaseException:
            connection.close()
            raise
    return connection


def _connect(addresses: list[str], port: int, timeout: float) -> socket.socket:
    last: OSError | None = None
    for address in addresses[:4]:
        try:
            return socket.create_connection((address, port), timeout / min(len(addresses), 4))
        except OSError as error:
            last = error
    raise last or OSError("the host has no address")
