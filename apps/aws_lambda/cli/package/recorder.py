"""
The handlers of lambda_entry, which also answer what Python has imported.

A package does not contain this file: it is copied into a copy of one (bundle.py).
"""

import os
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from typing import Any

import lambda_entry

# The event that asks for it.
MODULES = "modules"


def __getattr__(name: str) -> Callable[[Any, Any], Any]:
    handler = getattr(lambda_entry, name)
    return lambda event, context: (
        modules() if event == MODULES else handler(event, context)
    )


def modules() -> dict[str, tuple[str, str]]:
    """Return the source and the bytecode of each module, from the package's root on."""
    root = os.environ["LAMBDA_TASK_ROOT"]
    specs = {
        name: getattr(module, "__dict__", {}).get("__spec__")
        for name, module in sys.modules.copy().items()
    }
    return {
        name: (os.path.relpath(spec.origin, root), os.path.relpath(spec.cached, root))
        for name, spec in specs.items()
        # Another loader may change what it loads.
        if spec and spec.name == name and type(spec.loader) is SourceFileLoader
        if spec.cached and spec.origin.startswith(f"{root}/")
    }
