"""
The handlers of lambda_entry, which also answer what Python has imported.

A package does not contain this file: it is copied into a copy of one (bundle.py).
"""

import os
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from typing import Any


class Started:
    """A finder that finds nothing, and keeps the names of modules in their order."""

    names: list[str] = []

    @classmethod
    def find_spec(cls, name: str, path: Any, target: Any = None) -> None:
        cls.names.append(name)


# sys.modules has the order in which modules are complete.
sys.meta_path.insert(0, Started)

import lambda_entry  # noqa: E402

# The event that asks for it.
MODULES = "modules"


def __getattr__(name: str) -> Callable[[Any, Any], Any]:
    handler = getattr(lambda_entry, name)
    return lambda event, context: (
        modules() if event == MODULES else handler(event, context)
    )


def modules() -> dict[str, tuple[str, str]]:
    """
    Return the source and the bytecode of each module, from the package's root on.

    Those that are imported before the code bundle is used are left out.
    """
    root = os.environ["LAMBDA_TASK_ROOT"]
    loaded = {
        name: getattr(module, "__dict__", {})
        for name, module in sys.modules.copy().items()
    }
    [bundle] = [name for name, names in loaded.items() if "BundleLoader" in names]
    early = Started.names[: Started.names.index(bundle) + 1]
    return {
        name: (os.path.relpath(spec.origin, root), os.path.relpath(spec.cached, root))
        for name, names in loaded.items()
        if name not in early and (spec := names.get("__spec__"))
        # Another loader may change what it loads.
        if spec.name == name and type(spec.loader) is SourceFileLoader
        if spec.cached and spec.origin.startswith(f"{root}/")
    }
