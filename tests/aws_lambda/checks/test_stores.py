"""Sessions, caches and throttles: shared by all execution environments."""

import sys

import pytest
from django.conf import global_settings
from django.core.cache.backends.redis import RedisCache

from apps.aws_lambda.settings import stores
from tests.aws_lambda.checks import reported

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"
FILES = "django.core.cache.backends.filebased.FileBasedCache"
DUMMY = "django.core.cache.backends.dummy.DummyCache"
DATABASE = "django.core.cache.backends.db.DatabaseCache"
REDIS = "django.core.cache.backends.redis.RedisCache"

CACHE_SESSIONS = "django.contrib.sessions.backends.cache"
CACHED_DB_SESSIONS = "django.contrib.sessions.backends.cached_db"
FILE_SESSIONS = "django.contrib.sessions.backends.file"
DB_SESSIONS = "django.contrib.sessions.backends.db"


LIBRARIES = [
    (REDIS, "redis"),
    ("django.core.cache.backends.memcached.PyMemcacheCache", "pymemcache"),
    ("django.core.cache.backends.memcached.PyLibMCCache", "pylibmc"),
    ("tests.aws_lambda.checks.test_stores.OwnRedis", "redis"),
    ("django_redis_of_nowhere.cache.RedisCache", "django-redis-of-nowhere"),
]


class OwnRedis(RedisCache):
    """A site's own class."""


@pytest.fixture
def caches(settings):
    def caches(**backends):
        settings.CACHES = {
            alias: {"BACKEND": backend, "LOCATION": "somewhere"}
            for alias, backend in {"default": DATABASE, **backends}.items()
        }

    return caches


@pytest.mark.parametrize("backend", [LOCMEM, FILES])
def test_a_default_cache_that_is_not_shared_is_reported(caches, backend):
    caches(default=backend)

    (message,) = reported("W005")

    assert f"CACHES['default'] is {backend}" in message


def test_a_site_that_sets_no_cache_is_not_reported(settings):
    settings.CACHES = global_settings.CACHES

    assert not reported("W005")


@pytest.mark.parametrize("backend", [DATABASE, REDIS, DUMMY, "django_dynamodb.Cache"])
def test_a_default_cache_that_is_the_same_on_a_server_is_accepted(caches, backend):
    caches(default=backend, scratch=LOCMEM)

    assert not reported("W005")


@pytest.mark.parametrize(
    ("engine", "alias", "backend"),
    [
        (FILE_SESSIONS, "default", DATABASE),
        (CACHE_SESSIONS, "default", LOCMEM),
        (CACHE_SESSIONS, "default", FILES),
        (CACHE_SESSIONS, "sessions", DUMMY),
        (CACHED_DB_SESSIONS, "default", LOCMEM),
        (CACHED_DB_SESSIONS, "sessions", FILES),
    ],
)
def test_sessions_that_are_not_shared_are_reported(
    settings, caches, engine, alias, backend
):
    settings.SESSION_ENGINE = engine
    settings.SESSION_CACHE_ALIAS = alias
    caches(**{alias: backend})

    (message,) = reported("E011")

    assert f"SESSION_ENGINE {engine}" in message


@pytest.mark.parametrize(
    ("engine", "backend"),
    [
        (DB_SESSIONS, LOCMEM),
        ("django.contrib.sessions.backends.signed_cookies", LOCMEM),
        (CACHE_SESSIONS, REDIS),
        (CACHED_DB_SESSIONS, DATABASE),
        (CACHED_DB_SESSIONS, DUMMY),
    ],
)
def test_shared_sessions_are_accepted(settings, caches, engine, backend):
    settings.SESSION_ENGINE = engine
    caches(default=backend)

    assert not reported("E011")


def test_sessions_without_the_middleware_are_not_checked(settings):
    settings.SESSION_ENGINE = FILE_SESSIONS
    settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]

    assert not reported("E011")


AXES = {"AXES_HANDLER": "axes.handlers.cache.AxesCacheHandler"}
RATELIMIT = {"RATELIMIT_USE_CACHE": "default"}
REST = {"REST_FRAMEWORK": {"DEFAULT_THROTTLE_CLASSES": ["somewhere.Throttle"]}}


@pytest.mark.parametrize("backend", [LOCMEM, FILES, DUMMY])
@pytest.mark.parametrize("throttle", [AXES, RATELIMIT, REST])
def test_a_throttle_in_a_cache_that_is_not_shared_is_reported(
    settings, caches, throttle, backend
):
    for name, value in throttle.items():
        setattr(settings, name, value)
    caches(default=backend)

    (message,) = reported("E012")

    assert f"CACHES['default'], {backend}" in message


@pytest.mark.parametrize(
    ("throttle", "alias"),
    [
        ({**AXES, "AXES_CACHE": "attempts"}, "attempts"),
        ({"RATELIMIT_USE_CACHE": "attempts"}, "attempts"),
    ],
)
def test_the_cache_of_a_throttle_is_checked(settings, caches, throttle, alias):
    for name, value in throttle.items():
        setattr(settings, name, value)
    caches(**{alias: LOCMEM})

    assert f"CACHES[{alias!r}]" in reported("E012")[0]


@pytest.mark.parametrize(
    ("throttle", "backend"),
    [
        (AXES, DATABASE),
        (RATELIMIT, REDIS),
        (REST, DATABASE),
        ({"AXES_HANDLER": "axes.handlers.database.AxesDatabaseHandler"}, LOCMEM),
        ({**AXES, "AXES_ENABLED": False}, LOCMEM),
        ({**RATELIMIT, "RATELIMIT_ENABLE": False}, LOCMEM),
        ({"REST_FRAMEWORK": {}}, LOCMEM),
    ],
)
def test_a_shared_or_disabled_throttle_is_accepted(settings, caches, throttle, backend):
    for name, value in throttle.items():
        setattr(settings, name, value)
    caches(default=backend)

    assert not reported("E012")


@pytest.mark.parametrize(("backend", "distribution"), LIBRARIES)
def test_a_cache_whose_library_is_missing_is_reported(caches, backend, distribution):
    caches(pages=backend)

    (message,) = reported("E022")

    assert message.startswith(f"CACHES['pages']['BACKEND'] is {backend}, which needs ")
    assert f"needs {distribution}, and {sys.executable} does not have it" in message


def test_other_backends_whose_library_is_missing_are_reported(settings):
    settings.STORAGES = {
        **settings.STORAGES,
        "backups": {"BACKEND": "storages_of_nowhere.S3Storage"},
    }
    settings.SESSION_ENGINE = "redis_sessions_of_nowhere.session"

    storage, sessions = reported("E022")

    assert storage.startswith("STORAGES['backups']['BACKEND'] is storages_of_nowhere.")
    assert sessions.startswith("SESSION_ENGINE is redis_sessions_of_nowhere.session")


def test_backends_with_their_libraries_are_accepted(settings, caches, monkeypatch):
    monkeypatch.setitem(stores.LIBRARIES, REDIS, "django")
    caches(redis=REDIS, files=FILES, own="tests.aws_lambda.checks.test_stores.OwnRedis")

    assert not reported("E022")
