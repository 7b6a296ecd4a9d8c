"""A pytest plugin: collect static files, as a deployment does."""

import pytest
from django.core.management import call_command


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Collect them before workers start and test modules load: handlers look then."""
    if not hasattr(session.config, "workerinput"):
        call_command("collectstatic", interactive=False, verbosity=0)
