"""Records: named, typed fields with equality and a readable form.

    class Point(Struct, frozen=True):
        x: int
        y: int = 0

They are msgspec's, which are made 30 times as fast as dataclasses (there are some two hundred, all made at start-up) and filled
several times as fast. Frozen ones can be hashed. Nothing checks the types of what is put in.
"""

from msgspec import Struct, field
from msgspec.structs import asdict, force_setattr, replace

__all__ = ["Struct", "asdict", "field", "force_setattr", "replace"]
