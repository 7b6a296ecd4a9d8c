"""The URLs of a site that have no arguments."""

from contextlib import suppress
from typing import Any

from .static import example


def find_urls() -> list[str]:
    """Return the paths of all URL patterns without arguments, the admin's included."""
    import django
    from django.urls import get_resolver
    from django.utils.translation import override

    django.setup()
    with override(served_language()):
        paths = dict.fromkeys(walk(get_resolver().url_patterns, "/"))
        return [path for path in paths if is_url(path)]


def served_language() -> str:
    """
    Return the language of a visitor without preferences, which URLs may begin with.

    LANGUAGE_CODE is "en-us" by default, and LANGUAGES has "en".
    """
    from django.conf import settings
    from django.conf.urls.i18n import is_language_prefix_patterns_used
    from django.utils.translation import get_supported_language_variant

    code: str = settings.LANGUAGE_CODE
    prefixed, prefixes_default = is_language_prefix_patterns_used(settings.ROOT_URLCONF)
    if prefixed and prefixes_default:
        with suppress(LookupError):
            code = get_supported_language_variant(code)
    return code


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

    They are the configured ones, else the home page if there is one; the login pages;
    and a static file.
    """
    import django
    from django.conf import global_settings, settings
    from django.shortcuts import resolve_url
    from django.urls import NoReverseMatch, reverse
    from django.utils.translation import override

    django.setup()
    changed = settings.LOGIN_URL != global_settings.LOGIN_URL
    with override(served_language()):
        home = ["/"] if is_url("/") else []
        pages = [("page", path) for path in configured or home]
        with suppress(NoReverseMatch):
            login = str(resolve_url(settings.LOGIN_URL))
            if changed or is_literal(login):
                pages.append(("LOGIN_URL", login))
        with suppress(NoReverseMatch):
            pages.append(("admin login", reverse("admin:login")))
    if file := example():
        pages.append(("static file", file))
    first = {path: name for name, path in reversed(pages)}
    return [(name, path) for path, name in reversed(first.items())]


def is_literal(path: str) -> bool:
    """
    Return whether a pattern without arguments matches a path.

    Django's default of LOGIN_URL is set even if the site has no logins, and a pattern
    for all pages of a CMS would match it.
    """
    from django.urls import Resolver404, resolve

    try:
        match = resolve(path)
    except Resolver404:
        return False
    return not match.args and not match.kwargs


def is_url(path: str) -> bool:
    """Return whether a pattern of the site matches a path."""
    from django.urls import Resolver404, resolve

    try:
        resolve(path)
    except Resolver404:
        return False
    return True
