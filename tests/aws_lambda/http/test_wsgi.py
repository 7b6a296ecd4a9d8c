"""How the gateway runs a WSGI application."""

import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from io import StringIO
from typing import Any

from apig_wsgi import make_lambda_handler

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import EventSource, LambdaContext, Request
from tests.aws_lambda.site import Site, get, send
from tests.events import load_event


def test_the_environ_contains_event_and_context(event_source: EventSource) -> None:
    site, context, event = (
        Site(),
        LambdaContext(),
        event_source.event(get(event_source)),
    )

    make_handler(site, **event_source.handler_options)(event, context)

    assert site.environ["apig_wsgi.full_event"] == event
    assert site.environ["apig_wsgi.context"] is context


def test_the_environ_has_all_that_apig_wsgi_makes(event_source: EventSource) -> None:
    site, apig_wsgi, event = Site(), Site(), event_source.event(get(event_source))

    make_lambda_handler(apig_wsgi.application)(event, None)
    handler = make_handler(site.application, **event_source.handler_options)
    handler(event, LambdaContext())

    expected = {k: v for k, v in apig_wsgi.environ.items() if not k.startswith("HTTP_")}
    assert expected.keys() <= site.environ.keys()
    for name in ("HTTP", "wsgi.errors", "wsgi.multithread", "wsgi.version"):
        assert site.environ[name] == apig_wsgi.environ[name]


def test_errors_are_written_to_the_present_standard_error() -> None:
    site = Site()
    handler = make_handler(site.application)

    with redirect_stderr(StringIO()) as stderr:
        handler(load_event("http_default"), LambdaContext())

    assert site.environ["wsgi.errors"] is stderr


def test_a_request_leaves_nothing_in_the_next_environ(
    event_source: EventSource,
) -> None:
    site = Site()
    handler = make_handler(site, **event_source.handler_options)
    first = Request(
        "POST",
        f"{event_source.prefix}/secret/?token=s3cret",
        (
            ("Cookie", "sessionid=s3cret"),
            ("Authorization", "Bearer s3cret"),
            ("X-Own", "s3cret"),
        ),
        b"s3cret",
    )

    event_source.send(handler, first, LambdaContext())
    event_source.send(handler, get(event_source), LambdaContext())

    assert "s3cret" not in str(site.environ)
    assert site.body == b""


def test_a_request_can_be_served_inside_of_another(event_source: EventSource) -> None:
    inner, outer = Site(chunks=[b"inner"]), Site(chunks=[b"outer"])

    def site(environ: Any, start_response: Any) -> Any:
        if "nested" in environ["QUERY_STRING"]:
            return inner(environ, start_response)
        nested = Request("GET", f"{event_source.prefix}/?nested", ())
        assert event_source.send(handler, nested, LambdaContext()).body == b"inner"
        return outer(environ, start_response)

    handler = make_handler(site, **event_source.handler_options)

    assert event_source.send(handler, get(event_source), LambdaContext()).body == (
        b"outer"
    )
    assert "nested" in inner.environ["QUERY_STRING"]
    assert outer.environ["QUERY_STRING"] == ""


def test_a_stream_is_sent_as_one_body(event_source: EventSource) -> None:
    def stream() -> Iterator[bytes]:
        yield b"one, "
        yield b""
        yield "zwölf".encode()

    response = send(event_source, Site(chunks=stream()), get(event_source))

    assert response.body.decode() == "one, zwölf"


def test_a_character_can_be_split_between_chunks(event_source: EventSource) -> None:
    response = send(
        event_source,
        Site(chunks=["日".encode()[:1], "日".encode()[1:]]),
        get(event_source),
    )

    assert response.body.decode() == "日"


def test_an_application_can_write_to_its_response(
    event_source: EventSource,
) -> None:
    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"a")
        yield b"b"

    assert send(event_source, application, get(event_source)).body == b"ab"


def test_an_application_can_replace_its_response(
    event_source: EventSource,
) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/html"), ("X-First", "1")])
        try:
            raise RuntimeError
        except RuntimeError:
            start_response("503 Busy", [("Content-Type", "text/plain")], sys.exc_info())
        return [b"busy"]

    response = send(event_source, application, get(event_source))

    assert (response.status, response.body, response.values("X-First")) == (
        503,
        b"busy",
        [],
    )


def test_the_body_of_a_replaced_response_is_discarded():
    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("content-type", "text/plain")])
        yield b"partial"
        error = (ValueError, ValueError("x"), None)
        start_response("503 Busy", [("content-type", "text/plain")], error)
        yield b"sorry"

    result = make_handler(application)(load_event("http_default"), LambdaContext())

    assert (result["statusCode"], result["body"]) == (503, "sorry")
