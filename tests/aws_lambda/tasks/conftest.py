"""Queues in a local AWS, and a backend that uses them."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.test import modify_settings

from apps.aws_lambda import handlers
from apps.aws_lambda.cli.run.aws.event_source_mapping import EventSourceMapping
from apps.aws_lambda.tasks import consumer
from apps.aws_lambda.test import LambdaContext
from tests.aws_lambda.database.conftest import hanging, server
from tests.services.aws import AWS

__all__ = ["hanging", "server"]

MAX_RECEIVE_COUNT = 3


@pytest.fixture(scope="session")
def aws() -> Iterator[AWS]:
    with AWS(serial=True) as running:
        yield running


class Queue:
    """A queue with a dead-letter queue."""

    def __init__(
        self,
        aws: AWS,
        *,
        fifo: bool = False,
        visibility: int = 30,
        max_receive_count: int = MAX_RECEIVE_COUNT,
    ) -> None:
        self.aws = aws
        self.sqs = aws.client("sqs")
        suffix = ".fifo" if fifo else ""
        attributes = {"FifoQueue": "true"} if fifo else {}
        name = f"tasks-{uuid4().hex}"
        self.dead_url = self._create(f"{name}-dead{suffix}", attributes)
        arn = self.sqs.get_queue_attributes(
            QueueUrl=self.dead_url, AttributeNames=["QueueArn"]
        )["Attributes"]["QueueArn"]
        policy = {"deadLetterTargetArn": arn, "maxReceiveCount": max_receive_count}
        self.url = self._create(
            f"{name}{suffix}",
            attributes
            | {
                "RedrivePolicy": json.dumps(policy),
                "VisibilityTimeout": str(visibility),
            },
        )

    def _create(self, name: str, attributes: dict[str, str]) -> str:
        url: str = self.sqs.create_queue(QueueName=name, Attributes=attributes)[
            "QueueUrl"
        ]
        return url

    def options(self, **options: Any) -> dict[str, Any]:
        """Return TASKS with this queue only."""
        return {
            "default": {
                "BACKEND": "apps.aws_lambda.tasks.backend.SQSBackend",
                "OPTIONS": {"URLS": {"default": self.url}, **options},
            }
        }

    def messages(self, url: str = "") -> list[dict[str, Any]]:
        """Receive all visible messages, and keep them invisible."""
        found: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(
            QueueUrl=url or self.url,
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            VisibilityTimeout=600,
        ).get("Messages"):
            found += messages
        return found

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(message["Body"]) for message in self.messages()]

    def dead(self) -> list[dict[str, Any]]:
        return [json.loads(m["Body"]) for m in self.messages(self.dead_url)]

    def left(self) -> int:
        """Return the number of messages, visible or not."""
        names = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def mapping(self, invoke: Callable[[Any], Any], **options: Any) -> Any:
        return EventSourceMapping(self.sqs, self.url, invoke, **options)


@pytest.fixture(scope="package", autouse=True)
def _installed() -> Iterator[None]:
    """Install the tests' tasks, or the tasks function would not look them up."""
    with modify_settings(INSTALLED_APPS={"append": "tests.aws_lambda.tasks"}):
        yield


@pytest.fixture(autouse=True)
def _in_this_aws(aws: AWS, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(consumer, "max_receive_counts", {})
    monkeypatch.setattr(consumer, "retry_lookup_at", {})


@pytest.fixture
def queue(aws: AWS, settings) -> Queue:
    """Make a queue for TASKS. A failed task is retried at once."""
    queue = Queue(aws)
    settings.TASKS = queue.options()
    settings.LAMBDA_TASK_BACKOFF = (0, 0)
    return queue


@pytest.fixture
def stored(queue: Queue, settings) -> Queue:
    """Make a queue whose backend has RESULTS."""
    settings.TASKS = queue.options(RESULTS=True)
    return queue


class Function:
    """The tasks function, in this process."""

    def __init__(self) -> None:
        self.handler = handlers.tasks()
        self.timeout = 60.0
        self.answers: list[Any] = []

    def __call__(self, event: Any) -> Any:
        context = LambdaContext("site-tasks", timeout=self.timeout)
        answer = json.loads(json.dumps(self.handler(event, context)))
        self.answers.append(answer)
        return answer

    def drain(self, queue: Queue, **options: Any) -> None:
        """Poll until no message is visible."""
        mapping = queue.mapping(self, **options)
        while mapping.poll():
            pass


@pytest.fixture
def function() -> Function:
    return Function()
