"""What a package is for: an architecture and a Python version of Lambda."""

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from packaging.markers import Marker

from . import PackageError

# Lambda's names of the architectures, those of Linux, and those of ELF files.
# https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
ARCHITECTURES = {"arm64": ("aarch64", 183), "x86_64": ("x86_64", 62)}
# Lambda's runtimes on Amazon Linux 2023.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
PYTHONS = ("3.12", "3.13", "3.14")
# Not the parameter of this name, which chooses the runtime client (docs/runtime.md).
RUNTIME = re.compile(r"^\s*runtime:\s*[\"']?(?!(?:aws|own)\b)([\w.]+)", re.MULTILINE)


@dataclass(frozen=True)
class Platform:
    """A runtime of Lambda: ``arch`` is "arm64" or "x86_64", ``python`` like "3.13"."""

    arch: str
    python: str

    @property
    def machine(self) -> str:
        """Return Linux's name of the architecture, which ends a wheel's tag."""
        return ARCHITECTURES[self.arch][0]

    @property
    def elf_machine(self) -> int:
        """Return the number of the architecture in ELF files."""
        return ARCHITECTURES[self.arch][1]

    @property
    def uv_options(self) -> list[str]:
        """Return uv's options for packages of this platform."""
        name = f"{self.machine}-manylinux_2_28"
        return ["--python-platform", name, "--python-version", self.python]

    def applies(self, marker: str) -> bool:
        """Return whether a marker of PEP 508, or "", is true on the platform."""
        return not marker or Marker(marker).evaluate(
            {
                "extra": "",
                "implementation_name": "cpython",
                "implementation_version": f"{self.python}.0",
                "os_name": "posix",
                "platform_machine": self.machine,
                "platform_python_implementation": "CPython",
                "platform_system": "Linux",
                "python_full_version": f"{self.python}.0",
                "python_version": self.python,
                "sys_platform": "linux",
            }
        )

    @property
    def runs_here(self) -> bool:
        """Return whether this machine runs Linux libraries for the architecture."""
        return platform.system() == "Linux" and platform.machine() == self.machine


def runtime_python(root: Path) -> str:
    """
    Return the Python version of the functions' runtime in serverless.yml.

    Raises PackageError unless there is one, and it is a runtime that is supported.
    """
    path = root / "serverless.yml"
    try:
        runtimes = sorted(set(RUNTIME.findall(path.read_text(encoding="utf-8"))))
    except OSError as error:
        raise PackageError(
            f"{path}: {error.strerror}. It names the runtime of the functions."
        ) from None
    known = {f"python{python}": python for python in PYTHONS}
    if len(runtimes) != 1 or runtimes[0] not in known:
        raise PackageError(
            f"{path} has the runtime {' and '.join(runtimes) or '(none)'}, and the "
            f"package is for one of {', '.join(known)}. Correct `provider.runtime`."
        )
    return known[runtimes[0]]


def interpreter(python: str, site: Path) -> Path:
    """
    Return an interpreter of a version: the site's, this one, or one that uv finds.

    It compiles the bytecode, which another version cannot read. Raises PackageError
    if this machine has no such interpreter.
    """
    for candidate in (site, Path(sys.executable)):
        if version_of(candidate) == python:
            return candidate
    # pyenv's shims fail for a version that is not active, and stop uv: its own folders
    # come first.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = sorted(map(str, pyenv.glob(f"versions/{python}.*/bin")))
    folders.append(os.environ.get("PATH", os.defpath))
    process = subprocess.run(
        [*find_uv(), "python", "find", "--no-project", "--no-python-downloads", python],
        env={**os.environ, "PATH": os.pathsep.join(folders)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = Path(process.stdout.strip())
    if process.returncode == 0 and found.is_file() and version_of(found) == python:
        return found
    raise PackageError(
        f"The functions run Python {python} (`runtime` in serverless.yml), but {site} "
        f"is Python {version_of(site)}, and no Python {python} was found to compile "
        f"the bytecode. Run: uv python install {python}, or correct `runtime`."
    )


@cache
def version_of(python: Path) -> str:
    """Return the version of an interpreter, like "3.13". Raises PackageError."""
    code = "import sys; print('{}.{}'.format(*sys.version_info))"
    try:
        return subprocess.check_output([python, "-I", "-S", "-c", code], text=True)[:-1]
    except (OSError, subprocess.CalledProcessError) as error:
        raise PackageError(
            f"{python}, the site's Python, does not run: {error}. Create its virtual "
            "environment again."
        ) from None


def find_uv() -> list[str]:
    """Return the command that runs uv. Raises PackageError if it is not installed."""
    folders = [f"{sys.prefix}/bin", os.environ.get("PATH", os.defpath)]
    if uv := shutil.which("uv", path=os.pathsep.join(folders)):
        return [uv]
    if find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    raise PackageError(
        "uv, which installs the packages for Lambda, was not found. Run: pip install "
        "uv, or see https://docs.astral.sh/uv/getting-started/installation/"
    )
