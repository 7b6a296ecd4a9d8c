"""What the settings cannot change."""

from pathlib import Path
from typing import Any

import pytest

from tests.aws_lambda.settings.conftest import Adopt, advice, startproject


def installing(*apps: str) -> dict[str, Any]:
    return {"INSTALLED_APPS": [*startproject()["INSTALLED_APPS"], *apps]}


COMPRESSOR = {**installing("compressor"), "COMPRESS_OFFLINE": True}


@pytest.mark.parametrize(
    ("settings", "about", "word"),
    [
        (installing("django_celery_beat"), "Celery", "worker"),
        ({"CELERY_BROKER_URL": "redis://"}, "Celery", "worker"),
        (installing("huey.contrib.djhuey"), "Huey", "worker"),
        (installing("django_q.apps.DjangoQConfig"), "Django Q", "worker"),
        (installing("channels"), "channels", "WebSockets"),
        (installing("daphne"), "daphne", "WebSockets"),
        (installing("debug_toolbar"), "debug_toolbar", "development"),
        (COMPRESSOR, "COMPRESS_OFFLINE", "collectstatic"),
        ({"SESSION_COOKIE_DOMAIN": ".example.org"}, "SESSION_COOKIE_DOMAIN", "log in"),
        ({"CSRF_COOKIE_DOMAIN": "shop.example.com"}, "CSRF_COOKIE_DOMAIN", "log in"),
        ({"PREPEND_WWW": True}, "PREPEND_WWW", "redirects"),
        ({"SECRET_KEY": "hunter2"}, "SECRET_KEY", "50"),
        ({"SECRET_KEY": "django-insecure-" + "x" * 60}, "SECRET_KEY", "50"),
        ({"UPLOADS_FOLDER": "/srv/shop/uploads"}, "UPLOADS_FOLDER", "read-only"),
        ({"INDEX_DIR": Path("/srv/shop/data/index")}, "INDEX_DIR", "read-only"),
        ({"DEFAULT_FILE_STORAGE": "a.B"}, "DEFAULT_FILE_STORAGE", "5.1"),
        ({"STATICFILES_STORAGE": "a.B"}, "STATICFILES_STORAGE", "5.1"),
    ],
)  # fmt: skip
def test_it_is_reported(
    adopt: Adopt,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    about: str,
    word: str,
):
    monkeypatch.setenv("PUBLIC_URL", "https://example.com")

    given = advice(adopt(**settings))

    assert word in given[about]
    assert about not in advice(adopt())
    if "SECRET_KEY" in settings:
        assert settings["SECRET_KEY"] not in given[about]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SESSION_COOKIE_DOMAIN", ".example.com"),
        ("CSRF_COOKIE_DOMAIN", "www.example.com"),
        ("PREPEND_WWW", True),
        ("BASE_DIR", Path("/srv/shop")),
        ("SETTINGS_DIR", "/srv/shop/mysite"),
        ("TEMPLATE_DIR", "/srv/shop/templates"),
        ("UPLOADS_FOLDER", "/mnt/uploads"),
        ("UPLOADS_FOLDER", ""),
        ("UPLOADS_FOLDER", None),
    ],
)
def test_it_is_not_reported(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch, name: str, value: Any
):
    monkeypatch.setenv("PUBLIC_URL", "https://www.example.com")

    assert name not in advice(adopt(**{name: value}))


def test_what_cannot_run_is_marked(adopt: Adopt):
    settings = adopt(**installing("daphne", "django_celery_beat"))

    blocks = {a["about"] for a in settings["LAMBDA_CHANGES"]["advice"] if a["blocks"]}
    assert blocks == {"daphne", "DATABASES['default']"}
