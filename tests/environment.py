"""
A pytest plugin: the environment in which the suite runs, whatever the user's is.

pytest-django reads the settings before any conftest.py is loaded, so the
environment has to be complete when this module is imported (``-p`` in
pyproject.toml). The PostgreSQL behind DATABASE_URL is chosen here, and started
by the first test that needs a database.
"""

import os
import tempfile
from pathlib import Path

from tests.services.postgresql import PostgreSQL

postgresql = PostgreSQL()
folder = Path(tempfile.mkdtemp(prefix="django-on-lambda-"))

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
