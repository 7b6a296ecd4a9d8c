"""The app's own settings, from the variables that the deployment sets."""

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

from .site import Site


def backoff(value: str) -> tuple[int, int]:
    first, longest = map(int, value.split(","))
    return first, longest


def boolean(value: str) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True}
    words |= {"false": False, "no": False, "off": False, "0": False}
    try:
        return words[value.lower()]
    except KeyError:
        raise ValueError from None


# What reads the variable of the same name, and what it must be, in words.
SETTINGS: dict[str, tuple[Callable[[str], Any], str]] = {
    "LAMBDA_BASE_PATH": (str, ""),
    "LAMBDA_COMPRESSION": (boolean, "true or false"),
    "LAMBDA_DEADLINE_MARGIN": (float, "a number of seconds, such as 0.5"),
    "LAMBDA_ORIGIN_SECRET": (str, ""),
    "LAMBDA_TASK_BACKOFF": (backoff, "two numbers of seconds, such as 10,900"),
    "LAMBDA_TRUSTED_PROXIES": (int, "a whole number, such as 1"),
    "LAMBDA_URL_SCHEME": (str, ""),
}


def read(name: str) -> str:
    """Return an environment variable, or "" if it is unset."""
    return os.environ.get(name, "").strip()


def lambda_settings(site: Site) -> None:
    """Take the settings that differ by stage from the stage's variables."""
    for name, (parse, kind) in SETTINGS.items():
        value = read(name)
        if not value or name in site.namespace:
            continue
        try:
            setting = parse(value)
        except ValueError:
            raise wrong(name, value, kind) from None
        site.change(
            name,
            setting,
            # It may be a secret.
            f"set from the variable {name}",
            "The deployment decides it for each stage.",
            f"Set {name} in your own settings",
        )


def public_url(site: Site) -> SplitResult | None:
    """Return PUBLIC_URL, where users find the site, or None."""
    value = read("PUBLIC_URL")
    if not value:
        return None
    url = urlsplit(value)
    if url.scheme not in ("http", "https") or not url.hostname or url.query:
        raise wrong("PUBLIC_URL", value, "a URL, such as https://example.com")
    return url


def split(value: str) -> list[str]:
    """Return the words of a list with commas."""
    return [word.strip() for word in value.split(",") if word.strip()]


def wrong(name: str, value: str, kind: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(
        f"The variable {name} is {value!r}, and must be {kind}: correct it in the "
        "environment of the function (serverless.yml)."
    )
