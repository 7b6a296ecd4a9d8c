"""A server with the site's tables, shared with the tests of the database."""

from tests.database.conftest import hanging, server

__all__ = ["hanging", "server"]
