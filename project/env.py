"""
django-environ, but strict: a value that cannot be right stops the start.

django-environ reads ``DEBUG=Treu`` as False, ``$ecret`` as the name of another
variable, and keeps the space in "a, b". A setting that silently means something
else is worse than a site that does not start.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

TRUE = ("true", "yes", "on", "1")
FALSE = ("false", "no", "off", "0")


def boolean(value: str) -> bool:
    if value.lower() in TRUE:
        return True
    if value.lower() in FALSE:
        return False
    raise ValueError("must be true or false")


def integer(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError("must be a whole number, such as 30") from None


def seconds(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise ValueError("must be a number of seconds, such as 0.5")
    return number


def words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def origin(value: str) -> str:
    """Return the origin of a site: "https://example.com", without a path."""
    url = urlsplit(value)
    if url.scheme not in ("http", "https") or not url.hostname or url.path not in "/":
        raise ValueError("must be an origin, such as https://example.com")
    return f"{url.scheme}://{url.netloc}"


def origins(value: str) -> list[str]:
    return [origin(word) for word in words(value)]


def site_url(value: str) -> str:
    """Return the URL of a site, without a slash at its end."""
    url = urlsplit(value)
    if url.scheme not in ("http", "https") or not url.hostname or url.query:
        raise ValueError("must be a URL, such as https://example.com/shop")
    return value.rstrip("/")


def one_of(*choices: str) -> Callable[[str], str]:
    def choice(value: str) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return value

    return choice


def some_of(*choices: str) -> Callable[[str], list[str]]:
    """Read some of these, separated by commas; "none" stands for none of them."""

    def chosen(value: str) -> list[str]:
        names = [] if value == "none" else words(value)
        if not set(names) <= set(choices):
            raise ValueError(f"must be none, or some of {', '.join(choices)}")
        return names

    return chosen


def metrics_namespace(value: str) -> str:
    """Return the name as CloudWatch takes it, which keeps "AWS/" to itself."""
    if not re.fullmatch(r"(?!AWS/)[\w.\-/#: ]{1,255}", value, re.ASCII):
        raise ValueError("must be a name such as Shop/Web, and not begin with AWS/")
    return value


def log_level(value: str) -> str:
    """Return Python's name of a log level. Lambda knows two more."""
    level = {"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(value.upper(), value.upper())
    return one_of("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL")(level)


def database_url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in environ.Env.DB_SCHEMES or not url.path.strip("/"):
        raise ValueError("must be like postgres://user:password@host:5432/name")
    return value


# Python's own types are casts too, but lenient ones.
STRICT: dict[Any, Callable[[str], Any]] = {bool: boolean, int: integer, list: words}


class Env(environ.Env):  # type: ignore[misc]
    """
    Read environment variables by a table of ``NAME=(cast, default)``.

    A cast is ``str``, ``bool``, ``int``, ``list``, or a function that takes the
    text and raises ValueError with "must be ...". An empty value is the same as
    none. Raises ImproperlyConfigured with the variable's name, the length of
    its value and what it must be; never the value, which may be a secret.
    """

    def get_value(
        self,
        var: str,
        cast: Any = None,
        default: Any = environ.Env.NOTSET,
        parse_default: bool = False,
    ) -> Any:
        if cast is None and var in self.scheme:
            cast = self.scheme[var][0]
        if default is self.NOTSET and var in self.scheme:
            default = self.scheme[var][1]
        value = self.ENVIRON.get(var, "").strip()
        if not value:
            return default
        try:
            return STRICT.get(cast, cast or str)(value)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"{var} {error}; it is {len(value)} characters of something else."
            ) from None

    def require(self, *names: str, reason: str) -> None:
        """Raise one ImproperlyConfigured that names all of these that are not set."""
        missing: Sequence[str] = [name for name in names if not self(name)]
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise ImproperlyConfigured(f"{', '.join(missing)} {verb} not set. {reason}")
