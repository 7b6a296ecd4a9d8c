"""
Write the code bundle: the bytecode of what the handlers import, in one file.

bundle.py of the integration describes the file, and reads it on Lambda.
"""

import json
import marshal
import shutil
import tempfile

# importlib's own is for the bytecode of the Python that runs it.
from _imp import source_hash
from collections.abc import Mapping
from pathlib import Path

from ...bundle import FILE, HASH, MANIFEST, VARIABLE, Bundle, BundleError, Entry
from ..configuration import Configuration
from ..lambda_service import ExecutionEnvironment, FunctionError
from . import PackageError
from .runtime import environment, lambda_runtime
from .smoke import event_sources, get, handlers, stage_variables, variables_for

# The module of a copied package, made from recorder.py, and the event that it answers.
RECORDER, MODULES = "lambda_recorder", "modules"
# The paths of a module's source and bytecode, from the root of the package.
Modules = Mapping[str, tuple[str, str]]


def record(
    target: Path, configuration: Configuration, python: Path
) -> tuple[Modules, list[str]]:
    """
    Return the modules of the package that its handlers import, and which do not start.

    ``python`` starts each handler as the smoke test does, with the stand-ins only: the
    package is the same for all stages. The web handler is asked for ``pages``.
    """
    variables, _ = stage_variables({}, configuration)
    modules: dict[str, tuple[str, str]] = {}
    failed = []
    with tempfile.TemporaryDirectory() as scratch, lambda_runtime(python) as runtime:
        # What the site writes must not be packaged.
        root = Path(scratch) / "task"
        shutil.copytree(target, root)
        shutil.copy(Path(__file__).with_name("recorder.py"), root / f"{RECORDER}.py")
        variables = variables_for(root, variables) | {VARIABLE: "false"}
        for name in handlers(root):
            # By this name `function` knows which handler it builds.
            own = variables | {"_HANDLER": f"lambda_entry.{name}"}
            running = environment(root, runtime, name, own, python, RECORDER)
            try:
                with running:
                    if name == "http":
                        request_pages(running, variables, configuration)
                    modules |= running.invoke(MODULES)
            except FunctionError:
                # The smoke test reports it, or passes with a stage's variables.
                failed.append(name)
    return {
        name: (source, cached)
        for name, (source, cached) in sorted(modules.items())
        if (target / cached).is_file()
    }, failed


def request_pages(
    running: ExecutionEnvironment,
    variables: dict[str, str],
    configuration: Configuration,
) -> None:
    for api in event_sources(variables["LAMBDA_HOSTS"], variables):
        for page in configuration.requested:
            get(running, api, page)


def write_bundle(target: Path, modules: Modules) -> None:
    """
    Move the bytecode of modules into the bundle of a folder with build.json.

    The same input gives the same bytes. The .pyc files would take a sixth of the
    archive, and nothing reads them.
    """
    index: dict[str, Entry] = {}
    bytecode = bytearray()
    for name, (source, cached) in modules.items():
        pyc = (target / cached).read_bytes()
        size = (target / source).stat().st_size
        index[name] = (source, size, cached, len(bytecode), len(pyc))
        bytecode += pyc
    # Later versions of the format depend on what else refers to an object.
    marshalled = marshal.dumps(index, 2)
    head = {
        "build_id": json.loads((target / MANIFEST).read_text())["build_id"],
        "magic": bytecode[:4].hex(),
        "modules": len(index),
        "index": len(marshalled),
        "bytecode": len(bytecode),
    }
    line = json.dumps(head).encode() + b"\n"
    (target / FILE).write_bytes(line + marshalled + bytecode)
    for _, cached in modules.values():
        (target / cached).unlink()


def check_bundle(root: Path) -> None:
    """Raise PackageError if a package has other modules than its bundle."""
    # Of the functions' Python, which may not be this one.
    magic = next((path.read_bytes()[:4] for path in root.rglob("*.pyc")), b"")
    try:
        bundle = Bundle(str(root), magic)
    except FileNotFoundError:
        return
    except BundleError as error:
        raise PackageError(str(error)) from None
    changed = [
        source
        for name, (source, *_) in bundle.index.items()
        if not is_as_bundled(root, bundle, name)
    ]
    if changed:
        raise PackageError(
            f"The package was changed after it was built: {', '.join(changed)} is not "
            f"what {FILE}, the code bundle, was made from. Build it again."
        )


def is_as_bundled(root: Path, bundle: Bundle, name: str) -> bool:
    """Return whether the source of a module is that of the build."""
    path = root / bundle.index[name][0]
    pyc = bundle.pyc(name)
    # Of the functions' Python.
    number = int.from_bytes(pyc[:4], "little")
    return path.is_file() and source_hash(number, path.read_bytes()) == pyc[HASH]
