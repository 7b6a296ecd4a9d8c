"""
The few calls to SQS that tasks need, each for up to ten messages.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
"""

import json
import os
import time
from itertools import batched
from typing import Any

from . import service
from .http import AwsError

# The most messages of one call.
BATCH = 10
# The most seconds that a message can be kept from others, once it was received.
MAX_INVISIBLE = 43_200

# The seconds after which a call is not repeated.
SECONDS = 5.0

Entry = dict[str, Any]


def hide(url: str, waits: dict[str, int]) -> set[str]:
    """
    Hand received messages out again after so many seconds, by their receipts.

    Returns the reasons why that failed with some.
    """
    entries = [
        {"ReceiptHandle": receipt, "VisibilityTimeout": min(seconds, MAX_INVISIBLE)}
        for receipt, seconds in waits.items()
    ]
    return _each("ChangeMessageVisibilityBatch", url, entries)


def delete(url: str, receipts: list[str]) -> set[str]:
    """Delete messages by their receipts, and return why that failed with some."""
    entries = [{"ReceiptHandle": receipt} for receipt in receipts]
    return _each("DeleteMessageBatch", url, entries)


def max_receive_count(url: str) -> int | None:
    """
    Return after how many receptions a message goes to the dead-letter queue.

    None if it never does. Raises AwsError.
    """
    question = {"QueueUrl": url, "AttributeNames": ["RedrivePolicy"]}
    answer = _call("GetQueueAttributes", question)
    policy = answer.get("Attributes", {}).get("RedrivePolicy")
    return int(json.loads(policy)["maxReceiveCount"]) if policy else None


def url_of(arn: str) -> str:
    """Return the URL of the queue with this ARN. ValueError if it is no queue's."""
    kind, _, name, region, account, queue = arn.split(":")
    if (kind, name) != ("arn", "sqs"):
        raise ValueError(f"{arn} is no queue")
    host = service.endpoint({**os.environ, "AWS_REGION": region}, "sqs")
    return f"{host}/{account}/{queue}"


def for_each(
    operation: str, url: str, batch: dict[int, Entry]
) -> dict[int, tuple[str, bool]]:
    """
    Return, for each entry that failed, the reason and whether it may pass.

    Raises AwsError if there was no answer for them.
    """
    entries = [{"Id": str(number), **entry} for number, entry in batch.items()]
    answer = _call(operation, {"QueueUrl": url, "Entries": entries})
    return {
        int(failed["Id"]): (
            f"SQS answers {failed.get('Code')}",
            not failed.get("SenderFault"),
        )
        for failed in answer.get("Failed") or ()
    }


def _each(operation: str, url: str, entries: list[Entry]) -> set[str]:
    reasons: set[str] = set()
    for batch in batched(entries, BATCH, strict=False):
        try:
            failed = for_each(operation, url, dict(enumerate(batch)))
        except AwsError as error:
            reasons.add(str(error))
            if not error.code:
                # Where nobody answers, the next ones would wait in vain.
                break
        else:
            reasons |= {reason for reason, _ in failed.values()}
    return reasons


def _call(operation: str, question: Entry) -> Entry:
    return service.call(
        os.environ,
        "sqs",
        f"AmazonSQS.{operation}",
        question,
        deadline=time.monotonic() + SECONDS,
        json_version="1.0",
    )
