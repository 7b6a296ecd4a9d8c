"""Enqueueing: what is sent, when, and what is refused."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.tasks import TaskResultStatus, task_backends
from django.tasks.exceptions import InvalidTask
from django.tasks.signals import task_enqueued
from django.utils import timezone

from apps.aws_lambda.aws import service, sqs
from apps.aws_lambda.aws.http import AwsError
from apps.aws_lambda.aws.limits import MAX_SQS_MESSAGE_BYTES
from apps.aws_lambda.checks.tasks import backends
from apps.aws_lambda.deadline import DeadlineExceeded
from apps.aws_lambda.invocation import request_id
from apps.aws_lambda.tasks.outbox import NotEnqueued
from tests.aws_lambda.tasks import jobs
from tests.aws_lambda.tasks.conftest import Queue


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
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
    }


async def enqueue_async() -> Any:
    return await jobs.add.aenqueue(1, 2)


def test_a_view_that_is_a_coroutine_can_enqueue(queue: Queue):
    from asgiref.sync import async_to_sync

    result = async_to_sync(enqueue_async)()

    assert [body["id"] for body in queue.bodies()] == [result.id]


# Transactions


@pytest.mark.django_db(transaction=True)
def test_the_message_leaves_after_the_commit(queue: Queue):
    with transaction.atomic():
        jobs.add.enqueue(1, 2)
        assert queue.left() == 0

    assert queue.left() == 1


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_for_a_transaction_that_is_rolled_back(queue: Queue):
    def fails() -> None:
        with transaction.atomic():
            jobs.add.enqueue(1, 2)
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fails()

    assert queue.left() == 0


@pytest.mark.django_db(transaction=True)
def test_a_savepoint_takes_its_own_messages_with_it_and_the_rest_leaves_in_one_call(
    queue: Queue, asked
):
    def fails(number: int) -> None:
        with transaction.atomic():
            jobs.add.enqueue(number, 0)
            transaction.on_commit(lambda: pytest.fail("It was rolled back."))
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

    assert [len(question["Entries"]) for _, question in asked] == [4]
    assert [body["args"][0] for body in queue.bodies()] == [2, 3, 4, 5]


@pytest.mark.django_db(transaction=True)
def test_messages_leave_in_their_place_among_the_callbacks_of_others(queue: Queue):
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
def test_each_backend_sends_its_own(queue: Queue, aws, settings):
    other = Queue(aws)
    settings.TASKS = queue.options() | {"other": other.options()["default"]}

    with transaction.atomic():
        for number in range(2):
            jobs.add.enqueue(number, 0)
            jobs.add.using(backend="other").enqueue(number, 0)

    assert (queue.left(), other.left()) == (2, 2)


@pytest.mark.django_db
def test_a_test_that_captures_callbacks_gets_what_it_enqueued(
    queue: Queue, django_capture_on_commit_callbacks
):
    jobs.add.enqueue(1, 0)

    with django_capture_on_commit_callbacks(execute=True):
        jobs.add.enqueue(2, 0)
        with django_capture_on_commit_callbacks(execute=True):
            jobs.add.enqueue(3, 0)

    assert sorted(body["args"][0] for body in queue.bodies()) == [2, 3]


@pytest.mark.django_db
def test_what_a_test_commits_alone_is_not_sent_by_the_next(
    queue: Queue, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks() as callbacks:
        jobs.add.enqueue(1, 0)
    callbacks[0]()

    with django_capture_on_commit_callbacks(execute=True):
        jobs.add.enqueue(2, 0)

    assert [body["args"][0] for body in queue.bodies()] == [2]


@pytest.mark.django_db(transaction=True)
def test_it_leaves_at_once_if_the_option_says_so(queue: Queue, settings):
    settings.TASKS = queue.options(AFTER_COMMIT=False)

    with transaction.atomic():
        jobs.add.enqueue(1, 2)
        assert queue.left() == 1


@pytest.mark.django_db(transaction=True)
def test_what_one_transaction_enqueues_leaves_in_tens_and_in_order(queue, asked):
    with transaction.atomic():
        for number in range(25):
            jobs.add.enqueue(number, 0)

    sizes = [len(question["Entries"]) for _, question in asked]
    assert sizes == [10, 10, 5]
    assert [body["args"][0] for body in queue.bodies()] == list(range(25))


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_no_larger_than_sqs_takes(queue: Queue, asked):
    with transaction.atomic():
        for _ in range(5):
            jobs.fail.enqueue("x" * 400_000)

    assert [len(question["Entries"]) for _, question in asked] == [2, 2, 1]
    assert queue.left() == 5


@pytest.mark.django_db(transaction=True)
def test_the_signal_is_sent_once_the_message_is_in_the_queue(queue: Queue):
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
    """Let SQS answer so; return what it was sent, by the first argument."""
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
def test_what_sqs_does_not_take_is_sent_again(queue: Queue, monkeypatch):
    sent = answers(monkeypatch, {1: False, 2: False}, {2: False}, {})

    with transaction.atomic():
        for number in range(4):
            jobs.add.enqueue(number, 0)

    assert sent == [[0, 1, 2, 3], [1, 2], [2]]


@pytest.mark.django_db(transaction=True)
def test_what_sqs_refuses_three_times_is_lost_and_nobody_is_told_that_it_went(
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
def test_what_is_not_taken_in_the_end_is_reported_and_the_rest_sent(
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
def test_where_sqs_does_not_answer_the_rest_is_not_tried(
    queue: Queue, monkeypatch, caplog
):
    sent = answers(monkeypatch, {}, AwsError("AWS is away"))

    with transaction.atomic():
        for number in range(32):
            jobs.add.enqueue(number, 0)

    assert [len(batch) for batch in sent] == [10, 10]
    assert len(lost(caplog)) == 22
    assert all("AWS is away" in error for error in lost(caplog))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("interrupt", [DeadlineExceeded, KeyboardInterrupt])
def test_an_interrupt_leaves_the_names_of_the_tasks_that_may_not_have_gone(
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
        assert "interrupted before SQS had answered" in error


def lost(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the line of each task that was not enqueued."""
    return [
        r.message for r in caplog.records if r.name == "apps.aws_lambda.tasks.outbox"
    ]


@pytest.mark.django_db(transaction=True)
def test_after_a_commit_one_failure_stops_neither_later_tasks_nor_other_callbacks(
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
def test_a_receiver_that_raises_keeps_no_task_from_its_queue(
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


def test_a_receiver_that_raises_is_logged_and_not_taken_for_a_task_that_did_not_go(
    queue: Queue, caplog
):
    def receiver(**kwargs: Any) -> None:
        raise ValueError("receiver")

    task_enqueued.connect(receiver)
    try:
        jobs.add.enqueue(1, 0)
    finally:
        task_enqueued.disconnect(receiver)

    assert queue.left() == 1
    assert "ValueError: receiver" in caplog.text


def test_outside_a_transaction_a_task_that_was_not_enqueued_raises(
    queue: Queue, monkeypatch
):
    answers(monkeypatch, {0: True})

    with pytest.raises(NotEnqueued, match="1 of 1 tasks were not") as problem:
        jobs.add.enqueue(1, 2)

    assert [result.args for result in problem.value.results] == [[1, 2]]


def test_a_queue_that_does_not_exist_is_a_clear_error(queue: Queue, settings):
    settings.TASKS["default"]["OPTIONS"]["URLS"]["default"] = f"{queue.url}-gone"
    settings.TASKS = {**settings.TASKS}

    with pytest.raises(NotEnqueued, match="QueueDoesNotExist"):
        jobs.add.enqueue(1, 2)


def test_a_message_of_the_size_that_sqs_takes_is_sent(queue: Queue):
    jobs.fail.enqueue("")
    [empty] = queue.messages()

    jobs.fail.enqueue("x" * (MAX_SQS_MESSAGE_BYTES - len(empty["Body"])))

    [full] = queue.messages()
    assert len(full["Body"]) == 1_048_576


def test_a_larger_one_is_refused_with_both_sizes(queue: Queue):
    jobs.fail.enqueue("")
    [empty] = queue.messages()

    with pytest.raises(ValueError, match=r"1,048,577 bytes, and SQS takes 1,048,576"):
        jobs.fail.enqueue("x" * (MAX_SQS_MESSAGE_BYTES - len(empty["Body"]) + 1))

    assert queue.left() == 1


@pytest.mark.parametrize("argument", [object(), {1, 2}, float("nan"), b"\xff"])
def test_an_argument_that_is_no_json_is_refused(queue: Queue, argument: Any):
    with pytest.raises((TypeError, ValueError)):
        jobs.fail.enqueue(argument)

    assert queue.left() == 0


@pytest.mark.parametrize(
    "text", ["\x00\x08", "\ufffe\uffff", "\ud800", "日本語", '"\\']
)
def test_any_text_survives_the_queue(queue: Queue, text: str):
    jobs.fail.enqueue(text)

    [body] = queue.bodies()
    assert body["args"] == [text]


# What it can do


def test_a_task_may_wait_for_as_long_as_sqs_lets_it(queue: Queue, asked):
    jobs.add.using(run_after=timezone.now() + timedelta(minutes=10)).enqueue(1, 2)

    [(_, question)] = asked
    assert question["Entries"][0]["DelaySeconds"] == pytest.approx(600, abs=5)


def test_a_time_that_has_passed_is_no_delay(queue: Queue, asked):
    jobs.add.using(run_after=timezone.now() - timedelta(days=1)).enqueue(1, 2)

    [(_, question)] = asked
    assert "DelaySeconds" not in question["Entries"][0]


def test_a_longer_wait_is_refused_before_it_is_enqueued(queue: Queue):
    with pytest.raises(InvalidTask, match="15 minutes at most"):
        jobs.add.using(run_after=timezone.now() + timedelta(minutes=16))


def test_priorities_are_refused(queue: Queue):
    with pytest.raises(InvalidTask, match="priority"):
        jobs.add.using(priority=1)


def test_a_queue_of_another_name_is_refused(queue: Queue):
    with pytest.raises(InvalidTask, match="Queue 'other' is not valid"):
        jobs.add.using(queue_name="other")


def test_each_queue_has_its_own_url(queue: Queue, aws, settings):
    other = Queue(aws)
    tasks = queue.options(URLS={"default": queue.url, "other": other.url})
    tasks["default"]["QUEUES"] = ["default", "other"]
    settings.TASKS = tasks

    jobs.add.using(queue_name="other").enqueue(1, 2)

    assert (queue.left(), other.left()) == (0, 1)


def test_results_are_not_supported_without_the_store(queue: Queue):
    backend = task_backends["default"]
    assert backend.supports_get_result is False
    result = jobs.add.enqueue(1, 2)

    with pytest.raises(NotImplementedError):
        jobs.add.get_result(result.id)


# FIFO


def by_first_argument(result: Any) -> str:
    return f"customer-{result.args[0]}"


def test_a_fifo_queue_is_told_group_and_deduplication(aws, settings):
    queue = Queue(aws, fifo=True)
    settings.TASKS = queue.options()

    result = jobs.add.enqueue(1, 2)

    [message] = queue.messages()
    assert message["Attributes"]["MessageGroupId"] == "tests.aws_lambda.tasks.jobs.add"
    assert message["Attributes"]["MessageDeduplicationId"] == f"{result.id}-0"


def test_a_function_of_the_project_may_choose_the_group(aws, settings):
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
def test_no_call_has_two_tasks_of_a_group_as_sqs_may_take_the_second_alone(
    customers: Queue, monkeypatch
):
    # One of the first call is not taken at once.
    sent = answers(monkeypatch, {1: False}, {}, {}, {})

    with transaction.atomic():
        for customer in (1, 2, 3, 2, 1, 1):
            jobs.add.enqueue(customer, 0)

    assert sent == [[1, 2, 3], [2], [2, 1], [1]]


@pytest.mark.django_db(transaction=True)
def test_behind_a_task_that_was_not_sent_its_group_is_not_sent(
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


def test_a_fifo_queue_delays_no_single_task(aws, settings):
    settings.TASKS = Queue(aws, fifo=True).options()

    with pytest.raises(InvalidTask, match="FIFO"):
        jobs.add.using(run_after=timezone.now() + timedelta(seconds=5))


# Checks


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"URLS": {}}, "the queue 'default' has no URL"),
        ({"URLS": {"default": "my-queue"}}, "is none of SQS"),
        ({"URL": "https://a/1/b"}, "no option 'URL'"),
        ({"MESSAGE_GROUP": "tests.aws_lambda.tasks.nothing"}, "names no function"),
    ],
)
def test_wrong_options_are_reported(queue: Queue, settings, changes, words):
    settings.TASKS = queue.options(**changes)

    [error] = [*backends()]

    assert error.id == "aws_lambda.E017"
    assert words in error.msg


def test_results_without_their_table_are_reported(queue: Queue, settings):
    settings.TASKS = queue.options(RESULTS=True)
    assert [*backends()] == []
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if not app.endswith("tasks.results")
    ]

    [error] = [*backends()]

    assert "there is no table" in error.msg
