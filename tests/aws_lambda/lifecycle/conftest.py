"""A server with the site's tables, shared with the tests of the database."""

from tests.aws_lambda.database.conftest import hanging, server

__all__ = ["hanging", "server"]
