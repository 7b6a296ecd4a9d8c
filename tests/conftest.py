"""Fixtures that every kind of test shares."""

import sys
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


@pytest.fixture(scope="session", autouse=True)
def _tracer_socket() -> Iterator[None]:
    """Close the socket that the X-Ray SDK opens when a check imports it."""
    yield
    if sdk := sys.modules.get("aws_xray_sdk.core"):
        sdk.xray_recorder.emitter._socket.close()
