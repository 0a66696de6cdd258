"""Table objects only, by subject. Importing this package registers every table in `metadata`."""

import pkgutil
from importlib import import_module

from undeterred.store.schema.base import metadata as metadata

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
