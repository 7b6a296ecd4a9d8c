"""Enqueueing: what is sent, when, and what is rejected."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.tasks import TaskResultStatus, task, task_backends
from django.tasks.exceptions import InvalidTask
from django.tasks.signals import task_enqueued
from django.utils import timezone

from apps.aws_lambda.aws import service, sqs
from apps.aws_lambda.aws.http import AwsError
from apps.aws_lambda.aws.limits import MAX_SQS_MESSAGE_BYTES
from apps.aws_lambda.deadline import DeadlineExceeded
from apps.aws_lambda.invocation import request_id
from apps.aws_lambda.tasks.outbox import NotEnqueued
from tests.aws_lambda.tasks import jobs
from tests.aws_lambda.tasks.conftest import Queue


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Collect the calls to SQS."""
    made = []
    call = service.call

    def spy(environ, service, target, question, **options):
        made.append((target, question))
        return call(environ, service, target, question, **options)

    monkeypatch.setattr(service, "call", spy)
    return made


def test_a_task_becomes_a_message(queue: Queue):
    token = request_id.set("the-request")
    result = jobs.add.enqueue(1, b=2)
    request_id.reset(token)

    assert result.status == TaskResultStatus.READY
    assert result.enqueued_at is not None
    [body] = queue.bodies()
    assert body == {
        "id": result.id,
        "task": "tests.aws_lambda.tasks.jobs.add",
        "backend": "default",
        "queue": "default",
        "args": [1],
        "kwargs": {"b": 2},
        "enqueued_at": str(result.enqueued_at),
        "run_after": None,
        "request_id": "the-request",
        "chain_length": 1,
    }


async def enqueue_async() -> Any:
    return await jobs.add.aenqueue(1, 2)


def test_an_async_view_can_enqueue(queue: Queue):
    from asgiref.sync import async_to_sync

    result = async_to_sync(enqueue_async)()

    assert [body["id"] for body in queue.bodies()] == [result.id]


# Transactions


@pytest.mark.django_db(transaction=True)
def test_the_message_is_sent_after_the_commit(queue: Queue):
    with transaction.atomic():
        jobs.add.enqueue(1, 2)
        assert queue.left() == 0

    assert queue.left() == 1


@pytest.mark.django_db(transaction=True)
def test_a_rollback_drops_the_messages_of_its_transaction(queue: Queue):
    def fails() -> None:
        with transaction.atomic():
            jobs.add.enqueue(1, 2)
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fails()

    assert queue.left() == 0


@pytest.mark.django_db(transaction=True)
def test_a_rollback_to_a_savepoint_drops_its_messages_only(queue: Queue, calls):
    def fails(number: int) -> None:
        with transaction.atomic():
            jobs.add.enqueue(number, 0)
            transaction.on_commit(
                lambda: pytest.fail("a callback that was rolled back ran")
            )
            with transaction.atomic():
                jobs.add.enqueue(number, 0)
            raise ValueError

    with transaction.atomic():
        with pytest.raises(ValueError):  # noqa: PT011
            fails(1)
        jobs.add.enqueue(2, 0)
        with transaction.atomic():
            jobs.add.enqueue(3, 0)
        jobs.add.enqueue(4, 0)
        with transaction.atomic():
            jobs.add.enqueue(5, 0)
        with pytest.raises(ValueError):  # noqa: PT011
            fails(6)

    assert [len(question["Entries"]) for _, question in calls] == [4]
    assert [body["args"][0] for body in queue.bodies()] == [2, 3, 4, 5]


@pytest.mark.django_db(transaction=True)
def test_messages_are_sent_in_the_order_of_the_commit_callbacks(queue: Queue):
    left = []

    with transaction.atomic():
        transaction.on_commit(lambda: left.append(queue.left()))
        jobs.add.enqueue(1, 0)
        with transaction.atomic():
            jobs.add.enqueue(2, 0)
        transaction.on_commit(lambda: left.append(queue.left()))
        jobs.add.enqueue(3, 0)

    assert [*left, queue.left()] == [0, 2, 3]


@pytest.mark.django_db(transaction=True)
def test_each_backend_sends_its_own_messages(queue: Queue, aws, settings):
    other = Queue(aws)
    settings.TASKS = queue.options() | {"other": other.options()["default"]}

    with transaction.atomic():
        for number in range(2):
            jobs.add.enqueue(number, 0)
            jobs.add.using(backend="other").enqueue(number, 0)

    assert (queue.left(), other.left()) == (2, 2)


@pytest.mark.django_db
def test_captured_commit_callbacks_send_the_messages(
    queue: Queue, django_capture_on_commit_callbacks
):
    jobs.add.enqueue(1, 0)

    with django_capture_on_commit_callbacks(execute=True):
        jobs.add.enqueue(2, 0)
        with django_capture_on_commit_callbacks(execute=True):
            jobs.add.enqueue(3, 0)

    assert sorted(body["args"][0] for body in queue.bodies()) == [2, 3]


@pytest.mark.django_db
def test_a_single_captured_callback_sends_nothing_later(
    queue: Queue, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks() as callbacks:
        jobs.add.enqueue(1, 0)
    callbacks[0]()

    with django_capture_on_commit_callbacks(execute=True):
        jobs.add.enqueue(2, 0)

    assert [body["args"][0] for body in queue.bodies()] == [2]


@pytest.mark.django_db(transaction=True)
def test_after_commit_false_sends_the_message_at_once(queue: Queue, settings):
    settings.TASKS = queue.options(AFTER_COMMIT=False)

    with transaction.atomic():
        jobs.add.enqueue(1, 2)
        assert queue.left() == 1


@pytest.mark.django_db(transaction=True)
def test_a_transaction_sends_its_messages_in_order_in_batches_of_ten(queue, calls):
    with transaction.atomic():
        for number in range(25):
            jobs.add.enqueue(number, 0)

    sizes = [len(question["Entries"]) for _, question in calls]
    assert sizes == [10, 10, 5]
    assert [body["args"][0] for body in queue.bodies()] == list(range(25))


@pytest.mark.django_db(transaction=True)
def test_a_batch_call_stays_below_the_size_limit(queue: Queue, calls):
    with transaction.atomic():
        for _ in range(5):
            jobs.fail.enqueue("x" * 400_000)

    assert [len(question["Entries"]) for _, question in calls] == [2, 2, 1]
    assert queue.left() == 5


@pytest.mark.django_db(transaction=True)
def test_task_enqueued_is_sent_after_the_message(queue: Queue):
    left = []

    def receiver(sender: Any, task_result: Any, **kwargs: Any) -> None:
        left.append((task_result.id, queue.left()))

    task_enqueued.connect(receiver)
    try:
        with transaction.atomic():
            result = jobs.add.enqueue(1, 2)
            assert left == []
    finally:
        task_enqueued.disconnect(receiver)

    assert left == [(result.id, 1)]


# Failures


def answers(monkeypatch: pytest.MonkeyPatch, *failures: Any) -> list[list[Any]]:
    """Make SQS respond so; return the first arguments of the tasks it was sent."""
    sent: list[list[Any]] = []
    left = [*failures]

    def call(environ, service, target, question, **options):
        sent.append(
            [json.loads(e["MessageBody"])["args"][0] for e in question["Entries"]]
        )
        failure = left.pop(0)
        if isinstance(failure, Exception):
            raise failure
        return {
            "Successful": [],
            "Failed": [
                {"Id": str(number), "SenderFault": fault, "Code": "InternalError"}
                for number, fault in failure.items()
            ],
        }

    monkeypatch.setattr(service, "call", call)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return sent


@pytest.mark.django_db(transaction=True)
def test_a_message_that_sqs_fails_to_store_is_sent_again(queue: Queue, monkeypatch):
    sent = answers(monkeypatch, {1: False, 2: False}, {2: False}, {})

    with transaction.atomic():
        for number in range(4):
            jobs.add.enqueue(number, 0)

    assert sent == [[0, 1, 2, 3], [1, 2], [2]]


@pytest.mark.django_db(transaction=True)
def test_a_message_that_fails_three_times_sends_no_signal(
    queue: Queue, monkeypatch, caplog
):
    signals = []
    sent = answers(monkeypatch, {1: False}, {1: False}, {1: False}, {})
    task_enqueued.connect(
        receiver := lambda task_result, **_: signals.append(task_result.args[0])
    )

    with transaction.atomic():
        for number in range(3):
            jobs.add.enqueue(number, 0)
    task_enqueued.disconnect(receiver)

    assert sent == [[0, 1, 2], [1], [1]]
    assert signals == [0, 2]
    assert len(lost(caplog)) == 1


@pytest.mark.django_db(transaction=True)
def test_rejected_messages_are_logged_and_the_rest_is_sent(
    queue: Queue, monkeypatch, caplog
):
    signals = []
    refused = {3: True}
    throttled = AwsError("AWS throttles", "ThrottlingException")
    sent = answers(monkeypatch, refused, throttled, {})
    task_enqueued.connect(
        receiver := lambda task_result, **_: signals.append(task_result)
    )

    with transaction.atomic():
        results = [jobs.add.enqueue(number, 0) for number in range(22)]
    task_enqueued.disconnect(receiver)

    assert [len(batch) for batch in sent] == [10, 10, 2]
    assert "11 of 22 tasks were not enqueued" in caplog.text
    assert len(signals) == 11
    errors = lost(caplog)
    assert len(errors) == 11
    for error, number in zip(errors, [3, *range(10, 20)], strict=True):
        assert results[number].id in error
    assert "tests.aws_lambda.tasks.jobs.add" in errors[0]
    assert "InternalError" in errors[0]
    assert "AWS throttles" in errors[1]


@pytest.mark.django_db(transaction=True)
def test_nothing_more_is_sent_to_an_unreachable_queue(
    queue: Queue, monkeypatch, caplog
):
    sent = answers(monkeypatch, {}, AwsError("SQS is unreachable"))

    with transaction.atomic():
        for number in range(32):
            jobs.add.enqueue(number, 0)

    assert [len(batch) for batch in sent] == [10, 10]
    assert len(lost(caplog)) == 22
    assert all("SQS is unreachable" in error for error in lost(caplog))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("interrupt", [DeadlineExceeded, KeyboardInterrupt])
def test_an_interrupt_logs_the_tasks_that_may_not_have_been_sent(
    queue: Queue, monkeypatch, caplog, interrupt: type[BaseException]
):
    answers(monkeypatch, {})
    send_batch = sqs._send_batch

    def interrupted(url: str, batch: Any) -> Any:
        if 0 in batch:
            return send_batch(url, batch)
        raise interrupt

    monkeypatch.setattr(sqs, "_send_batch", interrupted)
    results = []

    def enqueue() -> None:
        with transaction.atomic():
            for number in range(22):
                with transaction.atomic():
                    results.append(jobs.add.enqueue(number, 0))

    with pytest.raises(interrupt):
        enqueue()

    errors = lost(caplog)
    assert len(errors) == 12
    for error, result in zip(errors, results[10:], strict=True):
        assert result.id in error
        assert "interrupted before SQS responded" in error


def lost(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the line of each task that was not enqueued."""
    return [
        r.message for r in caplog.records if r.name == "apps.aws_lambda.tasks.outbox"
    ]


@pytest.mark.django_db(transaction=True)
def test_a_failure_after_the_commit_stops_no_later_callback(
    queue: Queue, monkeypatch, caplog
):
    called = []
    sent = answers(monkeypatch, {0: True}, {0: True})

    with transaction.atomic():
        jobs.add.enqueue(1, 0)
        with transaction.atomic():
            jobs.add.enqueue(2, 0)
        transaction.on_commit(lambda: called.append("other"))
        jobs.add.enqueue(3, 0)

    assert sent == [[1, 2], [3]]
    assert called == ["other"]
    assert len(lost(caplog)) == 2


@pytest.mark.django_db(transaction=True)
def test_a_failing_receiver_of_task_enqueued_stops_no_other_message(
    queue: Queue, aws, settings
):
    other = Queue(aws)
    tasks = queue.options(URLS={"default": queue.url, "other": other.url})
    tasks["default"]["QUEUES"] = ["default", "other"]
    settings.TASKS = tasks

    def receiver(**kwargs: Any) -> None:
        raise ValueError("receiver")

    task_enqueued.connect(receiver)
    try:
        with transaction.atomic():
            jobs.add.enqueue(1, 0)
            jobs.add.using(queue_name="other").enqueue(2, 0)
    finally:
        task_enqueued.disconnect(receiver)

    assert (queue.left(), other.left()) == (1, 1)


def test_a_failing_receiver_of_task_enqueued_is_logged(queue: Queue, caplog):
    def receiver(**kwargs: Any) -> None:
        raise ValueError("receiver")

    task_enqueued.connect(receiver)
    try:
        jobs.add.enqueue(1, 0)
    finally:
        task_enqueued.disconnect(receiver)

    assert queue.left() == 1
    assert "ValueError: receiver" in caplog.text


def test_enqueue_raises_outside_a_transaction(queue: Queue, monkeypatch):
    answers(monkeypatch, {0: True})

    with pytest.raises(NotEnqueued, match="1 of 1 tasks were not") as problem:
        jobs.add.enqueue(1, 2)

    assert [result.args for result in problem.value.results] == [[1, 2]]


def test_a_queue_that_does_not_exist_is_named_in_the_error(queue: Queue, settings):
    settings.TASKS["default"]["OPTIONS"]["URLS"]["default"] = f"{queue.url}-gone"
    settings.TASKS = {**settings.TASKS}

    with pytest.raises(NotEnqueued, match="QueueDoesNotExist"):
        jobs.add.enqueue(1, 2)


def test_a_message_of_the_maximum_size_is_sent(queue: Queue):
    jobs.fail.enqueue("")
    [empty] = queue.messages()

    jobs.fail.enqueue("x" * (MAX_SQS_MESSAGE_BYTES - len(empty["Body"])))

    [full] = queue.messages()
    assert len(full["Body"]) == 1_048_576


def test_a_larger_message_is_rejected_with_both_sizes(queue: Queue):
    jobs.fail.enqueue("")
    [empty] = queue.messages()

    with pytest.raises(ValueError, match=r"1,048,577 bytes; SQS accepts 1,048,576"):
        jobs.fail.enqueue("x" * (MAX_SQS_MESSAGE_BYTES - len(empty["Body"]) + 1))

    assert queue.left() == 1


@pytest.mark.parametrize("argument", [object(), {1, 2}, float("nan"), b"\xff"])
def test_an_argument_that_is_not_json_is_rejected(queue: Queue, argument: Any):
    with pytest.raises((TypeError, ValueError)):
        jobs.fail.enqueue(argument)

    assert queue.left() == 0


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for number in range(levels - 1):
        value = [value] if number % 2 else [{"in": value}]
    return value


def test_arguments_that_could_not_be_read_back_are_rejected(queue: Queue):
    with pytest.raises(ValueError, match="nested more than 500 levels deep"):
        jobs.consume.enqueue(nested(450), False)

    jobs.consume.enqueue(nested(300), False)
    assert queue.left() == 1


@task
def elsewhere() -> None:
    """Be a task of a module that is in an app, under another name."""


renamed, elsewhere = elsewhere, None  # type: ignore[assignment]


def test_a_task_that_could_not_be_found_is_rejected(queue: Queue, settings):
    with pytest.raises(InvalidTask, match=r"could not find .*test_backend.elsewhere"):
        renamed.enqueue()
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if app != "tests.aws_lambda.tasks"
    ]
    with pytest.raises(InvalidTask, match=r"could not find .*jobs.add"):
        jobs.add.enqueue(1, 2)

    assert queue.left() == 0


@pytest.mark.parametrize(
    "text", ["\x00\x08", "\ufffe\uffff", "\ud800", "日本語", '"\\']
)
def test_any_text_survives_the_queue(queue: Queue, text: str):
    jobs.fail.enqueue(text)

    [body] = queue.bodies()
    assert body["args"] == [text]


# Capabilities


def test_run_after_becomes_the_delay_of_the_message(queue: Queue, calls):
    jobs.add.using(run_after=timezone.now() + timedelta(minutes=10)).enqueue(1, 2)

    [(_, question)] = calls
    assert question["Entries"][0]["DelaySeconds"] == pytest.approx(600, abs=5)


def test_run_after_in_the_past_is_not_a_delay(queue: Queue, calls):
    jobs.add.using(run_after=timezone.now() - timedelta(days=1)).enqueue(1, 2)

    [(_, question)] = calls
    assert "DelaySeconds" not in question["Entries"][0]


def test_run_after_beyond_fifteen_minutes_is_rejected(queue: Queue):
    with pytest.raises(InvalidTask, match="15 minutes at most"):
        jobs.add.using(run_after=timezone.now() + timedelta(minutes=16))


def test_priorities_are_rejected(queue: Queue):
    with pytest.raises(InvalidTask, match="priority"):
        jobs.add.using(priority=1)


def test_an_unknown_queue_is_rejected(queue: Queue):
    with pytest.raises(InvalidTask, match="Queue 'other' is not valid"):
        jobs.add.using(queue_name="other")


def test_each_queue_has_its_own_url(queue: Queue, aws, settings):
    other = Queue(aws)
    tasks = queue.options(URLS={"default": queue.url, "other": other.url})
    tasks["default"]["QUEUES"] = ["default", "other"]
    settings.TASKS = tasks

    jobs.add.using(queue_name="other").enqueue(1, 2)

    assert (queue.left(), other.left()) == (0, 1)


def test_get_result_needs_the_results_option(queue: Queue):
    backend = task_backends["default"]
    assert backend.supports_get_result is False
    result = jobs.add.enqueue(1, 2)

    with pytest.raises(NotImplementedError):
        jobs.add.get_result(result.id)


# FIFO


def by_first_argument(result: Any) -> str:
    return f"customer-{result.args[0]}"


def test_a_fifo_message_has_a_group_and_a_deduplication_id(aws, settings):
    queue = Queue(aws, fifo=True)
    settings.TASKS = queue.options()

    result = jobs.add.enqueue(1, 2)

    [message] = queue.messages()
    assert message["Attributes"]["MessageGroupId"] == "tests.aws_lambda.tasks.jobs.add"
    assert message["Attributes"]["MessageDeduplicationId"] == f"{result.id}-0"


def test_message_group_names_the_function_that_chooses_the_group(aws, settings):
    queue = Queue(aws, fifo=True)
    settings.TASKS = queue.options(
        MESSAGE_GROUP="tests.aws_lambda.tasks.test_backend.by_first_argument"
    )

    jobs.add.enqueue(7, 2)

    [message] = queue.messages()
    assert message["Attributes"]["MessageGroupId"] == "customer-7"


@pytest.fixture
def customers(aws, settings) -> Queue:
    """Make a FIFO queue with a group for each first argument."""
    queue = Queue(aws, fifo=True)
    settings.TASKS = queue.options(
        MESSAGE_GROUP="tests.aws_lambda.tasks.test_backend.by_first_argument"
    )
    return queue


@pytest.mark.django_db(transaction=True)
def test_no_call_contains_two_tasks_of_a_group(customers: Queue, monkeypatch):
    # SQS fails to store one message of the first call.
    sent = answers(monkeypatch, {1: False}, {}, {}, {})

    with transaction.atomic():
        for customer in (1, 2, 3, 2, 1, 1):
            jobs.add.enqueue(customer, 0)

    assert sent == [[1, 2, 3], [2], [2, 1], [1]]


@pytest.mark.django_db(transaction=True)
def test_a_task_that_was_not_sent_blocks_its_group(
    customers: Queue, monkeypatch, caplog
):
    sent = answers(monkeypatch, {1: True}, {}, {})

    with transaction.atomic():
        for customer in (1, 2, 1, 2, 1, 2):
            with transaction.atomic():
                jobs.add.enqueue(customer, 0)

    assert sent == [[1, 2], [1], [1]]
    reasons = [error.rpartition(": ")[2] for error in lost(caplog)]
    assert reasons == ["SQS returned InternalError", *[sqs.GROUP_BLOCKED] * 2]


def test_run_after_is_rejected_on_a_fifo_queue(aws, settings):
    settings.TASKS = Queue(aws, fifo=True).options()

    with pytest.raises(InvalidTask, match="FIFO"):
        jobs.add.using(run_after=timezone.now() + timedelta(seconds=5))


# Checks


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"URLS": {}}, "the queue 'default' has no URL"),
        ({"URLS": {"default": "my-queue"}}, "is not an SQS queue URL: 'my-queue'"),
        ({"URL": "https://a/1/b"}, "unknown option 'URL'"),
        (
            {"MESSAGE_GROUP": "tests.aws_lambda.tasks.nothing"},
            "is not the dotted path of a function",
        ),
    ],
)
def test_wrong_options_are_reported(queue: Queue, settings, changes, words):
    settings.TASKS = queue.options(**changes)

    [error] = task_backends["default"].check()

    assert error.id == "aws_lambda.E017"
    assert words in error.msg


def test_results_without_their_app_are_reported(queue: Queue, settings):
    settings.TASKS = queue.options(RESULTS=True)
    assert task_backends["default"].check() == []
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if not app.endswith("tasks.results")
    ]

    [error] = task_backends["default"].check()

    assert "needs the app 'apps.aws_lambda.tasks.results'" in error.msg
