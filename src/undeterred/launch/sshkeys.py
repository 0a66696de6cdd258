"""Key pairs for shells."""

from undeterred.base.struct import Struct


class KeyPair(Struct, frozen=True):
    """Both halves as OpenSSH reads them from files."""

    private: str
    public: str


def new_key_pair() -> KeyPair:
    """A fresh Ed25519 key without a passphrase."""
    # imported here: the library takes a while to load and most servers never start a shell
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return KeyPair(private.decode(), public.decode() + "\n")
