"""Databases, caches and sessions."""

from collections import UserDict
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.aws_lambda.settings import stores
from tests.aws_lambda.settings.conftest import Adopt, advice, changed

POSTGRESQL = "django.db.backends.postgresql"
KEPT = {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True}
TIMEOUTS = {"connect_timeout": 3, "tcp_user_timeout": 2000}


def database(engine: str, **entry: Any) -> dict[str, Any]:
    return {"ENGINE": engine, "HOST": "db.example.com", "PASSWORD": "secret", **entry}


@pytest.mark.parametrize(
    "engine",
    [
        POSTGRESQL,
        "django.db.backends.postgresql_psycopg2",
        "django.contrib.gis.db.backends.postgis",
        "django_prometheus.db.backends.postgresql",
        "django_tenants.postgresql_backend",
        "apps.aws_lambda.database.postgresql",
    ],
)
def test_postgresql_is_recognised_and_keeps_its_engine(adopt: Adopt, engine: str):
    given = database(
        engine, CONN_MAX_AGE=600, OPTIONS={"pool": True, "sslmode": "require"}
    )

    settings = adopt(DATABASES={"default": given})

    options = {**TIMEOUTS, "sslmode": "require"}
    assert settings["DATABASES"]["default"] == {**given, **KEPT, "OPTIONS": options}
    assert "secret" not in repr(settings["LAMBDA_CHANGES"])


def test_every_database_is_configured(adopt: Adopt):
    databases = {
        "default": UserDict(database(POSTGRESQL)),
        "legacy": database("django.db.backends.mysql", OPTIONS={"charset": "utf8mb4"}),
        "erp": database("django.db.backends.oracle"),
        "files": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"},
        "none": {},
    }

    after = adopt(DATABASES=databases)["DATABASES"]

    assert after["default"] == {**databases["default"], **KEPT, "OPTIONS": TIMEOUTS}
    options = {"connect_timeout": 3, "charset": "utf8mb4"}
    assert after["legacy"] == {**databases["legacy"], **KEPT, "OPTIONS": options}
    assert after["erp"] == {**databases["erp"], **KEPT}
    assert (after["files"], after["none"]) == (databases["files"], {})


def test_timeouts_of_the_site_stay(adopt: Adopt):
    options = {"connect_timeout": 5, "tcp_user_timeout": 9000}

    settings = adopt(DATABASES={"default": database(POSTGRESQL, OPTIONS=options)})

    assert settings["DATABASES"]["default"]["OPTIONS"] == options


def test_the_profile_for_a_proxy_keeps_connections(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LAMBDA_DATABASE_PROFILE", "proxy")

    settings = adopt(
        DATABASES={
            "default": database(POSTGRESQL),
            "legacy": database("django.db.backends.mysql"),
        }
    )

    default, legacy = settings["DATABASES"].values()
    assert (default["CONN_MAX_AGE"], legacy["CONN_MAX_AGE"]) == (60, 60)
    assert default["DISABLE_SERVER_SIDE_CURSORS"] is True
    assert "DISABLE_SERVER_SIDE_CURSORS" not in legacy


def test_options_that_a_proxy_rejects_are_refused(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LAMBDA_DATABASE_PROFILE", "proxy")
    options = {"options": "-c search_path=shop"}

    with pytest.raises(ImproperlyConfigured, match="the option 'options'"):
        adopt(DATABASES={"default": database(POSTGRESQL, OPTIONS=options)})


def test_sqlite_is_reported_unless_it_is_shared(adopt: Adopt):
    sqlite = {"ENGINE": "django.db.backends.sqlite3"}

    record = adopt(
        DATABASES={
            "default": {**sqlite, "NAME": "/srv/shop/db.sqlite3"},
            "shared": {**sqlite, "NAME": "/mnt/files/db.sqlite3"},
        }
    )["LAMBDA_CHANGES"]

    about = {a["about"]: a["blocks"] for a in record["advice"]}
    assert about["DATABASES['default']"] is True
    assert "DATABASES['shared']" not in about


LOCMEM = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
REDIS = {
    "BACKEND": "django.core.cache.backends.redis.RedisCache",
    "LOCATION": "redis://r",
}
FILE = "django.core.cache.backends.filebased.FileBasedCache"
BACKENDS = "django.contrib.sessions.backends"


@pytest.mark.parametrize(
    ("location", "moved"),
    [
        ("/srv/shop/cache", "/tmp/cache-default"),  # noqa: S108
        ("/var/tmp/django", "/tmp/django-default"),  # noqa: S108
        ("/tmp/own", "/tmp/own"),  # noqa: S108
        ("/mnt/cache", "/mnt/cache"),
    ],
)
def test_a_cache_in_files_moves_to_where_it_can_be_written(
    adopt: Adopt, location: str, moved: str
):
    settings = adopt(CACHES={"default": {"BACKEND": FILE, "LOCATION": location}})

    assert settings["CACHES"]["default"]["LOCATION"] == moved
    assert ("CACHES" in changed(settings)) == (location != moved)


def test_the_code_is_read_only_wherever_it_is(adopt: Adopt):
    """A site below /tmp, as in a test, is below /var/task on Lambda."""
    file = "/tmp/shop/mysite/lambda_settings.py"  # noqa: S108
    inside = {"BACKEND": FILE, "LOCATION": "/tmp/shop/cache"}  # noqa: S108

    settings = adopt(__file__=file, CACHES={"default": inside})

    assert settings["CACHES"]["default"]["LOCATION"] == "/tmp/cache-default"  # noqa: S108


@pytest.mark.parametrize(
    "cache", [{**LOCMEM, "TIMEOUT": 60}, {"BACKEND": FILE, "LOCATION": "/mnt/c"}, REDIS]
)
def test_a_default_cache_that_is_not_shared_is_reported(
    adopt: Adopt, cache: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    # Its library is installed.
    monkeypatch.setitem(stores.LIBRARIES, REDIS["BACKEND"], "django")

    settings = adopt(CACHES={"default": cache})

    assert ("CACHES['default']" in advice(settings)) == (cache is not REDIS)
    assert "CACHES" not in changed(settings)


def test_a_site_that_sets_no_cache_gets_no_advice_about_it(adopt: Adopt):
    assert "CACHES['default']" not in advice(adopt())
    assert "CACHES['default']" not in advice(adopt(CACHES={"default": LOCMEM}))


@pytest.mark.parametrize(
    ("engine", "cache", "after"),
    [
        ("file", REDIS, "db"),
        ("cache", LOCMEM, "db"),
        ("cached_db", LOCMEM, "db"),
        ("cache", REDIS, "cache"),
        ("cached_db", REDIS, "cached_db"),
        ("signed_cookies", LOCMEM, "signed_cookies"),
        ("db", LOCMEM, "db"),
    ],
)
def test_sessions_are_where_every_environment_sees_them(
    adopt: Adopt, engine: str, cache: dict[str, str], after: str
):
    settings = adopt(
        SESSION_ENGINE=f"{BACKENDS}.{engine}",
        SESSION_CACHE_ALIAS="sessions",
        CACHES={"default": REDIS, "sessions": cache},
    )

    assert settings["SESSION_ENGINE"] == f"{BACKENDS}.{after}"


def test_sessions_stay_without_the_app_that_has_their_table(adopt: Adopt):
    engine = f"{BACKENDS}.file"

    settings = adopt(SESSION_ENGINE=engine, INSTALLED_APPS=["django.contrib.auth"])

    assert settings["SESSION_ENGINE"] == engine


def test_a_cache_whose_library_is_missing_blocks(adopt: Adopt):
    redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache"}

    settings = adopt(CACHES={"default": redis, "other": {"BACKEND": "nowhere.Cache"}})

    found = {
        a["about"]: a["text"]
        for a in settings["LAMBDA_CHANGES"]["advice"]
        if a["blocks"] and a["about"].startswith("CACHES")
    }
    assert set(found) == {"CACHES['default']", "CACHES['other']"}
    assert (
        "RedisCache needs redis, which is not installed" in found["CACHES['default']"]
    )
    assert settings["CACHES"]["default"] == redis
