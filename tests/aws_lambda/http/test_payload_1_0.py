"""Payload format 1.0: where a REST API serves the site, and malformed events."""

from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import pytest

from apps.aws_lambda.events import UnsupportedEvent
from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import LambdaContext
from tests.aws_lambda.site import Site, environ_of
from tests.events import load_event

# Prefixes of a REST API


@pytest.mark.parametrize(
    ("path", "public", "expected"),
    [
        ("/a/", "/prod/a/", ("/prod", "/a/")),
        ("/a", "/prod//a", ("/prod", "//a")),
        ("/a", "/a", ("", "/a")),
        ("/", "/prod", ("/prod", "/")),
    ],
)
def test_the_stage_precedes_the_path(path: str, public: str, expected: tuple[str, str]):
    event = load_event("rest_stage", path=path, pathParameters={"proxy": path[1:]})
    event["requestContext"]["path"] = public

    seen = environ_of(event)

    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == expected


def test_a_double_slash_is_not_part_of_the_prefix():
    event = load_event("rest_stage", path="//x", pathParameters={"proxy": "x"})
    event["requestContext"]["path"] = "/prod//x"

    assert environ_of(event)["SCRIPT_NAME"] == "/prod"


@pytest.mark.parametrize(
    "path", ["/a%20b/", "/folder%2Ffile", "/caf%C3%A9/", "/100%25/", "/x/"]
)
@pytest.mark.parametrize("form", ["encoded", "decoded", "without_slash"])
def test_a_base_path_is_found_for_any_form_of_path_parameter(
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


def test_a_base_path_can_have_several_segments() -> None:
    event = load_event("rest_base_path", path="/shop/v2/documents/7/")
    event["requestContext"]["path"] = "/shop/v2/documents/7/"
    site = Site()

    make_handler(site)(event, LambdaContext())

    assert (site.environ["SCRIPT_NAME"], site.path) == ("/shop/v2", b"/documents/7/")


def test_a_base_path_is_found_at_the_root() -> None:
    event = load_event(
        "rest_base_path", path="/shop/", resource="/", pathParameters=None
    )
    event["requestContext"] |= {"path": "/shop/", "resourcePath": "/"}
    site = Site()

    make_handler(site)(event, LambdaContext())

    assert (site.environ["SCRIPT_NAME"], site.path) == ("/shop", b"/")


def test_a_greedy_parameter_can_have_any_name() -> None:
    event = load_event(
        "rest_base_path", resource="/{rest+}", pathParameters={"rest": "documents/7/"}
    )
    site = Site()

    make_handler(site)(event, LambdaContext())

    assert (site.environ["SCRIPT_NAME"], site.path) == ("/shop", b"/documents/7/")


def test_fixed_segments_of_a_resource_are_part_of_the_path() -> None:
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


def test_a_domain_mapped_to_all_stages_has_the_stage_as_prefix() -> None:
    event = load_event("rest_domain", path="/prod/documents/7/")
    event["requestContext"]["path"] = "/prod/documents/7/"
    site = Site()

    make_handler(site)(event, LambdaContext())

    assert (site.environ["SCRIPT_NAME"], site.path) == ("/prod", b"/documents/7/")


def test_a_test_event_of_the_console_has_no_prefix() -> None:
    site = Site()

    make_handler(site)(load_event("rest_console_test"), LambdaContext())

    assert (site.environ["SCRIPT_NAME"], site.path) == ("", b"/health/live")


# Malformed events


@pytest.mark.parametrize("path", ["x", ""])
def test_a_path_without_a_leading_slash_is_rejected(path: str):
    event = load_event("rest_stage", path=path, resource=None)
    event["requestContext"]["path"] = f"prod{path}"

    with pytest.raises(UnsupportedEvent):
        environ_of(event)


@pytest.mark.parametrize("value", [None, 1, {"a": 1}, ["a", 1]])
def test_a_value_that_is_not_a_string_is_rejected(value: Any):
    for field in ("multiValueHeaders", "multiValueQueryStringParameters"):
        with pytest.raises(UnsupportedEvent):
            environ_of(load_event("rest_stage", **{field: {"x-a": value}}))


@pytest.mark.parametrize("field", ["headers", "multiValueHeaders", "both"])
def test_null_headers_are_accepted(field: str) -> None:
    fields = ["headers", "multiValueHeaders"] if field == "both" else [field]
    site = Site()

    result = make_handler(site)(
        load_event("rest_stage", **dict.fromkeys(fields)), LambdaContext()
    )

    assert (result["statusCode"], site.faults) == (200, [])
