"""The URLs of a site that have no arguments."""

from typing import Any

from .static import example


def find_urls() -> list[str]:
    """Return the paths of all URL patterns without arguments, the admin's included."""
    import django
    from django.urls import Resolver404, get_resolver, resolve

    django.setup()
    found = []
    for path in dict.fromkeys(walk(get_resolver().url_patterns, "/")):
        try:
            resolve(path)
        except Resolver404:
            continue
        found.append(path)
    return found


def walk(patterns: list[Any], prefix: str) -> list[str]:
    """Return the paths below a prefix, in the order of the patterns."""
    found: list[str] = []
    for entry in patterns:
        for part in literal(entry.pattern):
            path = prefix + part
            if hasattr(entry, "url_patterns"):
                found += walk(entry.url_patterns, path)
            else:
                found.append(path)
    return found


def literal(pattern: Any) -> list[str]:
    """Return the texts that a pattern matches if it has no arguments, or none."""
    from django.urls.resolvers import LocalePrefixPattern, RoutePattern
    from django.utils.regex_helper import normalize

    if isinstance(pattern, LocalePrefixPattern):
        return [pattern.language_prefix]
    text = str(pattern)
    if isinstance(pattern, RoutePattern):
        return [] if "<" in text else [text]
    return [path for path, names in normalize(text) if not names][:1]


def find_pages(configured: list[str]) -> list[tuple[str, str]]:
    """
    Return the pages of a short check, as pairs of a name and a path.

    They are the configured ones, else the home page; the login pages; and a static
    file.
    """
    import django
    from django.conf import settings
    from django.shortcuts import resolve_url
    from django.urls import NoReverseMatch, Resolver404, resolve, reverse

    django.setup()
    pages = [("page", path) for path in configured or ["/"]]
    try:
        login = str(resolve_url(settings.LOGIN_URL))
        resolve(login.partition("?")[0])
        pages.append(("LOGIN_URL", login))
    except (NoReverseMatch, Resolver404):
        pass  # Django's default is set even if the site has no logins
    try:
        pages.append(("admin login", reverse("admin:login")))
    except NoReverseMatch:
        pass
    if file := example():
        pages.append(("static file", file))
    unique = {path: name for name, path in reversed(pages)}
    return [(name, path) for path, name in reversed(unique.items())]
