"""
What the event source mapping of a queue sends: a batch of messages.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from typing import Any, NamedTuple

from ..aws import sqs
from ..events import refusal


class Record(NamedTuple):
    """
    One message, as it was received this time.

    ``attempt`` counts how often it was received, ``sent_ms`` is when it was first
    sent, in milliseconds since 1970, and ``group`` that of a FIFO queue, or "".
    """

    message_id: str
    receipt: str
    body: str
    attempt: int
    sent_ms: int
    group: str
    queue_url: str


def read(event: Any) -> list[Record]:
    """Return the messages of an event. Raise UnsupportedEvent if it has none."""
    records = event.get("Records") if isinstance(event, dict) else None
    try:
        if records and all(r["eventSource"] == "aws:sqs" for r in records):
            return [_read(record) for record in records]
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise refusal(event, "tasks", "the messages of its queue")


def _read(record: dict[str, Any]) -> Record:
    attributes = record["attributes"]
    arn = record["eventSourceARN"]
    # A standard queue may have groups, too, and they say nothing of the order.
    ordered = arn.endswith(".fifo")
    return Record(
        message_id=record["messageId"],
        receipt=record["receiptHandle"],
        body=record["body"],
        attempt=int(attributes["ApproximateReceiveCount"]),
        sent_ms=int(attributes["SentTimestamp"]),
        group=attributes["MessageGroupId"] if ordered else "",
        queue_url=sqs.queue_url(arn),
    )
