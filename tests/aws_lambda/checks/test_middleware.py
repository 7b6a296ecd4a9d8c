"""Middleware: what is missing, and what is in the wrong order."""

import types

import pytest
from django.urls import clear_url_caches
from whitenoise import middleware as original

from apps.aws_lambda.middleware import RequestIDMiddleware
from apps.aws_lambda.views import server_error
from apps.aws_lambda.whitenoise import WhiteNoiseMiddleware
from tests.aws_lambda.checks import reported

OURS = "apps.aws_lambda.middleware."
REQUEST_ID = OURS + "RequestIDMiddleware"
EXCEPTION = OURS + "ExceptionMiddleware"
ORIGIN_SECRET = OURS + "OriginSecretMiddleware"
COOKIE_PATH = OURS + "CookiePathMiddleware"
COMPRESSION = OURS + "CompressionMiddleware"
CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"
CORS = "corsheaders.middleware.CorsMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
MESSAGES = "django.contrib.messages.middleware.MessageMiddleware"
SECURITY = "django.middleware.security.SecurityMiddleware"
SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
ORIGINAL = "whitenoise.middleware.WhiteNoiseMiddleware"
WHITENOISE = "apps.aws_lambda.whitenoise.WhiteNoiseMiddleware"

GOOD = [
    REQUEST_ID,
    COMPRESSION,
    ORIGIN_SECRET,
    CORS,
    SECURITY,
    WHITENOISE,
    COOKIE_PATH,
    CONDITIONAL,
    SESSION,
    COMMON,
    CSRF,
    MESSAGES,
    EXCEPTION,
]


class Subclassed(RequestIDMiddleware):
    pass


class ReportsExceptions:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, exception):
        return None


SUBCLASSED = f"{__name__}.Subclassed"
REPORTS = f"{__name__}.ReportsExceptions"


def before(path, other):
    """Return the right order with one entry moved before another."""
    rest = [entry for entry in GOOD if entry != path]
    index = rest.index(other)
    return [*rest[:index], path, *rest[index:]]


@pytest.mark.parametrize(
    ("second", "first"),
    [
        (WHITENOISE, SECURITY),
        (SESSION, WHITENOISE),
        (COMMON, WHITENOISE),
        (CSRF, WHITENOISE),
        (WHITENOISE, CORS),
        (WHITENOISE, ORIGIN_SECRET),
        (COMMON, CORS),
        (CONDITIONAL, COMPRESSION),
        (SESSION, COOKIE_PATH),
        (CSRF, COOKIE_PATH),
        (MESSAGES, COOKIE_PATH),
    ],
)
def test_a_pair_in_the_wrong_order_is_reported(settings, second, first):
    settings.MIDDLEWARE = before(second, first)

    assert any(f"{first} comes after {second}" in m for m in reported("W011"))


def test_a_late_request_id_is_reported(settings):
    settings.MIDDLEWARE = before(SECURITY, REQUEST_ID)

    (message,) = reported("W011")

    assert f"{REQUEST_ID} is not first" in message


def test_an_exception_handler_that_is_never_called_is_reported(settings):
    settings.MIDDLEWARE = [*GOOD[:-1], REPORTS, EXCEPTION]

    (message,) = reported("W011")

    assert f"process_exception() of {REPORTS} is never called" in message


@pytest.mark.parametrize(
    "middleware",
    [
        GOOD,
        [*GOOD, REPORTS],
        [SUBCLASSED, *GOOD[1:]],
        [REQUEST_ID, "not.installed.Middleware", *GOOD[1:]],
        [SECURITY, SESSION],
        [SESSION, COMMON, CSRF, SECURITY, WHITENOISE],
    ],
)
def test_the_documented_order_is_accepted(settings, middleware):
    settings.MIDDLEWARE = middleware

    assert not reported("W011")


@pytest.mark.parametrize("name", [REQUEST_ID, EXCEPTION, COOKIE_PATH, WHITENOISE])
def test_missing_middleware_is_reported(settings, name):
    settings.MIDDLEWARE = [entry for entry in GOOD if entry != name]

    (message,) = reported("W010")

    assert f"MIDDLEWARE does not contain {name}" in message


def test_a_subclass_is_not_missing(settings):
    settings.MIDDLEWARE = [SUBCLASSED, *GOOD[1:]]

    assert not reported("W010")


@pytest.mark.parametrize(
    ("missing", "values"),
    [
        (COOKIE_PATH, {"LAMBDA_BASE_PATH": "/"}),
        (COOKIE_PATH, {"SESSION_COOKIE_PATH": "/a", "CSRF_COOKIE_PATH": "/a"}),
        (
            COOKIE_PATH,
            {
                "SESSION_COOKIE_NAME": "__Host-sessionid",
                "CSRF_COOKIE_NAME": "__Host-csrftoken",
            },
        ),
        (WHITENOISE, {"STATIC_URL": "https://cdn.example.com/static/"}),
    ],
)
def test_unnecessary_middleware_is_not_required(settings, missing, values):
    settings.MIDDLEWARE = [entry for entry in GOOD if entry != missing]
    for name, value in values.items():
        setattr(settings, name, value)

    assert not reported("W010")


def test_without_cookies_no_cookie_path_is_required(settings):
    settings.MIDDLEWARE = [REQUEST_ID, SECURITY, WHITENOISE, EXCEPTION]

    assert not reported("W010")


class OwnOriginal(original.WhiteNoiseMiddleware):  # type: ignore[misc]
    pass


class OwnWhiteNoise(WhiteNoiseMiddleware):
    pass


def test_another_whitenoise_is_not_missing(settings):
    settings.MIDDLEWARE = [ORIGINAL if name == WHITENOISE else name for name in GOOD]

    assert not reported("W010")


@pytest.mark.parametrize("kind", ["", "OwnOriginal"])
def test_a_whitenoise_that_looks_at_all_files_at_the_start_is_reported(settings, kind):
    own = f"{__name__}.{kind}" if kind else ORIGINAL
    settings.MIDDLEWARE = [own if name == WHITENOISE else name for name in GOOD]

    (message,) = reported("W017")

    assert own in message
    assert "which looks at every file in STATIC_ROOT" in message


def test_a_whitenoise_that_looks_when_asked_is_not_reported(settings):
    settings.MIDDLEWARE = GOOD
    assert not reported("W017")

    settings.MIDDLEWARE = [SECURITY, f"{__name__}.OwnWhiteNoise"]
    assert not reported("W017")

    # A CDN requests the files of this site, or has its own.
    settings.MIDDLEWARE = [ORIGINAL]
    settings.STATIC_URL = "https://cdn.example.com/static/"
    assert reported("W017")
    settings.STATIC_ROOT = None
    assert not reported("W017")


@pytest.fixture
def urlconf(settings):
    """Return an empty URLconf, which the settings name."""
    module = types.ModuleType("empty")
    module.urlpatterns = []  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = module
    yield module
    clear_url_caches()


def test_error_views_of_two_kinds_are_reported(settings, urlconf):
    urlconf.handler404 = "apps.aws_lambda.views.page_not_found"
    settings.CSRF_FAILURE_VIEW = "django.views.csrf.csrf_failure"

    (message,) = reported("W012")

    for name in ("handler400", "handler403", "handler500", "CSRF_FAILURE_VIEW"):
        assert name in message
    assert "handler404" not in message


def test_a_project_that_keeps_its_error_pages_is_accepted(settings, urlconf):
    settings.MIDDLEWARE = [entry for entry in GOOD if entry != EXCEPTION]

    assert not reported("W010")
    assert not reported("W012")


def test_error_views_without_their_middleware_are_reported(settings, urlconf):
    urlconf.handler500 = server_error
    settings.MIDDLEWARE = [entry for entry in GOOD if entry != EXCEPTION]

    (message,) = reported("W010")

    assert EXCEPTION in message


def test_a_project_without_a_urlconf_is_not_checked(settings):
    del settings.ROOT_URLCONF
    settings.CSRF_FAILURE_VIEW = "another.project.view"

    assert not reported("W012")


def test_custom_error_views_are_accepted(settings, urlconf):
    for status in (400, 403, 404, 500):
        setattr(urlconf, f"handler{status}", "another.project.view")
    settings.CSRF_FAILURE_VIEW = "another.project.view"

    assert not reported("W012")
