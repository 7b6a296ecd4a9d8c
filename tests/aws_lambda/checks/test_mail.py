"""E-mail: where it goes."""

from typing import Any

import pytest
from django.contrib.auth.views import PasswordResetView
from django.core.mail.backends.smtp import EmailBackend
from django.urls import include, path

from tests.aws_lambda.checks import reported

SMTP = "django.core.mail.backends.smtp.EmailBackend"
SES = "apps.aws_lambda.mail.SESBackend"


class OwnBackend(EmailBackend):
    """A backend of a site."""


OWN = f"{__name__}.OwnBackend"


def smtp(host: str, backend: str = SMTP) -> dict[str, Any]:
    return {"BACKEND": backend, "OPTIONS": {"host": host}}


@pytest.mark.parametrize(
    "mailer", [smtp("localhost"), smtp("127.0.0.1"), smtp("::1", OWN), {}], ids=str
)
def test_a_mailer_to_localhost_is_reported(settings: Any, mailer: dict[str, Any]):
    settings.MAILERS = {"default": {"BACKEND": SES}, "news": mailer}

    (message,) = reported("W016")

    assert message.startswith("MAILERS['news'] is ")
    assert "no mail server runs on Lambda" in message


class OwnReset(PasswordResetView):
    """A page of a site."""


urlpatterns = [path("account/", include([path("reset/", OwnReset.as_view())]))]


def test_a_password_reset_by_the_default_of_django_is_reported(settings: Any):
    del settings.MAILERS
    settings.ROOT_URLCONF = __name__

    (message,) = reported("W016")

    assert message.startswith(f"EMAIL_BACKEND is {SMTP} with the host localhost")


def test_reports_to_admins_by_the_default_of_django_are_reported(settings: Any):
    del settings.MAILERS
    settings.ADMINS = ["ann@example.com"]

    assert reported("W016")


def test_a_site_without_e_mail_may_have_the_default_of_django(settings: Any):
    """Every site of a version before 6.1 has it."""
    del settings.MAILERS

    assert not reported("W016")


@pytest.mark.parametrize(
    "mailers",
    [
        {"default": {"BACKEND": SES}},
        {"default": smtp("smtp.example.com")},
        {"default": {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}},
        {"default": {"BACKEND": "anymail.backends.mailgun.EmailBackend"}},
        {},
    ],
    ids=str,
)
def test_mail_that_goes_elsewhere_is_accepted(settings: Any, mailers: dict[str, Any]):
    settings.MAILERS = mailers

    assert not reported("W016")
