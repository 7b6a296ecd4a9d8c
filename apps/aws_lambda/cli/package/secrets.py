"""Refuse a package that contains a secret, a database or a symbolic link."""

import re
from fnmatch import fnmatch
from pathlib import Path

from ...bundle import FILE as BUNDLE
from ..configuration import FILE
from . import PackageError
from .dependencies import recorded

FOLDERS = {".aws", ".git", ".ssh", ".venv", "node_modules"}
FILES = (
    ".env*",
    ".htpasswd",
    ".netrc",
    ".pgpass",
    "*.env",
    "*.db",
    "*.dump",
    "*.jks",
    "*.kdbx",
    "*.key",
    "*.keystore",
    "*.p12",
    "*.pfx",
    "*.sqlite*",
    "*dump.sql",
    # Not a page of that name.
    "credentials",
    "credentials*.csv",
    "credentials*.ini",
    "credentials*.json",
    "credentials*.txt",
    "credentials*.y*ml",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    "id_rsa*",
    "secret?key",
    "secret?key.txt",
    "secretkey",
    "secretkey.txt",
    "secrets.ini",
    "secrets.json",
    "secrets.toml",
    "secrets.txt",
    "secrets.y*ml",
    "service-account*.json",
)
# A module may have any name, and those of cryptography contain example keys.
CODE = {".py", ".pyc", ".so"}
# A certificate is public and may be in the package; a private key may not.
PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")


def check_secrets(target: Path) -> None:
    """
    Raise PackageError with the names of all files that must not be deployed.

    Git tracks none of them by good habit only, and files may also come from packages,
    from `collectstatic` or from `files`.
    """
    found = [
        str(path.relative_to(target))
        for path in sorted(target.rglob("*"))
        if path.is_symlink()
        or FOLDERS & set(path.relative_to(target).parts)
        # The bundle has the bytecode of modules.
        or (path.is_file() and path != target / BUNDLE and is_refused(path))
    ]
    if found:
        raise PackageError(
            "These files must not be deployed, because they look like secrets, "
            "databases or symbolic links:\n"
            + "\n".join(found)
            + "\nMove them out of the project's code and static files, or exclude them "
            f"with `leave-out` in {FILE}."
        )


def remove_test_secrets(target: Path) -> None:
    """
    Remove keys and databases with which installed packages test themselves.

    They are published with the package, and nothing on Lambda reads them. Files of the
    site itself stay, and are refused.
    """
    for name in recorded(target):
        path = target / name
        for_tests = {"test", "tests"} & {*name.parts[:-1]}
        if for_tests and path.is_file() and is_refused(path):
            path.unlink()


def is_refused(path: Path) -> bool:
    return path.suffix not in CODE and is_secret(path)


def is_secret(path: Path) -> bool:
    name = path.name.lower()
    return any(fnmatch(name, pattern) for pattern in FILES) or bool(
        PRIVATE_KEY.search(path.read_bytes())
    )
