"""Direct uploads: the middleware and the policy."""

import pytest

from apps.aws_lambda.media import S3Storage
from apps.documents.models import Document
from tests.aws_lambda.checks import reported

ORIGIN = "https://media.s3.eu-west-1.amazonaws.com"


@pytest.fixture(autouse=True)
def _in_a_bucket(settings, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "apps.aws_lambda.media.S3Storage",
            "OPTIONS": {"bucket_name": "media"},
        },
    }


def test_the_app_without_its_middleware_is_reported(settings):
    assert reported("E024") == []
    settings.MIDDLEWARE = [m for m in settings.MIDDLEWARE if "Upload" not in m]

    [message] = reported("E024")

    assert "apps.aws_lambda.middleware.UploadMiddleware" in message
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if app != "apps.aws_lambda.uploads"
    ]
    assert reported("E024") == []


@pytest.mark.parametrize(
    ("policy", "directive"),
    [
        ({"default-src": ["'self'"]}, "default-src"),
        ({"default-src": [ORIGIN], "connect-src": ["'self'"]}, "connect-src"),
        ({"connect-src": ["'self'", ORIGIN]}, ""),
        ({"default-src": ["'self'"], "connect-src": ["https:"]}, ""),
        ({"img-src": ["'self'"]}, ""),
    ],
)
def test_a_policy_without_the_bucket_is_reported(settings, policy, directive):
    settings.SECURE_CSP = policy

    messages = reported("W018")

    expected = f"SECURE_CSP['{directive}'] does not have {ORIGIN}"
    assert [expected in message for message in messages] == [True] * bool(directive)


def test_a_policy_without_the_bucket_of_a_field_is_reported(settings, monkeypatch):
    settings.SECURE_CSP = {"connect-src": ["'self'", ORIGIN]}
    field = Document._meta.get_field("file")
    monkeypatch.setattr(field, "storage", S3Storage("scans", region_name="eu-west-2"))

    [message] = reported("W018")

    assert "https://scans.s3.eu-west-2.amazonaws.com: a browser" in message


def test_without_a_policy_or_a_bucket_nothing_is_forbidden(settings):
    settings.SECURE_CSP = {"default-src": ["'self'"]}
    storages = settings.STORAGES
    settings.STORAGES = {
        **storages,
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    }
    assert reported("W018") == []
    settings.STORAGES = storages
    assert reported("W018")
    settings.MIDDLEWARE = [m for m in settings.MIDDLEWARE if "csp" not in m]
    assert reported("W018") == []
