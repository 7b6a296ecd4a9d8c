"""URLs in settings, below LAMBDA_BASE_PATH."""

import pytest
from django.conf import UserSettingsHolder, global_settings
from django.http import HttpResponse
from django.urls import path

from tests.aws_lambda.checks import reported


@pytest.fixture(autouse=True)
def _below_shop(settings):
    settings.LAMBDA_BASE_PATH = "/shop"
    settings.MEDIA_URL = "https://media.example.com/"


@pytest.mark.parametrize("name", ["LOGIN_URL", "LOGOUT_REDIRECT_URL", "MEDIA_URL"])
def test_a_url_outside_the_prefix_is_reported(settings, name):
    setattr(settings, name, "/there/")

    (message,) = reported("W013")

    assert message.startswith(f"{name} is '/there/', and the site is served below")


@pytest.mark.parametrize(
    "url", ["/shop/there/", "login", "https://id.example.com/", ""]
)
def test_a_url_inside_the_prefix_is_accepted(settings, url):
    settings.LOGIN_URL = url

    assert not reported("W013")


@pytest.mark.parametrize("base_path", ["", "/"])
def test_a_site_at_the_root_is_not_checked(settings, base_path):
    settings.LAMBDA_BASE_PATH = base_path
    settings.LOGIN_URL = "/login/"

    assert not reported("W013")


def test_a_default_of_django_is_reported_if_its_page_exists(settings, monkeypatch):
    # As in a site that sets none of them.
    settings.LOGIN_URL = global_settings.LOGIN_URL
    monkeypatch.setattr(UserSettingsHolder, "is_overridden", lambda self, name: False)
    assert not reported("W013")

    # It has accounts/login/.
    settings.ROOT_URLCONF = "tests.aws_lambda.checks.test_urls"

    (message,) = reported("W013")
    assert message.startswith("LOGIN_URL is '/accounts/login/'")


urlpatterns = [path("accounts/login/", lambda request: HttpResponse())]
