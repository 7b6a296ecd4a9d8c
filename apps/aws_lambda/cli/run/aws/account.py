"""The resources of a stage in the local AWS: buckets, queues and their consumers."""

import json
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore, Lock, Thread
from typing import Any

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sqs.models import Message, Queue, sqs_backends

from ..invoke import invoke
from .bucket import KeptBucket
from .event_source_mapping import EventSourceMapping

# Batches of a queue that are processed at the same time: each needs a process of the
# function.
MAX_CONCURRENCY = 2
# After an invocation that failed as a whole, because the function does not start, for
# example. The visibility timeout of the queue is 12 minutes.
RETRY_SECONDS = 5


class Account:
    """
    What is in the local AWS; ``lock`` is held by the server during each request.

    ``description`` is what serverless/offline/stage.js has written. Its resources are
    created unless they exist, so that a changed serverless.yml adds what is new.
    """

    def __init__(self, url: str, lambda_port: int, folder: Path, lock: Lock) -> None:
        self.url = url
        self.lambda_port = lambda_port
        self.folder = folder
        self.lock = lock
        self.buckets: dict[str, KeptBucket] = {}
        self.queues: set[str] = set()
        self.consumers: dict[str, Consumer] = {}
        self.dead: dict[str, DeadLetters] = {}

    def create(self, description: dict[str, Any], origins: list[str]) -> None:
        """Create the resources; ``origins`` are those of the site's pages."""
        client = partial(
            boto3.client,
            endpoint_url=self.url,
            region_name=description["region"],
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106
        )
        for bucket in description["buckets"]:
            if bucket["name"] not in self.buckets:
                self.create_bucket(client("s3"), bucket, origins)
        # Dead-letter queues first: the others refer to them.
        queues = sorted(description["queues"], key=lambda queue: bool(queue["dead"]))
        names = {queue["id"]: queue["name"] for queue in queues}
        sqs = client("sqs")
        for queue in queues:
            if queue["name"] in self.queues:
                continue
            self.queues.add(queue["name"])
            attributes = queue["attributes"]
            if dead := names.get(queue["dead"]):
                arn = f"arn:aws:sqs:{description['region']}:{DEFAULT_ACCOUNT_ID}:{dead}"
                count = queue["maxReceiveCount"]
                attributes["RedrivePolicy"] = json.dumps(
                    {"deadLetterTargetArn": arn, "maxReceiveCount": count}
                )
                self.dead[dead] = DeadLetters(description["region"], dead)
            sqs.create_queue(QueueName=queue["name"], Attributes=attributes)
        for mapping in description["mappings"]:
            name = names[mapping["queue"]]
            if name not in self.consumers:
                self.consumers[name] = Consumer(
                    EventSourceMapping(
                        sqs,
                        f"{self.url}/{DEFAULT_ACCOUNT_ID}/{name}",
                        partial(invoke, self.lambda_port, mapping["function"]),
                        mapping["batchSize"],
                        RETRY_SECONDS,
                    )
                )

    def create_bucket(
        self, s3: Any, bucket: dict[str, Any], origins: list[str]
    ) -> None:
        region = s3.meta.region_name
        place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        name = bucket["name"]
        # The API refuses us-east-1, where a bucket is without a place.
        s3.create_bucket(Bucket=name, **({} if region == "us-east-1" else place))
        if bucket["cors"]:
            rules = [
                {
                    "AllowedMethods": rule["AllowedMethods"],
                    "AllowedHeaders": rule.get("AllowedHeaders", []),
                    "AllowedOrigins": origins,
                    "ExposeHeaders": rule.get("ExposedHeaders", []),
                    "MaxAgeSeconds": rule.get("MaxAge", 0),
                }
                for rule in bucket["cors"]
            ]
            s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": rules})
        with self.lock:
            self.buckets[name] = KeptBucket(self.folder, name)

    def deliver(self) -> list[str]:
        """Start the batches that are due; return a line for each new dead letter."""
        with self.lock:
            dead = [line for queue in self.dead.values() for line in queue.new()]
            due = [
                consumer
                for consumer in self.consumers.values()
                # Those that are visible.
                if consumer.queue.messages
            ]
        for consumer in due:
            consumer.start()
        return dead

    def save(self) -> None:
        """Write to disk what a request has changed. The lock must be held."""
        for bucket in self.buckets.values():
            bucket.save()


class Consumer:
    """A queue, and the function that its messages are handed to."""

    def __init__(self, mapping: EventSourceMapping) -> None:
        self.mapping = mapping
        self.slots = BoundedSemaphore(MAX_CONCURRENCY)

    @property
    def queue(self) -> Queue:
        return queue_of(self.mapping.region, self.mapping.url.rpartition("/")[2])

    def start(self) -> None:
        """Process the next batch in a thread, unless there are enough of them."""
        if self.slots.acquire(blocking=False):
            messages = self.mapping.receive()
            Thread(target=self.serve, args=(messages,), daemon=True).start()

    def serve(self, messages: list[dict[str, Any]]) -> None:
        try:
            if messages:
                self.mapping.serve(messages)
        finally:
            self.slots.release()


class DeadLetters:
    """The messages of a dead-letter queue, each of which is reported once."""

    def __init__(self, region: str, name: str) -> None:
        self.region = region
        self.name = name
        self.reported: set[str] = set()

    def new(self) -> list[str]:
        messages = queue_of(self.region, self.name).messages
        found = [message for message in messages if message.id not in self.reported]
        self.reported |= {message.id for message in found}
        return [f"Dead letter: {subject(message)}" for message in found]


def queue_of(region: str, name: str) -> Queue:
    queue: Queue = sqs_backends[DEFAULT_ACCOUNT_ID][region].queues[name]
    return queue


def subject(message: Message) -> str:
    """Return the task in a message, or the ID of a message without one."""
    try:
        task = json.loads(message.body)
        name = f"the task {task['task']} {task['id']}"
    except (KeyError, TypeError, ValueError):
        name = f"the message {message.id}"
    return f"{name} failed {message.approximate_receive_count} times: see the log above"
