"""What keeps a check from the data of the site, and where its requests are sent."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from apps.aws_lambda.cli.check.programs.settings import isolate
from apps.aws_lambda.cli.check.served import Surroundings, choose_event_source
from apps.aws_lambda.cli.configuration import Configuration

LOCMEM = "django.core.cache.backends.locmem.LocMemCache"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return an empty settings module of the name "shop_settings"."""
    settings = ModuleType("shop_settings")
    monkeypatch.setitem(sys.modules, settings.__name__, settings)
    return settings


def surroundings(stand_ins: dict[str, str], event_source: str | None) -> Surroundings:
    configuration = Configuration(
        settings="shop_settings", lock="uv.lock", code=(), stand_ins=stand_ins
    )
    source = choose_event_source(event_source, configuration)
    return Surroundings(Path(), Path(), configuration, Path("/scratch"), source)


def test_databases_on_servers_become_files_of_the_check(module: Any):
    module.DATABASES = {
        "default": {
            "ENGINE": "django.contrib.gis.db.backends.postgis",
            "NAME": "shop",
            "PASSWORD": "secret",
            "ATOMIC_REQUESTS": True,
        },
        "old": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path("/srv/old.db")},
    }

    replaced = isolate("shop_settings", "/data", "/static")

    default, old = module.DATABASES.values()
    assert default["ENGINE"] == "django.db.backends.sqlite3"
    assert default["NAME"] == "/data/default.sqlite3"
    assert default["ATOMIC_REQUESTS"] is True
    assert "PASSWORD" not in default
    assert (old["NAME"], old["COPY_OF"]) == ("/data/old.sqlite3", "/srv/old.db")
    assert replaced["databases"] == ["default (django.contrib.gis.db.backends.postgis)"]


def test_caches_on_servers_become_memory_and_files_are_those_of_the_check(module: Any):
    module.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": "redis://cache.example.com",
        },
        "files": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": "/var/cache/shop",
        },
        "table": {
            "BACKEND": "django.core.cache.backends.db.DatabaseCache",
            "LOCATION": "cache",
        },
    }
    table = module.CACHES["table"]

    replaced = isolate("shop_settings", "/data", "/static")

    assert module.CACHES["default"] == {"BACKEND": LOCMEM, "LOCATION": "default"}
    assert module.CACHES["files"]["LOCATION"] == "/data/cache-files"
    assert module.CACHES["table"] == table
    assert replaced["caches"] == ["default (django_redis.cache.RedisCache)"]


def test_mail_is_dropped_and_static_files_are_collected_elsewhere(module: Any):
    isolate("shop_settings", "/data", "/static")

    assert module.EMAIL_BACKEND == "django.core.mail.backends.dummy.EmailBackend"
    assert module.STATIC_ROOT == "/static"


@pytest.mark.parametrize(("key", "used"), [("", "of-aws"), ("own", "own")])
def test_a_site_without_a_key_gets_that_of_the_variable(
    module: Any, monkeypatch: pytest.MonkeyPatch, key: str, used: str
):
    monkeypatch.setenv("SECRET_KEY", "of-aws")
    module.SECRET_KEY = key

    isolate(module.__name__, "/data", "/static")

    assert used == module.SECRET_KEY


def test_no_setting_of_mail_stands_beside_mailers(module: Any):
    module.MAILERS = {
        "default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}
    }

    isolate("shop_settings", "/data", "/static")

    assert module.MAILERS == {
        "default": {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
    }
    assert not hasattr(module, "EMAIL_BACKEND")


@pytest.mark.parametrize(
    ("stand_ins", "host"),
    [
        ({}, "h1t2t3p4a5.execute-api.eu-west-1.amazonaws.com"),
        ({"ALLOWED_HOSTS": "*"}, "h1t2t3p4a5.execute-api.eu-west-1.amazonaws.com"),
        ({"ALLOWED_HOSTS": ".shop.example"}, "shop.example"),
        ({"ALLOWED_HOSTS": "a.example", "LAMBDA_HOSTS": "b.example,c"}, "b.example"),
        ({"LAMBDA_HOSTS": "b", "PUBLIC_URL": "https://d.example"}, "d.example"),
    ],
)
def test_requests_are_for_the_host_of_the_deployment(
    stand_ins: dict[str, str], host: str
):
    assert surroundings(stand_ins, None).event_source.host == host


def test_the_url_of_a_stage_has_the_host_of_the_api():
    chosen = surroundings({"PUBLIC_URL": "https://d.example"}, "rest_stage")

    assert chosen.event_source.host.endswith(".execute-api.eu-west-1.amazonaws.com")
    assert chosen.lambda_variables()["LAMBDA_HOSTS"] == chosen.event_source.host


def test_the_path_of_the_public_url_is_the_prefix():
    chosen = surroundings({"PUBLIC_URL": "https://d.example/tea/"}, None)

    assert chosen.event_source.prefix == "/tea"
    assert chosen.lambda_variables()["LAMBDA_BASE_PATH"] == "/tea"


def test_the_credentials_of_this_machine_are_not_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")

    for variables in (
        surroundings({}, None).lambda_variables(),
        surroundings({}, None).plain_variables("shop_settings"),
    ):
        assert "mine" not in variables.values()
        assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
