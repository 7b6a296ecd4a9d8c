"""
The few calls to SQS that tasks need, made for up to ten messages at once.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
"""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

from . import service
from .http import AwsError

# The most bytes that one message, and all messages of one call, may have.
# https://aws.amazon.com/blogs/compute/more-room-to-build-serverless-services-now-support-payloads-up-to-1-mb/
LIMIT = 1_048_576
# The most messages of one call.
BATCH = 10
# The most seconds that a message can wait before it is handed out.
MAX_DELAY = 900
# The most that it can be kept from others, once somebody has received it.
MAX_INVISIBLE = 43_200

# The most seconds that a call takes, repetitions included.
SECONDS = 5.0
ATTEMPTS = 3

Entry = dict[str, Any]


def send(url: str, entries: list[Entry]) -> dict[int, str]:
    """
    Send messages in order, and return why, for the place of each that did not go.

    An entry is one of SendMessageBatch without its Id. Never raises AwsError, because
    some may have gone. One may go twice, if the answer to it was lost.
    """
    unsent: dict[int, str] = {}
    for batch in _batches(entries):
        for attempt in range(1, ATTEMPTS + 1):
            deadline = time.monotonic() + SECONDS
            failed = _for_each("SendMessageBatch", url, batch, deadline)
            unsent |= {number: reason for number, (reason, _) in failed.items()}
            again = [number for number, (_, passing) in failed.items() if passing]
            if not again or attempt == ATTEMPTS:
                break
            for number in again:
                del unsent[number]
            batch = {number: batch[number] for number in again}
            time.sleep(0.1 * 2**attempt)
    return unsent


def hide(url: str, waits: dict[str, int], within_ms: int | None) -> dict[int, str]:
    """
    Hand received messages out again after so many seconds, by their receipts.

    Returns why, for the place of each with which that failed, and takes no longer
    than ``within_ms``.
    """
    entries = [
        {"ReceiptHandle": receipt, "VisibilityTimeout": min(seconds, MAX_INVISIBLE)}
        for receipt, seconds in waits.items()
    ]
    seconds = SECONDS if within_ms is None else min(SECONDS, within_ms / 1000)
    return _each("ChangeMessageVisibilityBatch", url, entries, seconds)


def delete(url: str, receipts: list[str]) -> dict[int, str]:
    """Delete received messages, by their receipts."""
    entries = [{"ReceiptHandle": receipt} for receipt in receipts]
    return _each("DeleteMessageBatch", url, entries, SECONDS)


def max_receive_count(url: str) -> int | None:
    """
    Return after how many receptions a message goes to the dead-letter queue.

    None if it never does. Raises AwsError.
    """
    question = {"QueueUrl": url, "AttributeNames": ["RedrivePolicy"]}
    answer = _call("GetQueueAttributes", question, time.monotonic() + SECONDS)
    policy = answer.get("Attributes", {}).get("RedrivePolicy")
    return int(json.loads(policy)["maxReceiveCount"]) if policy else None


def url_of(arn: str) -> str:
    """Return the URL of the queue with this ARN. ValueError if it is no queue's."""
    kind, _, name, region, account, queue = arn.split(":")
    if (kind, name) != ("arn", "sqs"):
        raise ValueError(f"{arn} is no queue")
    host = service.endpoint({**os.environ, "AWS_REGION": region}, "sqs")
    return f"{host}/{account}/{queue}"


def _each(
    operation: str, url: str, entries: list[Entry], seconds: float
) -> dict[int, str]:
    deadline = time.monotonic() + seconds
    failed: dict[int, str] = {}
    for batch in _batches(entries):
        reasons = _for_each(operation, url, batch, deadline)
        failed |= {number: reason for number, (reason, _) in reasons.items()}
    return failed


def _batches(entries: list[Entry]) -> Iterator[dict[int, Entry]]:
    batch: dict[int, Entry] = {}
    size = 0
    for number, entry in enumerate(entries):
        length = len(entry.get("MessageBody", "").encode())
        if batch and (len(batch) == BATCH or size + length > LIMIT):
            yield batch
            batch, size = {}, 0
        batch[number] = entry
        size += length
    if batch:
        yield batch


def _for_each(
    operation: str, url: str, batch: dict[int, Entry], deadline: float
) -> dict[int, tuple[str, bool]]:
    """Return, for each entry that failed, the reason and whether it may pass."""
    entries = [{"Id": str(number), **entry} for number, entry in batch.items()]
    try:
        answer = _call(operation, {"QueueUrl": url, "Entries": entries}, deadline)
    except AwsError as error:
        # It has been repeated already, where that may help.
        return dict.fromkeys(batch, (str(error), False))
    return {
        int(failed["Id"]): (
            f"SQS answers {failed.get('Code')}",
            not failed.get("SenderFault"),
        )
        for failed in answer.get("Failed") or ()
    }


def _call(operation: str, question: Entry, deadline: float) -> Entry:
    target = f"AmazonSQS.{operation}"
    return service.call(
        os.environ, "sqs", target, question, deadline=deadline, json_version="1.0"
    )
