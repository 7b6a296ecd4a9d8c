"""
Start the runtime client as Lambda does, with only the package to import.

    python -I -S runtime_client.py RUNTIME ANSWERS HANDLER

The import path has the package first, then the libraries of Lambda's runtime in
RUNTIME. It has neither this machine's site-packages nor the folder of this file.

With MODULES as ANSWERS, the handler answers that event itself: with the modules that
Python has imported from the package.
"""

import os
import runpy
import sys
from importlib import import_module
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import Any

MODULES = "modules"


def answer_modules(handler: str) -> str:
    """Return the name of a handler that answers MODULES, and passes on other events."""
    module, _, name = handler.rpartition(".")

    def load(attribute: str) -> Any:
        # When the runtime client asks for it, which reports a failure.
        serve = getattr(import_module(module), attribute)
        return lambda event, context: (
            modules() if event == MODULES else serve(event, context)
        )

    recorder = ModuleType("recorder")
    recorder.__getattr__ = load  # type: ignore[method-assign]
    sys.modules["recorder"] = recorder
    return f"recorder.{name}"


def modules() -> dict[str, tuple[str, str]]:
    """Return the source and the bytecode of each module, from the package's root on."""
    root = os.environ["LAMBDA_TASK_ROOT"]
    specs = {
        name: vars(module).get("__spec__")
        for name, module in sys.modules.copy().items()
        if isinstance(module, ModuleType)
    }
    return {
        name: (os.path.relpath(spec.origin, root), os.path.relpath(spec.cached, root))
        for name, spec in specs.items()
        # Another loader may change what it loads.
        if spec and spec.name == name and type(spec.loader) is SourceFileLoader
        if spec.cached and spec.origin.startswith(f"{root}/")
    }


if __name__ == "__main__":
    runtime, answers, handler = sys.argv[1:]
    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"]]
    sys.path.append(runtime)
    # Lambda's file system is read-only.
    sys.dont_write_bytecode = True
    if answers == MODULES:
        handler = answer_modules(handler)
    sys.argv = ["awslambdaric", handler]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
