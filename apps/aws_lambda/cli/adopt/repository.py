"""What git tracks of the site."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from ..package.code import run_git, tracked_files


@dataclass(frozen=True)
class Repository:
    """The site's folder in its git repository. Paths are relative to the folder."""

    root: Path

    def git(self, *arguments: str) -> str:
        """
        Return git's output, or "" if it fails, as it does outside a repository.

        Raises PackageError if git is not installed.
        """
        process = run_git(self.root, *arguments)
        return process.stdout if process.returncode == 0 else ""

    def exists(self) -> bool:
        """Return whether the folder is in a repository that has a commit."""
        return bool(self.git("rev-parse", "HEAD"))

    def top(self) -> Path:
        """Return the folder of the whole repository, or the site's outside of one."""
        return Path(self.git("rev-parse", "--show-toplevel").strip() or self.root)

    def changed(self) -> list[str]:
        """Return the paths with uncommitted changes, and those that are not tracked."""
        status = self.git(
            "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "."
        )
        prefix = self.git("rev-parse", "--show-prefix").strip()
        return [entry[3:].removeprefix(prefix) for entry in status.split("\0") if entry]

    def tracked(self) -> list[str]:
        """Return the files that git tracks, or all outside a repository."""
        if self.exists():
            return tracked_files(self.root, ".").files
        return sorted(
            str(path.relative_to(self.root))
            for path in self.root.rglob("*")
            if path.is_file()
            and not any(
                part.startswith(".") or part in ("__pycache__", "node_modules", "venv")
                for part in path.relative_to(self.root).parts
            )
        )

    def ignored(self, name: str) -> str:
        """Return the file, line and pattern that ignore a path, or ""."""
        found = self.git("check-ignore", "--verbose", "--no-index", name)
        place, _, pattern = found.partition("\t")[0].rpartition(":")
        return f"{place} ({pattern})" if place and not pattern.startswith("!") else ""

    def copy(self, target: Path) -> None:
        """
        Copy the tracked files: what a package would have.

        Without them the settings find no `.env`, database or secret of this machine.
        """
        for name in self.tracked():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.root / name, target / name)
