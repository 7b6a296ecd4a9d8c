"""
What kind of event is this? Answered from its shape alone, without Django.

Event formats: https://docs.aws.amazon.com/lambda/latest/dg/lambda-services.html
"""

from collections.abc import Callable
from typing import Any

Event = dict[str, Any]


class UnsupportedEvent(ValueError):
    """
    An event that the function it was sent to does not serve.

    Raised out of the handler, never turned into a response: to a queue or a
    stream any response means success, and the messages would be deleted.
    """


Context = dict[str, Any]


def _source(event: Event) -> Any:
    """Return what the first record says it came from, or None."""
    records = event.get("Records")
    first = records[0] if isinstance(records, list) and records else None
    if not isinstance(first, dict):
        return None
    # SNS alone spells it with a capital letter.
    return first.get("eventSource") or first.get("EventSource")


# The event sources that send web requests. Each is told by the event and its
# requestContext.
#
# https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
# https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html


def is_rest_api(event: Event, context: Context) -> bool:
    return "httpMethod" in event and "version" not in event and "elb" not in context


def is_http_api(event: Event, context: Context) -> bool:
    return (
        event.get("version") == "2.0"
        and "http" in context
        and not is_function_url(event, context)
    )


def is_http_api_v1(event: Event, context: Context) -> bool:
    return event.get("version") == "1.0" and "httpMethod" in event


def is_function_url(event: Event, context: Context) -> bool:
    return (
        event.get("version") == "2.0"
        and "http" in context
        and ".lambda-url." in str(context.get("domainName"))
    )


def is_alb(event: Event, context: Context) -> bool:
    return "httpMethod" in event and "elb" in context


WEB: dict[str, Callable[[Event, Context], bool]] = {
    "REST API": is_rest_api,
    "HTTP API": is_http_api,
    "HTTP API (payload 1.0)": is_http_api_v1,
    "Function URL": is_function_url,
    "ALB": is_alb,
}


# Everything else that AWS is likely to send: what to call it, how to tell, and
# what to do about it.

TO_HTTP = "Send it to the http function."
TO_TASKS = "Send it to the tasks function."
TO_MANAGE = "Send it to the manage function."
TO_SCHEDULE = "Send it to the schedule function."
TO_NOBODY = "No function of this project serves it: remove the trigger."


def is_authorizer(event: Event, context: Context) -> bool:
    # Its REQUEST form holds all that a web request holds.
    return event.get("type") in ("REQUEST", "TOKEN") and (
        "methodArn" in event or "routeArn" in event
    )


def _is_scheduled(event: Event) -> bool:
    return isinstance(event.get("command"), str) and isinstance(
        event.get("args", []), list
    )


OTHER: list[tuple[str, Callable[[Event, Context], bool], str]] = [
    ("a Lambda authorizer", is_authorizer, TO_NOBODY),
    (
        "a WebSocket API",
        lambda e, c: "connectionId" in c,
        "WSGI has no WebSockets: remove the route.",
    ),
    (
        "a VPC Lattice",
        lambda e, c: "serviceNetworkArn" in c or "raw_path" in e,
        "Use an Application Load Balancer as the event source into a VPC.",
    ),
    ("an SQS", lambda e, c: _source(e) == "aws:sqs", TO_TASKS),
    ("an SNS", lambda e, c: _source(e) == "aws:sns", TO_NOBODY),
    ("an S3", lambda e, c: _source(e) == "aws:s3", TO_NOBODY),
    ("a DynamoDB stream", lambda e, c: _source(e) == "aws:dynamodb", TO_NOBODY),
    ("a Kinesis stream", lambda e, c: _source(e) == "aws:kinesis", TO_NOBODY),
    ("a CloudWatch Logs", lambda e, c: "awslogs" in e, TO_NOBODY),
    ("an EventBridge", lambda e, c: "detail-type" in e and "source" in e, TO_SCHEDULE),
    ("a remote command's", lambda e, c: isinstance(e.get("argv"), list), TO_MANAGE),
    ("a scheduled command's", lambda e, c: _is_scheduled(e), TO_SCHEDULE),
    ("a Cognito", lambda e, c: "triggerSource" in e and "userPoolId" in e, TO_NOBODY),
    ("an AppSync", lambda e, c: "arguments" in e and "info" in e, TO_NOBODY),
]


def identify(event: Any) -> str:
    """
    Return the name of the event source, a key of WEB, that sent this web request.

    Raises UnsupportedEvent for anything else, naming what it looks like and
    which function should get it. Nothing is guessed.
    """
    event_source = _event_source(event)
    if event_source is None:
        raise refusal(event, "http", "web requests")
    return event_source


def refusal(event: Any, function: str, served: str) -> UnsupportedEvent:
    """Return the error that says what this event is, and whose, as it is not ours."""
    serves = f"the {function} function serves {served} only"
    if not isinstance(event, dict):
        return UnsupportedEvent(
            f"This is no event: expected an object, got {type(event).__name__}."
        )
    if event_source := _event_source(event):
        return UnsupportedEvent(
            f"This looks like a web request through {event_source}, and {serves}. "
            f"{TO_HTTP}"
        )
    context = _context(event)
    for name, sent, advice in OTHER:
        if sent(event, context):
            return UnsupportedEvent(
                f"This looks like {name} event, and {serves}. {advice}"
            )
    keys = ", ".join(sorted(str(key)[:40] for key in event)[:10])
    return UnsupportedEvent(
        f"This event is of no known kind, and {serves}. Its keys: {keys or 'none'}."
    )


def _event_source(event: Any) -> str | None:
    if not isinstance(event, dict):
        return None
    context = _context(event)
    # These two look like a web request in everything else.
    if is_authorizer(event, context) or "connectionId" in context:
        return None
    return next(
        (event_source for event_source, sent in WEB.items() if sent(event, context)),
        None,
    )


def _context(event: Event) -> Context:
    context = event.get("requestContext")
    return context if isinstance(context, dict) else {}
