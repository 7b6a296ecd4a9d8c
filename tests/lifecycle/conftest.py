"""A server with the site's tables, shared with the tests of the database."""

from tests.database.conftest import server

__all__ = ["server"]
