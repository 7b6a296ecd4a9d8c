"""Where the application is mounted: the stage, the base path, and nothing else."""

from urllib.parse import unquote, unquote_to_bytes

import pytest

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import EVENT_SOURCES, EventSource, LambdaContext, Request
from tests.aws_lambda.site import Site, get, visit
from tests.events import load_event

PREFIXED = [name for name, event_source in EVENT_SOURCES.items() if event_source.prefix]


def test_script_name_is_the_public_prefix(event_source: EventSource) -> None:
    site = Site()

    visit(event_source, site, get(event_source, "/admin/login/"))

    assert (site.environ["SCRIPT_NAME"], site.path) == (
        event_source.prefix,
        b"/admin/login/",
    )


def test_host_port_and_scheme_are_the_public_ones(event_source: EventSource) -> None:
    site = Site()

    visit(event_source, site, get(event_source))

    names = ("HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "wsgi.url_scheme")
    assert [site.environ[name] for name in names] == [
        event_source.host,
        event_source.host,
        "443",
        "https",
    ]


@pytest.mark.parametrize("name", PREFIXED)
def test_root_without_trailing_slash_is_the_root(name: str) -> None:
    event_source, site = EVENT_SOURCES[name], Site()

    response = visit(event_source, site, get(event_source, ""))

    assert response.status == 200
    assert site.environ["SCRIPT_NAME"] == event_source.prefix
    assert site.path in (b"", b"/")


@pytest.mark.parametrize("path", ["/{0}", "/{0}/", "/{0}ucts/", "/{0}/{0}/", "/x{0}/"])
@pytest.mark.parametrize("name", PREFIXED)
def test_path_that_looks_like_the_prefix_is_left_alone(name: str, path: str) -> None:
    event_source, site = EVENT_SOURCES[name], Site()
    path = path.format(event_source.prefix.removeprefix("/"))

    visit(event_source, site, get(event_source, path))

    assert (site.environ["SCRIPT_NAME"], site.path) == (
        event_source.prefix,
        path.encode(),
    )


@pytest.mark.parametrize(
    "name", [name for name in EVENT_SOURCES if name not in PREFIXED]
)
@pytest.mark.parametrize("path", ["/prod/", "/live/", "/shop", "/production/"])
def test_path_that_looks_like_a_stage_is_no_prefix_where_there_is_none(
    name: str, path: str
) -> None:
    event_source, site = EVENT_SOURCES[name], Site()

    visit(event_source, site, get(event_source, path))

    assert (site.environ["SCRIPT_NAME"], site.path) == ("", path.encode())


@pytest.mark.parametrize(
    "path", ["/a%20b/", "/folder%2Ffile", "/caf%C3%A9/", "/100%25/", "/x/"]
)
@pytest.mark.parametrize("form", ["encoded", "decoded", "without_slash"])
def test_base_path_is_found_however_the_path_parameter_is_written(
    path: str, form: str
) -> None:
    event = load_event("rest_base_path", path=f"/shop{path}")
    event["requestContext"]["path"] = f"/shop{path}"
    proxy = {
        "encoded": path,
        "decoded": unquote(path),
        "without_slash": path.rstrip("/"),
    }
    event["pathParameters"] = {"proxy": proxy[form][1:]}
    site = Site()

    make_handler(site)(event, LambdaContext())

    assert (site.environ["SCRIPT_NAME"], site.path) == ("/shop", unquote_to_bytes(path))


def test_base_path_of_several_segments_is_found() -> None:
    event = load_event("rest_base_path", path="/shop/v2/documents/7/")
    event["requestContext"]["path"] = "/shop/v2/documents/7/"
    site = Site()

    make_handler(site)(event, LambdaContext())

    assert (site.environ["SCRIPT_NAME"], site.path) == ("/shop/v2", b"/documents/7/")


def test_base_path_is_found_at_the_root_of_the_application() -> None:
    event = load_event(
        "rest_base_path", path="/shop/", resource="/", pathParameters=None
    )
    event["requestContext"] |= {"path": "/shop/", "resourcePath": "/"}
    site = Site()

    make_handler(site)(event, LambdaContext())

    assert (site.environ["SCRIPT_NAME"], site.path) == ("/shop", b"/")


def test_greedy_parameter_may_have_any_name() -> None:
    event = load_event(
        "rest_base_path", resource="/{rest+}", pathParameters={"rest": "documents/7/"}
    )
    site = Site()

    make_handler(site)(event, LambdaContext())

    assert (site.environ["SCRIPT_NAME"], site.path) == ("/shop", b"/documents/7/")


def test_resource_with_fixed_segments_belongs_to_the_application() -> None:
    event = load_event(
        "rest_stage",
        path="/documents/7/",
        resource="/documents/{proxy+}",
        pathParameters={"proxy": "7/"},
    )
    event["requestContext"] |= {"path": "/prod/documents/7/"}
    site = Site()

    make_handler(site)(event, LambdaContext())

    assert (site.environ["SCRIPT_NAME"], site.path) == ("/prod", b"/documents/7/")


def test_domain_mapped_to_all_stages_has_the_stage_as_prefix() -> None:
    event = load_event("rest_domain", path="/prod/documents/7/")
    event["requestContext"]["path"] = "/prod/documents/7/"
    site = Site()

    make_handler(site)(event, LambdaContext())

    assert (site.environ["SCRIPT_NAME"], site.path) == ("/prod", b"/documents/7/")


def test_request_from_the_console_has_no_prefix() -> None:
    site = Site()

    make_handler(site)(load_event("rest_console_test"), LambdaContext())

    assert (site.environ["SCRIPT_NAME"], site.path) == ("", b"/health/live")


def test_configured_base_path_is_used_on_a_segment_boundary_only() -> None:
    event_source, site = EVENT_SOURCES["http_default"], Site()

    response = visit(
        event_source, site, Request("GET", "/shopping/"), base_path="/shop"
    )

    assert response.status == 200
    assert site.path == b"/shopping/"
