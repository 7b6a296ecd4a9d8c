"""A site's settings, and what apply() makes of them."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from apps.aws_lambda.settings import apply

Settings = dict[str, Any]
Adopt = Callable[..., Settings]

# What apply() reads.
VARIABLES = (
    "AWS_DEFAULT_REGION",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_REGION",
    "LAMBDA_BASE_PATH",
    "LAMBDA_CODE_BUNDLE",
    "LAMBDA_COMPRESSION",
    "LAMBDA_DATABASE_PROFILE",
    "LAMBDA_DEADLINE_MARGIN",
    "LAMBDA_EMAIL_FOLDER",
    "LAMBDA_HOSTS",
    "LAMBDA_METRICS_DIMENSIONS",
    "LAMBDA_METRICS_NAMESPACE",
    "LAMBDA_ORIGIN_SECRET",
    "LAMBDA_STATIC_ROOT",
    "LAMBDA_TASK_BACKOFF",
    "LAMBDA_TRUSTED_PROXIES",
    "LAMBDA_URL_SCHEME",
    "LOG_LEVEL",
    "MAIL_FROM",
    "MEDIA_BUCKET",
    "PUBLIC_URL",
    "TASK_QUEUE_URL",
)


def startproject(**changed: Any) -> Settings:
    """Return the settings that startproject writes, as a module has them."""
    return {
        "__name__": "mysite.lambda_settings",
        "__file__": "/srv/shop/mysite/lambda_settings.py",
        "ALLOWED_HOSTS": [],
        "DATABASES": {
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}
        },
        "DEBUG": True,
        "INSTALLED_APPS": [
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.staticfiles",
        ],
        "MIDDLEWARE": [
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        "ROOT_URLCONF": "mysite.urls",
        "SECRET_KEY": "long-and-varied-enough-for-django-0123456789-and-no-secret",
        "STATIC_URL": "static/",
        "WSGI_APPLICATION": "mysite.wsgi.application",
        **changed,
    }


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def adopt() -> Adopt:
    """
    Return a function that takes settings, and returns them as apply() leaves them.

    It fails if the values that the site defined have been changed in place, and if
    applying again changes anything.
    """

    def adopted(*, keep: tuple[str, ...] = (), **settings: Any) -> Settings:
        namespace = startproject(**settings)
        given = dict(namespace)
        before = copy.deepcopy(given)
        apply(namespace, keep=keep)
        assert given == before

        after = copy.deepcopy(namespace)
        apply(namespace, keep=keep)
        assert namespace == after
        return namespace

    return adopted


def changed(settings: Settings) -> set[str]:
    """Return the names of the settings that apply() has recorded as changed."""
    return {change["setting"] for change in settings["LAMBDA_CHANGES"]["changes"]}


def advice(settings: Settings) -> dict[str, str]:
    """Return the advice by what it is about."""
    return {a["about"]: a["text"] for a in settings["LAMBDA_CHANGES"]["advice"]}
