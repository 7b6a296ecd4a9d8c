"""Events of others, sent to the functions that run commands."""

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
    """Close the one of earlier tests: a job looks whether what is open still works."""
    connection.close()


def refused(function: str, event: Any, caplog: pytest.LogCaptureFixture) -> str:
    """Return the refusal, which the log has once."""
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
def test_an_event_of_another_source_is_refused_by_name(
    function: str, name: str, caplog: pytest.LogCaptureFixture
):
    told = refused(function, load_event(name), caplog)

    expected = ["web request", "the http function"]
    if name in NOT_WEB:
        expected = ERROR_WORDS[name]
    assert all(words in told for words in expected)
    assert f"the {function} function serves commands such as " in told


@pytest.mark.parametrize("name", sorted(FROM_EVENTBRIDGE))
def test_the_schedule_function_says_what_its_schedule_lacks(
    name: str, caplog: pytest.LogCaptureFixture
):
    told = refused("schedule", load_event(name), caplog)

    assert "Give the target of the schedule a fixed input" in told


@pytest.mark.parametrize("function", HANDLERS)
@pytest.mark.parametrize(
    ("event", "says"),
    [
        (None, "expected an object, got NoneType."),
        ("clearsessions", "expected an object, got str."),
        ({}, "Its keys: none."),
        ({"raw_command": "migrate"}, "Its keys: raw_command."),
    ],
)
def test_an_event_without_shape_is_refused(
    function: str, event: Any, says: str, caplog: pytest.LogCaptureFixture
):
    assert says in refused(function, event, caplog)
