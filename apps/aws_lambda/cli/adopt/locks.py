"""Find the file that pins the site's dependencies, and what is for Lambda in it."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..package.environment import Environment
from ..package.locks import read_lock
from ..package.platform import Platform

DISTRIBUTION = "django-on-lambda"
# Of the functions in the serverless.yml that adopt writes.
ARCHITECTURE = "arm64"
REQUIREMENTS = (
    r"(requirements/|requirements[-_.])prod\w*\.(txt|in)",
    r"requirements\.txt",
    r"(requirements/|requirements[-_.])base\.txt",
    r"requirements\.in",
)
# How to add a dependency, how to install it, and what runs a program, by kind.
COMMANDS = {
    "uv.lock": ("Run: uv add {0}", "Run: uv sync", "uv run "),
    "poetry.lock": ("Run: poetry add {0}", "Run: poetry install", "poetry run "),
    "Pipfile.lock": ("Run: pipenv install {0}", "Run: pipenv sync", "pipenv run "),
    "pyproject.toml": (
        "Add it to `dependencies` in {1}",
        "Run: pip install {0}",
        "",
    ),
    "requirements": (
        "Add the line {0} to {1}",
        "Run: pip install -r {1}",
        "",
    ),
}
# Web servers, which Lambda replaces: they are left out of the package.
NOT_NEEDED = ("bjoern", "mod-wsgi", "uwsgi")


class WheelError(Exception):
    """Why the wheels could not be checked."""


@dataclass(frozen=True)
class Lock:
    """
    The file with the dependencies that production installs.

    ``path`` is relative to the site's folder; ``kind`` is a key of COMMANDS.
    """

    root: Path
    path: str

    @property
    def kind(self) -> str:
        name = Path(self.path).name
        return name if name in COMMANDS else "requirements"

    def command(
        self, what: Literal["add", "install", "run"], distribution: str = DISTRIBUTION
    ) -> str:
        """Return how to add or install a distribution, or what runs a program."""
        text = COMMANDS[self.kind][("add", "install", "run").index(what)]
        shell = text.startswith("Run: ")
        name = shlex.quote(distribution) if shell else distribution
        return text.format(name, self.path)

    def has(self, distribution: str) -> bool:
        """Return whether a distribution is in the file, or in one that it includes."""
        pattern = re.sub("[-_.]", "[-_.]+", re.escape(distribution).replace(r"\-", "-"))
        regex = re.compile(rf"""(^|["'\s]){pattern}($|["'\s\[=<>~!;@])""", re.I | re.M)
        return any(regex.search(text) for text in self._texts(self.root / self.path))

    def _texts(self, path: Path, seen: frozenset[Path] = frozenset()) -> Iterable[str]:
        if path in seen or not path.is_file():
            return
        text = re.sub(r"(^|\s)#.*", "", path.read_text(errors="replace"))
        yield text
        if self.kind == "requirements":
            for included in re.findall(
                r"^\s*-(?:r|-requirement)[ =]*(\S+)", text, re.M
            ):
                yield from self._texts(path.parent / included, seen | {path})


def find_lock(root: Path, top: Path, tracked: Iterable[str]) -> Lock | None:
    """
    Return the lock file in the site's folder, or in one above it in the repository.

    uv.lock, poetry.lock and Pipfile.lock before requirements files, and those of
    production before others.
    """
    folders = [root, *(f for f in root.parents if f.is_relative_to(top))]
    for folder in folders:
        prefix = os.path.relpath(folder, root)
        for name in ("uv.lock", "poetry.lock", "Pipfile.lock"):
            if (folder / name).is_file():
                return Lock(root, os.path.normpath(f"{prefix}/{name}"))
    for pattern in REQUIREMENTS:
        for name in tracked:
            if re.fullmatch(pattern, name):
                return Lock(root, name)
    for folder in folders:
        path = folder / "pyproject.toml"
        if path.is_file() and "dependencies" in _table(path).get("project", {}):
            return Lock(
                root, os.path.normpath(f"{os.path.relpath(folder, root)}/{path.name}")
            )
    return None


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError:
        return {}


def pinned(lock: Lock, python: Path, version: str) -> list[str]:
    """
    Return the lines of a requirements file with what production has in the package.

    They have markers, and options for other indexes than PyPI. ``python`` is the
    site's interpreter and ``version`` like "3.13". Raises PackageError with the reason
    if the file cannot be read.
    """
    platform = Platform(ARCHITECTURE, version)
    found = read_lock(lock.root, lock.path, platform, Environment.read(python))
    requirements = (replace(one, hashes=()) for one in found.requirements)
    return [*found.options, *map(str, requirements)]


def without_wheels(requirements: list[str], python: str) -> list[str]:
    """
    Return the requirements that have no wheel for Lambda's Linux.

    They are lines of ``pinned()``. Nothing is installed. Raises WheelError if uv
    cannot find out, for example without a network.
    """
    # A repository has sources only.
    missing = [line for line in requirements if " @ git+" in line]
    wanted = [line for line in requirements if line not in missing]
    command = ["pip", "install", "--dry-run", "--no-deps", "--no-config"]
    command += ["--target", os.devnull + "-target", "--only-binary", ":all:"]
    command += Platform(ARCHITECTURE, python).uv_options
    while wanted:
        process = run_uv([*command, "--requirement", "-"], None, "\n".join(wanted))
        if process.returncode == 0:
            break
        # uv names one package at a time.
        match = re.search(
            r"Because (?:only )?([\w.-]+)(?:\[\S+\])?(?:==\S+)? (?:has|have) no "
            r"(?:usable wheels|wheels with)",
            " ".join(process.stderr.split()),
        )
        found = [w for w in wanted if match and name_of(w) == name_of(match[1])]
        if not found:
            raise WheelError(cause(process.stderr))
        missing += found
        wanted = [line for line in wanted if line not in found]
    return missing


def name_of(requirement: str) -> str:
    """Return the normalised name of a requirement."""
    match = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else ""


def run_uv(
    command: list[str], folder: Path | None, text: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run uv: this environment's, or the one on the path."""
    path = os.pathsep.join([f"{sys.prefix}/bin", os.environ.get("PATH", "")])
    uv = shutil.which("uv", path=path)
    return subprocess.run(
        [*([uv] if uv else [sys.executable, "-m", "uv"]), *command],
        cwd=folder,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def cause(output: str) -> str:
    """Return the sentence of an error of uv that has the reason."""
    lines = [line.strip() for line in output.strip().splitlines()]
    # Older versions draw a tree of causes.
    causes = [
        match[1]
        for line in lines
        if (match := re.match(r"(?:error:|cause:|\W+) (.+)", line))
    ]
    return causes[-1] if causes else lines[-1] if lines else "uv has no output"
