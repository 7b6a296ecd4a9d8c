"""Cookies of requests and responses, over all event sources."""

from http.cookies import SimpleCookie

import pytest
from django.http import parse_cookie

from apps.aws_lambda.test import EventSource
from tests.aws_lambda.site import Site, environ_of, get, send
from tests.events import load_event

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


def test_cookies_arrive_once_in_order(event_source: EventSource) -> None:
    site = Site()

    send(
        event_source,
        site,
        get(
            event_source, "/", ("Cookie", "csrftoken=abc; sessionid=d=e,f; theme=dark")
        ),
    )

    pairs = [pair.strip() for pair in site.environ["HTTP_COOKIE"].split(";")]
    assert pairs == ["csrftoken=abc", "sessionid=d=e,f", "theme=dark"]


def test_repeated_cookie_headers_are_joined_with_a_semicolon(
    event_source: EventSource,
) -> None:
    site = Site()

    send(
        event_source,
        site,
        get(event_source, "/", ("Cookie", "a=1; b=2"), ("Cookie", "c=3")),
    )

    expected = (
        {"a": "1", "b": "2", "c": "3"} if event_source.repeated_headers else {"c": "3"}
    )
    assert cookies(site) == expected
    assert "," not in site.environ["HTTP_COOKIE"]


def test_a_request_without_cookies_has_none(event_source: EventSource) -> None:
    site = Site()

    send(event_source, site, get(event_source))

    assert site.environ.get("HTTP_COOKIE", "") == ""


def test_a_cookie_with_a_line_break_is_dropped():
    event = load_event("http_default", cookies=["a=1", "b=2\r\nx: y", "c=é"])

    assert environ_of(event)["HTTP_COOKIE"] == "a=1; c=é".encode().decode("latin-1")


@pytest.mark.parametrize(
    "cookie",
    [
        r'a="\000"',
        r'a="x\000y"',
        r'a="\\\000"',
        r'a="\"\000"',
        '\x85a="\\000"\xa0\u2003',
    ],
)
@pytest.mark.parametrize("others", [("b=2", "c=3"), ("b=2",), ()])
def test_a_cookie_that_is_nul_once_unquoted_is_dropped(
    event_source: EventSource, cookie: str, others: tuple[str, ...]
) -> None:
    assert "\0" in "".join(parse_cookie(cookie).values())
    for sent in ((cookie, *others), (*others, cookie)):
        site = Site()

        send(event_source, site, get(event_source, "/", ("Cookie", "; ".join(sent))))

        arrived = parse_cookie(site.environ["HTTP_COOKIE"])
        assert arrived == {pair[0]: pair[2:] for pair in others}


@pytest.mark.parametrize(
    "cookie", [r"a=\000", r'a="\\000"', r'a="\001"', r'a="\054\303"', r'a="00\\\\000"']
)
def test_a_cookie_that_only_looks_like_nul_arrives(
    event_source: EventSource, cookie: str
) -> None:
    site = Site()

    send(event_source, site, get(event_source, "/", ("Cookie", cookie)))

    assert site.environ["HTTP_COOKIE"] == cookie


def test_all_cookies_of_a_login_are_sent(event_source: EventSource) -> None:
    site = Site(headers=list(LOGIN))

    response = send(event_source, site, get(event_source))

    sent = [value for name, value in LOGIN if name == "Set-Cookie"]
    assert sorted(response.values("Set-Cookie")) == sorted(sent)


def test_spaces_around_a_cookie_are_not_sent(event_source: EventSource) -> None:
    # Django 5.2 sends " csrftoken=abc", and serverless-offline answers 500.
    headers = [("Content-Type", "text/html"), ("Set-Cookie", " csrftoken=abc; Path=/ ")]

    response = send(event_source, Site(headers=headers), get(event_source))

    assert response.values("Set-Cookie") == ["csrftoken=abc; Path=/"]


def test_fifty_cookies_are_sent(event_source: EventSource) -> None:
    values = [f"cookie{n}={n}; Path=/" for n in range(50)]
    site = Site(headers=[("Set-Cookie", value) for value in values])

    response = send(event_source, site, get(event_source))

    assert sorted(response.values("Set-Cookie")) == sorted(values)


def test_one_cookie_is_sent_unchanged(event_source: EventSource) -> None:
    site = Site(headers=[("Set-Cookie", "a=1; Path=/")])

    response = send(event_source, site, get(event_source))

    assert response.values("Set-Cookie") == ["a=1; Path=/"]
