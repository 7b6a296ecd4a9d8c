"""Fixtures that every kind of test shares."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.core.management import call_command

from tests import environment


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> Iterator[None]:
    """Start the private PostgreSQL for the first test that needs a database."""
    environment.postgresql.start()
    yield
    environment.postgresql.stop()


@pytest.fixture(scope="session", autouse=True)
def _static_files() -> None:
    """Collect static files once, as a deployment does: pages refer to them."""
    call_command("collectstatic", interactive=False, verbosity=0)
