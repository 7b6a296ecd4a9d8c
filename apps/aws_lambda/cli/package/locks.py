"""Read the site's dependencies from a lock file of any kind, as pinned requirements."""

import json
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Parsed
from packaging.utils import canonicalize_name

from .. import configuration as toml
from . import PackageError
from .environment import Environment
from .platform import Platform, find_uv

# Options of a requirements file that say where packages are.
INDEX_OPTIONS = ("-i", "--index-url", "--extra-index-url", "-f", "--find-links")
PYPI = "https://pypi.org/simple"


class LockError(PackageError):
    """The file cannot be used, with or without a network."""


@dataclass(frozen=True)
class Requirement:
    """
    A pinned dependency.

    ``name`` is normalized, and "" for a path that has none. ``source`` is "==5.2.1",
    an URL or an absolute path. ``marker`` is a condition of PEP 508, or "", and
    ``hashes`` are like "sha256:0a1b".
    """

    name: str
    source: str
    marker: str = ""
    hashes: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """Return the version of a package from an index, or "" for another one."""
        return self.source[2:] if self.source.startswith("==") else ""

    def __str__(self) -> str:
        if self.version:
            line = f"{self.name}{self.source}"
        else:
            line = f"{self.name} @ {self.source}" if self.name else self.source
        if self.marker:
            line += f" ; {self.marker}"
        return line + "".join(f" \\\n    --hash={text}" for text in self.hashes)


@dataclass(frozen=True)
class Lock:
    """
    The requirements of a site, and where they are.

    ``options`` are lines of a requirements file that name indexes. ``resolved`` is
    True if the file pins only a part, and uv has chosen the other versions now.
    """

    requirements: tuple[Requirement, ...]
    options: tuple[str, ...] = ()
    resolved: bool = False


def read_lock(root: Path, name: str, platform: Platform, site: Environment) -> Lock:
    """
    Return the pinned requirements of the site's lock file.

    ``site`` is the site's environment, whose versions are preferred where the file
    leaves a choice. Raises PackageError for a missing, stale or unknown file.
    """
    path = root / name
    if not path.is_file():
        raise LockError(
            f"{path} does not exist. Create it, or correct `lock` in {toml.FILE}."
        )
    try:
        return reader(path)(root, path, platform, site)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise LockError(f"{path} cannot be read: {reason}.") from None


def reader(path: Path) -> Callable[[Path, Path, Platform, Environment], Lock]:
    """Return the function that reads a kind of file."""
    kinds: dict[str, Callable[[Path, Path, Platform, Environment], Lock]] = {
        "uv.lock": read_uv,
        "poetry.lock": read_poetry,
        "Pipfile.lock": read_pipenv,
        "pyproject.toml": resolve,
    }
    if path.name in kinds:
        return kinds[path.name]
    if path.suffix in (".txt", ".in"):
        return read_requirements
    raise LockError(
        f"{path} is not a known kind of lock file. Use {', '.join(kinds)}, or a "
        f"requirements.txt, as `lock` in {toml.FILE}."
    )


# uv


def read_uv(root: Path, path: Path, platform: Platform, site: Environment) -> Lock:
    """Return what uv.lock has for the site itself, without groups for developers."""
    locked = tomllib.loads(path.read_text())["package"]
    check_fresh(path, {package["name"] for package in locked}, "uv lock")
    command = ["export", "--frozen", "--no-dev", "--no-emit-project", "--no-header"]
    command += ["--no-annotate", "--python", str(site.python)]
    output = uv(
        command,
        path.parent,
        f"{path} cannot be exported",
        "If it is older than pyproject.toml, run: uv lock",
    )
    return parse(output.splitlines(), path.parent)


# poetry


def read_poetry(root: Path, path: Path, platform: Platform, site: Environment) -> Lock:
    """Return the main group of poetry.lock."""
    packages = tomllib.loads(path.read_text()).get("package", [])
    check_fresh(path, {package["name"] for package in packages}, "poetry lock")
    if not all("groups" in package for package in packages):
        raise LockError(
            f"{path} does not say which packages are for developers: Poetry before "
            "version 2 wrote it. Run: uvx 'poetry>=2' lock. Or use `poetry "
            f"export --output requirements.txt` and that file as `lock` in {toml.FILE}."
        )
    found, indexes = [], []
    for package in packages:
        if "main" not in package["groups"]:
            continue
        marker = package.get("markers", "")
        if isinstance(marker, dict):
            marker = marker.get("main", "")
        source = package.get("source", {})
        kind, url = source.get("type", "legacy"), source.get("url", "")
        hashes = tuple(sorted(file["hash"] for file in package.get("files", ())))
        if kind == "legacy":
            indexes.append(url)
            pinned = f"=={package['version']}"
        elif kind == "git":
            pinned = f"git+{url}@{source['resolved_reference']}"
            if subdirectory := source.get("subdirectory"):
                pinned += f"#subdirectory={subdirectory}"
            hashes = ()
        elif kind == "url":
            pinned = url
        else:
            pinned = (path.parent / url).resolve().as_uri()
            hashes = hashes if kind == "file" else ()
        found.append(
            Requirement(canonicalize_name(package["name"]), pinned, marker, hashes)
        )
    return Lock(tuple(found), index_options(indexes))


# pipenv


def read_pipenv(root: Path, path: Path, platform: Platform, site: Environment) -> Lock:
    """Return the default packages of Pipfile.lock."""
    table = json.loads(path.read_text())
    packages = table["default"]
    check_fresh(path, set(packages), "pipenv lock")
    indexes = [source["url"] for source in table["_meta"].get("sources", ())]
    found = []
    for name, package in packages.items():
        marker = package.get("markers", "")
        hashes = tuple(sorted(package.get("hashes", ())))
        if "git" in package:
            url = package["git"].removeprefix("git+")
            pinned = f"git+{url}@{package['ref']}"
            if subdirectory := package.get("subdirectory"):
                pinned += f"#subdirectory={subdirectory}"
        elif url := package.get("file"):
            pinned = url if "://" in url else (path.parent / url).resolve().as_uri()
        elif folder := package.get("path"):
            pinned = (path.parent / folder).resolve().as_uri()
        else:
            pinned = package["version"]
        found.append(Requirement(canonicalize_name(name), pinned, marker, hashes))
    return Lock(tuple(found), index_options(indexes))


def index_options(urls: list[str]) -> tuple[str, ...]:
    """Return the options for indexes other than PyPI, which uv knows."""
    others = dict.fromkeys(url for url in urls if url and url.rstrip("/") != PYPI)
    return tuple(f"--extra-index-url {url}" for url in others)


# requirements.txt, pyproject.toml


def read_requirements(
    root: Path, path: Path, platform: Platform, site: Environment
) -> Lock:
    """Return a requirements file, which is complete if it has hashes."""
    lines = list(logical_lines(path))
    if any("--hash" in line for line in lines):
        return parse(lines, path.parent)
    return resolve(root, path, platform, site)


def resolve(root: Path, path: Path, platform: Platform, site: Environment) -> Lock:
    """
    Have uv choose versions, where possible those that the site has now.

    Raises PackageError with the reason if there is no choice.
    """
    with tempfile.TemporaryDirectory() as scratch:
        chosen = Path(scratch) / "requirements.txt"
        # uv prefers the versions in the file that it is about to write.
        chosen.write_text(
            "".join(f"{name}=={pin}\n" for name, pin in site.packages.items())
        )
        command = ["pip", "compile", str(path), "--generate-hashes", "--no-header"]
        command += ["--no-annotate", "--emit-index-url", "--emit-find-links", "--quiet"]
        command += ["--python", str(site.python), *platform.uv_options]
        command += ["--output-file", str(chosen)]
        uv(
            command,
            path.parent,
            f"uv cannot choose versions for {path}",
            "Correct it, or use a lock file with hashes.",
        )
        return replace(parse(list(logical_lines(chosen)), path.parent), resolved=True)


def logical_lines(path: Path, seen: frozenset[Path] = frozenset()) -> Iterator[str]:
    """Yield the lines of a requirements file and of those that it includes."""
    if path in seen:
        return
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise LockError(f"{path}: {error.strerror}.") from None
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        if included := re.match(r"(?:-r|--requirement)[ =]\s*(.+)", line):
            yield from logical_lines(path.parent / included[1], seen | {path})
        elif line:
            yield line


def parse(lines: list[str], folder: Path) -> Lock:
    """
    Return the requirements in lines of a requirements file.

    Relative paths are relative to ``folder``. An editable project is a project.
    Raises PackageError for a line that is not pinned.
    """
    found, options = [], []
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        hashes = tuple(sorted(re.findall(r"--hash[= ](\S+)", line)))
        text = re.sub(r"\s*--hash[= ]\S+", "", line).strip()
        if text.startswith(INDEX_OPTIONS):
            options.append(text)
            continue
        text = re.sub(r"^(-e|--editable)[ =]\s*", "", text)
        if not text or text.startswith("-"):
            continue
        found.append(requirement(text, hashes, folder))
    return Lock(tuple(found), tuple(options))


def requirement(text: str, hashes: tuple[str, ...], folder: Path) -> Requirement:
    """Return the requirement in a line without hashes. Raises PackageError."""
    try:
        parsed = Parsed(text)
    except InvalidRequirement:
        # A path or an URL without a name.
        source, _, marker = (part.strip() for part in text.partition(" ;"))
        if "://" not in source:
            path = (folder / source).resolve()
            if not path.exists():
                raise LockError(
                    f"{text!r} is not a requirement, and {path} does not exist."
                ) from None
            return Requirement(project_name(path), path.as_uri(), marker, hashes)
        return Requirement("", source, marker, hashes)
    marker = str(parsed.marker or "")
    name = canonicalize_name(parsed.name)
    if parsed.url:
        return Requirement(name, parsed.url, marker, hashes)
    pins = [spec for spec in parsed.specifier if spec.operator in ("==", "===")]
    if len(pins) != 1 or pins[0].version.endswith("*"):
        raise LockError(
            f"{text!r} has no version, and a file with hashes must pin each package. "
            "Compile it again, for example with: uv pip compile --generate-hashes"
        )
    return Requirement(name, f"=={pins[0].version}", marker, hashes)


def project_name(path: Path) -> str:
    """Return the name in the pyproject.toml of a folder, or ""."""
    try:
        project = tomllib.loads((path / "pyproject.toml").read_text())["project"]
        return canonicalize_name(project["name"])
    except (OSError, KeyError, ValueError):
        return ""


# All of them


def check_fresh(path: Path, locked: set[str], command: str) -> None:
    """Raise PackageError if a dependency of the site is not in its lock file."""
    names = {canonicalize_name(name) for name in locked}
    for name, source in declared(path.parent):
        if canonicalize_name(name) not in names:
            raise LockError(
                f"{path} is older than {source}, which requires {name}. Run: {command}"
            )


def declared(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the names of direct dependencies, and the file that has them."""
    if (folder / "Pipfile").is_file():
        for name in tomllib.loads((folder / "Pipfile").read_text()).get("packages", {}):
            yield name, "Pipfile"
    if (folder / "pyproject.toml").is_file():
        table = tomllib.loads((folder / "pyproject.toml").read_text())
        for text in table.get("project", {}).get("dependencies", ()):
            yield Parsed(text).name, "pyproject.toml"
        poetry: dict[str, Any] = table.get("tool", {}).get("poetry", {})
        for name in poetry.get("dependencies", {}):
            if name != "python":
                yield name, "pyproject.toml"


def uv(command: list[str], folder: Path, failure: str, advice: str) -> str:
    """Return the output of uv. Raises PackageError with the reason and the advice."""
    process = subprocess.run(
        [*find_uv(), *command],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise PackageError(f"{failure}:\n{process.stderr.strip()}\n{advice}")
    return process.stdout
