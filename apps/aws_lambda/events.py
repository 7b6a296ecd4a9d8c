"""
Recognize the kind of an event by its fields, without Django.

Event formats: https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
"""

from collections.abc import Callable
from typing import Any, NamedTuple

Event = dict[str, Any]
# The requestContext of an event.
RequestContext = dict[str, Any]


class UnsupportedEvent(ValueError):
    """
    An event that the invoked function does not serve.

    Raised out of the handler, never turned into a response: to a queue or a
    stream any response means success, and the messages would be deleted.
    """


class Kind(NamedTuple):
    """
    A kind of event: how to recognise it, and which function serves it.

    ``function`` is empty if none does; then ``advice`` says what to do.
    """

    name: str
    matches: Callable[[Event, RequestContext], bool]
    function: str = ""
    advice: str = "No function of this project serves it: remove the trigger."


def _source(event: Event) -> Any:
    """Return the event source of the first record, or None."""
    records = event.get("Records")
    first = records[0] if isinstance(records, list) and records else None
    if not isinstance(first, dict):
        return None
    # SNS alone writes it with a capital letter.
    return first.get("eventSource") or first.get("EventSource")


def _is_authorizer(event: Event, context: RequestContext) -> bool:
    return event.get("type") in ("REQUEST", "TOKEN") and (
        "methodArn" in event or "routeArn" in event
    )


def _is_websocket(event: Event, context: RequestContext) -> bool:
    return "connectionId" in context


def _is_lattice(event: Event, context: RequestContext) -> bool:
    return "serviceNetworkArn" in context or "raw_path" in event


def _is_web(event: Event, context: RequestContext) -> bool:
    return "httpMethod" in event or "http" in context


def _is_scheduled_command(event: Event, context: RequestContext) -> bool:
    return isinstance(event.get("command"), str) and isinstance(
        event.get("args", []), list
    )


# The first that matches counts.
KINDS = [
    Kind("a Lambda authorizer event", _is_authorizer),
    Kind(
        "a WebSocket API event",
        _is_websocket,
        advice="WSGI does not support WebSockets: remove the route.",
    ),
    Kind(
        "a VPC Lattice event",
        _is_lattice,
        advice="Use an Application Load Balancer to serve a VPC.",
    ),
    Kind("a web request", _is_web, "http"),
    Kind("an SQS event", lambda e, c: _source(e) == "aws:sqs", "tasks"),
    Kind("an SNS event", lambda e, c: _source(e) == "aws:sns"),
    Kind("an S3 event", lambda e, c: _source(e) == "aws:s3"),
    Kind("a DynamoDB stream event", lambda e, c: _source(e) == "aws:dynamodb"),
    Kind("a Kinesis stream event", lambda e, c: _source(e) == "aws:kinesis"),
    Kind("a CloudWatch Logs event", lambda e, c: "awslogs" in e),
    Kind(
        "an EventBridge event",
        lambda e, c: "detail-type" in e and "source" in e,
        "schedule",
    ),
    Kind(
        "a remote command's event",
        lambda e, c: isinstance(e.get("argv"), list),
        "manage",
    ),
    Kind("a scheduled command's event", _is_scheduled_command, "schedule"),
    Kind("a Cognito event", lambda e, c: "triggerSource" in e and "userPoolId" in e),
    Kind("an AppSync event", lambda e, c: "arguments" in e and "info" in e),
]


def refusal(event: Any, function: str, served: str) -> UnsupportedEvent:
    """
    Return the error for an event that ``function`` does not serve.

    It names the kind of event and the function that serves it, and never repeats the
    contents of the event. ``served`` is what the function does serve.
    """
    serves = f"the {function} function serves {served} only"
    if not isinstance(event, dict):
        return UnsupportedEvent(
            f"Not a Lambda event: expected an object, got {type(event).__name__}."
        )
    context = event.get("requestContext")
    context = context if isinstance(context, dict) else {}
    for kind in KINDS:
        if not kind.matches(event, context):
            continue
        if kind.function == function:
            return UnsupportedEvent(
                f"This looks like {kind.name}, but it does not have the documented "
                f"shape: {serves}."
            )
        advice = kind.advice
        if kind.function:
            advice = f"Send it to the {kind.function} function."
        return UnsupportedEvent(f"This looks like {kind.name}, and {serves}. {advice}")
    keys = ", ".join(sorted(str(key)[:40] for key in event)[:10])
    return UnsupportedEvent(
        f"This event is of an unknown kind, and {serves}. Its top-level keys: "
        f"{keys or 'none'}."
    )
