"""
Send messages to SQS, up to ten in a call, and lose none without saying so.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
"""

import time
from collections.abc import Iterator

from .http import AwsError
from .sqs import BATCH, Entry, for_each

# The most bytes that one message, and all messages of one call, may have.
# https://aws.amazon.com/blogs/compute/more-room-to-build-serverless-services-now-support-payloads-up-to-1-mb/
LIMIT = 1_048_576
# The most seconds that a message can wait before it is handed out.
MAX_DELAY = 900

# How often a message is sent that SQS does not take, for reasons of its own.
ATTEMPTS = 3

BEHIND = "one before it in its message group was not sent"


def send(url: str, entries: list[Entry]) -> Iterator[tuple[int, str]]:
    """
    Send messages in order, and yield the place of each once its fate is known.

    With it comes the reason why it did not go, or "". An entry is one of
    SendMessageBatch without its Id. Never raises AwsError, because some may have
    gone. One may go twice, if the answer to it was lost. Behind one that did not go,
    none of its message group goes.
    """
    blocked: set[str] = set()
    away = ""
    for batch in _batches(entries):
        chosen = {
            number: entry
            for number, entry in batch.items()
            if not away and entry.get("MessageGroupId") not in blocked
        }
        unsent = dict.fromkeys(batch.keys() - chosen, away or BEHIND)
        if chosen:
            failed, away = _send_batch(url, chosen)
            unsent |= failed
        for number, entry in batch.items():
            if number in unsent and "MessageGroupId" in entry:
                blocked.add(entry["MessageGroupId"])
            yield number, unsent.get(number, "")


def _send_batch(url: str, batch: dict[int, Entry]) -> tuple[dict[int, str], str]:
    """Return why, for each that did not go, and why nobody answers, if so."""
    unsent: dict[int, str] = {}
    for attempt in range(1, ATTEMPTS + 1):
        try:
            failed = for_each("SendMessageBatch", url, batch)
        except AwsError as error:
            # It has been repeated already, where that may help.
            unsent |= dict.fromkeys(batch, str(error))
            return unsent, "" if error.code else str(error)
        again = [number for number, (_, may_pass) in failed.items() if may_pass]
        if attempt == ATTEMPTS:
            again = []
        unsent |= {n: reason for n, (reason, _) in failed.items() if n not in again}
        if not again:
            break
        batch = {number: batch[number] for number in again}
        time.sleep(0.1 * 2**attempt)
    return unsent, ""


def _batches(entries: list[Entry]) -> Iterator[dict[int, Entry]]:
    batch: dict[int, Entry] = {}
    groups: set[str] = set()
    size = 0
    for number, entry in enumerate(entries):
        length = len(entry.get("MessageBody", "").encode())
        group = entry.get("MessageGroupId")
        # SQS may take the second of a call and not the first, which would then come
        # after it.
        full = len(batch) == BATCH or size + length > LIMIT or group in groups
        if batch and full:
            yield batch
            batch, groups, size = {}, set(), 0
        batch[number] = entry
        size += length
        if group:
            groups.add(group)
    if batch:
        yield batch
