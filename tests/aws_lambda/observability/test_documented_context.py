"""The example in docs/settings.md for the event and the context works as printed."""

import re
from contextvars import Context
from pathlib import Path
from typing import Any

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.invocation import invocation, request_id
from apps.aws_lambda.test import EventSource, LambdaContext
from tests.aws_lambda.site import get

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "settings.md").read_text()
[BLOCK] = re.findall(
    r"```python\n(from apps.aws_lambda.invocation import [^`]*)```", TEXT
)
AFTER = TEXT.partition(BLOCK)[2]


class Application:
    """Run the documented code in each request, and keep its values."""

    names: dict[str, Any]
    environ: dict[str, Any]
    values: dict[str, Any]

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.names, self.environ = {}, environ
        exec(BLOCK, self.names)  # noqa: S102
        # The value of each expression, during the request.
        self.values = {
            expression: eval(expression, self.names)  # noqa: S307
            for line in BLOCK.splitlines()
            if not line.startswith("from ") and "=" not in line
            for expression in line.partition("#")[0].strip().split(", ")
            if expression
        }
        start_response("200 OK", [])
        return [b""]


def test_the_event_and_the_context_are_available(
    event_source: EventSource,
) -> None:
    application, context, event = (
        Application(),
        LambdaContext(),
        event_source.event(get(event_source)),
    )

    make_handler(application, **event_source.handler_options)(event, context)

    assert application.values["now.event"] is event
    assert application.values["now.context"] is context
    assert application.values["now.number"] == 1
    assert application.values["now.cold_start"] is True
    assert 0 < application.values["now.remaining_ms"] <= 29_000
    assert (
        application.values["request_id.get()"]
        == (application.environ["aws_lambda.request_id"])
    )


def test_the_invocation_is_reset_after_a_request(event_source: EventSource) -> None:
    handler = make_handler(Application(), **event_source.handler_options)

    # In a new context, which no other test has changed.
    fresh = Context()
    fresh.run(handler, event_source.event(get(event_source)), LambdaContext())

    assert fresh.run(request_id.get) == ""
    assert fresh.run(invocation.get) is None


def test_the_documented_environ_keys_exist(event_source: EventSource) -> None:
    application, context = Application(), LambdaContext()
    keys = re.findall(r"`((?:aws_lambda|apig_wsgi)\.\w+)`", AFTER)

    make_handler(application, **event_source.handler_options)(
        event_source.event(get(event_source)), context
    )

    assert len(keys) == 6
    assert set(keys) <= application.environ.keys()
