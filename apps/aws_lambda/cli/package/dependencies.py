"""Install requirements/runtime.txt for the functions' architecture."""

import os
import re
import shutil
import struct
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .. import ROOT
from .configuration import PLATFORMS, PackageError

# https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
ELF_MACHINES = {"arm64": 183, "x86_64": 62}
# What importlib.metadata reads. Licenses require their own files.
KEPT_METADATA = {"METADATA", "entry_points.txt"}
NEVER_IMPORTED = ("*.po", "*.pot", "*.pyi", "py.typed", "*.c", "*.pyx", "*.pxd")


def pins(lock: Path) -> dict[str, str]:
    """Return the names and versions of a lock file that apply on Linux."""
    found = re.findall(
        r"^([\w.-]+)==(\S+)(?: ; (.+?))? \\$", lock.read_text(), re.MULTILINE
    )
    return {name: pin for name, pin, marker in found if "win32" not in marker}


def check_environment(versions: dict[str, str]) -> None:
    """
    Raise PackageError if .venv has other versions than the package.

    collectstatic runs in .venv, and its result must match the deployed packages.
    """
    for name, wanted in versions.items():
        try:
            present = version(name)
        except PackageNotFoundError:
            present = "missing"
        if present != wanted:
            raise PackageError(
                f"{name} is {present} in .venv, but {wanted} in "
                "requirements/runtime.txt. Run: make lock setup"
            )


def install(lock: Path, arch: str, provided: frozenset[str], target: Path) -> None:
    """
    Install the wheels of a lock file for an architecture, by their hashes.

    ``provided`` are not installed: Lambda's runtime has them. Source distributions
    are not built, because the result would be for this machine. Raises PackageError
    with the output of uv.
    """
    platform, _ = PLATFORMS[arch]
    path = os.pathsep.join([f"{sys.prefix}/bin", os.environ.get("PATH", "")])
    uv = shutil.which("uv", path=path)
    command = [*([uv] if uv else [sys.executable, "-m", "uv"]), "pip", "install"]
    command += ["--quiet", "--python", sys.executable, "--python-version", "3.13"]
    command += ["--python-platform", platform, "--only-binary", ":all:", "--no-deps"]
    command += ["--require-hashes", "--link-mode", "copy", "--no-config"]
    wanted = target.with_name(f"{target.name}-requirements.txt")
    wanted.write_text(without(lock.read_text(), provided))
    process = subprocess.run(
        [*command, "--target", str(target), "--requirement", str(wanted)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    wanted.unlink()
    if process.returncode:
        raise PackageError(
            f"Could not install the packages for {arch}:\n{process.stderr.strip()}"
        )


def without(lock: str, names: frozenset[str]) -> str:
    """Return the text of a lock file without these packages."""
    entries = re.split(r"^(?=[\w.-]+==)", lock, flags=re.MULTILINE)
    return "".join(e for e in entries if e.partition("==")[0] not in names)


def check_wheels(target: Path, arch: str) -> None:
    """Raise PackageError if a wheel or a shared object is for another architecture."""
    _, tag = PLATFORMS[arch]
    wrong = []
    for wheel in sorted(target.glob("*.dist-info/WHEEL")):
        for platform in re.findall(r"^Tag: \S+-(\S+)$", wheel.read_text(), re.M):
            if platform != "any" and not platform.endswith(f"_{tag}"):
                wrong.append(f"{wheel.parent.name} is a wheel for {platform}")
    wrong += [
        f"{path.relative_to(target)} is not a library for {arch}"
        for path in sorted(target.rglob("*.so*"))
        if machine(path) != ELF_MACHINES[arch]
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


def leave_out(target: Path, patterns: tuple[str, ...]) -> None:
    """Remove what is not read at run time: translation sources, stubs, scripts."""
    for pattern in (*NEVER_IMPORTED, "*-stubs", "__pycache__", ".lock"):
        for path in sorted(target.rglob(pattern)):
            remove(path)
    for pattern in patterns:
        for path in sorted(target.glob(pattern)):
            remove(path)
    shutil.rmtree(target / "bin", ignore_errors=True)
    for path in sorted(target.glob("*.dist-info/*")):
        if path.is_file() and not is_kept(path.name):
            path.unlink()


def is_kept(name: str) -> bool:
    return name in KEPT_METADATA or name.startswith(("LICEN", "NOTICE", "COPYING"))


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
