"""
The calls to SQS that tasks need, each for any number of messages.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
"""

import json
import os
import time
from collections.abc import Iterator
from itertools import batched
from typing import Any

from . import service
from .http import AwsError
from .limits import (
    MAX_SQS_BATCH_MESSAGES,
    MAX_SQS_MESSAGE_BYTES,
    MAX_SQS_VISIBILITY_TIMEOUT_SECONDS,
)

# A call with its retries.
CALL_TIMEOUT_SECONDS = 5.0
# How often a message is sent that SQS fails to store for a reason of its own.
SEND_ATTEMPTS = 3

GROUP_BLOCKED = "an earlier message of its message group was not sent"

# An entry of a batch call, without its Id.
Entry = dict[str, Any]


def send(url: str, entries: list[Entry]) -> Iterator[tuple[int, str]]:
    """
    Send messages in order. Yield the index of each with its error, or "" if sent.

    Never raises AwsError, because some may have been sent. A message may be sent
    twice, if the response was lost. After one that was not sent, no other message of
    its message group is sent.
    """
    blocked_groups: set[str] = set()
    unreachable = ""
    for batch in _send_batches(entries):
        sendable = {
            number: entry
            for number, entry in batch.items()
            if not unreachable and entry.get("MessageGroupId") not in blocked_groups
        }
        errors = dict.fromkeys(batch.keys() - sendable, unreachable or GROUP_BLOCKED)
        if sendable:
            failed, unreachable = _send_batch(url, sendable)
            errors |= failed
        for number, entry in batch.items():
            if number in errors and "MessageGroupId" in entry:
                blocked_groups.add(entry["MessageGroupId"])
            yield number, errors.get(number, "")


def change_visibility(url: str, timeouts: dict[str, int]) -> set[str]:
    """
    Set the visibility timeouts, in seconds, of messages by their receipt handles.

    Returns the errors.
    """
    entries = [
        {
            "ReceiptHandle": receipt,
            "VisibilityTimeout": min(seconds, MAX_SQS_VISIBILITY_TIMEOUT_SECONDS),
        }
        for receipt, seconds in timeouts.items()
    ]
    return _call_in_batches("ChangeMessageVisibilityBatch", url, entries)


def delete(url: str, receipts: list[str]) -> set[str]:
    """Delete messages by their receipt handles. Returns the errors."""
    entries = [{"ReceiptHandle": receipt} for receipt in receipts]
    return _call_in_batches("DeleteMessageBatch", url, entries)


def max_receive_count(url: str) -> int | None:
    """
    Return after how many receives a message moves to the dead-letter queue.

    None if the queue has no dead-letter queue. Raises AwsError.
    """
    parameters = {"QueueUrl": url, "AttributeNames": ["RedrivePolicy"]}
    answer = _call("GetQueueAttributes", parameters)
    policy = answer.get("Attributes", {}).get("RedrivePolicy")
    return int(json.loads(policy)["maxReceiveCount"]) if policy else None


def queue_url(arn: str) -> str:
    """Return the URL of the queue with this ARN. Raises ValueError for another ARN."""
    prefix, _, service_name, region, account, queue = arn.split(":")
    if (prefix, service_name) != ("arn", "sqs"):
        raise ValueError(f"{arn} is not the ARN of an SQS queue")
    endpoint = service.endpoint({**os.environ, "AWS_REGION": region}, "sqs")
    return f"{endpoint}/{account}/{queue}"


def _send_batches(entries: list[Entry]) -> Iterator[dict[int, Entry]]:
    batch: dict[int, Entry] = {}
    groups: set[str] = set()
    size = 0
    for number, entry in enumerate(entries):
        length = len(entry.get("MessageBody", "").encode())
        group = entry.get("MessageGroupId")
        full = (
            len(batch) == MAX_SQS_BATCH_MESSAGES
            or size + length > MAX_SQS_MESSAGE_BYTES
            # SQS may store the second of two messages and not the first, which the
            # retry would then put behind it.
            or group in groups
        )
        if batch and full:
            yield batch
            batch, groups, size = {}, set(), 0
        batch[number] = entry
        size += length
        if group:
            groups.add(group)
    if batch:
        yield batch


def _send_batch(url: str, batch: dict[int, Entry]) -> tuple[dict[int, str], str]:
    """Return the errors by index, and the one that makes SQS unreachable, or ""."""
    errors: dict[int, str] = {}
    for attempt in range(1, SEND_ATTEMPTS + 1):
        try:
            failed = _call_batch("SendMessageBatch", url, batch)
        except AwsError as error:
            # ``service.call`` has retried already, if that could help.
            errors |= dict.fromkeys(batch, str(error))
            return errors, "" if error.code else str(error)
        retry = [number for number, (_, temporary) in failed.items() if temporary]
        if attempt == SEND_ATTEMPTS:
            retry = []
        errors |= {n: reason for n, (reason, _) in failed.items() if n not in retry}
        if not retry:
            break
        batch = {number: batch[number] for number in retry}
        time.sleep(0.1 * 2**attempt)
    return errors, ""


def _call_in_batches(operation: str, url: str, entries: list[Entry]) -> set[str]:
    errors: set[str] = set()
    for batch in batched(entries, MAX_SQS_BATCH_MESSAGES):
        try:
            failed = _call_batch(operation, url, dict(enumerate(batch)))
        except AwsError as error:
            errors.add(str(error))
            if not error.code:
                # SQS is unreachable: each further batch would time out as well.
                break
        else:
            errors |= {reason for reason, _ in failed.values()}
    return errors


def _call_batch(
    operation: str, url: str, batch: dict[int, Entry]
) -> dict[int, tuple[str, bool]]:
    """
    Return the error of each entry that failed, and whether it is temporary.

    Raises AwsError if the whole call failed.
    """
    entries = [{"Id": str(number), **entry} for number, entry in batch.items()]
    answer = _call(operation, {"QueueUrl": url, "Entries": entries})
    return {
        int(failed["Id"]): (
            f"SQS returned {failed.get('Code')}",
            not failed.get("SenderFault"),
        )
        for failed in answer.get("Failed") or ()
    }


def _call(operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return service.call(
        os.environ,
        "sqs",
        f"AmazonSQS.{operation}",
        parameters,
        deadline=time.monotonic() + CALL_TIMEOUT_SECONDS,
        json_version="1.0",
    )
