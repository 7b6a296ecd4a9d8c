"""Database connections that survive a freeze."""

from .profiles import configure

__all__ = ["configure"]
