"""Fixtures that every kind of test shares."""

import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password

from tests import environment
from tests.services.postgresql import PostgreSQL


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """Start the server behind DATABASE_URL for the first test that uses a database."""
    environment.postgresql.start()
    yield environment.postgresql
    environment.postgresql.stop()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(postgresql: PostgreSQL) -> None:
    """Make pytest-django create its database when the server accepts connections."""


@cache
def hashed(password: str) -> str:
    """Return the hash of a password: more than half a second for each new one."""
    return make_password(password)


@pytest.fixture
def admin_user(db: None, django_user_model: Any) -> Any:
    """Return pytest-django's superuser, whose password is hashed once a session."""
    return django_user_model.objects.create(
        username="admin",
        email="admin@example.com",
        password=hashed("password"),
        is_staff=True,
        is_superuser=True,
    )


@pytest.fixture(scope="session", autouse=True)
def _tracer_socket() -> Iterator[None]:
    """Close the socket that the X-Ray SDK opens when it is imported."""
    yield
    if sdk := sys.modules.get("aws_xray_sdk.core"):
        sdk.xray_recorder.emitter._socket.close()
