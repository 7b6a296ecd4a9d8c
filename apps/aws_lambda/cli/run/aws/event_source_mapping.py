"""What Lambda does between a queue and a function: poll, invoke, delete."""

from collections.abc import Callable
from typing import Any

from ...lambda_service import FunctionError


class EventSourceMapping:
    """
    Hand the messages of a queue to a function, in batches.

    Messages that the function reports as failed stay in the queue, as does the whole
    batch if the invocation fails: they are received again after the visibility timeout,
    and SQS moves them to the dead-letter queue after too many receives.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html

    ``sqs`` is boto3's client. ``invoke`` is given the event and returns the result of
    the function, or raises FunctionError. After a failed invocation the batch is
    visible again in ``retry_seconds``, or after the visibility timeout if that is None.
    """

    def __init__(
        self,
        sqs: Any,
        url: str,
        invoke: Callable[[Any], Any],
        batch_size: int = 10,
        retry_seconds: int | None = None,
    ) -> None:
        self.sqs = sqs
        self.url = url
        self.invoke = invoke
        self.batch_size = batch_size
        self.retry_seconds = retry_seconds

    def poll(self) -> list[str]:
        """Invoke the function with one batch; return the IDs of its messages."""
        messages = self.receive()
        if messages:
            self.serve(messages)
        return [message["MessageId"] for message in messages]

    def receive(self) -> list[dict[str, Any]]:
        """Return the messages of the next batch, which are invisible from now on."""
        received = self.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=self.batch_size,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages: list[dict[str, Any]] = received.get("Messages", [])
        return messages

    def serve(self, messages: list[dict[str, Any]]) -> None:
        """Invoke the function with a batch, and delete what it has finished."""
        try:
            result = self.invoke({"Records": [self.record(m) for m in messages]})
        except FunctionError:
            self.return_soon(messages)
            return
        failures = (result or {}).get("batchItemFailures") or []
        failed = {failure["itemIdentifier"] for failure in failures}
        if not failed <= {message["MessageId"] for message in messages}:
            # An ID that is not in the batch fails the whole batch.
            return
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(messages)
            if message["MessageId"] not in failed
        ]
        if entries:
            self.sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)

    def return_soon(self, messages: list[dict[str, Any]]) -> None:
        if self.retry_seconds is None:
            return
        entries = [
            {
                "Id": str(number),
                "ReceiptHandle": message["ReceiptHandle"],
                "VisibilityTimeout": self.retry_seconds,
            }
            for number, message in enumerate(messages)
        ]
        self.sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    def record(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the message as it is in an event."""
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self.arn,
            "awsRegion": self.region,
        }

    @property
    def region(self) -> str:
        name: str = self.sqs.meta.region_name
        return name

    @property
    def arn(self) -> str:
        account, name = self.url.split("/")[-2:]
        return f"arn:aws:sqs:{self.region}:{account}:{name}"
