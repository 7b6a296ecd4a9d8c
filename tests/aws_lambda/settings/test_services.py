"""Tasks and mail."""

from typing import Any

import django
import pytest
from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured

from tests.aws_lambda.settings.conftest import Adopt, advice, changed

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/tasks"
IMMEDIATE = "django.tasks.backends.immediate.ImmediateBackend"
SQS = "apps.aws_lambda.tasks.backend.SQSBackend"
CONSOLE = "django.core.mail.backends.console.EmailBackend"
SENDER = "noreply@example.com"
SES = "apps.aws_lambda.mail.SESBackend"
DUMMY = "django.core.mail.backends.dummy.EmailBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"


def test_tasks_go_to_the_queue(adopt: Adopt, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TASK_QUEUE_URL", URL)
    # Also with Django 5.2.
    monkeypatch.setattr(django, "VERSION", (6, 0, 0, "final", 0))
    default = {"default": {"BACKEND": IMMEDIATE}}
    monkeypatch.setattr(global_settings, "TASKS", default, raising=False)

    assert adopt()["TASKS"] == {
        "default": {"BACKEND": SQS, "OPTIONS": {"URLS": {"default": URL}}}
    }
    own = {"BACKEND": "mysite.tasks.Backend"}
    after = adopt(
        TASKS={"default": own, "other": {"BACKEND": IMMEDIATE, "QUEUES": ["a", "b"]}}
    )["TASKS"]

    assert after["default"] == own
    assert after["other"]["QUEUES"] == ["a", "b"]
    assert after["other"]["OPTIONS"] == {"URLS": {"a": URL, "b": URL}}


def test_tasks_without_a_queue_stay(adopt: Adopt):
    assert "TASKS" not in changed(adopt())


def test_a_queue_for_a_django_without_tasks_is_reported(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TASK_QUEUE_URL", URL)
    monkeypatch.setattr(django, "VERSION", (5, 2, 19, "final", 0))

    settings = adopt()

    assert "TASKS" not in changed(settings)
    assert "TASK_QUEUE_URL is set" in advice(settings)["TASKS"]


def test_the_back_off_is_that_of_the_variable(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    assert "LAMBDA_TASK_BACKOFF" not in adopt()

    monkeypatch.setenv("LAMBDA_TASK_BACKOFF", "1,2")

    assert adopt()["LAMBDA_TASK_BACKOFF"] == (1, 2)
    assert adopt(LAMBDA_TASK_BACKOFF=(5, 9))["LAMBDA_TASK_BACKOFF"] == (5, 9)


@pytest.mark.parametrize("value", ["1", "soon,later", "1,2,3"])
def test_a_wrong_back_off_is_reported(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch, value: str
):
    monkeypatch.setenv("LAMBDA_TASK_BACKOFF", value)

    with pytest.raises(ImproperlyConfigured, match="two numbers of seconds"):
        adopt()


FILES = "django.core.mail.backends.filebased.EmailBackend"


@pytest.mark.parametrize(
    "backend",
    [
        SMTP,
        "anymail.backends.mailgun.EmailBackend",
        "django_smtp_ssl.SSLEmailBackend",
        "shop.sessions.EmailBackend",
    ],
)
def test_mail_is_kept_in_the_folder(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch, backend: str
):
    monkeypatch.setenv("LAMBDA_EMAIL_FOLDER", "/srv/shop/.run/mail")

    old = adopt(EMAIL_BACKEND=backend, EMAIL_HOST="smtp.example.com")
    new = adopt(MAILERS={"default": {"BACKEND": backend, "OPTIONS": {"x": "y"}}})

    assert old["EMAIL_BACKEND"] == FILES
    assert old["EMAIL_FILE_PATH"] == "/srv/shop/.run/mail"
    assert new["MAILERS"] == {
        "default": {"BACKEND": FILES, "OPTIONS": {"file_path": "/srv/shop/.run/mail"}}
    }
    assert not any(name.startswith("EMAIL_") for name in new)


@pytest.mark.parametrize(
    "backend",
    [
        CONSOLE,
        FILES,
        "anymail.backends.amazon_ses.EmailBackend",
        "anymail.backends.amazon_sesv2.EmailBackend",
        "django_ses.SESBackend",
        "django_on_lambda.mail.SESBackend",
    ],
)
def test_mail_that_leaves_by_no_server_and_mail_of_ses_stay(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch, backend: str
):
    monkeypatch.setenv("LAMBDA_EMAIL_FOLDER", "/srv/shop/.run/mail")
    mailers = {"default": {"BACKEND": backend}}

    assert adopt(EMAIL_BACKEND=backend)["EMAIL_BACKEND"] == backend
    assert adopt(MAILERS=mailers)["MAILERS"] == mailers


def test_mail_by_ses_stays_with_the_folder(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    """The local SES of `run` keeps it, and the code is the one of the stage."""
    monkeypatch.setenv("LAMBDA_EMAIL_FOLDER", "/srv/shop/.run/mail")
    monkeypatch.setenv("MAIL_FROM", SENDER)

    assert adopt()["EMAIL_BACKEND"].endswith(".mail.SESBackend")


def test_mail_to_localhost_goes_to_ses(adopt: Adopt, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MAIL_FROM", SENDER)

    local: list[dict[str, Any]] = [
        {},
        {"EMAIL_HOST": "127.0.0.1"},
        {"EMAIL_BACKEND": SMTP},
        {"EMAIL_BACKEND": CONSOLE},
    ]
    for given in local:
        settings = adopt(**given)

        assert settings["EMAIL_BACKEND"] == SES
        assert settings["DEFAULT_FROM_EMAIL"] == settings["SERVER_EMAIL"] == SENDER
        assert "EMAIL_TIMEOUT" not in settings
        assert not {"EMAIL_BACKEND", "DEFAULT_FROM_EMAIL"} & advice(settings).keys()
    changes = settings["LAMBDA_CHANGES"]["changes"]
    [change] = [c for c in changes if c["setting"] == "EMAIL_BACKEND"]
    assert change["what"] == f"SES, from {SENDER}"
    assert "MAIL_FROM" in change["own"]


def test_mailers_to_localhost_go_to_ses(adopt: Adopt, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MAIL_FROM", SENDER)
    local = {"BACKEND": SMTP, "OPTIONS": {"host": "localhost", "port": 1025}}
    remote = {"OPTIONS": {"host": "smtp.example.com", "port": 587, "timeout": 4}}

    console = {"BACKEND": CONSOLE}

    settings = adopt(
        MAILERS={"default": local, "news": remote, "none": {}, "new": console}
    )

    ses = {"BACKEND": SES}
    expected = {"default": ses, "news": remote, "none": ses, "new": ses}
    assert settings["MAILERS"] == expected
    assert "EMAIL_BACKEND" not in settings
    assert settings["SERVER_EMAIL"] == SENDER


@pytest.mark.parametrize(
    "own",
    [
        {"EMAIL_HOST": "smtp.example.com", "EMAIL_PORT": 587},
        {"EMAIL_BACKEND": "anymail.backends.mailgun.EmailBackend"},
        {"EMAIL_BACKEND": DUMMY},
        {"MAILERS": {"default": {"BACKEND": "anymail.backends.mailgun.EmailBackend"}}},
        {"MAILERS": {}},
        {"keep": ("EMAIL_BACKEND",)},
    ],
    ids=str,
)
def test_mail_that_goes_elsewhere_stays(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch, own: dict[str, Any]
):
    monkeypatch.setenv("MAIL_FROM", SENDER)

    changes = changed(adopt(**own))

    assert not {"MAILERS", "EMAIL_BACKEND", "DEFAULT_FROM_EMAIL"} & changes


def test_mail_to_localhost_stays_without_a_sender(adopt: Adopt):
    assert not {"EMAIL_BACKEND", "DEFAULT_FROM_EMAIL"} & changed(adopt())


def test_a_sender_that_ses_refuses_is_reported(
    adopt: Adopt, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MAIL_FROM", SENDER)

    settings = adopt(
        DEFAULT_FROM_EMAIL="Shop <shop@example.com>", SERVER_EMAIL=f"Shop <{SENDER}>"
    )

    assert settings["DEFAULT_FROM_EMAIL"] == "Shop <shop@example.com>"
    assert "SES accepts mail from noreply@" in advice(settings)["DEFAULT_FROM_EMAIL"]
    assert "SERVER_EMAIL" not in advice(settings)


def test_an_smtp_server_has_a_timeout(adopt: Adopt):
    assert adopt(EMAIL_HOST="smtp.example.com")["EMAIL_TIMEOUT"] == 10
    own = adopt(EMAIL_HOST="smtp.example.com", EMAIL_TIMEOUT=5)
    assert own["EMAIL_TIMEOUT"] == 5
    other = adopt(EMAIL_HOST="smtp.example.com", EMAIL_BACKEND=CONSOLE)
    assert "EMAIL_TIMEOUT" not in other
    # The default server.
    assert "EMAIL_TIMEOUT" not in adopt()


def test_mailers_have_a_timeout_and_no_email_setting(adopt: Adopt):
    """Django 6.1 refuses any EMAIL_ setting beside MAILERS."""
    remote = {"OPTIONS": {"host": "smtp.example.com"}}
    timed = {"OPTIONS": {"host": "smtp.example.com", "timeout": 4}}

    settings = adopt(
        MAILERS={"default": remote, "timed": timed, "console": {"BACKEND": CONSOLE}}
    )

    assert settings["MAILERS"] == {
        "default": {"OPTIONS": {"host": "smtp.example.com", "timeout": 10}},
        "timed": timed,
        "console": {"BACKEND": CONSOLE},
    }
    assert not any(name.startswith("EMAIL_") for name in settings)
    assert "MAILERS" not in changed(adopt(MAILERS={}))


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        ({}, "EMAIL_BACKEND"),
        ({"EMAIL_HOST": "127.0.0.1"}, "EMAIL_BACKEND"),
        ({"EMAIL_HOST": "smtp.example.com"}, "EMAIL_BACKEND"),
        ({"EMAIL_BACKEND": None}, "EMAIL_BACKEND"),
        ({"EMAIL_BACKEND": CONSOLE}, "EMAIL_BACKEND"),
        ({"MAILERS": {"a": {"BACKEND": CONSOLE}}}, "MAILERS['a']"),
        ({"MAILERS": {"a": {"OPTIONS": {"host": "x.example.com"}}}}, "MAILERS['a']"),
        ({"EMAIL_HOST": "smtp.example.com", "EMAIL_PORT": 587}, ""),
        ({"EMAIL_BACKEND": "anymail.backends.amazon_ses.EmailBackend"}, ""),
        ({"MAILERS": {}}, ""),
    ],
)
def test_mail_that_is_not_delivered_is_reported(
    adopt: Adopt, settings: dict[str, object], about: str
):
    mail = [
        name for name in advice(adopt(**settings)) if name[:5] in ("EMAIL", "MAILE")
    ]

    assert mail == ([about] if about else [])


@pytest.mark.parametrize(
    ("settings", "helps"),
    [
        ({}, True),
        ({"EMAIL_BACKEND": CONSOLE}, True),
        ({"EMAIL_BACKEND": DUMMY}, False),
        ({"EMAIL_HOST": "smtp.example.com"}, False),
    ],
    ids=str,
)
def test_the_parameter_is_advised_only_where_it_changes_something(
    adopt: Adopt, settings: dict[str, Any], helps: bool
):
    text = advice(adopt(**settings))["EMAIL_BACKEND"]

    assert ("set the parameter mailFrom" in text) == helps
    assert text.endswith("use an SMTP server on port 587, or an API.")
