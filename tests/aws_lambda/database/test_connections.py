"""Connections before and after an invocation that is not a web request."""

import pytest
from django.db import connection

from apps.aws_lambda.database.connections import usable_connections


def expire() -> None:
    """Open the connection, and let its CONN_MAX_AGE be over."""
    connection.ensure_connection()
    connection.close_at = 0.0


@pytest.mark.django_db(transaction=True)
def test_an_expired_connection_is_closed_before_the_block():
    expire()

    with usable_connections():
        assert connection.connection is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [None, RuntimeError])
def test_an_expired_connection_is_closed_after_the_block(error):
    try:
        with usable_connections():
            expire()
            if error:
                raise error
    except RuntimeError:
        pass

    assert connection.connection is None
