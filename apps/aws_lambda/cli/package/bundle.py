"""
Write the code bundle: the bytecode of what the handlers import, in one file.

bundle.py of the integration describes the file, and reads it on Lambda.
"""

import json
import marshal
import shutil
import subprocess
import tempfile

# importlib's own is for the bytecode of the Python that runs it.
from _imp import source_hash
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from ...bundle import FILE, MANIFEST, VARIABLE, Bundle, BundleError, Entry
from ..configuration import Configuration
from ..lambda_service import ExecutionEnvironment, FunctionError
from . import PackageError
from .runtime import environment, lambda_runtime
from .smoke import event_sources, get, handlers, stage_variables, variables_for

# The module of a copied package, made from recorder.py, and the event that it answers.
RECORDER, MODULES = "lambda_recorder", "modules"
# The program that joins bytecode.
JOINER = Path(__file__).with_name("joiner.py")
# https://peps.python.org/pep-0552/
MAGIC, HASH = slice(0, 4), slice(8, 16)


class Module(NamedTuple):
    """
    A module of the package: its files, from the root on, and who needs it.

    ``handlers`` are those that import it in the init phase; other modules are imported
    by a request.
    """

    source: str
    cached: str
    handlers: tuple[str, ...] = ()


Modules = Mapping[str, Module]


def record(
    target: Path, configuration: Configuration, python: Path
) -> tuple[Modules, list[str]]:
    """
    Return the modules of the package that its handlers import, and which do not start.

    ``python`` starts each handler as the smoke test does, with the stand-ins only: the
    package is the same for all stages. The web handler is asked for ``pages``.
    """
    variables, _ = stage_variables({}, configuration)
    modules: dict[str, Module] = {}
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
                    add(modules, running.invoke(MODULES), (name,))
                    if name == "http":
                        request_pages(running, variables, configuration)
                        add(modules, running.invoke(MODULES))
            except FunctionError:
                # The smoke test reports it, or passes with a stage's variables.
                failed.append(name)
    return {
        name: module
        for name, module in sorted(modules.items())
        if (target / module.cached).is_file()
    }, failed


def add(
    modules: dict[str, Module],
    found: Mapping[str, tuple[str, str]],
    handlers: tuple[str, ...] = (),
) -> None:
    """Add what the recorder has answered, for the handlers that import it."""
    for name, files in found.items():
        known = modules.get(name, Module(*files))
        modules[name] = known._replace(handlers=known.handlers + handlers)


def request_pages(
    running: ExecutionEnvironment,
    variables: dict[str, str],
    configuration: Configuration,
) -> None:
    for api in event_sources(variables["LAMBDA_HOSTS"], variables):
        for page in configuration.requested:
            get(running, api, page)


def write_bundle(target: Path, modules: Modules, python: Path) -> None:
    """
    Move the bytecode of modules into the bundle of a folder with build.json.

    ``python`` is the one that has compiled them. The same input gives the same bytes.
    The .pyc files would take a sixth of the archive, and nothing reads them. Raises
    PackageError if the bytecode cannot be read.
    """
    groups = grouped(modules)
    files = [{n: str(target / modules[n].cached) for n in group} for group in groups]
    joined = join(files, python)
    index: dict[str, Entry] = {}
    magic, offset = b"", 0
    for group, marshalled in zip(groups, joined, strict=True):
        for name in group:
            source, cached, _ = modules[name]
            pyc = (target / cached).read_bytes()
            magic = pyc[MAGIC]
            size = (target / source).stat().st_size
            place = offset, len(marshalled)
            index[name] = (source, size, pyc[HASH], cached, *place)
        offset += len(marshalled)
    # Later versions of the format depend on what else refers to an object.
    marshalled = marshal.dumps(index, 2)
    head = {
        "build_id": json.loads((target / MANIFEST).read_text())["build_id"],
        "magic": magic.hex(),
        "modules": len(index),
        "index": len(marshalled),
        "groups": offset,
    }
    line = json.dumps(head).encode() + b"\n"
    (target / FILE).write_bytes(b"".join((line, marshalled, *joined)))
    for module in modules.values():
        (target / module.cached).unlink()


def grouped(modules: Modules) -> list[list[str]]:
    """
    Return the names of modules by the handlers that import them in the init phase.

    A module that only requests import is a group of its own.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, module in modules.items():
        groups.setdefault(module.handlers or ("", name), []).append(name)
    return [*groups.values()]


def join(groups: Iterable[Mapping[str, str]], python: Path) -> list[bytes]:
    """Return the marshalled code of each group, whose modules have these .pyc files."""
    process = subprocess.run(
        [python, "-I", "-S", JOINER],
        input=json.dumps([*groups]).encode(),
        capture_output=True,
        check=False,
    )
    if process.returncode:
        raise PackageError(
            f"The code bundle could not be written with {python}:\n"
            f"{process.stderr.decode().strip()}"
        )
    line, _, content = process.stdout.partition(b"\n")
    joined = []
    for size in json.loads(line):
        joined.append(content[:size])
        content = content[size:]
    return joined


def check_bundle(root: Path) -> None:
    """Raise PackageError if a package has other modules than its bundle."""
    # Of the functions' Python, which may not be this one.
    magic = next((path.read_bytes()[MAGIC] for path in root.rglob("*.pyc")), b"")
    try:
        bundle = Bundle(str(root), magic)
    except FileNotFoundError:
        return
    except BundleError as error:
        raise PackageError(str(error)) from None
    number = int.from_bytes(magic, "little")
    changed = [
        source
        for source, _, expected, *_ in bundle.index.values()
        if not (root / source).is_file()
        or source_hash(number, (root / source).read_bytes()) != expected
    ]
    if changed:
        raise PackageError(
            f"The package was changed after it was built: {', '.join(changed)} is not "
            f"what {FILE}, the code bundle, was made from. Build it again."
        )
