"""Every front door as a fixture, and how hard hypothesis tries."""

import os

import pytest
from hypothesis import HealthCheck, settings

from apps.aws_lambda.test import DOORS, Door

# `database=None`: nothing is written into the repository.
settings.register_profile(
    "default",
    max_examples=50,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("nightly", settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("TEST_PROFILE", "default"))


@pytest.fixture(params=list(DOORS))
def door(request: pytest.FixtureRequest) -> Door:
    """Return each front door in turn."""
    return DOORS[request.param]
