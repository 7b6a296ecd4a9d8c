"""The care of connections around an invocation that is not a web request."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

from apps.aws_lambda.database.connections import (
    close_old_connections,
    discard_interrupted_connections,
    discard_open_transactions,
)
from apps.aws_lambda.handlers import lambda_handler, managing_connections


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


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_a_handler_leaves_open_is_rolled_back():
    def serve(invocation: object) -> None:
        transaction.atomic().__enter__()
        Group.objects.create(name="half done")

    lambda_handler(managing_connections(serve))({}, None)

    assert not connection.in_atomic_block
    assert Group.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    "discard", [discard_open_transactions, discard_interrupted_connections]
)
def test_the_transaction_of_a_test_is_kept(discard: Callable[[], None]):
    Group.objects.create(name="of the test")

    discard()

    assert Group.objects.count() == 1
