"""Django's system checks, before commands."""

import logging
from collections.abc import Iterator

import pytest
from django.core.checks import Error
from django.core.checks.registry import registry

from apps.aws_lambda.commands import manage, schedule
from apps.aws_lambda.invocation import Invocation


def failing_check(**kwargs: object) -> list[Error]:
    return [Error("settings of a stage are wrong", id="tests.E001")]


@pytest.fixture(autouse=True)
def _failing_check() -> Iterator[None]:
    registry.register(failing_check)
    yield
    registry.registered_checks.discard(failing_check)


@pytest.mark.django_db
def test_a_scheduled_command_runs_without_system_checks(
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.INFO)

    schedule.serve(Invocation({"command": "clearsessions"}, None, 1))

    assert "The scheduled clearsessions succeeded" in caplog.messages
    assert "tests.E001" not in caplog.text


@pytest.mark.django_db
@pytest.mark.parametrize("command", ["clearsessions", "migrate"])
def test_an_operators_command_runs_the_system_checks(command: str):
    result = manage.serve(Invocation({"argv": [command]}, None, 1))

    assert result["exit_code"] == 1
    assert "tests.E001" in result["output"]


@pytest.mark.django_db
def test_an_operator_can_skip_the_system_checks():
    event = {"argv": ["clearsessions", "--skip-checks"]}

    assert manage.serve(Invocation(event, None, 1))["exit_code"] == 0
