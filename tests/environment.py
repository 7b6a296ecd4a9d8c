"""
A pytest plugin: the environment in which the suite runs, whatever the user's is.

pytest-django reads the settings before any conftest.py is loaded, so the
environment has to be complete when this module is imported (``-p`` in
pyproject.toml). The PostgreSQL behind DATABASE_URL is chosen here, and started
by the first test that needs a database.

All that the suite writes lies in one folder, which is gone when it ends.
"""

import os
import tempfile
from pathlib import Path

from tests.services.postgresql import PostgreSQL

MEMORY = Path("/dev/shm")  # noqa: S108
ROOM = 4 << 30


def in_memory() -> Path | None:
    """
    Return a folder in memory, if there is one with room from which programs may run.

    A package has 4,700 files, and is unpacked a hundred times.
    """
    if not MEMORY.is_dir():
        return None
    system = os.statvfs(MEMORY)
    room = system.f_bavail * system.f_frsize
    return MEMORY if room >= ROOM and not system.f_flag & os.ST_NOEXEC else None


scratch = tempfile.TemporaryDirectory(
    prefix="django-on-lambda-", dir=in_memory(), ignore_cleanup_errors=True
)
tempfile.tempdir = os.environ["TMPDIR"] = scratch.name
folder = Path(scratch.name)
postgresql = PostgreSQL()

for name in ("BASE_PATH", "TRUSTED_PROXIES", "URL_SCHEME"):
    os.environ.pop(f"LAMBDA_{name}", None)
os.environ.update(
    ENV_FILE=os.devnull,
    STAGE="local",
    DEBUG="False",
    SECRET_KEY="only-for-tests",
    ALLOWED_HOSTS="*",
    DATABASE_URL=postgresql.url(),
    STATIC_ROOT=str(folder / "staticfiles"),
    MEDIA_ROOT=str(folder / "media"),
    LOG_LEVEL="INFO",
)
