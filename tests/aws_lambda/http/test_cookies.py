"""Cookies in both directions, over all event sources."""

import subprocess
import sys
from http.cookies import SimpleCookie
from pathlib import Path

from apps.aws_lambda.test import EventSource
from tests.aws_lambda.site import Site, get, visit

LOGIN = [
    ("Content-Type", "text/html; charset=utf-8"),
    (
        "Set-Cookie",
        "csrftoken=abc; expires=Tue, 24 Nov 2026 10:00:00 GMT; Path=/; Secure",
    ),
    ("Set-Cookie", "sessionid=def; HttpOnly; Path=/; SameSite=Lax"),
    ("Set-Cookie", 'messages="W1tcIl9fanNvbl9tZXNzYWdl"; Path=/'),
]


def cookies(site: Site) -> dict[str, str]:
    """Return the cookies that arrived, as Django would read them."""
    jar = SimpleCookie(site.environ.get("HTTP_COOKIE", ""))
    return {name: morsel.value for name, morsel in jar.items()}


def test_cookies_arrive_once_and_in_order(event_source: EventSource) -> None:
    site = Site()

    visit(
        event_source,
        site,
        get(
            event_source, "/", ("Cookie", "csrftoken=abc; sessionid=d=e,f; theme=dark")
        ),
    )

    crumbs = [crumb.strip() for crumb in site.environ["HTTP_COOKIE"].split(";")]
    assert crumbs == ["csrftoken=abc", "sessionid=d=e,f", "theme=dark"]


def test_several_cookie_headers_are_joined_as_cookies(
    event_source: EventSource,
) -> None:
    site = Site()

    visit(
        event_source,
        site,
        get(event_source, "/", ("Cookie", "a=1; b=2"), ("Cookie", "c=3")),
    )

    expected = (
        {"a": "1", "b": "2", "c": "3"} if event_source.repeated_headers else {"c": "3"}
    )
    assert cookies(site) == expected
    assert "," not in site.environ["HTTP_COOKIE"]


def test_request_without_cookies_has_none(event_source: EventSource) -> None:
    site = Site()

    visit(event_source, site, get(event_source))

    assert site.environ.get("HTTP_COOKIE", "") == ""


def test_all_cookies_of_a_login_leave(event_source: EventSource) -> None:
    site = Site(headers=list(LOGIN))

    response = visit(event_source, site, get(event_source))

    sent = [value for name, value in LOGIN if name == "Set-Cookie"]
    assert sorted(response.values("Set-Cookie")) == sorted(sent)


def test_many_cookies_leave(event_source: EventSource) -> None:
    values = [f"cookie{n}={n}; Path=/" for n in range(50)]
    site = Site(headers=[("Set-Cookie", value) for value in values])

    response = visit(event_source, site, get(event_source))

    assert sorted(response.values("Set-Cookie")) == sorted(values)


WARN = """
from apps.aws_lambda.test import EVENT_SOURCES
from tests.aws_lambda.site import Site, get, visit

for _ in range(3):
    site = Site(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    visit(EVENT_SOURCES["alb_single"], site, get(EVENT_SOURCES["alb_single"]))
"""


def test_single_value_load_balancer_is_warned_about_once() -> None:
    # A process of its own: elsewhere an earlier test may have had the warning.
    root = Path(__file__).parents[3]
    ran = subprocess.run(
        [sys.executable, "-c", WARN],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )

    # A warning goes to standard error where nobody has set up logging.
    assert ran.stderr.count("lambda.multi_value_headers.enabled") == 1


def test_one_cookie_needs_no_spelling(event_source: EventSource) -> None:
    site = Site(headers=[("Set-Cookie", "a=1; Path=/")])

    response = visit(event_source, site, get(event_source))

    assert response.values("Set-Cookie") == ["a=1; Path=/"]
