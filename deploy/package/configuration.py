"""What the package is made of: `[tool.package]` in pyproject.toml."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# Lambda's names of the architectures, with those of uv's platforms and of wheels.
PLATFORMS = {
    "arm64": ("aarch64-manylinux_2_28", "aarch64"),
    "x86_64": ("x86_64-manylinux_2_28", "x86_64"),
}


class PackageError(Exception):
    """Why there is no package, and what to do about it."""


@dataclass(frozen=True)
class Configuration:
    """
    The table `[tool.package]`.

    ``code`` are files and folders of the project, of which only the kinds of file
    that run or are read at run time are taken. ``files`` are taken as they are.
    ``provided`` are distributions that Lambda's runtime has, and ``leave_out``
    patterns of paths in the package. ``stand_ins`` are the values that the smoke
    test uses for environment variables which have their value on AWS only.
    """

    code: tuple[str, ...]
    files: tuple[str, ...] = ()
    provided: frozenset[str] = frozenset()
    leave_out: tuple[str, ...] = ()
    stand_ins: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, root: Path = ROOT) -> "Configuration":
        """Read the table; raise PackageError if a name in it is unknown."""
        table = tomllib.loads((root / "pyproject.toml").read_text())
        package = table.get("tool", {}).get("package", {})
        known = {"code", "files", "provided", "leave-out", "stand-ins"}
        if unknown := set(package) - known:
            raise PackageError(
                f"pyproject.toml, [tool.package]: {', '.join(sorted(unknown))} is "
                f"unknown. Known are {', '.join(sorted(known))}."
            )
        return cls(
            code=tuple(package.get("code", ())),
            files=tuple(package.get("files", ())),
            provided=frozenset(package.get("provided", ())),
            leave_out=tuple(package.get("leave-out", ())),
            stand_ins=tuple(package.get("stand-ins", {}).items()),
        )
