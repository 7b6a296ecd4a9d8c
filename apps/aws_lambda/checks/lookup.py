"""What the settings name: classes, caches, numbers."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from .. import conf


def load(path: str) -> Any:
    """Return what the dotted path names, or None: Django reports a wrong one itself."""
    try:
        return import_string(path)
    except ImportError:
        return None


def is_subclass(path: str, *ancestors: type) -> bool:
    """Is the named thing a class, and one of these or a subclass of one?"""
    cls = load(path)
    return isinstance(cls, type) and issubclass(cls, ancestors)


def dotted_name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def names(path: str) -> set[str]:
    """
    Return the dotted names that the path answers to.

    A subclass does what its ancestors do, so it answers to their names too.
    """
    return {path, *map(dotted_name, getattr(load(path), "__mro__", ()))}


def middleware() -> Iterator[tuple[str, set[str]]]:
    """Yield each entry of MIDDLEWARE with the dotted names it answers to."""
    for path in settings.MIDDLEWARE:
        yield path, names(path)


def has_middleware(name: str) -> bool:
    return any(name in known for _, known in middleware())


def number(name: str) -> int | None:
    """Return the app's own setting if it is a positive whole number."""
    value = conf.get(name)
    # type(), because True is an int.
    return value if type(value) is int and value > 0 else None
