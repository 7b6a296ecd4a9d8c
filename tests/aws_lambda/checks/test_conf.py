"""The app's own settings."""

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
    ],
)
def test_an_invalid_value_is_reported(settings, name, value):
    setattr(settings, name, value)

    (message,) = reported("E016")

    assert message.startswith(f"{name} is {value!r}: ")


def test_all_invalid_values_are_reported(settings):
    settings.LAMBDA_BASE_PATH = "shop"
    settings.LAMBDA_TRUSTED_PROXIES = 0

    assert len(reported("E016")) == 2


@pytest.mark.parametrize("value", ["hunter2", 5])
def test_an_invalid_secret_is_reported_without_its_value(settings, value):
    settings.LAMBDA_ORIGIN_SECRET = value

    (message,) = reported("E016")

    assert message.startswith("LAMBDA_ORIGIN_SECRET is invalid: ")
    assert str(value) not in message


def test_the_defaults_are_valid(settings):
    for name, value in conf.DEFAULTS.items():
        setattr(settings, name, value)

    assert not reported("E016")
