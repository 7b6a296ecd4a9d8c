"""
Properties of every HTTP request and response, and of every event.

With TEST_PROFILE=nightly, each has 2,000 examples.
"""

import json
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.aws_lambda.events import UnsupportedEvent
from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import EVENT_SOURCES, EventSource, LambdaContext, Request
from tests.aws_lambda.http import strategies
from tests.aws_lambda.site import Site, get, send

each_event_source = pytest.mark.parametrize(
    "event_source", EVENT_SOURCES.values(), ids=list(EVENT_SOURCES)
)


def joined(
    pairs: list[tuple[str, str]] | tuple[tuple[str, str], ...],
) -> dict[str, str]:
    """Return the headers, with the values of the same name joined as in HTTP."""
    table: dict[str, str] = {}
    for name, value in pairs:
        name = name.lower()
        table[name] = f"{table[name]}, {value}" if name in table else value
    return table


def arrived(site: Site, name: str) -> str:
    """Return the value of a header in the environ."""
    value: str = site.environ["HTTP_" + name.upper().replace("-", "_")]
    return value


@each_event_source
@given(path=strategies.paths, pairs=strategies.parameters)
def test_any_url_arrives(
    event_source: EventSource, path: str, pairs: list[tuple[str, str]]
) -> None:
    site = Site()

    query = strategies.encoded(pairs)
    response = send(event_source, site, get(event_source, f"{path}?{query}"))

    if not event_source.preserves_path(path):
        # The event source may reject such a path, or deliver another one.
        assert response.status in (200, 400)
        return
    expected = pairs if event_source.repeated_parameters else list(dict(pairs).items())
    if "%00" in path or "%00" in strategies.encoded(expected):
        assert response.status == 400
        return
    assert response.status == 200
    assert (site.path, site.environ["SCRIPT_NAME"]) == (
        unquote_to_bytes(path),
        event_source.prefix,
    )
    got = parse_qsl(site.environ["QUERY_STRING"], keep_blank_values=True)
    for name, _ in expected:
        assert [v for n, v in got if n == name] == [v for n, v in expected if n == name]
    assert len(got) == len(expected)


@each_event_source
@given(headers=strategies.headers, cookies=strategies.cookies)
def test_any_headers_arrive(
    event_source: EventSource, headers: list[tuple[str, str]], cookies: list[str]
) -> None:
    site = Site()

    cookie_headers = [("Cookie", "; ".join(cookies))] if cookies else []
    send(event_source, site, get(event_source, "/", *headers, *cookie_headers))

    sent = joined(headers)
    if not event_source.repeated_headers:
        sent = {name.lower(): value for name, value in headers}
    for name, value in sent.items():
        # Event sources join with and without a space.
        assert arrived(site, name).replace(", ", ",") == value.replace(", ", ",")
    assert site.environ.get("HTTP_COOKIE", "").replace("; ", ";") == ";".join(cookies)


@each_event_source
@given(
    method=st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    media_type=st.sampled_from(strategies.MEDIA_TYPES),
    body=strategies.bodies,
)
def test_any_body_arrives(
    event_source: EventSource, method: str, media_type: str, body: bytes
) -> None:
    site = Site()

    request = Request(
        method, f"{event_source.prefix}/", (("Content-Type", media_type),), body
    )
    response = send(event_source, site, request)

    assert (response.status, site.environ["REQUEST_METHOD"]) == (200, method)
    assert site.environ["CONTENT_TYPE"] == media_type
    sent_as_text = media_type.startswith("text/") or media_type == "application/json"
    if (
        event_source.preserves_text_bytes
        or not sent_as_text
        or body.decode(errors="replace").encode() == body
    ):
        assert (site.body, site.environ["CONTENT_LENGTH"]) == (body, str(len(body)))


@each_event_source
@given(made=strategies.responses)
def test_any_response_is_sent(
    event_source: EventSource, made: strategies.ApplicationResponse
) -> None:
    empty = made.status in (204, 304)
    site = Site(
        f"{made.status} Reason",
        [
            *([] if empty else [("Content-Type", made.media_type)]),
            *made.headers,
            *(("Set-Cookie", cookie) for cookie in made.cookies),
        ],
        [] if empty else made.chunks,
    )

    response = send(event_source, site, get(event_source))

    assert (response.status, response.fault) == (made.status, "")
    assert response.body == (b"" if empty else b"".join(made.chunks))
    assert sorted(response.values("Set-Cookie")) == sorted(made.cookies)
    sent = joined(made.headers) | ({} if empty else {"content-type": made.media_type})
    assert sent.items() <= joined(response.headers).items()


def failing(environ: Any, start_response: Any) -> Any:
    raise RuntimeError


def check_types(result: dict[str, Any]) -> None:
    """Check that a result has the types that every event source requires."""
    assert json.loads(json.dumps(result)) == result
    assert isinstance(result["statusCode"], int)
    assert isinstance(result.get("body") or "", str)
    for values in result.get("multiValueHeaders", {}).values():
        assert all(isinstance(value, str) for value in values)
    assert all(isinstance(value, str) for value in result.get("headers", {}).values())
    assert all(isinstance(cookie, str) for cookie in result.get("cookies", []))


@given(event=strategies.malformed_events())
def test_a_malformed_event_is_served_or_rejected(event: Any) -> None:
    site = Site()

    try:
        result = make_handler(site)(event, LambdaContext())
    except UnsupportedEvent:
        return

    check_types(result)
    assert (result["statusCode"], site.faults) == (200, [])
    check_types(make_handler(failing)(event, LambdaContext()))


@given(event=strategies.json_values)
def test_any_json_is_served_or_rejected(event: Any) -> None:
    try:
        result = make_handler(Site())(event, LambdaContext())
    except UnsupportedEvent:
        return
    check_types(result)
