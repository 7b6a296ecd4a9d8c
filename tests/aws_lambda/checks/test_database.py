"""Database connections: no pool, health checks, timeouts and TLS."""

import sys
import types

import pytest
from django.db import connections

from tests.aws_lambda.checks import reported

POSTGRESQL = "django.db.backends.postgresql"
OPTIONS = {
    "connect_timeout": 3,
    "tcp_user_timeout": 2000,
    "sslmode": "verify-full",
}


@pytest.fixture
def configure(monkeypatch):
    """Set DATABASES, which the fixture ``settings`` cannot change."""

    def configure(**databases):
        databases.setdefault("default", {"ENGINE": "django.db.backends.sqlite3"})
        monkeypatch.setattr(
            connections, "settings", connections.configure_settings(databases)
        )

    return configure


def postgresql(options=(), **values):
    return {
        "ENGINE": POSTGRESQL,
        "HOST": "db.example.com",
        "OPTIONS": {**OPTIONS, **dict(options)},
        **values,
    }


def without(name):
    options = {key: value for key, value in OPTIONS.items() if key != name}
    return {"ENGINE": POSTGRESQL, "HOST": "db.example.com", "OPTIONS": options}


@pytest.mark.parametrize("pool", [True, {"min_size": 2}])
def test_a_pool_is_reported(configure, pool):
    configure(reports=postgresql({"pool": pool}))

    (message,) = reported("E001")

    assert "DATABASES['reports']['OPTIONS']['pool']" in message


@pytest.mark.parametrize("options", [{}, {"pool": False}])
def test_no_pool_is_accepted(configure, options):
    configure(default=postgresql(options))

    assert not reported("E001")


@pytest.mark.parametrize("age", [60, None])
def test_a_persistent_connection_without_health_checks_is_reported(configure, age):
    configure(default=postgresql(CONN_MAX_AGE=age))

    (message,) = reported("E002")

    assert f"DATABASES['default']['CONN_MAX_AGE'] is {age}" in message


@pytest.mark.parametrize(
    "database",
    [
        postgresql(CONN_MAX_AGE=60, CONN_HEALTH_CHECKS=True),
        postgresql(CONN_MAX_AGE=0),
        {"ENGINE": "django.db.backends.sqlite3", "CONN_MAX_AGE": None},
    ],
)
def test_a_checked_closed_or_local_connection_is_accepted(configure, database):
    configure(default=database)

    assert not reported("E002")


@pytest.mark.parametrize(
    ("check_id", "name", "bad"),
    [
        ("W001", "connect_timeout", [0, "0", 29, 120, "soon"]),
        ("W002", "tcp_user_timeout", [0, 29_000, 120_000]),
    ],
)
def test_a_missing_or_long_timeout_is_reported(configure, check_id, name, bad):
    configure(default=without(name))
    (message,) = reported(check_id)
    assert f"DATABASES['default']['OPTIONS'] has no {name!r}" in message

    for value in bad:
        configure(default=postgresql({name: value}))
        assert reported(check_id), value


@pytest.mark.parametrize("check_id", ["W001", "W002"])
@pytest.mark.parametrize(
    "database",
    [
        postgresql(),
        postgresql({"connect_timeout": "3", "tcp_user_timeout": "2000"}),
        {"ENGINE": POSTGRESQL},
        {"ENGINE": POSTGRESQL, "HOST": "localhost"},
        {"ENGINE": "django.db.backends.sqlite3"},
    ],
)
def test_short_timeouts_and_local_servers_are_accepted(configure, check_id, database):
    configure(default=database)

    assert not reported(check_id)


@pytest.mark.parametrize(
    "mode", ["disable", "allow", "prefer", "require", "verify-ca", ""]
)
def test_a_weak_sslmode_is_reported(configure, mode):
    configure(default=postgresql({"sslmode": mode}))

    (message,) = reported("E003")

    assert "DATABASES['default']['OPTIONS']['sslmode']" in message


@pytest.mark.parametrize(
    "database",
    [
        without("sslmode"),
        {**without("sslmode"), "HOST": "localhost,db.example.com"},
        {**without("sslmode"), "HOST": "/run/postgresql,db.example.com"},
        {**without("sslmode"), "HOST": "", "OPTIONS": {"host": "db.example.com"}},
        {**without("sslmode"), "HOST": "", "OPTIONS": {"service": "site"}},
    ],
)
def test_a_missing_sslmode_is_reported_for_a_remote_server(configure, database):
    configure(default=database)

    (message,) = reported("E003")

    assert "is not set" in message


@pytest.mark.parametrize(
    "database",
    [
        postgresql(),
        {**without("sslmode"), "OPTIONS": {"sslrootcert": "system"}},
        {"ENGINE": POSTGRESQL, "HOST": "127.0.0.1"},
        {"ENGINE": POSTGRESQL, "HOST": "localhost,127.0.0.2"},
        {"ENGINE": POSTGRESQL, "HOST": "/var/run/postgresql,::1"},
    ],
)
def test_a_verified_or_local_server_is_accepted(configure, database):
    configure(default=database)

    assert not reported("E003")


def test_the_options_of_another_engine_are_not_checked(configure, monkeypatch):
    backend = types.ModuleType("another_engine.base")
    backend.DatabaseWrapper = types.SimpleNamespace(vendor="mysql")  # type: ignore[attr-defined]
    for name in ("another_engine", "another_engine.base"):
        monkeypatch.setitem(sys.modules, name, backend)
    configure(
        default={
            "ENGINE": "another_engine",
            "HOST": "db.example.com",
            "CONN_MAX_AGE": 60,
            "OPTIONS": {"pool": True},
        }
    )

    assert [len(reported(i)) for i in ("W001", "W002", "E003")] == [0, 0, 0]
    assert [len(reported(i)) for i in ("E001", "E002")] == [1, 1]
