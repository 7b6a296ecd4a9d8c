"""The health check of a connection, and libpq's own timeouts."""

import socket
import sys
import time
from collections.abc import Iterator
from threading import Timer

import psycopg
import pytest

from apps.aws_lambda.database.postgresql.base import (
    HEALTH_CHECK_TIMEOUT_SECONDS,
    responds,
)
from apps.aws_lambda.database.profiles import OPTIONS
from tests.aws_lambda.database.relay import Relay
from tests.aws_lambda.database.server import SiteServer


@pytest.fixture
def relay(server: SiteServer) -> Iterator[Relay]:
    relay = Relay(server.postgresql.port)
    yield relay
    relay.close()


@pytest.fixture
def connection(server: SiteServer, relay: Relay) -> Iterator[psycopg.Connection]:
    connection = psycopg.connect(server.url(relay.port), **OPTIONS)
    yield connection
    connection.close()


def test_a_server_that_answers_is_healthy(connection):
    assert responds(connection.pgconn)


def test_the_check_leaves_the_connection_as_it_was(connection):
    responds(connection.pgconn)

    assert connection.info.transaction_status.name == "IDLE"
    assert connection.execute("SELECT 6 * 7").fetchone() == (42,)


def test_a_failed_transaction_is_not_healthy(connection):
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("SELECT 1 / 0")

    assert not responds(connection.pgconn)


def test_a_terminated_connection_is_not_healthy(server, connection):
    server.terminate()

    assert not responds(connection.pgconn)


def test_a_closed_connection_is_not_healthy(connection):
    connection.close()

    assert not responds(connection.pgconn)


@pytest.mark.alone
@pytest.mark.parametrize("fault", ["stall", "drop_packets"])
def test_a_server_that_does_not_answer_fails_the_check_in_time(
    relay, connection, fault
):
    getattr(relay, fault)()
    start = time.monotonic()

    assert not responds(connection.pgconn, 0.3)
    assert 0.3 <= time.monotonic() - start < 0.6


def test_the_check_takes_less_time_than_a_new_connection_may():
    assert OPTIONS["connect_timeout"] >= HEALTH_CHECK_TIMEOUT_SECONDS + 1


def test_connecting_to_a_server_that_does_not_answer_times_out(server, relay):
    relay.unresponsive = True
    start = time.monotonic()

    with pytest.raises(psycopg.OperationalError, match="timeout expired"):
        psycopg.connect(server.url(relay.port), **{**OPTIONS, "connect_timeout": 2})
    assert time.monotonic() - start < 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this timeout")
def test_sending_a_query_times_out(relay, connection):
    """Within a request no health check precedes a query."""
    connection.autocommit = True
    relay.stall()
    start = time.monotonic()
    # Without the timeout the query waits until the relay closes.
    rescue = Timer(6, relay.release)
    rescue.start()

    # More than the buffers on both sides hold, so that some data stays unsent.
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT length(%s)", ["x" * 2**25])
    rescue.cancel()
    assert 2 < time.monotonic() - start < 4


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has this timeout")
def test_the_socket_has_the_timeout(connection):
    with socket.socket(fileno=connection.pgconn.socket) as descriptor:
        timeout = descriptor.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        descriptor.detach()

    assert timeout == 2000
