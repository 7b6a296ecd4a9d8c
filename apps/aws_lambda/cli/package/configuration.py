"""What the package contains: `[tool.package]` in pyproject.toml."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from .. import ROOT

# Lambda's names of the architectures, with those of uv's platforms and of wheels.
PLATFORMS = {
    "arm64": ("aarch64-manylinux_2_28", "aarch64"),
    "x86_64": ("x86_64-manylinux_2_28", "x86_64"),
}


class PackageError(Exception):
    """Why a package was not built or is refused, and what to do."""


@dataclass(frozen=True)
class Configuration:
    """
    The table `[tool.package]`.

    ``code`` are files and folders of the project, of which only kinds of file that
    run or are read at run time are copied. ``files`` are copied as they are.
    ``provided`` are distributions of Lambda's runtime, and ``leave_out`` patterns of
    paths in the package. ``stand_ins`` are the smoke test's values for environment
    variables whose value exists only on AWS.
    """

    code: tuple[str, ...]
    files: tuple[str, ...] = ()
    provided: frozenset[str] = frozenset()
    leave_out: tuple[str, ...] = ()
    stand_ins: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, root: Path = ROOT) -> "Configuration":
        """Read the table. Raises PackageError for an unknown key."""
        table = tomllib.loads((root / "pyproject.toml").read_text())
        package = table.get("tool", {}).get("package", {})
        known = {"code", "files", "provided", "leave-out", "stand-ins"}
        if unknown := set(package) - known:
            raise PackageError(
                f"pyproject.toml, [tool.package]: unknown key "
                f"{', '.join(sorted(unknown))}. Use {', '.join(sorted(known))}."
            )
        return cls(
            code=tuple(package.get("code", ())),
            files=tuple(package.get("files", ())),
            provided=frozenset(package.get("provided", ())),
            leave_out=tuple(package.get("leave-out", ())),
            stand_ins=tuple(package.get("stand-ins", {}).items()),
        )
