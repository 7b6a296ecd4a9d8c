"""Links of a page, and URLs in the form in which two sites are compared."""

import pytest

from apps.aws_lambda.cli.check.links import Place, find_links, is_logout

PAGE = """
<base href="/docs/">
<a href="intro/">Relative to the base</a> <a href="#top">Here</a>
<a href="mailto:ann@example.com">Mail</a> <a href="javascript:open()">Script</a>
<a href="//cdn.example/x">Elsewhere</a> <a href="http://[broken">Broken</a>
<a href="/a b/é?q=ü">Unescaped</a> <a name="nothing"></a>
<iframe src="/frame/"></iframe>
<link rel="stylesheet" href="/static/a.css"><link rel="canonical" href="/canonical/">
<link rel="license" href="/license/">
<img src="/a.png" srcset="/b.png 1x, /c.png 2x"><video poster="/d.png"></video>
<script src="/e.js"></script>
<form action="/search/"></form><form method="POST" action="/orders/"></form>
"""
ROOT = "https://shop.example"


def test_links_are_sorted_by_what_a_browser_does_with_them():
    links = find_links(PAGE, f"{ROOT}/page/")

    assert links.pages == {
        f"{ROOT}/docs/intro/",
        f"{ROOT}/docs/",
        "https://cdn.example/x",
        f"{ROOT}/a%20b/%C3%A9?q=%C3%BC",
        f"{ROOT}/frame/",
        f"{ROOT}/canonical/",
        f"{ROOT}/search/",
    }
    assert links.assets == {
        f"{ROOT}/{name}"
        for name in ("static/a.css", "a.png", "b.png", "c.png", "d.png", "e.js")
    }
    assert links.actions == {f"{ROOT}/orders/"}


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://shop.example/prod/about/", "/about/"),
        ("http://shop.example/prod/about/", "/about/"),
        ("https://www.shop.example/prod/about/", "/about/"),
        ("https://shop.example/prod/", "/"),
        # The admin's "View site".
        ("https://shop.example/prod", "/"),
        ("https://shop.example/prod/?v=3&q=1&_=7", "/?q=1"),
        ("https://shop.example/products/", None),
        ("https://shop.example/about/", None),
        ("https://other.example/prod/about/", None),
    ],
)
def test_a_path_is_below_the_prefix(url: str, path: str | None):
    assert Place("shop.example", "/prod").path(url) == path


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/login/?next=/about/", "/prod/login/?next=/prod/about/"),
        ("https://www.shop.example/a/", "https://h.example/prod/a/"),
        ("http://www.shop.example/a/", "/prod/a/"),
        ("next/", "next/"),
        ("/a/?token=0123456789abcdef", "/prod/a/?token=fedcba9876543210"),
        ("/a/é/", "/prod/a/%C3%A9/"),
        ("https://other.example/x", "https://other.example/x"),
        ("", ""),
    ],
)
def test_two_locations_are_the_same(before: str, after: str):
    plain, on_lambda = Place("www.shop.example"), Place("h.example", "/prod")

    assert plain.comparable(before, "/page/") == on_lambda.comparable(after, "/page/")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("/login/", "/login/"),
        ("/a/", "/prod/b/"),
        ("/a/?next=/x/", "/prod/a/?next=/prod/y/"),
        ("https://other.example/x", "https://another.example/x"),
        ("/a/", ""),
    ],
)
def test_two_locations_differ(before: str, after: str):
    plain, on_lambda = Place("www.shop.example"), Place("h.example", "/prod")

    assert plain.comparable(before, "/page/") != on_lambda.comparable(after, "/page/")


@pytest.mark.parametrize(
    ("path", "ends"),
    [
        ("/logout/", True),
        ("/accounts/sign-out", True),
        ("/admin/log_off/?next=/", True),
        ("/user-logout/", True),
        ("/outlook/?from=/logout/", False),
        ("/blogouts/", False),
        ("/catalogue/", False),
    ],
)
def test_a_logout_is_recognized(path: str, ends: bool):
    assert is_logout(path) is ends
