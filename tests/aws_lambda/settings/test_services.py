"""Tasks and mail."""

import django
import pytest
from django.conf import global_settings

from tests.aws_lambda.settings.conftest import Adopt, advice, changed

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/tasks"
IMMEDIATE = "django.tasks.backends.immediate.ImmediateBackend"
SQS = "apps.aws_lambda.tasks.backend.SQSBackend"
CONSOLE = "django.core.mail.backends.console.EmailBackend"
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
