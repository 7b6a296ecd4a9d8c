"""The last look at a package before it is closed: nothing secret is in it."""

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
# A module may have any name, and those of cryptography hold examples of keys.
CODE = {".py", ".pyc", ".so"}
# A certificate is public, and may be in the package; a key is not.
PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def guard(target: Path) -> None:
    """
    Raise PackageError with the names of all that must never be deployed.

    What was copied by an allow-list cannot be any of it, but files may also come
    from packages, from `collectstatic` or from the list of further files.
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
            "These must not be deployed: they look like secrets, databases or links.\n"
            + "\n".join(found)
            + "\nMove them out of the project's code and static files, or leave them "
            "out with `leave-out` in pyproject.toml, [tool.package]."
        )


def is_secret(path: Path) -> bool:
    name = path.name.lower()
    return any(fnmatch(name, pattern) for pattern in FILES) or bool(
        PRIVATE_KEY.search(path.read_bytes())
    )
