"""Password hashes: argon2id for new ones; bcrypt hashes of an imported installation are verified and replaced.

What is hashed is the salted SHA-512 digest that clients send (`isHashed`), so that a database never holds what a client
accepts as a password. Hashing takes tens of milliseconds: `stored_form` does it in a worker thread.
"""

import asyncio
import hashlib

import bcrypt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

CLIENT_SALT = "GubPEmmotfiK9TMD6Zdw"
"""Put before a password by every client of this API before hashing; a fact of the protocol, no secret."""

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)  # OWASP's minimum for argon2id
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$vt19lChTHuQh5qjsI1zWhA$sbBXdgMTDSf9gDDylvzbBJ9a2o8ZgG9Kq00QTwGg+kk"
"""The hash of a password that nobody knows, verified where there is none, with the parameters of `_HASHER`."""


def digest(password: str) -> str:
    """The form in which clients send a password when they say `isHashed`; an empty password is sent as it is."""
    if not password:
        return ""
    return hashlib.sha512((CLIENT_SALT + password).encode("utf-8", "surrogatepass")).hexdigest()


def hash_digest(client_digest: str) -> str:
    """What is stored."""
    return _HASHER.hash(client_digest)


async def stored_form(password: str, *, is_hashed: bool) -> str:
    """What is stored of a password, or of its digest where the client made that itself."""
    return await asyncio.to_thread(hash_digest, password if is_hashed else digest(password))


def verify(stored: str | None, client_digest: str) -> tuple[bool, bool]:
    """(right, to be rehashed). Without a stored hash the same time is spent, so that names cannot be probed."""
    if stored is None:
        _argon2_matches(_NOBODY, client_digest)
        return False, False
    if stored == "":
        right = not client_digest
        return right, right
    if stored.startswith("$2"):
        secret = client_digest.encode()[:72]  # bcrypt looks at no more, and newer releases refuse more
        right = b"\x00" not in secret and bcrypt.checkpw(secret, stored.encode())
        return right, right
    right = _argon2_matches(stored, client_digest)
    return right, right and _HASHER.check_needs_rehash(stored)


def _argon2_matches(stored: str, client_digest: str) -> bool:
    try:
        return _HASHER.verify(stored, client_digest)
    except (VerificationError, InvalidHashError):
        return False
