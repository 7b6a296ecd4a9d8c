"""Fixtures that every kind of test shares."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command

from tests import environment
from tests.services.postgresql import PostgreSQL


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Start the private PostgreSQL for the first test that needs a database."""
    environment.postgresql.start()
    yield environment.postgresql
    environment.postgresql.stop()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgresql: PostgreSQL) -> None:
    """Make pytest-django wait for the server before it creates its database."""


def pytest_collection() -> None:
    """Collect static files, as a deployment does: handlers look for them at import."""
    call_command("collectstatic", interactive=False, verbosity=0)
