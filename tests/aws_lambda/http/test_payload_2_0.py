"""Payload format 2.0: stages and cookies."""

import pytest

from apps.aws_lambda.events import UnsupportedEvent
from tests.aws_lambda.site import environ_of
from tests.events import load_event


@pytest.mark.parametrize("stage", [None, "$default"])
def test_the_default_stage_is_not_a_prefix(stage: str | None):
    event = load_event("http_default", rawPath=f"/{stage}/page")
    event["requestContext"]["stage"] = stage

    seen = environ_of(event)

    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("", f"/{stage}/page")


def test_cookies_that_are_not_a_list_are_rejected():
    with pytest.raises(UnsupportedEvent):
        environ_of(load_event("http_default", cookies="a=1"))
