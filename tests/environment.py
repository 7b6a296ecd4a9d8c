"""
A pytest plugin: an environment for the suite that does not depend on the user's.

pytest-django reads the settings before it loads any conftest.py, so this module is
loaded with ``-p`` (pyproject.toml), and the environment is complete when it has been
imported. It chooses the PostgreSQL behind DATABASE_URL; the first test that needs a
database starts it.

Everything that the suite writes is in one temporary folder, which it removes at its
end. A worker of pytest-xdist has a folder inside that one, with its own uploads and
its own PostgreSQL; the static files are collected once, for all workers.
"""

import atexit
import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.services.memory import in_memory
from tests.services.postgresql import PostgreSQL

# pytest-xdist sets it in its workers, which inherit TMPDIR from the process above.
WORKER = os.environ.get("PYTEST_XDIST_WORKER")
scratch = tempfile.TemporaryDirectory(
    prefix=f"{WORKER or 'tests'}-",
    dir=os.environ["TMPDIR"] if WORKER else in_memory(),
    ignore_cleanup_errors=True,
)
folder = Path(scratch.name)
# The folder of all workers.
shared = folder.parent if WORKER else folder
tempfile.tempdir = os.environ["TMPDIR"] = scratch.name
atexit.register(scratch.cleanup)
postgresql = PostgreSQL()

for name in ("BASE_PATH", "ORIGIN_SECRET", "TRUSTED_PROXIES", "URL_SCHEME"):
    os.environ.pop(f"LAMBDA_{name}", None)
os.environ.update(
    ENV_FILE=os.devnull,
    STAGE="local",
    DEBUG="False",
    SECRET_KEY="only-for-tests",
    ALLOWED_HOSTS="*",
    DATABASE_URL=postgresql.url(),
    STATIC_ROOT=str(shared / "staticfiles"),
    MEDIA_ROOT=str(folder / "media"),
    LOG_LEVEL="INFO",
)


def once(name: str, make: Callable[[], Path]) -> Path:
    """
    Return a file or folder that the first worker to call this makes for all of them.

    ``make`` returns where it is, on the file system of the temporary folder; it is
    moved from there. The other workers wait meanwhile, and must not change it.
    """
    target = shared / name
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            make().rename(target)
    return target
