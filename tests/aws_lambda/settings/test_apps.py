"""The app, its middleware and WhiteNoise."""

from importlib.util import find_spec

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.aws_lambda.settings import site
from tests.aws_lambda.settings.conftest import Adopt, changed, startproject

FIRST = [
    f"apps.aws_lambda.middleware.{name}Middleware"
    for name in ("RequestID", "AccessLog", "Deadline", "Compression", "CookiePath")
]
COMPRESSION = FIRST[3]
CORS = "corsheaders.middleware.CorsMiddleware"
SECURITY, SESSION, COMMON, *REST = startproject()["MIDDLEWARE"]
CACHE = "wagtailcache.cache.UpdateCacheMiddleware"
ORIGINAL = "whitenoise.middleware.WhiteNoiseMiddleware"
WHITENOISE = "apps.aws_lambda.whitenoise.WhiteNoiseMiddleware"
OWN = "mysite.middleware.OwnWhiteNoiseMiddleware"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([SECURITY, SESSION, COMMON], [SECURITY, WHITENOISE, SESSION, COMMON]),
        ([CACHE, SECURITY, SESSION], [CACHE, SECURITY, WHITENOISE, SESSION]),
        ([SESSION, SECURITY], [SESSION, SECURITY, WHITENOISE]),
        ([SECURITY, CORS, SESSION], [SECURITY, CORS, WHITENOISE, SESSION]),
        ([CORS, SECURITY, COMMON], [CORS, SECURITY, WHITENOISE, COMMON]),
        ([SECURITY, SESSION, CORS], [SECURITY, WHITENOISE, SESSION, CORS]),
        ([CORS, COMMON], [CORS, WHITENOISE, COMMON]),
        ([COMMON], [WHITENOISE, COMMON]),
        ([], [WHITENOISE]),
        # It is there already.
        ([SECURITY, OWN, SESSION], [SECURITY, OWN, SESSION]),
        ([OWN, SECURITY], [OWN, SECURITY]),
        ([SECURITY, WHITENOISE], [SECURITY, WHITENOISE]),
        # It is replaced in its place.
        ([SECURITY, ORIGINAL, SESSION], [SECURITY, WHITENOISE, SESSION]),
        ([ORIGINAL, CACHE, SECURITY], [WHITENOISE, CACHE, SECURITY]),
        ([SECURITY, SESSION, ORIGINAL], [SECURITY, WHITENOISE, SESSION]),
        # After the sessions, where a site has appended it.
        ([SECURITY, SESSION, COMMON, OWN], [SECURITY, OWN, SESSION, COMMON]),
        ([SESSION, SECURITY, OWN], [SESSION, SECURITY, OWN]),
    ],
)
def test_middleware_is_placed_by_what_the_site_has(
    adopt: Adopt, given: list[str], expected: list[str]
):
    assert adopt(MIDDLEWARE=given)["MIDDLEWARE"] == FIRST + expected


def test_middleware_that_the_site_has_stays_where_it_is(adopt: Adopt):
    given = [*FIRST[:2], CACHE, SECURITY, WHITENOISE, FIRST[4], SESSION]

    middleware = adopt(MIDDLEWARE=given)["MIDDLEWARE"]

    assert middleware == [*FIRST[:4], *given[2:]]


@pytest.mark.parametrize(
    "own",
    [
        "django.middleware.gzip.GZipMiddleware",
        "compression_middleware.middleware.CompressionMiddleware",
        "django_brotli.middleware.BrotliMiddleware",
    ],
)
def test_a_site_that_compresses_responses_is_left_to_it(adopt: Adopt, own: str):
    assert COMPRESSION not in adopt(MIDDLEWARE=[own, SECURITY])["MIDDLEWARE"]


def test_compression_that_is_off_is_not_added(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    assert COMPRESSION not in adopt(LAMBDA_COMPRESSION=False)["MIDDLEWARE"]
    monkeypatch.setenv("LAMBDA_COMPRESSION", "off")
    settings = adopt()
    assert settings["LAMBDA_COMPRESSION"] is False
    assert COMPRESSION not in settings["MIDDLEWARE"]
    monkeypatch.setenv("LAMBDA_COMPRESSION", "no gzip")
    with pytest.raises(ImproperlyConfigured, match="must be true or false"):
        adopt()


def test_a_replaced_whitenoise_is_recorded_once_and_can_be_kept(adopt: Adopt):
    changes = adopt(MIDDLEWARE=[SECURITY, ORIGINAL])["LAMBDA_CHANGES"]["changes"]

    [change] = [c for c in changes if c["what"].startswith("replaced")]
    assert change["what"] == f"replaced {ORIGINAL} by {WHITENOISE}"
    assert 'keep=["MIDDLEWARE"]' in change["own"]
    kept = adopt(MIDDLEWARE=[SECURITY, ORIGINAL], keep=("MIDDLEWARE",))
    assert kept["MIDDLEWARE"] == [SECURITY, ORIGINAL]


def test_the_origin_secret_adds_its_middleware(adopt: Adopt):
    middleware = adopt(LAMBDA_ORIGIN_SECRET="s" * 32)["MIDDLEWARE"]

    assert middleware[4] == "apps.aws_lambda.middleware.OriginSecretMiddleware"


def test_the_sites_error_pages_stay(adopt: Adopt):
    settings = adopt()

    assert not any("ExceptionMiddleware" in name for name in settings["MIDDLEWARE"])
    assert "CSRF_FAILURE_VIEW" not in settings


def test_the_app_is_installed_last(adopt: Adopt):
    assert adopt()["INSTALLED_APPS"][-1] == "apps.aws_lambda"


@pytest.mark.parametrize(
    "entry", ["apps.aws_lambda", "apps.aws_lambda.apps.AwsLambdaConfig"]
)
def test_the_app_is_not_installed_twice(adopt: Adopt, entry: str):
    given = [entry, *startproject()["INSTALLED_APPS"]]

    assert adopt(INSTALLED_APPS=given)["INSTALLED_APPS"] == given


SERVED_ELSEWHERE = [
    {"STATIC_URL": "https://cdn.example.com/static/"},
    {"STATIC_URL": "//cdn.example.com/static/"},
    {"STORAGES": {"staticfiles": {"BACKEND": "storages.backends.s3.S3StaticStorage"}}},
    {"STORAGES": {"staticfiles": {"BACKEND": "mysite.storage.StaticS3Storage"}}},
    {"INSTALLED_APPS": ["django.contrib.sessions"]},
]


@pytest.mark.parametrize("elsewhere", SERVED_ELSEWHERE)
def test_static_files_of_another_server_are_left_to_it(
    adopt: Adopt, elsewhere: dict[str, object]
):
    settings = adopt(**elsewhere)

    assert WHITENOISE not in settings["MIDDLEWARE"]
    assert "STATIC_ROOT" not in changed(settings)


@pytest.fixture
def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every package seem absent."""
    monkeypatch.setattr(site, "find_spec", lambda name: None)
    assert find_spec("whitenoise")


@pytest.mark.usefixtures("without_packages")
def test_a_missing_whitenoise_is_refused_with_the_command(adopt: Adopt):
    with pytest.raises(ImproperlyConfigured) as raised:
        adopt()

    assert "pip install 'django-on-lambda[static]'" in str(raised.value)


@pytest.mark.usefixtures("without_packages")
@pytest.mark.parametrize(
    "settings", [*SERVED_ELSEWHERE, {"MIDDLEWARE": [OWN]}, {"keep": ("MIDDLEWARE",)}]
)
def test_whitenoise_is_not_required_where_it_is_not_added(
    adopt: Adopt, settings: dict[str, object]
):
    assert adopt(**settings)
