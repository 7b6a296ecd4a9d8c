"""The care of connections around an invocation that is not a web request."""

import pytest
from django.db import connection, transaction

from apps.aws_lambda.database.connections import close_old_connections


@pytest.mark.django_db(transaction=True)
def test_an_expired_connection_is_closed():
    connection.ensure_connection()
    connection.close_at = 0.0

    close_old_connections()

    assert connection.connection is None


@pytest.mark.django_db(transaction=True)
def test_a_connection_within_its_age_is_kept():
    connection.ensure_connection()
    connection.close_at = None

    close_old_connections()

    assert connection.connection is not None


@pytest.mark.django_db(transaction=True)
def test_a_connection_in_a_transaction_is_kept():
    with transaction.atomic():
        connection.close_at = 0.0

        close_old_connections()

        assert connection.connection is not None
