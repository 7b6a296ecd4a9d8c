"""
Parameters and secrets that environment variables refer to.

``resolve`` replaces the references before the settings are read, ``refresh`` and
``refresh_if_stale`` fetch their values again, and ``check`` returns which of them
cannot be read. docs/secrets.md has the rest.
"""

from .references import (
    ParametersError,
    check,
    read_version,
    refresh,
    refresh_if_stale,
    resolve,
)

__all__ = [
    "ParametersError",
    "check",
    "read_version",
    "refresh",
    "refresh_if_stale",
    "resolve",
]
