"""Events that are not web requests are rejected, and the error names their kind."""

import logging
from typing import Any

import pytest

from apps.aws_lambda.events import UnsupportedEvent
from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.invocation import request_id
from apps.aws_lambda.test import LambdaContext
from tests.aws_lambda.site import Site, environ_of
from tests.events import ALL, ERROR_WORDS, NOT_WEB, WEB, load_event

LOGGER = "apps.aws_lambda.handlers"


def test_every_sample_event_is_tested() -> None:
    assert set(ERROR_WORDS) == NOT_WEB
    assert WEB < ALL


@pytest.mark.parametrize("name", sorted(WEB))
def test_a_web_request_is_served(name: str) -> None:
    site = Site()

    result = make_handler(site)(load_event(name), LambdaContext())

    assert (result["statusCode"], site.faults) == (200, [])


@pytest.mark.parametrize("name", sorted(ERROR_WORDS))
def test_an_event_of_another_source_is_rejected_by_name(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site()

    with caplog.at_level(logging.DEBUG), pytest.raises(UnsupportedEvent) as error:
        make_handler(site)(load_event(name), LambdaContext())

    assert all(words in str(error.value) for words in ERROR_WORDS[name])
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
def test_an_unknown_event_is_rejected(
    event: Any, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site()

    with caplog.at_level(logging.ERROR), pytest.raises(UnsupportedEvent) as error:
        make_handler(site)(event, LambdaContext())

    assert isinstance(error.value, ValueError)
    assert site.environ == {}
    assert [r.name for r in caplog.records] == [LOGGER]


def test_the_error_does_not_contain_the_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(UnsupportedEvent) as error:
        make_handler(Site())(load_event("cognito_pre_sign_up"), LambdaContext())

    assert "ada@example.com" not in str(error.value) + caplog.text


@pytest.mark.parametrize("name", sorted(WEB))
@pytest.mark.parametrize(
    "key",
    ["path", "rawPath", "httpMethod", "requestContext", "rawQueryString", "headers"],
)
def test_an_incomplete_web_request_is_served_or_rejected(name: str, key: str) -> None:
    event = load_event(name)
    event.pop(key, None)

    try:
        result = make_handler(Site())(event, LambdaContext())
    except UnsupportedEvent:
        return
    assert isinstance(result["statusCode"], int)


def test_a_websocket_event_with_an_http_method_is_rejected():
    event = load_event("rest_stage")
    event["requestContext"]["connectionId"] = "L0SM9cOFvHcCIhw="

    with pytest.raises(UnsupportedEvent, match="WebSocket"):
        environ_of(event)


def test_the_error_is_logged_with_the_request_id(caplog):
    seen: list[str] = []

    class RequestIDs(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(request_id.get())

    handler = RequestIDs()
    logging.getLogger("apps.aws_lambda").addHandler(handler)
    before = request_id.get()
    try:
        with pytest.raises(UnsupportedEvent):
            environ_of(load_event("sqs"))
    finally:
        logging.getLogger("apps.aws_lambda").removeHandler(handler)

    assert seen == [LambdaContext().aws_request_id] or len(seen[0]) > 10
    assert request_id.get() == before


def test_the_event_is_not_changed() -> None:
    for name in sorted(WEB):
        event = load_event(name)

        make_handler(Site())(event, LambdaContext())

        assert event == load_event(name)
