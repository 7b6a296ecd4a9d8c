"""
A task as a message of an SQS queue: the body, and what SQS adds on delivery.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import json
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.tasks import Task, TaskResult, TaskResultStatus
from django.tasks.exceptions import InvalidTask, InvalidTaskBackend

from ..deadline import DeadlineExceeded
from ..events import refusal
from .registry import UnknownTask, find


class InvalidMessage(ValueError):
    """A message without a task that this version of the project can run."""


class Enqueued(NamedTuple):
    """
    What the body of a message has: the task as it was enqueued, and by what.

    ``request_id`` is the ID of the request, or "". ``chain_length`` is the number of
    tasks in the chain that ends with this one.
    """

    result: TaskResult
    request_id: str
    chain_length: int


class Message(NamedTuple):
    """
    A message as SQS delivered it this time.

    ``receive_count`` includes this delivery. ``sent_ms`` is when the message was
    first sent, in milliseconds since 1970. ``group`` is its message group on a FIFO
    queue, or "".
    """

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int
    sent_ms: int
    group: str
    queue_arn: str


def read_messages(event: Any) -> list[Message]:
    """
    Return the messages of an event, which are all from one queue.

    Raises UnsupportedEvent for any other event.
    """
    records = event.get("Records") if isinstance(event, dict) else None
    try:
        if records and all(r["eventSource"] == "aws:sqs" for r in records):
            messages = [_read(record) for record in records]
            # An event source mapping has one queue.
            if len({message.queue_arn for message in messages}) == 1:
                return messages
    except (AttributeError, KeyError, TypeError, ValueError):
        pass
    raise refusal(event, "tasks", "the messages of its queue")


def _read(record: dict[str, Any]) -> Message:
    attributes = record["attributes"]
    arn: str = record["eventSourceARN"]
    # On a standard queue a message group does not order the messages.
    ordered = arn.endswith(".fifo")
    return Message(
        message_id=record["messageId"],
        receipt_handle=record["receiptHandle"],
        body=record["body"],
        receive_count=int(attributes["ApproximateReceiveCount"]),
        sent_ms=int(attributes["SentTimestamp"]),
        group=attributes["MessageGroupId"] if ordered else "",
        queue_arn=arn,
    )


def encode(enqueued: Enqueued) -> str:
    """
    Return the body for a task.

    Raises ValueError for arguments that JSON does not have, such as NaN.
    """
    result = enqueued.result
    run_after = result.task.run_after
    return json.dumps(
        {
            "id": result.id,
            "task": result.task.module_path,
            "backend": result.backend,
            "queue": result.task.queue_name,
            "args": result.args,
            "kwargs": result.kwargs,
            "enqueued_at": str(result.enqueued_at),
            "run_after": str(run_after) if run_after else None,
            "request_id": enqueued.request_id,
            "chain_length": enqueued.chain_length,
        },
        # SQS rejects some characters, and accepts the escape of each.
        ensure_ascii=True,
        allow_nan=False,
        separators=(",", ":"),
    )


def decode(body: str) -> Enqueued:
    """
    Return what ``encode`` was given.

    Raises InvalidMessage if the body has no task that can be run.
    """
    try:
        return _read_body(body)
    except (DeadlineExceeded, InvalidMessage):
        raise
    except Exception as error:
        # RecursionError too: a body that cannot be read fails its own message only.
        raise InvalidMessage(
            f"SQSBackend did not write its body ({type(error).__name__})"
        ) from None


def _read_body(body: str) -> Enqueued:
    fields = json.loads(body)
    backend, queue = str(fields["backend"]), str(fields["queue"])
    after = fields["run_after"]
    run_after = datetime.fromisoformat(after) if after else None
    result: TaskResult = TaskResult(
        task=_find_task(str(fields["task"]), backend, queue, run_after),
        id=str(UUID(fields["id"])),
        status=TaskResultStatus.READY,
        enqueued_at=datetime.fromisoformat(fields["enqueued_at"]),
        started_at=None,
        last_attempted_at=None,
        finished_at=None,
        args=[*fields["args"]],
        kwargs={**fields["kwargs"]},
        backend=backend,
        errors=[],
        worker_ids=[],
    )
    return Enqueued(result, str(fields["request_id"]), int(fields["chain_length"]))


def _find_task(path: str, backend: str, queue: str, run_after: datetime | None) -> Task:
    try:
        task = find(path)
    except UnknownTask as error:
        raise InvalidMessage(
            f"this version has no task {path!r}: {error}"
        ) from error.__cause__
    # As it is defined, Django has validated it.
    if (task.backend, task.queue_name, task.run_after) != (backend, queue, run_after):
        try:
            task = task.using(backend=backend, queue_name=queue, run_after=run_after)
        except (InvalidTask, InvalidTaskBackend) as error:
            raise InvalidMessage(
                f"{path!r} cannot be run: {str(error).rstrip('.')}"
            ) from None
    if not hasattr(type(task.get_backend()), "store"):
        raise InvalidMessage(f"TASKS[{backend!r}] is not an SQSBackend")
    return task
