"""Look up the classes and middleware that settings name."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.module_loading import import_string


def load(path: str) -> Any:
    """Return the object at a dotted path, or None; Django reports a wrong path."""
    try:
        return import_string(path)
    except ImportError:
        return None


def is_subclass(path: str, *ancestors: type) -> bool:
    """Return whether the path names one of these classes or a subclass of one."""
    cls = load(path)
    return isinstance(cls, type) and issubclass(cls, ancestors)


def dotted_name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def names(path: str) -> set[str]:
    """
    Return the dotted names of the class at a path and of its ancestors.

    A subclass counts as each of its ancestors.
    """
    return {path, *map(dotted_name, getattr(load(path), "__mro__", ()))}


def middleware() -> Iterator[tuple[str, set[str]]]:
    """Yield each entry of MIDDLEWARE with the names of its class and ancestors."""
    for path in settings.MIDDLEWARE:
        yield path, names(path)


def has_middleware(name: str) -> bool:
    return any(name in known for _, known in middleware())


def view_classes() -> Iterator[type]:
    """Yield the classes of the views of all URLs."""
    waiting: list[URLPattern | URLResolver] = [get_resolver()]
    while waiting:
        pattern = waiting.pop()
        if isinstance(pattern, URLResolver):
            waiting += pattern.url_patterns
        elif view := getattr(pattern.callback, "view_class", None):
            yield view
