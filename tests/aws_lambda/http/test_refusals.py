"""Events that are no web requests are refused, by name, and nothing is guessed."""

import logging
from typing import Any

import pytest

from apps.aws_lambda.events import UnsupportedEvent
from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import LambdaContext
from tests.aws_lambda.site import Site
from tests.events import ALL, NOT_WEB, WEB, load_event

LOGGER = "apps.aws_lambda.handlers"

# What the refusal must say: the kind of event, and where it belongs.
SAYS = {
    "appsync": ["AppSync"],
    "authorizer_request_v1": ["authorizer"],
    "authorizer_request_v2": ["authorizer"],
    "authorizer_token": ["authorizer"],
    "cloudwatch_logs": ["CloudWatch Logs"],
    "cognito_pre_sign_up": ["Cognito"],
    "dynamodb": ["DynamoDB"],
    "eventbridge_rule": ["EventBridge", "schedule function"],
    "eventbridge_schedule": ["EventBridge", "schedule function"],
    "kinesis": ["Kinesis"],
    "lattice_v1": ["Lattice"],
    "lattice_v2": ["Lattice"],
    "remote_command": ["remote command's event", "manage function"],
    "s3": ["S3"],
    "scheduled_command": ["scheduled command's event", "schedule function"],
    "sns": ["SNS"],
    "sqs": ["SQS", "tasks function"],
    "websocket_connect": ["WebSocket"],
    "websocket_message": ["WebSocket"],
}


def test_every_event_of_the_corpus_is_served_or_refused() -> None:
    assert set(SAYS) == NOT_WEB
    assert WEB < ALL


@pytest.mark.parametrize("name", sorted(WEB))
def test_web_event_of_the_corpus_is_served(name: str) -> None:
    site = Site()

    result = make_handler(site)(load_event(name), LambdaContext())

    assert (result["statusCode"], site.faults) == (200, [])


@pytest.mark.parametrize("name", sorted(SAYS))
def test_event_of_another_source_is_refused_by_name(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site()

    with caplog.at_level(logging.DEBUG), pytest.raises(UnsupportedEvent) as refusal:
        make_handler(site)(load_event(name), LambdaContext())

    assert all(words in str(refusal.value) for words in SAYS[name])
    assert site.environ == {}
    errors = [
        (r.name, r.levelno) for r in caplog.records if r.levelno >= logging.WARNING
    ]
    assert errors == [(LOGGER, logging.ERROR)]


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "event",
        7,
        {},
        {"hello": "world"},
        {"httpMethod": "GET"},
        {"requestContext": None},
        {"requestContext": {"elb": {}}},
        {"requestContext": {"http": {}}, "version": "2.0"},
        {"requestContext": {"http": None}, "version": "2.0"},
        {"version": "3.0", "requestContext": {"http": {"method": "GET", "path": "/"}}},
        {"Records": []},
        {"Records": [None]},
        {"Records": [{"eventSource": "aws:unheard-of"}]},
        {"raw_command": "migrate"},
        {"_manage": ["shell"]},
    ],
)
def test_event_without_shape_is_refused(
    event: Any, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site()

    with caplog.at_level(logging.ERROR), pytest.raises(UnsupportedEvent) as refusal:
        make_handler(site)(event, LambdaContext())

    assert isinstance(refusal.value, ValueError)
    assert site.environ == {}
    assert [r.name for r in caplog.records] == [LOGGER]


def test_refusal_does_not_repeat_the_contents_of_the_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(UnsupportedEvent) as refusal:
        make_handler(Site())(load_event("cognito_pre_sign_up"), LambdaContext())

    assert "ada@example.com" not in str(refusal.value) + caplog.text


@pytest.mark.parametrize("name", sorted(WEB))
@pytest.mark.parametrize(
    "key",
    ["path", "rawPath", "httpMethod", "requestContext", "rawQueryString", "headers"],
)
def test_web_event_without_a_field_is_served_or_refused(name: str, key: str) -> None:
    event = load_event(name)
    event.pop(key, None)

    try:
        result = make_handler(Site())(event, LambdaContext())
    except UnsupportedEvent:
        return
    assert isinstance(result["statusCode"], int)


def test_event_is_not_changed_by_serving_it() -> None:
    for name in sorted(WEB):
        event = load_event(name)

        make_handler(Site())(event, LambdaContext())

        assert event == load_event(name)
