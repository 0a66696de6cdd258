"""The certificate with which the server speaks HTTPS, and the name by which this machine's tasks must know it."""

import ipaddress
import ssl
from pathlib import Path

from undeterred.base.errors import Invalid
from undeterred.base.settings import Tls
from undeterred.base.struct import Struct

LOCAL = "127.0.0.1"
"""The address under which tasks reach the server."""


class Certificate(Struct, frozen=True):
    """Checked PEM files."""

    cert: str
    key: str
    name: str
    """What a client on this machine must expect instead of `LOCAL`; empty when the certificate is good for that address."""


def read(settings: Tls) -> Certificate | None:
    """The certificate of the settings, None without one. Raises Invalid with the key that is wrong."""
    if not settings.cert and not settings.key:
        return None
    for key, value in (("security.tls.cert", settings.cert), ("security.tls.key", settings.key)):
        if not value:
            raise Invalid(f"{key}: required, since TLS needs a certificate and its key")
        try:
            Path(value).read_bytes()
        except OSError as error:
            raise Invalid(f"{key}: {value}: {error.strerror}") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.cert, settings.key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise Invalid(
            f"security.tls: {settings.cert} and {settings.key} are not a certificate chain and its key in PEM: {reason}"
        ) from None
    return Certificate(str(Path(settings.cert).absolute()), str(Path(settings.key).absolute()), _name(settings.cert))


def _no_password() -> str:
    raise ValueError("the key is protected by a password")


def _name(cert: str) -> str:
    """Empty, or the certificate's first name (its subject's where it has no other)."""
    from cryptography import x509  # a tenth of a second, and few servers need it

    chain = x509.load_pem_x509_certificates(Path(cert).read_bytes())
    try:
        names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        common = chain[0].subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return str(common[0].value) if common else ""
    if ipaddress.ip_address(LOCAL) in names.get_values_for_type(x509.IPAddress):
        return ""
    first = names.get_values_for_type(x509.DNSName)
    return first[0] if first else ""
