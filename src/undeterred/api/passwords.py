"""Password hashes: argon2id for new ones; bcrypt hashes of an imported installation are verified and replaced.

What is hashed is the salted SHA-512 digest that clients send (`isHashed`), so that a database never holds what a client
accepts as a password. Both functions take tens of milliseconds: call them in a worker thread.
"""

import hashlib
import hmac

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

CLIENT_SALT = "GubPEmmotfiK9TMD6Zdw"
"""Put before a password by every client of this API before hashing; a fact of the protocol, no secret."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's minimum for argon2id
_NOBODY = _HASHER.hash("no user has this password")


def digest(password: str) -> str:
    """The form in which clients send a password when they say `isHashed`."""
    return hashlib.sha512((CLIENT_SALT + password).encode("utf-8", "surrogatepass")).hexdigest()


def hash_digest(client_digest: str) -> str:
    """What is stored."""
    return _HASHER.hash(client_digest)


def verify(stored: str | None, client_digest: str) -> tuple[bool, bool]:
    """(right, to be rehashed). Without a stored hash the same time is spent, so that names cannot be probed."""
    if stored is None:
        _argon2_matches(_NOBODY, client_digest)
        return False, False
    if stored == "":
        return hmac.compare_digest(client_digest.encode(), digest("").encode()), True
    if stored.startswith("$2"):
        secret = client_digest.encode()[:72]  # bcrypt looks at no more, and newer releases refuse more
        return bcrypt.checkpw(secret, stored.encode()), True
    right = _argon2_matches(stored, client_digest)
    return right, right and _HASHER.check_needs_rehash(stored)


def _argon2_matches(stored: str, client_digest: str) -> bool:
    try:
        return _HASHER.verify(stored, client_digest)
    except (VerificationError, InvalidHashError):
        return False
