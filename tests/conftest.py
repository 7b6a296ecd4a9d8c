"""Fixtures that every kind of test shares."""

from collections.abc import Iterator

import pytest

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
