"""A fixture with every event source, and the profiles of Hypothesis."""

import os

import pytest
from hypothesis import HealthCheck, settings

from apps.aws_lambda.test import (
    EVENT_SOURCES,
    STREAMED_EVENT_SOURCES,
    EventSource,
)

# `database=None`: write no examples into the repository.
settings.register_profile(
    "default",
    max_examples=50,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("nightly", settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("TEST_PROFILE", "default"))


# By day, runtime/test_site.py has a REST API that streams.
REST_STREAMED = pytest.param(
    "rest_streamed",
    marks=pytest.mark.nightly("a REST API that streams: a Function URL stands for it"),
)


@pytest.fixture(params=[*EVENT_SOURCES, "function_url_streamed", REST_STREAMED])
def event_source(request: pytest.FixtureRequest) -> EventSource:
    """Return each event source in turn, and those that stream."""
    return (EVENT_SOURCES | STREAMED_EVENT_SOURCES)[request.param]
