"""A pytest plugin: collect static files, as a deployment does."""

from django.core.management import call_command


def pytest_collection() -> None:
    """Collect them before any test module is imported: handlers look for them then."""
    call_command("collectstatic", interactive=False, verbosity=0)
