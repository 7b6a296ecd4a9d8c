"""A request that is larger than an event source would pass on."""

import json

import pytest

from apps.aws_lambda.handlers import make_handler
from tests.events import load_event


def never(environ, start_response):
    raise AssertionError("the application is not to see it")


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("rest_stage_post", 6_291_556),
        ("http_default_post", 6_291_556),
        ("alb_multi", 1_048_576),
    ],
)
def test_it_is_refused_with_the_size_and_the_limit(name: str, limit: int):
    event = load_event(name, body="A" * (limit + 4), isBase64Encoded=True)

    result = make_handler(never)(event, None)

    body = json.loads(result["body"])
    assert result["statusCode"] == body["statusCode"] == 413
    assert body["error"] == "request_too_large"
    assert f"{limit + 4:,}" in body["message"]
    assert f"{limit:,}" in body["message"]
    assert body["requestId"]
