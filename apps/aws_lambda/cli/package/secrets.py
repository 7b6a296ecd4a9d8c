"""Refuse a package that contains a secret, a database or a symbolic link."""

import re
from fnmatch import fnmatch
from pathlib import Path

from .configuration import PackageError

FOLDERS = {".aws", ".git", ".ssh", ".venv", "node_modules"}
FILES = (
    ".env*",
    "*.env",
    "*.db",
    "*.kdbx",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.sqlite*",
    "*dump.sql",
    "credentials*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "id_rsa*",
    "service-account*.json",
)
# A module may have any name, and those of cryptography contain example keys.
CODE = {".py", ".pyc", ".so"}
# A certificate is public and may be in the package; a private key may not.
PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def check_secrets(target: Path) -> None:
    """
    Raise PackageError with the names of all files that must not be deployed.

    The allow-list of code excludes them already, but files may also come from
    packages, from `collectstatic` or from `files` in pyproject.toml.
    """
    found = [
        str(path.relative_to(target))
        for path in sorted(target.rglob("*"))
        if path.is_symlink()
        or FOLDERS & set(path.relative_to(target).parts)
        or (path.is_file() and path.suffix not in CODE and is_secret(path))
    ]
    if found:
        raise PackageError(
            "These files must not be deployed, because they look like secrets, "
            "databases or symbolic links:\n"
            + "\n".join(found)
            + "\nMove them out of the project's code and static files, or exclude them "
            "with `leave-out` in pyproject.toml, [tool.package]."
        )


def is_secret(path: Path) -> bool:
    name = path.name.lower()
    return any(fnmatch(name, pattern) for pattern in FILES) or bool(
        PRIVATE_KEY.search(path.read_bytes())
    )
