"""The public prefix of the application, over all event sources."""

import pytest

from apps.aws_lambda.test import EVENT_SOURCES, EventSource, Request
from tests.aws_lambda.site import Site, environ_of, get, send
from tests.events import load_event

PREFIXED = [name for name, event_source in EVENT_SOURCES.items() if event_source.prefix]


def test_script_name_is_the_public_prefix(event_source: EventSource) -> None:
    site = Site()

    send(event_source, site, get(event_source, "/admin/login/"))

    assert (site.environ["SCRIPT_NAME"], site.path) == (
        event_source.prefix,
        b"/admin/login/",
    )


def test_host_port_and_scheme_are_public(event_source: EventSource) -> None:
    site = Site()

    send(event_source, site, get(event_source))

    names = ("HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "wsgi.url_scheme")
    assert [site.environ[name] for name in names] == [
        event_source.host,
        event_source.host,
        "443",
        "https",
    ]


@pytest.mark.parametrize("name", PREFIXED)
def test_a_prefix_without_a_trailing_slash_is_the_root(name: str) -> None:
    event_source, site = EVENT_SOURCES[name], Site()

    response = send(event_source, site, get(event_source, ""))

    assert response.status == 200
    assert site.environ["SCRIPT_NAME"] == event_source.prefix
    assert site.path in (b"", b"/")


@pytest.mark.parametrize("path", ["/{0}", "/{0}/", "/{0}ucts/", "/{0}/{0}/", "/x{0}/"])
@pytest.mark.parametrize("name", PREFIXED)
def test_a_path_that_repeats_the_prefix_is_unchanged(name: str, path: str) -> None:
    event_source, site = EVENT_SOURCES[name], Site()
    path = path.format(event_source.prefix.removeprefix("/"))

    send(event_source, site, get(event_source, path))

    assert (site.environ["SCRIPT_NAME"], site.path) == (
        event_source.prefix,
        path.encode(),
    )


@pytest.mark.parametrize(
    "name", [name for name in EVENT_SOURCES if name not in PREFIXED]
)
@pytest.mark.parametrize("path", ["/prod/", "/live/", "/shop", "/production/"])
def test_a_path_that_resembles_a_stage_is_not_a_prefix(name: str, path: str) -> None:
    event_source, site = EVENT_SOURCES[name], Site()

    send(event_source, site, get(event_source, path))

    assert (site.environ["SCRIPT_NAME"], site.path) == ("", path.encode())


def test_a_base_path_matches_whole_segments() -> None:
    event_source, site = EVENT_SOURCES["http_default"], Site()

    response = send(event_source, site, Request("GET", "/shopping/"), base_path="/shop")

    assert response.status == 200
    assert site.path == b"/shopping/"


def test_a_slash_as_base_path_removes_the_prefix():
    seen = environ_of(load_event("rest_stage_root"), base_path="/")

    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("", "/")
