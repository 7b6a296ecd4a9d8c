"""The care of connections around an invocation that is not a web request."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper

from apps.aws_lambda.database.connections import (
    close_old_connections,
    discard_interrupted_connections,
    discard_open_transactions,
    opened,
)
from apps.aws_lambda.handlers import lambda_handler, managing_connections
from apps.aws_lambda.test import LambdaContext


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
@pytest.mark.parametrize("error", [SystemExit, asyncio.CancelledError, None])
def test_a_transaction_does_not_outlive_its_invocation(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException] | None
):
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)

    def serve(invocation: Any) -> None:
        transaction.atomic().__enter__()
        Group.objects.create(name="half done")
        if error:
            raise error

    handler = lambda_handler(managing_connections(serve))
    if error:
        with pytest.raises(error):
            handler({}, LambdaContext())
    else:
        handler({}, LambdaContext())

    assert not connection.in_atomic_block
    assert not Group.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "discard", [discard_open_transactions, discard_interrupted_connections]
)
def test_the_transaction_of_a_test_is_kept(discard: Callable[[], None]):
    Group.objects.create(name="of the test")

    discard()

    assert Group.objects.count() == 1


@pytest.fixture
def another(tmp_path: Path, django_db_blocker: Any) -> Iterator[BaseDatabaseWrapper]:
    """A closed connection of its own, to a file."""
    wrapper = DatabaseWrapper(
        {
            **connections["default"].settings_dict,
            "NAME": tmp_path / "db.sqlite3",
            "OPTIONS": {},
        },
        "another",
    )
    with django_db_blocker.unblock():
        yield wrapper
        wrapper.close()


def test_a_connection_is_remembered_until_it_is_seen_closed(
    another: BaseDatabaseWrapper,
):
    another.ensure_connection()
    assert another in opened

    another.close()
    discard_open_transactions()

    assert another not in opened


def test_a_connection_of_another_thread_is_not_remembered(
    another: BaseDatabaseWrapper,
):
    another.inc_thread_sharing()
    with ThreadPoolExecutor(1) as threads:
        threads.submit(another.ensure_connection).result()

    assert another.connection is not None
    assert another not in opened
