"""URLs in settings that are outside of the prefix under which the site is served."""

from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.urls import Resolver404, resolve

from .. import conf

NAMES = ("LOGIN_URL", "LOGIN_REDIRECT_URL", "LOGOUT_REDIRECT_URL", "MEDIA_URL")


def outside_prefix() -> Iterator[CheckMessage]:
    base_path = conf.get("LAMBDA_BASE_PATH")
    if not base_path or base_path == "/":
        return
    for name in NAMES:
        # ``settings.MEDIA_URL`` starts with the script prefix of the first request.
        url = str(getattr(vars(settings)["_wrapped"], name) or "")
        if not url.startswith("/") or url.startswith((f"{base_path}/", "//")):
            continue
        if settings.is_overridden(name) or exists(url):  # type: ignore[misc]
            yield CheckWarning(
                f"{name} is {url!r}, and the site is served below {base_path}: "
                "browsers are sent outside of it.",
                hint="Use the name of a URL pattern, or start it with "
                f"{base_path + '/'!r}.",
                id="aws_lambda.W013",
            )


def exists(path: str) -> bool:
    """Return whether the site has a page at a path: Django's default may be unused."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return False
    try:
        resolve(path)
    except Resolver404:
        return False
    return True
