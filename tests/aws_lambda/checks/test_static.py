"""Static files: hashed names, and URLs that include the stage."""

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

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
def test_names_without_a_hash_are_reported_if_browsers_keep_the_files(
    configure, settings, backend
):
    settings.WHITENOISE_MAX_AGE = 3600
    configure(backend)

    (message,) = reported("W008")

    assert f"STORAGES['staticfiles'] is {backend}" in message
    assert "WHITENOISE_MAX_AGE = 3600 seconds" in message

    # WhiteNoise's default, and no time at all.
    for settings.WHITENOISE_MAX_AGE in (60, None):
        assert not reported("W008")
    del settings.WHITENOISE_MAX_AGE
    assert not reported("W008")


@pytest.mark.parametrize(
    ("backend", "url"), [(PLAIN, "https://cdn.example.com/"), (REMOTE, "static/")]
)
def test_names_without_a_hash_are_reported_on_another_host(configure, backend, url):
    configure(backend, url)

    (message,) = reported("W008")

    assert "as long as that host allows" in message


@pytest.mark.parametrize("backend", [OURS, MANIFEST, "not.installed.Storage"])
def test_names_with_a_hash_are_accepted(configure, settings, backend):
    settings.WHITENOISE_MAX_AGE = 3600
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


def test_an_adopted_site_is_at_the_root_of_its_host(configure, settings):
    settings.LAMBDA_CHANGES = {"changes": [], "advice": []}
    configure(PLAIN, "/static/")
    assert not reported("W009")

    configure(PLAIN, "/static/", "/shop")
    assert reported("W009")


def test_a_project_without_static_root_is_reported(configure, settings):
    configure(PLAIN)
    settings.STATIC_ROOT = None
    assert reported("E020")

    configure(PLAIN, "https://cdn.example.com/static/")
    assert not reported("E020")


def test_a_missing_manifest_is_reported_where_files_were_collected(
    configure, settings, tmp_path
):
    configure(MANIFEST)
    settings.STATIC_ROOT = tmp_path

    (message,) = reported("E021")

    assert f"{tmp_path} has no staticfiles.json" in message


def test_a_missing_manifest_is_reported_on_lambda(
    configure, settings, tmp_path, monkeypatch
):
    configure(MANIFEST)
    settings.STATIC_ROOT = tmp_path / "absent"
    assert not reported("E021")

    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "site-http")
    assert reported("E021")


class Lenient(ManifestStaticFilesStorage):
    manifest_strict = False


@pytest.mark.parametrize("backend", [PLAIN, REMOTE, f"{__name__}.Lenient"])
def test_a_manifest_that_is_not_required_is_not_reported(
    configure, settings, tmp_path, backend
):
    configure(backend)
    settings.STATIC_ROOT = tmp_path

    assert not reported("E021")


def test_a_manifest_is_accepted(configure, settings, tmp_path):
    configure(MANIFEST)
    settings.STATIC_ROOT = tmp_path
    (tmp_path / "staticfiles.json").write_text("{}")

    assert not reported("E021")


def test_a_project_without_static_files_is_not_checked(configure, settings):
    configure(PLAIN, "/static/")
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if app != "django.contrib.staticfiles"
    ]

    assert not reported("W008")
    assert not reported("W009")
