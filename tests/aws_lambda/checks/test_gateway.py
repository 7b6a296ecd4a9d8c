"""The app's own settings, and the gateway's timeout."""

import pytest

from apps.aws_lambda import conf
from tests.aws_lambda.checks import reported


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAMBDA_BASE_PATH", "shop"),
        ("LAMBDA_BASE_PATH", 1),
        ("LAMBDA_URL_SCHEME", "ftp"),
        ("LAMBDA_TRUSTED_PROXIES", 0),
        ("LAMBDA_TRUSTED_PROXIES", "1"),
        ("LAMBDA_RESERVED_CONCURRENCY", 0),
        ("LAMBDA_DATABASE_MAX_CONNECTIONS", "100"),
        ("LAMBDA_FUNCTION_TIMEOUT", 2.5),
        ("LAMBDA_GATEWAY_TIMEOUT", True),
    ],
)
def test_a_value_that_cannot_be_right_is_reported(settings, name, value):
    setattr(settings, name, value)

    (message,) = reported("E016")

    assert message.startswith(f"{name} is {value!r}: ")


def test_every_wrong_value_is_reported_at_once(settings):
    settings.LAMBDA_BASE_PATH = "shop"
    settings.LAMBDA_TRUSTED_PROXIES = 0

    assert len(reported("E016")) == 2


def test_the_defaults_are_fine(settings):
    for name, value in conf.DEFAULTS.items():
        setattr(settings, name, value)

    assert not reported("E016")
    assert not reported("W013")


@pytest.mark.parametrize(("function", "gateway"), [(30, 29), (60, 30)])
def test_a_function_that_outlives_the_gateway_is_reported(settings, function, gateway):
    settings.LAMBDA_FUNCTION_TIMEOUT = function
    settings.LAMBDA_GATEWAY_TIMEOUT = gateway

    (message,) = reported("W013")

    assert f"LAMBDA_FUNCTION_TIMEOUT ({function} s)" in message


@pytest.mark.parametrize(
    ("function", "gateway"), [(28, 29), (29, 29), (None, 29), (900, None)]
)
def test_a_function_that_ends_first_is_fine(settings, function, gateway):
    settings.LAMBDA_FUNCTION_TIMEOUT = function
    settings.LAMBDA_GATEWAY_TIMEOUT = gateway

    assert not reported("W013")
