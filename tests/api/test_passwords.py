"""Password hashes."""

import hashlib

import bcrypt
import pytest

from undeterred.api import passwords


def test_a_digest_is_what_clients_send() -> None:
    """SHA-512 of the protocol's salt and the password; an empty password is sent as it is."""
    assert passwords.digest("x") == hashlib.sha512(b"GubPEmmotfiK9TMD6Zdwx").hexdigest()
    assert passwords.digest("") == ""


@pytest.mark.parametrize("password", ["Determined1", "", "ü😀", "a" * 5000])
async def test_only_the_right_password_is_verified(password: str) -> None:
    """Whether it was hashed by the client or here, the same password is right and any other is wrong."""
    stored = await passwords.stored_form(password, is_hashed=False)
    assert passwords.verify(stored, passwords.digest(password)) == (True, False)
    assert passwords.verify(stored, passwords.digest(password + "x")) == (False, False)
    by_client = await passwords.stored_form(passwords.digest(password), is_hashed=True)
    assert passwords.verify(by_client, passwords.digest(password)) == (True, False)


def test_hashes_of_an_imported_installation_are_verified_and_replaced() -> None:
    """A bcrypt hash, and the empty one of a user without a password, are right once and then rehashed."""
    given = passwords.digest("old")
    imported = bcrypt.hashpw(given.encode()[:72], bcrypt.gensalt(4)).decode()
    assert passwords.verify(imported, given) == (True, True)
    assert passwords.verify(imported, passwords.digest("new")) == (False, False)
    assert passwords.verify(imported, "a\x00b") == (False, False)
    assert passwords.verify("", "") == (True, True)
    assert passwords.verify("", passwords.digest("x")) == (False, False)


@pytest.mark.parametrize("stored", [None, "garbage", "$argon2id$broken"])
def test_without_a_usable_hash_nothing_is_right(stored: str | None) -> None:
    """Neither any password nor an empty one."""
    assert passwords.verify(stored, "")[0] is False
    assert passwords.verify(stored, passwords.digest("Determined1"))[0] is False
