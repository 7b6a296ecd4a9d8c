"""What only an Application Load Balancer does."""

import subprocess
import sys
from pathlib import Path

import pytest

from apps.aws_lambda.test import EVENT_SOURCES, Request
from tests.aws_lambda.site import Site, environ_of, get, send
from tests.events import load_event

ALB = ["alb_multi", "alb_single"]


CLIENT = "203.0.113.7"


@pytest.mark.parametrize("name", ALB)
@pytest.mark.parametrize(
    ("proxies", "address"), [(1, "203.0.113.7"), (2, "198.51.100.23"), (3, "10.0.0.1")]
)
def test_trusted_proxies_are_counted_from_the_right(
    name: str, proxies: int, address: str
) -> None:
    site = Site()
    request = get(
        EVENT_SOURCES[name], "/", ("X-Forwarded-For", "10.0.0.1, 198.51.100.23")
    )

    send(EVENT_SOURCES[name], site, request, trusted_proxies=proxies)

    assert site.environ["REMOTE_ADDR"] == address


@pytest.mark.parametrize("name", ALB)
def test_too_many_trusted_proxies_give_the_first_address(name: str) -> None:
    site = Site()

    send(EVENT_SOURCES[name], site, get(EVENT_SOURCES[name]), trusted_proxies=3)

    assert site.environ["REMOTE_ADDR"] == CLIENT


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_clients_port_is_removed_from_its_address(written: str, address: str):
    event = load_event("alb_single")
    event["headers"]["x-forwarded-for"] = f"6.6.6.6, {written}"

    assert environ_of(event)["REMOTE_ADDR"] == address


@pytest.mark.parametrize("name", ALB)
def test_plain_http_keeps_its_scheme(name: str) -> None:
    site = Site()
    headers = (("X-Forwarded-Proto", "https"), ("X_Forwarded_Proto", "https"))

    send(EVENT_SOURCES[name], site, Request("GET", "/", headers, scheme="http"))

    assert site.environ["wsgi.url_scheme"] == "http"
    assert site.environ["SERVER_PORT"] == "80"


def test_an_unknown_scheme_is_ignored():
    event = load_event("alb_single")
    event["headers"]["x-forwarded-proto"] = "gopher"

    assert environ_of(event)["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize("name", ALB)
def test_the_host_is_what_the_client_sent(name: str) -> None:
    site = Site()

    send(
        EVENT_SOURCES[name],
        site,
        get(EVENT_SOURCES[name], "/", ("Host", "other.example.com:8443")),
    )

    assert site.environ["HTTP_HOST"] == "other.example.com:8443"


WARN = """
from apps.aws_lambda.test import EVENT_SOURCES
from tests.aws_lambda.site import Site, get, send

for _ in range(3):
    site = Site(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    send(EVENT_SOURCES["alb_single"], site, get(EVENT_SOURCES["alb_single"]))
"""


def test_single_value_headers_are_logged_once() -> None:
    # In a new process: the warning is logged only once in each.
    root = Path(__file__).parents[3]
    ran = subprocess.run(
        [sys.executable, "-c", WARN],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )

    # Without a logging configuration, Python writes warnings to standard error.
    assert ran.stderr.count("lambda.multi_value_headers.enabled") == 1
