"""Static files: hashed names, and URLs that include the stage."""

import pytest

from tests.aws_lambda.checks import reported

OURS = "apps.aws_lambda.storage.PrefixedStaticFilesStorage"
MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"
REMOTE = "django.core.files.storage.Storage"


@pytest.fixture
def configure(settings):
    def configure(backend, url="static/", base_path=""):
        settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}
        settings.STATIC_URL = url
        settings.LAMBDA_BASE_PATH = base_path

    return configure


@pytest.mark.parametrize(
    "backend", [PLAIN, "whitenoise.storage.CompressedStaticFilesStorage"]
)
def test_names_without_a_hash_are_reported(configure, backend):
    configure(backend)

    (message,) = reported("W008")

    assert f"STORAGES['staticfiles'] is {backend}" in message


@pytest.mark.parametrize("backend", [OURS, MANIFEST, "not.installed.Storage"])
def test_names_with_a_hash_are_accepted(configure, backend):
    configure(backend)

    assert not reported("W008")


@pytest.mark.parametrize(
    ("backend", "url", "base_path", "named"),
    [
        (OURS, "/static/", "", "STATIC_URL is '/static/'"),
        (OURS, "/static/", "/shop", "STATIC_URL is '/static/'"),
        (MANIFEST, "static/", "", "STORAGES['staticfiles']"),
        (PLAIN, "static/", "/shop", "STORAGES['staticfiles']"),
    ],
)
def test_urls_outside_the_stage_are_reported(configure, backend, url, base_path, named):
    configure(backend, url, base_path)

    (message,) = reported("W009")

    assert named in message


@pytest.mark.parametrize(
    ("backend", "url", "base_path"),
    [
        (OURS, "static/", ""),
        (OURS, "/shop/static/", "/shop"),
        (OURS, "https://cdn.example.com/static/", ""),
        (MANIFEST, "//cdn.example.com/static/", ""),
        (MANIFEST, "/static/", "/"),
        (REMOTE, "/static/", ""),
    ],
)
def test_urls_with_the_stage_or_of_another_host_are_accepted(
    configure, backend, url, base_path
):
    configure(backend, url, base_path)

    assert not reported("W009")


def test_a_project_without_static_files_is_not_checked(configure, settings):
    configure(PLAIN, "/static/")
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if app != "django.contrib.staticfiles"
    ]

    assert not reported("W008")
    assert not reported("W009")
