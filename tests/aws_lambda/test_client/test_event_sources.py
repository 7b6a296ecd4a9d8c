"""The models of the event sources behave like the services."""

from typing import Any

import pytest

from apps.aws_lambda.test import EVENT_SOURCES, EventSource, Request, Response
from tests.aws_lambda.site import buffered, get
from tests.events import load_event

OK = {"statusCode": 200, "body": "", "isBase64Encoded": False}


def answer(event_source: EventSource, result: Any, method: str = "GET") -> Response:
    """Return the response that a client receives for a result of the function."""
    request = Request(method, f"{event_source.prefix}/")
    return event_source.send(lambda event, context: result, request)


def shape(event: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of an event, except for those that depend on the client."""
    from_client = ("headers", "multiValueHeaders", "cookies", "pathParameters")
    return {
        key: shape(value)
        if isinstance(value, dict)
        and key not in from_client
        and not key.endswith("StringParameters")
        else None
        for key, value in event.items()
    } | {"pathParameters": None, "body": None}


@pytest.mark.parametrize("name", [n for n in EVENT_SOURCES if n != "http_mapped_key"])
def test_an_event_has_the_documented_fields(name: str) -> None:
    event_source, documented = EVENT_SOURCES[name], shape(load_event(name))
    # Its fields depend on the kind of caller.
    documented.get("requestContext", {}).pop("identity", None)

    made = shape(
        event_source.event(
            get(event_source, "/a/?x=1", ("Cookie", "a=1"), ("User-Agent", "t"))
        )
    )
    made.get("requestContext", {}).pop("identity", None)

    assert made == documented


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "text",
        {**OK, "statusCode": "200"},
        {**OK, "statusCode": True},
        {**OK, "body": 7},
        {**OK, "body": {"a": 1}},
        {**OK, "body": "!", "isBase64Encoded": True},
        {**OK, "isBase64Encoded": "yes"},
        {**OK, "body": "\ud800"},
        {**OK, "body": b"bytes"},
        {**OK, "headers": {"a": 1}, "multiValueHeaders": {"a": "1"}},
        {**OK, "headers": {"a b": "1"}, "multiValueHeaders": {"a b": ["1"]}},
        {**OK, "headers": {"a": "1\n2"}, "multiValueHeaders": {"a": ["1\r2"]}},
    ],
)
def test_an_invalid_result_is_a_fault(event_source: EventSource, wrong: Any) -> None:
    response = answer(event_source, wrong)

    # In payload format 2.0, a result without a status is the body of a 200.
    lenient = event_source.preserves_query and not isinstance(wrong, dict)
    assert lenient or (response.status == event_source.fault_status and response.fault)


@buffered
def test_a_result_over_the_limit_is_a_fault(event_source: EventSource) -> None:
    fits = {**OK, "body": "x" * (event_source.max_response - 200)}
    assert answer(event_source, fits).fault == ""

    too_large = {**OK, "body": "x" * event_source.max_response}
    assert answer(event_source, too_large).fault


def test_a_request_over_the_limit_is_rejected(
    event_source: EventSource,
) -> None:
    request = Request(
        "POST", f"{event_source.prefix}/", (), b"x" * event_source.max_request
    )

    response = event_source.send(lambda event, context: pytest.fail("invoked"), request)

    assert response.status == 413


@pytest.mark.parametrize("name", ["rest_stage", "rest_domain", "rest_base_path"])
def test_a_rest_api_rejects_unknown_keys(name: str) -> None:
    assert answer(EVENT_SOURCES[name], {**OK, "cookies": []}).fault
    assert answer(EVENT_SOURCES["http_v1_default"], {**OK, "cookies": []}).fault == ""


def test_a_load_balancer_ignores_the_headers_of_the_other_mode() -> None:
    result = {**OK, "headers": {"a": "1"}, "multiValueHeaders": {"b": ["2", "3"]}}

    assert answer(EVENT_SOURCES["alb_single"], result).values("a") == ["1"]
    assert answer(EVENT_SOURCES["alb_single"], result).values("b") == []
    assert answer(EVENT_SOURCES["alb_multi"], result).values("a") == []
    assert answer(EVENT_SOURCES["alb_multi"], result).values("b") == ["2", "3"]


def test_payload_2_0_has_one_value_per_header() -> None:
    headers = {"Vary": "Cookie", "vary": "Origin"}
    response = answer(
        EVENT_SOURCES["http_default"],
        {**OK, "headers": headers, "cookies": ["a=1", "b=2"]},
    )

    assert response.values("vary") == ["Origin"]
    assert response.values("set-cookie") == ["a=1", "b=2"]


def test_a_request_outside_the_prefix_is_rejected() -> None:
    event_source = EVENT_SOURCES["rest_stage"]

    response = event_source.send(
        lambda event, context: pytest.fail("invoked"), Request("GET", "/production/")
    )

    assert response.status == 403


@pytest.mark.parametrize("name", ["http_default", "http_v1_stage"])
def test_an_http_api_rejects_a_path_that_it_cannot_decode_twice(name: str) -> None:
    event_source = EVENT_SOURCES[name]

    response = event_source.send(
        lambda event, context: pytest.fail("invoked"), get(event_source, "/100%25/")
    )

    assert response.status == 400
    assert not event_source.preserves_path("/100%25/")


@pytest.mark.parametrize("sent", ["6.6.6.6", "6.6.6.6, 7.7.7.7"])
def test_a_function_url_cuts_x_forwarded_for(sent: str) -> None:
    event_source = EVENT_SOURCES["function_url"]

    alone = event_source.event(get(event_source))
    forged = event_source.event(get(event_source, "/", ("X-Forwarded-For", sent)))

    assert alone["headers"]["x-forwarded-for"] == "203.0.113.7"
    assert forged["headers"]["x-forwarded-for"] == "6.6.6.6"
    assert forged["requestContext"]["http"]["sourceIp"] == "203.0.113.7"


@pytest.mark.parametrize("name", [n for n in EVENT_SOURCES if n != "function_url"])
def test_the_client_address_is_appended_to_x_forwarded_for(name: str) -> None:
    event_source = EVENT_SOURCES[name]
    event = event_source.event(get(event_source, "/", ("x-forwarded-for", "10.0.0.1")))

    headers = event.get("headers") or {
        name: values[-1] for name, values in event["multiValueHeaders"].items()
    }
    found = {
        value for name, value in headers.items() if name.lower() == "x-forwarded-for"
    }
    assert found == {"10.0.0.1, 203.0.113.7"}


@buffered
def test_head_and_204_have_no_body(event_source: EventSource) -> None:
    assert answer(event_source, {**OK, "body": "x"}, "HEAD").body == b""
    assert answer(event_source, {**OK, "body": "x", "statusCode": 204}).body == b""


def test_an_invalid_request_target_is_rejected() -> None:
    for target in ("no-slash", "/café"):
        with pytest.raises(ValueError, match="request target"):
            Request("GET", target)
