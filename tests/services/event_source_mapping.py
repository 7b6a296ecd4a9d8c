"""What Lambda does between a queue and a function: poll, invoke, delete."""

from collections.abc import Callable
from typing import Any

from apps.aws_lambda.cli.lambda_service import FunctionError
from tests.services.aws import AWS, REGION


class EventSourceMapping:
    """
    Hand the messages of a queue to a function, in batches.

    Messages that the function reports as failed stay in the queue, as does the whole
    batch if the invocation fails: they are received again after the visibility timeout,
    and SQS moves them to the dead-letter queue after too many receives.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """

    def __init__(
        self, aws: AWS, url: str, invoke: Callable[[Any], Any], batch_size: int = 10
    ) -> None:
        self.sqs = aws.client("sqs")
        self.url = url
        self.invoke = invoke
        self.batch_size = batch_size

    def poll(self) -> list[str]:
        """Invoke the function with one batch; return the IDs of its messages."""
        received = self.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=self.batch_size,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages = received.get("Messages", [])
        if messages:
            self.serve(messages)
        return [message["MessageId"] for message in messages]

    def serve(self, messages: list[dict[str, Any]]) -> None:
        try:
            result = self.invoke({"Records": [self.record(m) for m in messages]})
        except FunctionError:
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
            "awsRegion": REGION,
        }

    @property
    def arn(self) -> str:
        account, name = self.url.split("/")[-2:]
        return f"arn:aws:sqs:{REGION}:{account}:{name}"
