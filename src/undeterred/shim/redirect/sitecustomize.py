"""First on the PYTHONPATH of a task: installs the redirect, then runs the `sitecustomize` that this file hides.

Kept free of newer syntax: it runs in whatever Python 3 the task starts.
"""

import importlib.machinery
import importlib.util
import os
import sys


def _chain(here):
    others = [entry for entry in sys.path if os.path.realpath(entry or os.curdir) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if os.environ.get("UNDETERRED_RUN_DIR"):
    import _undeterred_redirect

    _undeterred_redirect.install(os.environ["UNDETERRED_RUN_DIR"], os.environ.get("UNDETERRED_SHARED_FS"))

_chain(os.path.realpath(os.path.dirname(__file__)))
