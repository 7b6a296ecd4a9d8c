"""Build the archive, step by step."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from platform import machine
from typing import Any

from ..configuration import FILE, Configuration
from ..report import step, write
from ..site import find_python
from .archive import compile_all, write_manifest, write_zip
from .bundle import Modules, record, write_bundle
from .code import copy_code, git
from .dependencies import NOT_STARTED, check_wheels, install, leave_out, packaged
from .environment import Environment
from .locks import Lock, read_lock
from .platform import Platform, interpreter, runtime_python
from .secrets import check_secrets, remove_test_secrets
from .static import Static, collect_static
from .unused import find_used, remove_unused

# How many names of files that are left out are printed.
LEFT_OUT = 20


def build(root: Path, arch: str) -> Path:
    """
    Write `dist/lambda-<arch>.zip` of the site in ``root``, and return its path.

    Raises PackageError or ConfigurationError.
    """
    configuration = Configuration.read(root)
    platform = Platform(arch, runtime_python(root))
    site = Environment.read(find_python(root))
    python = interpreter(platform.python, site.python)
    archive = root / "dist" / f"lambda-{arch}.zip"
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "package"
        target.mkdir()
        with step("Project code"):
            report_left_out(copy_code(root, configuration, target))
        with step(f"Versions of {configuration.lock}"):
            lock = deployed(root, configuration, platform, site)
            versions = {r.name: r.version for r in lock.requirements if r.version}
            site.check(versions.items(), configuration.lock)
        with step("Static files"):
            static = collect_static(root, target, configuration, site.python)
            report_static(target, static)
            used = find_used(target, configuration, site.python)
        with step(f"Packages for {arch}"):
            for name in install(lock, platform, python, target, root):
                write(f"  built from source: {name}")
            check_wheels(target, arch)
            remove_scripts(target, configuration)
            remove_test_secrets(target)
            for line in remove_unused(target, used, configuration.keep):
                write(f"  left out: {line}")
            leave_out(target, configuration.leave_out, configuration.keep)
        check_secrets(target)
        with step("Bytecode"):
            compile_all(target, python)
        with step("Code bundle"):
            modules = bundled(target, platform, configuration, python)
        with step("Archive"):
            facts = {
                "packages": versions,
                "architecture": platform.arch,
                "python": platform.python,
                # Where the smoke test finds a file to request.
                "static": {"folder": static.folder, "url": static.url},
                # Modules in the code bundle.
                "bundled": len(modules),
                **commit(root, configuration),
            }
            write_manifest(target, facts)
            if modules:
                write_bundle(target, modules, python)
            write_zip(target, archive)
    return archive


def deployed(
    root: Path, configuration: Configuration, platform: Platform, site: Environment
) -> Lock:
    """Return the requirements that the package has, and print which it has not."""
    lock = read_lock(root, configuration.lock, platform, site)
    if lock.resolved:
        write(
            f"  {configuration.lock} has no hashes: uv chose the versions now. Use a "
            "lock file to get the same package each time."
        )
    for found in lock.requirements:
        if found.name in NOT_STARTED:
            write(f"  left out: {found.name}, which nothing on Lambda starts")
    return packaged(lock, platform, configuration.provided, root)


def report_left_out(names: Sequence[str]) -> None:
    for name in names[:LEFT_OUT]:
        write(f"  left out: {name}")
    if len(names) > LEFT_OUT:
        write(f"  left out: {len(names) - LEFT_OUT} more")


def report_static(target: Path, static: Static) -> None:
    if static.note:
        write(f"  none: {static.note}")
        return
    number = sum(path.is_file() for path in (target / static.folder).rglob("*"))
    write(f"  {number} files in {static.folder}")


def bundled(
    target: Path, platform: Platform, configuration: Configuration, python: Path
) -> Modules:
    """Return the modules for the code bundle: none if this machine cannot run them."""
    if not platform.runs_here:
        write(
            f"  none: this machine is {machine()}, and cannot start the handlers of a "
            f"package for {platform.arch}. Build it there: docs/package.md"
        )
        return {}
    modules, failed = record(target, configuration, python)
    write(f"  {len(modules)} modules")
    if failed:
        write(f"  Warning: did not start with the stand-ins: {', '.join(failed)}")
    return modules


def remove_scripts(target: Path, configuration: Configuration) -> None:
    """Remove the programs that packages install, unless the folder is the site's."""
    if not any(Path(name).parts[:1] == ("bin",) for name in configuration.code):
        shutil.rmtree(target / "bin", ignore_errors=True)


def commit(root: Path, configuration: Configuration) -> dict[str, Any]:
    """Return the commit of the site, and whether any input differs from it."""
    inputs = [*configuration.code, *configuration.files, configuration.lock, FILE]
    lines = git(root, "status", "--porcelain=v2", "--branch", "--", *inputs)
    head, *changes = [
        line
        for line in lines.splitlines()
        if not line.startswith("# branch.") or line.startswith("# branch.oid ")
    ]
    oid = head.rpartition(" ")[2]
    return {"commit": None if oid == "(initial)" else oid, "dirty": bool(changes)}
