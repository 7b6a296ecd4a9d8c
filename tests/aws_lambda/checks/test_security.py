"""Security: debug pages, trusted hosts, headers and origins."""

import re

import pytest

from tests.aws_lambda.checks import reported

ORIGIN_SECRET = "apps.aws_lambda.middleware.OriginSecretMiddleware"
CORS = "corsheaders.middleware.CorsMiddleware"


@pytest.fixture(autouse=True)
def _no_hosts(settings):
    # The test runner adds a host.
    settings.ALLOWED_HOSTS = ["example.com"]


def test_debug_is_an_error(settings):
    settings.DEBUG = True
    assert reported("E010")

    settings.DEBUG = False
    assert not reported("E010")


@pytest.mark.parametrize(
    "host",
    [
        "*",
        ".com",
        ".amazonaws.com",
        ".eu-central-1.amazonaws.com",
        ".execute-api.eu-central-1.amazonaws.com",
        ".execute-api.cn-north-1.amazonaws.com.cn",
        ".execute-api.eusc-de-east-1.amazonaws.eu",
        ".us-gov-west-1.elb.amazonaws.com",
        ".Lambda-URL.eu-central-1.on.aws",
        ".on.aws",
        ".cloudfront.net",
    ],
)
def test_a_pattern_for_hosts_of_other_people_is_reported(settings, host):
    settings.ALLOWED_HOSTS = ["example.com", host]

    (message,) = reported("E005")

    assert f"ALLOWED_HOSTS has {host!r}" in message


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        ".example.com",
        "abc123.execute-api.eu-central-1.amazonaws.com",
        ".abc123.execute-api.eu-central-1.amazonaws.com",
        "[::1]",
    ],
)
def test_a_host_of_the_site_is_accepted(settings, host):
    settings.ALLOWED_HOSTS = [host]

    assert not reported("E005")


@pytest.mark.parametrize(
    "host",
    [
        ".execute-api.eu-central-1.amazonaws.com",
        ".execute-api.cn-north-1.amazonaws.com.cn",
        ".execute-api.eusc-de-east-1.amazonaws.eu",
        ".execute-api.us-gov-west-1.amazonaws.com",
        ".lambda-url.eu-central-1.on.aws",
    ],
)
def test_the_deployments_pattern_for_its_own_address_is_accepted(settings, host):
    """API Gateway and Function URLs deliver a request only to the host it names."""
    settings.ALLOWED_HOSTS = settings.LAMBDA_HOSTS = [host]

    assert not reported("E005")


@pytest.mark.parametrize(
    "host", ["*", ".com", ".eu-central-1.elb.amazonaws.com", ".amazonaws.com"]
)
def test_the_deployments_pattern_for_any_host_is_reported(settings, host):
    settings.ALLOWED_HOSTS = settings.LAMBDA_HOSTS = [host]

    assert reported("E005")


@pytest.mark.parametrize("hosts", [[], [None], [""]])
def test_no_hosts_are_an_error(settings, hosts):
    settings.ALLOWED_HOSTS = hosts

    (message,) = reported("E019")

    assert f"ALLOWED_HOSTS is {hosts!r}" in message


def test_hosts_are_not_required_for_development(settings):
    settings.ALLOWED_HOSTS = []
    settings.DEBUG = True

    assert not reported("E019")


def test_a_host_chosen_by_the_client_is_reported(settings):
    settings.USE_X_FORWARDED_HOST = True
    assert "USE_X_FORWARDED_HOST" in reported("E006")[0]

    settings.USE_X_FORWARDED_HOST = False
    assert not reported("E006")


def test_an_origin_secret_that_is_not_demanded_is_reported(settings):
    settings.LAMBDA_ORIGIN_SECRET = "s" * 40

    (message,) = reported("E018")

    assert f"MIDDLEWARE does not contain {ORIGIN_SECRET}" in message
    assert "sss" not in message


def test_the_middleware_without_an_origin_secret_is_reported(settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, ORIGIN_SECRET]

    (message,) = reported("E018")

    assert "LAMBDA_ORIGIN_SECRET is empty" in message


def test_both_or_neither_of_secret_and_middleware_are_accepted(settings):
    assert not reported("E018")

    settings.LAMBDA_ORIGIN_SECRET = "s" * 40
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, ORIGIN_SECRET]
    assert not reported("E018")


@pytest.mark.parametrize("origin", ["https://*", "https://*.example.com"])
def test_a_wildcard_among_the_trusted_origins_is_reported(settings, origin):
    settings.CSRF_TRUSTED_ORIGINS = [origin]

    (message,) = reported("E008")

    assert f"CSRF_TRUSTED_ORIGINS has {origin!r}" in message


def test_a_plain_http_origin_is_reported(settings):
    settings.CSRF_TRUSTED_ORIGINS = ["http://example.com"]

    (message,) = reported("E009")

    assert "CSRF_TRUSTED_ORIGINS has 'http://example.com'" in message


@pytest.mark.parametrize("check_id", ["E008", "E009"])
def test_a_full_origin_is_accepted(settings, check_id):
    settings.CSRF_TRUSTED_ORIGINS = ["https://www.example.com"]

    assert not reported(check_id)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CORS_ALLOW_ALL_ORIGINS", True),
        ("CORS_ORIGIN_ALLOW_ALL", True),
        ("CORS_ALLOWED_ORIGIN_REGEXES", [r"^https://app\.example\.com$", r".*"]),
        ("CORS_ALLOWED_ORIGIN_REGEXES", [r"^https?://[\w.-]+\.com$"]),
        ("CORS_ALLOWED_ORIGIN_REGEXES", (re.compile("^https://"),)),
        ("CORS_ORIGIN_REGEX_WHITELIST", ["https://"]),
    ],
)
def test_credentials_for_all_origins_are_reported(settings, name, value):
    settings.MIDDLEWARE = [CORS, *settings.MIDDLEWARE]
    settings.CORS_ALLOW_CREDENTIALS = True
    setattr(settings, name, value)

    (message,) = reported("E007")

    assert message.startswith(name)
    assert "CORS_ALLOW_CREDENTIALS" in message


@pytest.mark.parametrize(
    ("middleware", "credentials", "name", "value"),
    [
        ([CORS], True, "CORS_ALLOWED_ORIGINS", ["https://app.example.com"]),
        ([CORS], True, "CORS_ALLOWED_ORIGIN_REGEXES", [r"^https://\w+\.example\.com$"]),
        ([CORS], True, "CORS_ALLOW_ALL_ORIGINS", False),
        ([CORS], False, "CORS_ALLOW_ALL_ORIGINS", True),
        ([], True, "CORS_ALLOW_ALL_ORIGINS", True),
    ],
)
def test_listed_origins_no_credentials_or_no_cors_are_accepted(
    settings, middleware, credentials, name, value
):
    settings.MIDDLEWARE = [*middleware, *settings.MIDDLEWARE]
    settings.CORS_ALLOW_CREDENTIALS = credentials
    setattr(settings, name, value)

    assert not reported("E007")
