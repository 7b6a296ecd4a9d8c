"""What docs/adopt.md says of the event and the context, run as it is printed."""

import re
from contextvars import Context
from pathlib import Path
from typing import Any

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.invocation import invocation, request_id
from apps.aws_lambda.test import EventSource, LambdaContext
from tests.aws_lambda.site import get

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "adopt.md").read_text()
[BLOCK] = re.findall(
    r"```python\n(from apps.aws_lambda.invocation import [^`]*)```", TEXT
)
AFTER = TEXT.partition(BLOCK)[2]


class Application:
    """Run the documented code in each request, and keep what it has found."""

    names: dict[str, Any]
    environ: dict[str, Any]
    shown: dict[str, Any]

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.names, self.environ = {}, environ
        exec(BLOCK, self.names)  # noqa: S102
        # What each line shows, while there is something to show.
        self.shown = {
            expression: eval(expression, self.names)  # noqa: S307
            for line in BLOCK.splitlines()
            if not line.startswith("from ") and "=" not in line
            for expression in line.partition("#")[0].strip().split(", ")
            if expression
        }
        start_response("200 OK", [])
        return [b""]


def test_the_event_and_the_context_are_as_lambda_gave_them(
    event_source: EventSource,
) -> None:
    application, context, event = (
        Application(),
        LambdaContext(),
        event_source.event(get(event_source)),
    )

    make_handler(application, **event_source.handler_options)(event, context)

    assert application.shown["now.event"] is event
    assert application.shown["now.context"] is context
    assert application.shown["now.number"] == 1
    assert application.shown["now.cold_start"] is True
    assert 0 < application.shown["now.remaining_ms"] <= 29_000
    assert (
        application.shown["request_id.get()"]
        == (application.environ["aws_lambda.request_id"])
    )


def test_after_a_request_there_is_neither(event_source: EventSource) -> None:
    handler = make_handler(Application(), **event_source.handler_options)

    # In a context of its own: other tests leave theirs as they were.
    fresh = Context()
    fresh.run(handler, event_source.event(get(event_source)), LambdaContext())

    assert fresh.run(request_id.get) == ""
    assert fresh.run(invocation.get) is None


def test_the_keys_of_the_request_exist(event_source: EventSource) -> None:
    application, context = Application(), LambdaContext()
    keys = re.findall(r"`((?:aws_lambda|apig_wsgi)\.\w+)`", AFTER)

    make_handler(application, **event_source.handler_options)(
        event_source.event(get(event_source)), context
    )

    assert len(keys) == 6
    assert set(keys) <= application.environ.keys()
