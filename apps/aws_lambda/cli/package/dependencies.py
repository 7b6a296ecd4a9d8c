"""Install the packages of a lock file for the functions' platform."""

import csv
import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from .. import FOLDER
from . import PackageError
from .locks import Lock, Requirement
from .platform import ARCHITECTURES, Platform, find_uv

# What importlib.metadata reads. Licenses require their own files.
KEPT_METADATA = {"METADATA", "entry_points.txt"}
NEVER_IMPORTED = ("*.po", "*.pot", "*.pyi", "py.typed", "*.c", "*.pyx", "*.pxd")
# Nothing on Lambda starts a web server or an installer.
NOT_STARTED = frozenset({"gunicorn", "uv", "uwsgi"})
# What the integration has for developers, copied with the code or installed.
FOR_DEVELOPERS = [
    f"{folder}/{name}"
    for folder in sorted({FOLDER.rpartition("/")[0], "django_on_lambda"})
    for name in ("cli", "test")
]
# uv's sentence about a package that has only sources, or wheels for other systems.
NO_WHEEL = re.compile(r"Because (\S+?)==\S+ has no (?:usable )?wheels")
# That it compiles something: one that cannot be fetched has another cause.
NOT_BUILT = re.compile(
    r"Failed to (?:download and )?build `([\w.-]+).*build backend (?:returned|failed)",
    re.DOTALL | re.IGNORECASE,
)
INSTEAD = {
    "psycopg2": "Use psycopg[binary] or psycopg2-binary in its place.",
    "mysqlclient": "Use PyMySQL in its place.",
}


class NoWheelError(PackageError):
    """A package has no wheel for the platform, and none can be built here."""


def packaged(
    lock: Lock, platform: Platform, provided: Collection[str], root: Path
) -> Lock:
    """
    Return the requirements that the package of the site in ``root`` has.

    Not those for other platforms, those that the runtime has, and the site itself,
    whose code is packaged already.
    """
    return replace(
        lock,
        requirements=tuple(
            found
            for found in lock.requirements
            if found.name not in NOT_STARTED
            and found.name not in provided
            and found.source != root.as_uri()
            and platform.applies(found.marker)
        ),
    )


def install(
    lock: Lock, platform: Platform, python: Path, target: Path, root: Path
) -> list[str]:
    """
    Install requirements for a platform, and return those that were built from source.

    Packages of an index are wheels, and have the hashes of the lock file if that has
    any. One that has no wheel is built if it is pure Python. Raises NoWheelError with
    the package's name, or PackageError with the output of uv.
    """
    indexed = [found for found in lock.requirements if found.version]
    others = [found for found in lock.requirements if not found.version]
    hashed = any(found.hashes for found in indexed)
    if bare := [found.name for found in indexed if hashed and not found.hashes]:
        raise PackageError(
            f"{', '.join(bare)} has no hash in the lock file, and others have one. "
            "Write the lock file again."
        )
    command = [*find_uv(), "pip", "install", "--quiet", "--no-deps"]
    command += ["--python", str(python), *platform.uv_options]
    command += ["--only-binary", ":all:", "--link-mode", "copy"]
    command += ["--target", str(target)]
    built: set[str] = set()
    if indexed:
        more = ["--require-hashes"] if hashed else []
        built |= install_all([*command, *more], lock.options, indexed, platform, root)
    if others:
        # Git revisions, local projects, and wheels at an URL.
        sources = {found.name for found in others if not is_wheel(found.source)} - {""}
        install_all(command, lock.options, others, platform, root, sources)
        built |= sources
    return sorted(built)


def install_all(
    command: list[str],
    options: tuple[str, ...],
    requirements: list[Requirement],
    platform: Platform,
    root: Path,
    sources: Iterable[str] = (),
) -> set[str]:
    """
    Run uv until it succeeds, each time with one more package built from source.

    ``sources`` may be built from the start. Returns the names of all that were.
    """
    built = set(sources)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join([*options, *map(str, requirements)]) + "\n")
        file.flush()
        while True:
            allowed = [f"--no-binary={name}" for name in sorted(built)]
            error = uv_error([*command, *allowed, "--requirement", file.name], root)
            if not error:
                return built
            found = NO_WHEEL.search(error)
            if found and found[1] not in {*built, *INSTEAD}:
                built.add(found[1])
                continue
            refused = found or NOT_BUILT.search(error)
            if refused and refused[1] in {*built, *INSTEAD}:
                raise NoWheelError(no_wheel(refused[1], platform))
            raise PackageError(
                f"Could not install the packages for {platform.arch}:\n{error}"
            )


def uv_error(command: list[str], root: Path) -> str:
    """Return what uv writes if it fails, or ""."""
    process = subprocess.run(
        command,
        cwd=root,
        # An extension would be compiled for this machine, so there is no compiler.
        env={**os.environ, **dict.fromkeys(("CC", "CXX", "CARGO", "RUSTC"), "false")},
        capture_output=True,
        text=True,
        check=False,
    )
    return process.stderr.strip() or "uv failed" if process.returncode else ""


def no_wheel(name: str, platform: Platform) -> str:
    advice = INSTEAD.get(
        name, "Choose a version that has such a wheel, or another package."
    )
    return (
        f"{name} has no wheel for {platform.arch} and Python {platform.python}, and is "
        "not pure Python: built here, it would be for this machine. " + advice
    )


def is_wheel(url: str) -> bool:
    return url.partition("#")[0].endswith(".whl")


def check_wheels(target: Path, arch: str) -> None:
    """Raise PackageError if a wheel or a shared object is not for the architecture."""
    tag, elf_machine = ARCHITECTURES[arch]
    wrong = []
    for wheel in sorted(target.glob("*.dist-info/WHEEL")):
        for platform in re.findall(r"^Tag: \S+-(\S+)$", wheel.read_text(), re.M):
            # "linux_aarch64" was built on this machine, for its libraries.
            if platform != "any" and (
                platform.startswith("linux_") or not platform.endswith(f"_{tag}")
            ):
                wrong.append(f"{wheel.parent.name} is a wheel for {platform}")
    wrong += [
        f"{path.relative_to(target)} is not a library for {arch}"
        for path in sorted(target.rglob("*.so*"))
        if machine(path) != elf_machine
    ]
    if wrong:
        raise PackageError(f"The package is not for {arch}:\n" + "\n".join(wrong))


def machine(path: Path) -> int | None:
    """Return the machine that an ELF file is for, or None for another file."""
    with path.open("rb") as file:
        head = file.read(20)
    if len(head) < 20 or not head.startswith(b"\x7fELF"):
        return None
    order = "<" if head[5] == 1 else ">"
    number: int = struct.unpack(f"{order}H", head[18:20])[0]
    return number


def recorded(target: Path) -> Iterator[PurePosixPath]:
    """Yield the installed files, relative to ``target``, by the packages' records."""
    for record in target.glob("*.dist-info/RECORD"):
        with record.open(newline="") as rows:
            for row in csv.reader(rows):
                name = PurePosixPath(row[0] if row else "..")
                # Scripts are recorded outside of the folder.
                if ".." not in name.parts and not name.is_absolute():
                    yield name


def matching(target: Path, patterns: Iterable[str]) -> set[Path]:
    return {path for pattern in patterns for path in target.glob(pattern)}


def is_kept(path: Path, kept: Collection[Path]) -> bool:
    """Return whether a path, something in it or a folder of it is one of ``kept``."""
    return any(path.is_relative_to(k) or k.is_relative_to(path) for k in kept)


def leave_out(target: Path, patterns: Iterable[str], keep: Iterable[str] = ()) -> None:
    """
    Remove what is not read at run time, such as translation sources and type stubs.

    ``patterns`` are of more paths to remove, and ``keep`` of paths that stay.
    """
    kept = matching(target, keep)
    for pattern in (*NEVER_IMPORTED, "*-stubs", "__pycache__", ".lock"):
        for path in sorted(target.rglob(pattern)):
            if not is_kept(path, kept):
                remove(path)
    for pattern in (*FOR_DEVELOPERS, *patterns):
        for path in sorted(target.glob(pattern)):
            remove(path)
    for path in sorted(target.glob("*.dist-info/*")):
        if path.is_file() and not is_metadata(path.name):
            path.unlink()


def is_metadata(name: str) -> bool:
    return name in KEPT_METADATA or name.startswith(("LICEN", "NOTICE", "COPYING"))


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
