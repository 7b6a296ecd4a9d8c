"""Events of other sources, sent to the functions that run commands."""

import logging
from typing import Any

import pytest
from django.db import connection

from apps.aws_lambda import handlers
from apps.aws_lambda.events import UnsupportedEvent
from apps.aws_lambda.test import LambdaContext
from tests.events import ALL, ERROR_WORDS, NOT_WEB, load_event

HANDLERS = {
    "manage": handlers.manage(),
    "schedule": handlers.schedule(),
}
FROM_EVENTBRIDGE = {"eventbridge_rule", "eventbridge_schedule"}
FOR_SCHEDULES = FROM_EVENTBRIDGE | {"scheduled_command"}


@pytest.fixture(autouse=True)
def _no_connection() -> None:
    """Close the connection of earlier tests: an invocation checks open connections."""
    connection.close()


def refused(function: str, event: Any, caplog: pytest.LogCaptureFixture) -> str:
    """Return the error, which is logged once."""
    with pytest.raises(UnsupportedEvent) as refusal:
        HANDLERS[function](event, LambdaContext())
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [
        str(refusal.value)
    ]
    return str(refusal.value)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        *(("manage", name) for name in sorted(ALL - {"remote_command"})),
        *(("schedule", name) for name in sorted(ALL - FOR_SCHEDULES)),
    ],
)
def test_an_event_of_another_source_is_named_in_the_refusal(
    function: str, name: str, caplog: pytest.LogCaptureFixture
):
    message = refused(function, load_event(name), caplog)

    expected = ["web request", "the http function"]
    if name in NOT_WEB:
        expected = ERROR_WORDS[name]
    assert all(word in message for word in expected)
    assert f"the {function} function serves commands such as " in message


@pytest.mark.parametrize("name", sorted(FROM_EVENTBRIDGE))
def test_a_schedule_without_a_fixed_input_is_reported(
    name: str, caplog: pytest.LogCaptureFixture
):
    message = refused("schedule", load_event(name), caplog)

    assert "Give the target of the schedule a fixed input" in message


@pytest.mark.parametrize("function", HANDLERS)
@pytest.mark.parametrize(
    ("event", "text"),
    [
        (None, "expected an object, got NoneType."),
        ("clearsessions", "expected an object, got str."),
        ({}, "Its top-level keys: none."),
        ({"raw_command": "migrate"}, "Its top-level keys: raw_command."),
    ],
)
def test_an_event_of_unknown_shape_is_refused(
    function: str, event: Any, text: str, caplog: pytest.LogCaptureFixture
):
    assert text in refused(function, event, caplog)


@pytest.mark.parametrize(
    ("argv", "exit_code", "logged"),
    [
        (["createsuperuser", "--pasword", "hunter2"], 2, "createsuperuser"),
        (["createsuperuser", "--pasword=hunter2"], 2, "createsuperuser"),
        (["migrate", "--verbosity", "hunter2"], 2, "migrate"),
        (["--password=hunter2", "createsuperuser"], 126, "(not allowed)"),
        (["hunter2"], 126, "(not allowed)"),
    ],
)
def test_a_mistyped_password_is_shown_to_the_operator_only(
    argv: list[str],
    exit_code: int,
    logged: str,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.INFO)

    result = HANDLERS["manage"]({"argv": argv}, LambdaContext())

    assert result["exit_code"] == exit_code
    assert "hunter2" in result["output"]
    assert len(result["output"].splitlines()) == result["lines"]
    assert "hunter2" not in str([vars(r) for r in caplog.records])
    assert f"{logged} ended with exit code {exit_code}" in caplog.text
