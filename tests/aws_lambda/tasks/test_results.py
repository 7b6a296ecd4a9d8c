"""Results in the database, and the admin."""

import time
from contextvars import copy_context
from datetime import timedelta
from html import unescape
from threading import Event, Thread
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections, transaction
from django.tasks import TaskResultStatus, task_backends
from django.tasks.exceptions import TaskResultDoesNotExist, TaskResultMismatch
from django.tasks.signals import task_finished
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string

from apps.aws_lambda.aws import sqs
from apps.aws_lambda.database.postgresql.base import DatabaseWrapper
from apps.aws_lambda.tasks import registry
from apps.aws_lambda.tasks.attempt import Attempt
from apps.aws_lambda.tasks.consumer import recall
from apps.aws_lambda.tasks.message import Enqueued, Message, encode
from apps.aws_lambda.tasks.results import store
from apps.aws_lambda.tasks.results.models import StoredTask
from tests.aws_lambda.tasks import jobs
from tests.aws_lambda.tasks.conftest import MAX_RECEIVE_COUNT, Function, Queue

pytestmark = pytest.mark.django_db(transaction=True)

CHANGELIST = "admin:lambda_task_results_storedtask_changelist"


def test_the_result_of_a_task_is_stored(stored: Queue, function: Function):
    result = jobs.add.enqueue(1, b=2)
    waiting = jobs.add.get_result(result.id)
    assert waiting.status == TaskResultStatus.READY
    assert (waiting.args, waiting.kwargs) == ([1], {"b": 2})
    assert waiting.enqueued_at == result.enqueued_at

    function.drain(stored)

    result.refresh()
    assert result.status == TaskResultStatus.SUCCESSFUL
    assert result.return_value == 3
    assert result.attempts == 1
    times = [result.enqueued_at, result.started_at, result.finished_at]
    assert times == sorted(filter(None, times))


async def get_result() -> tuple[Any, Any]:
    result = await jobs.add.aenqueue(1, 2)
    return result, await jobs.add.aget_result(result.id)


def test_a_coroutine_can_get_a_result(stored: Queue):
    result, found = async_to_sync(get_result)()

    assert found.id == result.id


def test_a_task_that_will_be_retried_is_not_finished(stored: Queue, function: Function):
    result = jobs.fail.enqueue("wrong")

    stored.mapping(function).poll()
    result.refresh()
    assert result.status == TaskResultStatus.READY
    assert not result.is_finished
    assert len(result.errors) == 1

    function.drain(stored)
    result = jobs.fail.get_result(result.id)
    assert result.status == TaskResultStatus.FAILED
    assert result.attempts == 3
    assert [error.exception_class for error in result.errors] == [ValueError] * 3
    assert "ValueError: wrong" in result.errors[0].traceback


@pytest.mark.parametrize("result_id", ["no-uuid", "", "0" * 32, None])
def test_a_missing_result_raises_task_result_does_not_exist(
    stored: Queue, result_id: Any
):
    with pytest.raises(TaskResultDoesNotExist):
        task_backends["default"].get_result(result_id)


def test_the_result_of_another_task_is_a_mismatch(stored: Queue):
    with pytest.raises(TaskResultMismatch):
        jobs.fail.get_result(jobs.add.enqueue(1, 2).id)


# Rows that this version of the project cannot read

JOBS = "tests.aws_lambda.tasks.jobs"
UNREADABLE: list[tuple[dict[str, Any], str]] = [
    ({"task_path": f"{JOBS}.gone"}, "no app of INSTALLED_APPS defines it"),
    ({"task_path": "gone.tasks.job"}, "no app of INSTALLED_APPS defines it"),
    ({"task_path": "apps.documents.tasks.gone"}, "its import raises ImportError"),
    ({"task_path": f"{JOBS}.broken.job"}, "its import raises SystemExit"),
    ({"queue_name": "gone"}, "Queue 'gone' is not valid for backend"),
    ({"backend": "gone"}, "The connection 'gone' doesn't exist"),
    ({"status": "LOST"}, "'LOST' is not a valid TaskResultStatus"),
    ({"args": {"a": 1}}, "args has the type dict, not list"),
    ({"kwargs": [["text", 1]]}, "kwargs has the type list, not dict"),
    ({"worker_ids": "local"}, "worker_ids has the type str, not list"),
    ({"worker_ids": 3}, "worker_ids has the type int, not list"),
    ({"errors": {"traceback": "x"}}, "errors has the type dict, not list"),
    (
        {"errors": [{"exception_class_path": "x"}]},
        "missing 1 required keyword-only argument",
    ),
    ({"errors": ["text"]}, "must be a mapping"),
    ({"errors": 3}, "errors has the type int, not list"),
]
unreadable = pytest.mark.parametrize(("changes", "reason"), UNREADABLE)


@pytest.fixture
def _broken_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the import of ``jobs.broken``, and of nothing else, end the process."""
    is_defined = registry.is_defined

    def import_(path: str) -> Any:
        if path == f"{JOBS}.broken.job":
            raise SystemExit(3)
        return import_string(path)

    monkeypatch.setattr(
        registry, "is_defined", lambda path: "broken" in path or is_defined(path)
    )
    monkeypatch.setattr(f"{registry.__name__}.import_string", import_)


@unreadable
@pytest.mark.usefixtures("_broken_module")
def test_a_row_that_cannot_be_read_is_a_missing_result(
    stored: Queue, changes: dict[str, Any], reason: str
):
    result = jobs.fail.enqueue("text")
    StoredTask.objects.update(**changes)
    name = f"The task {StoredTask.objects.get()} is stored, but cannot be read: "

    for read in (lambda: jobs.fail.get_result(result.id), result.refresh):
        with pytest.raises(TaskResultDoesNotExist, match=name) as raised:
            read()
        assert reason in str(raised.value)


def test_a_result_can_be_read_without_the_class_of_its_error(
    admin_client, stored: Queue, function: Function
):
    result = jobs.fail.enqueue("wrong")
    function.drain(stored)
    stored.messages(stored.dead_url)
    error = {"exception_class_path": f"{JOBS}.Gone", "traceback": "Gone: wrong"}
    StoredTask.objects.update(errors=[error])

    result.refresh()

    assert result.errors[0].exception_class_path == f"{JOBS}.Gone"
    # Django's own property.
    with pytest.raises(ImportError, match="Gone"):
        _ = result.errors[0].exception_class
    assert "1 task was enqueued." in enqueue_again(
        admin_client, StoredTask.objects.get()
    )
    function.drain(stored)
    assert jobs.fail.get_result(result.id).attempts == 6


def test_a_rollback_drops_the_row_and_the_message(
    stored: Queue,
):
    def fails() -> None:
        with transaction.atomic():
            jobs.add.enqueue(1, 2)
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        fails()

    assert not StoredTask.objects.exists()
    assert stored.left() == 0


def again(queue: Queue, result_id: str) -> None:
    """Deliver the task's message once more."""
    [message] = queue.messages()
    assert result_id in message["Body"]
    for _ in range(2):
        queue.sqs.send_message(QueueUrl=queue.url, MessageBody=message["Body"])
    queue.sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])


def test_a_message_that_is_delivered_twice_is_run_once(
    stored: Queue, function: Function, caplog
):
    caplog.set_level("INFO")
    again(stored, jobs.note.enqueue("once").id)

    function.drain(stored, batch_size=1)

    assert Group.objects.count() == 1
    assert stored.left() == 0
    assert "tests.aws_lambda.tasks.jobs.note skipped" in caplog.text


def test_a_failed_copy_does_not_overwrite_a_success(
    stored: Queue, function: Function, monkeypatch
):
    result = jobs.fail.enqueue("slower")

    def overtaken(*args: Any) -> None:
        StoredTask.objects.update(
            status=TaskResultStatus.SUCCESSFUL, return_value="of the other"
        )
        raise ValueError

    monkeypatch.setattr("apps.aws_lambda.tasks.attempt.call", overtaken)
    stored.mapping(function).poll()
    result.refresh()
    assert result.status == TaskResultStatus.SUCCESSFUL
    assert result.return_value == "of the other"


def test_only_one_of_two_simultaneous_copies_is_run(
    stored: Queue, function: Function, caplog, monkeypatch
):
    caplog.set_level("INFO")
    again(stored, jobs.note.enqueue("once").id)
    begun, go_on = Event(), Event()
    create = Group.objects.create

    def slowly(**fields: Any) -> None:
        begun.set()
        go_on.wait(60)
        create(**fields)

    def first() -> None:
        stored.mapping(function, batch_size=1).poll()
        connection.close()

    monkeypatch.setattr(Group.objects, "create", slowly)
    thread = Thread(target=first)
    thread.start()
    assert begun.wait(60)
    stored.mapping(function, batch_size=1).poll()
    go_on.set()
    thread.join()

    assert (
        "Another copy of the task tests.aws_lambda.tasks.jobs.note is in progress"
        in caplog.text
    )
    assert "tests.aws_lambda.tasks.jobs.note busy" in caplog.text
    assert Group.objects.count() == 1
    assert StoredTask.objects.get().status == TaskResultStatus.SUCCESSFUL
    assert [len(a["batchItemFailures"]) for a in function.answers] == [1, 0]
    assert stored.left() == 1


def test_a_copy_is_retried_after_the_claim_of_the_other_ends(
    stored: Queue, function: Function, monkeypatch
):
    jobs.note.enqueue("later")
    StoredTask.objects.update(
        status=TaskResultStatus.RUNNING,
        claimed_until=timezone.now() + timedelta(seconds=100),
    )
    waits: list[int] = []
    change_visibility = sqs.change_visibility

    def spy(url: str, seconds: dict[str, int]) -> set[str]:
        waits.extend(seconds.values())
        return change_visibility(url, dict.fromkeys(seconds, 0))

    monkeypatch.setattr(sqs, "change_visibility", spy)
    stored.mapping(function).poll()
    StoredTask.objects.update(claimed_until=timezone.now())
    stored.mapping(function).poll()

    [seconds] = waits
    assert 90 <= seconds <= 100
    assert Group.objects.count() == 1
    assert stored.left() == 0


def test_a_task_is_claimed_until_its_invocation_ends(
    stored: Queue, function: Function, monkeypatch
):
    jobs.note.enqueue("claimed")
    claims: list[Any] = []

    def look(**fields: Any) -> None:
        claims.append(StoredTask.objects.get().claimed_until)
        raise ValueError

    monkeypatch.setattr(Group.objects, "create", look)
    function.timeout = 500
    stored.mapping(function).poll()

    [until] = claims
    assert timedelta(0) < timezone.now() + timedelta(seconds=500) - until
    assert until > timezone.now() + timedelta(seconds=400)
    assert StoredTask.objects.get().claimed_until is None


def test_a_result_that_was_not_saved_is_saved_after_the_batch(
    stored: Queue, function: Function, monkeypatch, caplog
):
    caplog.set_level("INFO")
    jobs.note.enqueue("once")
    save = store.save
    answers = iter([OperationalError("away")])

    def sometimes(result: Any) -> bool:
        for error in answers:
            raise error
        return save(result)

    finished = []
    monkeypatch.setattr(store, "save", sometimes)

    def receiver(task_result: Any, **kwargs: Any) -> None:
        finished.append(task_result.status)

    task_finished.connect(receiver)
    try:
        function.drain(stored)
    finally:
        task_finished.disconnect(receiver)

    assert StoredTask.objects.get().status == TaskResultStatus.SUCCESSFUL
    assert Group.objects.count() == 1
    assert finished == [TaskResultStatus.SUCCESSFUL]
    assert function.answers == [{"batchItemFailures": []}]
    assert "jobs.note succeeded, but its result was not saved" in caplog.text
    assert stored.left() == 0


def test_a_task_that_succeeded_since_it_was_recalled_is_skipped(
    stored: Queue, function: Function, monkeypatch, caplog
):
    caplog.set_level("INFO")
    jobs.note.enqueue("again")
    recall = store.recall

    def overtaken(results: Any) -> Any:
        failures = recall(results)
        StoredTask.objects.update(status=TaskResultStatus.SUCCESSFUL)
        return failures

    monkeypatch.setattr(store, "recall", overtaken)
    stored.mapping(function).poll()

    assert not Group.objects.exists()
    assert "tests.aws_lambda.tasks.jobs.note skipped" in caplog.text
    assert stored.left() == 0


def test_a_task_that_was_attempted_since_it_was_recalled_is_busy(
    stored: Queue, function: Function, monkeypatch, caplog
):
    caplog.set_level("INFO")
    jobs.note.enqueue("again")
    recall = store.recall

    def overtaken(results: Any) -> Any:
        failures = recall(results)
        StoredTask.objects.update(
            last_attempted_at=timezone.now(), worker_ids=["other"]
        )
        return failures

    monkeypatch.setattr(store, "recall", overtaken)
    waited: dict[str, int] = {}
    monkeypatch.setattr(
        sqs, "change_visibility", lambda url, waits: waited.update(waits) or set()
    )
    stored.mapping(function).poll()

    assert not Group.objects.exists()
    assert "tests.aws_lambda.tasks.jobs.note busy" in caplog.text
    assert [*waited.values()] == [1]
    assert StoredTask.objects.get().worker_ids == ["other"]


def test_the_stored_arguments_survive_a_task_that_changes_them(
    stored: Queue, function: Function
):
    jobs.consume.enqueue(["a", "bad", "b"], object_at_end=False)
    jobs.consume.enqueue(["c"], object_at_end=True)

    function.drain(stored)

    failed, done = StoredTask.objects.order_by("enqueued_at")
    assert (failed.status, failed.args) == ("FAILED", [["a", "bad", "b"]])
    assert (done.status, done.args) == ("SUCCESSFUL", [["c"]])


def test_an_exceeded_deadline_counts_as_an_interrupted_attempt(
    stored: Queue, function: Function
):
    result = jobs.slow_query.enqueue()
    function.timeout = 4

    stored.mapping(function).poll()

    store.recall([result])
    assert store.interrupted_attempts(result) == 1
    stored.messages()


def test_a_hanging_store_returns_all_messages_after_their_backoff(
    stored: Queue, function: Function, monkeypatch, caplog, settings
):
    settings.LAMBDA_TASK_BACKOFF = (100, 900)
    results = [jobs.note.enqueue(str(number)) for number in range(2)]
    record = stored.mapping(function).record
    records = [record(message) for message in stored.messages()]
    for each in records:
        last = {"ApproximateReceiveCount": str(MAX_RECEIVE_COUNT)}
        each["attributes"] = each["attributes"] | last
    waited: dict[str, int] = {}
    monkeypatch.setattr(store, "recall", lambda results: time.sleep(60))
    monkeypatch.setattr(
        sqs, "change_visibility", lambda url, waits: waited.update(waits) or set()
    )
    function.timeout = 4

    function({"Records": records})

    assert len(waited) == 2
    assert all(seconds >= 100 for seconds in waited.values())
    errors = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
    assert len(errors) == len(results)
    for error in errors:
        assert error == (
            "There was no time to run the task tests.aws_lambda.tasks.jobs.note. "
            "Attempt 3 of 3: SQS moves the message to the dead-letter queue."
        )


def test_a_failing_store_keeps_no_message_from_being_reported(
    stored: Queue, function: Function, monkeypatch, caplog
):
    result = jobs.fail.enqueue()

    def fails(result: Any) -> bool:
        raise OperationalError("away")

    monkeypatch.setattr(store, "save", fails)
    stored.mapping(function).poll()

    assert len(function.answers[0]["batchItemFailures"]) == 1
    expected = (
        "Could not save or announce the result of the task "
        "tests.aws_lambda.tasks.jobs.fail"
    )
    assert f"{expected} {result.id}" in caplog.text


REJECTED = pytest.mark.parametrize("escaped", [r"a\x00b", r"\ud800", r"\udc00x"])


@REJECTED
def test_a_traceback_that_postgresql_rejects_is_stored_escaped(
    stored: Queue, function: Function, escaped: str
):
    result = jobs.fail_with.enqueue(escaped)

    function.drain(stored)

    result.refresh()
    assert result.status == TaskResultStatus.FAILED
    assert f"ValueError: {escaped}" in result.errors[0].traceback


@pytest.mark.parametrize(
    "source", [r"'a\x00b'", r"'\ud800'", r"{'\udc00x': 1}", "[1e999]", "10**4999"]
)
def test_a_return_value_that_cannot_be_stored_becomes_none(
    stored: Queue, function: Function, source: str, caplog
):
    result = jobs.give_back.enqueue(source)

    function.drain(stored)

    assert Group.objects.count() == 1
    result.refresh()
    assert result.status == TaskResultStatus.SUCCESSFUL
    assert result.return_value is None
    [error] = [r.message for r in caplog.records if r.levelname == "ERROR"]
    assert "Cannot store what the task" in error
    assert f"jobs.give_back {result.id} returned" in error


@pytest.mark.parametrize("argument", ["\0", ["\ud800"], {"a\0": 1}, {"a": ["\udfff"]}])
def test_an_argument_that_cannot_be_stored_is_rejected(stored: Queue, argument: Any):
    with pytest.raises(
        ValueError, match=r"Cannot store the arguments of .*jobs\.fail: PostgreSQL"
    ):
        jobs.fail.enqueue(argument)
    with pytest.raises(ValueError, match="rejects NUL"):
        jobs.fail.enqueue(text=argument)

    assert not StoredTask.objects.exists()
    assert stored.left() == 0


@pytest.mark.parametrize("text", [r"\u0000", "\x01\x7f", "\U0001f600", "\uffff"])
def test_any_other_text_is_stored(stored: Queue, text: str):
    result = jobs.fail.enqueue(text)

    assert jobs.fail.get_result(result.id).args == [text]


def test_a_connection_that_died_during_the_task_is_replaced(
    stored: Queue, function: Function
):
    result = jobs.lose_connection.enqueue()

    function.drain(stored)

    assert Group.objects.count() == 1
    result.refresh()
    assert result.status == TaskResultStatus.SUCCESSFUL
    assert result.attempts == 1


def test_the_tasks_of_a_batch_share_a_connection(
    stored: Queue, function: Function, monkeypatch
):
    made = []
    connect = DatabaseWrapper.get_new_connection

    def spy(*args: Any) -> Any:
        made.append(args)
        return connect(*args)

    for number in range(4):
        jobs.note.enqueue(str(number))
    jobs.fail.enqueue()
    monkeypatch.setattr(DatabaseWrapper, "get_new_connection", spy)
    stored.mapping(function).poll()

    assert Group.objects.count() == 4
    assert len(function.answers) == 1
    # The connection of the batch, and that of the count above.
    assert len(made) == 2


def test_each_task_of_a_batch_has_a_context_of_its_own(
    stored: Queue, function: Function
):
    results = [jobs.change_context.enqueue() for _ in range(3)]

    stored.mapping(function).poll()

    for result in results:
        result.refresh()
    [first, *others] = [result.return_value for result in results]
    assert first[2] == ""
    assert others == [first, first]
    assert len(function.answers) == 1


def test_the_tasks_of_all_batches_share_a_connection_that_is_kept(
    queue: Queue, function: Function, monkeypatch
):
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    for number in range(20):
        jobs.note.enqueue(str(number))
    connection.close()
    # As in an environment whose first query is that of a task.
    del connections["default"]
    made = []
    connect = DatabaseWrapper.get_new_connection

    def spy(*args: Any) -> Any:
        made.append(args)
        return connect(*args)

    monkeypatch.setattr(DatabaseWrapper, "get_new_connection", spy)
    function.drain(queue)

    assert Group.objects.count() == 20
    assert len(function.answers) == 2
    assert len(made) == 1


@pytest.mark.django_db(transaction=False)
def test_a_task_can_be_run_in_the_transaction_of_a_test(stored: Queue):
    with transaction.atomic():
        for result in (jobs.note.enqueue("seen"), jobs.fail.enqueue()):
            body = encode(Enqueued(result, "", 1))
            count = MAX_RECEIVE_COUNT
            message = Message("id", "receipt", body, count, 0, "", "arn:aws:sqs:::q")
            attempt = Attempt(message, count)
            attempt.decode()
            recall([attempt])
            until = timezone.now() + timedelta(seconds=60)
            copy_context().run(attempt.run, until)

        statuses = StoredTask.objects.values_list("status", flat=True)
        assert sorted(statuses) == ["FAILED", "SUCCESSFUL"]
        assert Group.objects.filter(name="seen").exists()


def test_a_task_whose_environment_ended_is_run_again(stored: Queue, function: Function):
    result = jobs.note.enqueue("again")
    StoredTask.objects.update(
        status=TaskResultStatus.RUNNING,
        worker_ids=["lost"],
        started_at=timezone.now(),
        last_attempted_at=timezone.now(),
    )

    function.drain(stored)

    result.refresh()
    assert result.status == TaskResultStatus.SUCCESSFUL
    assert result.worker_ids == ["lost", "local"]


def test_a_failed_task_from_the_dead_letter_queue_is_run(
    stored: Queue, function: Function, monkeypatch
):
    result = jobs.fail.enqueue()
    function.drain(stored)
    [message] = stored.messages(stored.dead_url)
    monkeypatch.setattr(
        "tests.aws_lambda.tasks.jobs.fail.func.__code__", jobs.add_one.__code__
    )

    stored.sqs.send_message(QueueUrl=stored.url, MessageBody=message["Body"])
    function.drain(stored)

    result.refresh()
    assert result.status == TaskResultStatus.SUCCESSFUL
    assert result.attempts == 4


def test_a_task_without_a_row_is_run_and_stored(stored: Queue, function: Function):
    result = jobs.add.enqueue(1, 2)
    StoredTask.objects.all().delete()

    function.drain(stored)

    result.refresh()
    assert result.return_value == 3


def test_a_task_is_not_run_without_its_store(
    stored: Queue, function: Function, monkeypatch, caplog
):
    jobs.note.enqueue("later")

    def fails(results: Any) -> None:
        raise RuntimeError("no database")

    monkeypatch.setattr("apps.aws_lambda.tasks.results.store.recall", fails)
    stored.mapping(function).poll()
    monkeypatch.undo()

    assert not Group.objects.exists()
    assert "RuntimeError: no database" in caplog.text
    assert stored.left() == 1


@pytest.mark.parametrize(
    "row",
    [{"errors": [{"notes": ""}]}, {"status": "LOST"}, {"worker_ids": "local"}],
)
def test_a_row_that_cannot_be_read_fails_its_own_task_only(
    stored: Queue, function: Function, row: dict[str, Any]
):
    unreadable, readable = jobs.note.enqueue("a"), jobs.note.enqueue("b")
    StoredTask.objects.filter(id=unreadable.id).update(**row)

    stored.mapping(function).poll()

    assert [*Group.objects.values_list("name", flat=True)] == ["b"]
    readable.refresh()
    assert readable.status == TaskResultStatus.SUCCESSFUL
    assert stored.left() == 1


def test_an_interrupted_task_runs_last_after_finished_messages_are_deleted(
    stored: Queue, function: Function, monkeypatch
):
    for name in ("interrupted", "received twice", "new"):
        jobs.note.enqueue(name)
    StoredTask.objects.filter(args=["interrupted"]).update(
        status=TaskResultStatus.RUNNING, worker_ids=["lost"]
    )
    # The environment ended while it had the first two messages.
    *lost, new = stored.messages()
    for message in lost:
        stored.sqs.change_message_visibility(
            QueueUrl=stored.url,
            ReceiptHandle=message["ReceiptHandle"],
            VisibilityTimeout=0,
        )
    order, left = [], []

    def create(name: str) -> None:
        order.append(name)
        left.append(stored.left())

    monkeypatch.setattr(Group.objects, "create", create)
    record = stored.mapping(function).record
    function({"Records": [record(message) for message in [new, *stored.messages()]]})

    assert order == ["received twice", "new", "interrupted"]
    assert left == [3, 3, 1]


# The admin


@pytest.fixture
def failed(stored: Queue, function: Function) -> StoredTask:
    jobs.fail.enqueue("<wrong>")
    function.drain(stored)
    stored.messages(stored.dead_url)
    return StoredTask.objects.get()


def test_the_admin_shows_status_attempts_arguments_and_errors(
    admin_client, failed: StoredTask
):
    page = admin_client.get(reverse(CHANGELIST)).content.decode()
    assert "tests.aws_lambda.tasks.jobs.fail" in page
    assert "Failed" in page
    assert '<td class="field-attempts">3</td>' in page

    url = reverse("admin:lambda_task_results_storedtask_change", args=[failed.pk])
    page = admin_client.get(url).content.decode()
    assert "ValueError: &lt;wrong&gt;" in page
    assert page.count("<pre>") == 3
    assert 'name="_save"' not in page


def enqueue_again(client: Any, *tasks: StoredTask) -> str:
    data = {"action": "enqueue_again", "_selected_action": [t.pk for t in tasks]}
    page: str = client.post(reverse(CHANGELIST), data, follow=True).content.decode()
    return page


def test_the_admin_enqueues_a_failed_task_again(
    admin_client, failed: StoredTask, stored: Queue
):
    page = enqueue_again(admin_client, failed)

    assert "1 task was enqueued." in page
    [body] = stored.bodies()
    assert body["id"] == str(failed.pk)
    assert body["args"] == ["<wrong>"]
    failed.refresh_from_db()
    assert failed.status == TaskResultStatus.READY


@pytest.mark.parametrize(
    ("status", "minutes", "enqueued"),
    [("SUCCESSFUL", 60, 0), ("RUNNING", 5, 0), ("READY", 5, 0),
     ("RUNNING", 16, 1), ("READY", 16, 1)],
)  # fmt: skip
def test_tasks_that_succeeded_or_may_still_run_are_skipped(
    admin_client, failed: StoredTask, stored: Queue, status, minutes, enqueued
):
    before = timezone.now() - timedelta(minutes=minutes)
    StoredTask.objects.update(status=status, last_attempted_at=before)

    page = enqueue_again(admin_client, failed)

    assert ("1 task was skipped" in page) is (enqueued == 0)
    assert stored.left() == enqueued


def test_the_admin_shows_that_sqs_is_unreachable(
    admin_client, failed: StoredTask, stored: Queue, monkeypatch
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    StoredTask.objects.update(last_attempted_at=timezone.now() - timedelta(minutes=16))

    page = enqueue_again(admin_client, failed)
    assert "1 of 1 tasks were not enqueued" in page
    assert "0 tasks were enqueued." in page

    monkeypatch.setenv("AWS_ENDPOINT_URL", stored.aws.environment()["AWS_ENDPOINT_URL"])
    assert "1 task was enqueued." in enqueue_again(admin_client, failed)


def test_a_task_that_succeeded_meanwhile_is_not_enqueued_again(
    failed: StoredTask, stored: Queue
):
    StoredTask.objects.update(status=TaskResultStatus.SUCCESSFUL)

    with pytest.raises(ValueError, match="has succeeded, or was deleted, meanwhile"):
        store.enqueue_again(failed)

    assert StoredTask.objects.get().status == TaskResultStatus.SUCCESSFUL
    assert stored.left() == 0


@unreadable
@pytest.mark.usefixtures("_broken_module")
def test_the_admin_shows_a_row_that_cannot_be_read(
    admin_client, failed: StoredTask, changes: dict[str, Any], reason: str
):
    StoredTask.objects.update(**changes)

    assert str(failed.pk) in admin_client.get(reverse(CHANGELIST)).text
    url = reverse("admin:lambda_task_results_storedtask_change", args=[failed.pk])
    page = admin_client.get(url).text
    assert "errors" not in changes or "<pre>" in page


@unreadable
@pytest.mark.usefixtures("_broken_module")
def test_a_row_that_cannot_be_read_is_reported_and_the_others_are_enqueued(
    admin_client, stored: Queue, function: Function, changes: dict[str, Any], reason
):
    results = [jobs.fail.enqueue(text) for text in ("a", "b", "c")]
    function.drain(stored)
    stored.messages(stored.dead_url)
    long_ago = {"last_attempted_at": timezone.now() - timedelta(hours=1)}
    StoredTask.objects.filter(pk=results[1].id).update(**long_ago, **changes)
    before = StoredTask.objects.filter(pk=results[1].id).values().get()

    page = unescape(enqueue_again(admin_client, *StoredTask.objects.all()))

    assert f"{results[1].id} was not enqueued. TaskResultDoesNotExist: " in page
    assert reason in page
    assert "2 tasks were enqueued." in page
    sent = {body["id"] for body in stored.bodies()}
    assert sent == {results[0].id, results[2].id}
    assert StoredTask.objects.filter(pk=results[1].id).values().get() == before


def group_of_b(result: Any) -> str:
    return {"b": "group"}[result.args[0]]


def test_a_task_without_a_message_group_is_reported_and_stays_failed(
    admin_client, stored: Queue, function: Function, settings, aws
):
    results = [jobs.fail.enqueue(text) for text in ("a", "b")]
    function.drain(stored)
    fifo = Queue(aws, fifo=True)
    settings.TASKS = fifo.options(RESULTS=True, MESSAGE_GROUP=f"{__name__}.group_of_b")

    page = unescape(enqueue_again(admin_client, *StoredTask.objects.all()))

    assert (
        f"The task {JOBS}.fail {results[0].id} was not enqueued. KeyError: 'a'" in page
    )
    assert "1 task was enqueued." in page
    assert fifo.left() == 1
    assert [t.status for t in StoredTask.objects.order_by("enqueued_at")] == [
        TaskResultStatus.FAILED,
        TaskResultStatus.READY,
    ]


def test_a_task_without_a_message_group_is_not_stored(stored: Queue, settings, aws):
    fifo = Queue(aws, fifo=True)
    settings.TASKS = fifo.options(RESULTS=True, MESSAGE_GROUP=f"{__name__}.group_of_b")

    with pytest.raises(KeyError):
        jobs.fail.enqueue("a")

    assert not StoredTask.objects.exists()


def test_tasks_are_enqueued_again_from_a_page_of_failed_tasks(
    admin_client, failed: StoredTask, stored: Queue
):
    url = reverse(CHANGELIST, query={"status__exact": "FAILED"})
    data = {"action": "enqueue_again", "_selected_action": [failed.pk]}

    page = admin_client.post(url, data, follow=True).text

    assert "1 task was enqueued." in page
    assert "skipped" not in page


def test_a_database_error_is_not_reported_as_that_of_a_task(
    admin_client, failed: StoredTask, monkeypatch
):
    def fails(result: Any) -> bool:
        raise OperationalError("away")

    monkeypatch.setattr(store, "save", fails)

    with pytest.raises(OperationalError, match="away"):
        enqueue_again(admin_client, failed)


def test_the_view_permission_does_not_allow_to_enqueue(
    client, failed: StoredTask, stored: Queue
):
    user = get_user_model().objects.create(username="viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_storedtask"))
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    enqueue_again(client, failed)

    assert stored.left() == 0


# Pruning


def test_old_results_are_pruned(stored: Queue, capsys):
    now = timezone.now()
    for status, days in [
        ("SUCCESSFUL", 13), ("SUCCESSFUL", 15), ("FAILED", 89), ("FAILED", 91),
        ("RUNNING", 89), ("RUNNING", 91), ("READY", 89), ("READY", 91),
    ]:  # fmt: skip
        result = jobs.add.enqueue(days, 0)
        then = now - timedelta(days=days)
        finished = status in ("SUCCESSFUL", "FAILED")
        StoredTask.objects.filter(pk=result.id).update(
            status=status,
            enqueued_at=then if status == "READY" else now - timedelta(days=365),
            last_attempted_at=None if status == "READY" else then,
            finished_at=then if finished else None,
        )

    call_command("prune_task_results")

    assert capsys.readouterr().out == "Task results deleted: 4\n"
    left = {(t.status, t.args[0]) for t in StoredTask.objects.all()}
    assert left == {
        ("SUCCESSFUL", 13), ("FAILED", 89), ("RUNNING", 89), ("READY", 89),
    }  # fmt: skip

    call_command("prune_task_results", "--days", "0", "--failed-days", "0")
    assert not StoredTask.objects.exists()


@pytest.mark.parametrize(
    "changes",
    [{"status": "LOST"}, {"task_path": f"{JOBS}.gone"}, {"errors": 3}],
)
def test_a_row_that_cannot_be_read_is_pruned(stored: Queue, changes: dict[str, Any]):
    now = timezone.now()
    for days in (89, 91):
        result = jobs.fail.enqueue(str(days))
        StoredTask.objects.filter(pk=result.id).update(
            enqueued_at=now - timedelta(days=days), **changes
        )

    call_command("prune_task_results")

    left = StoredTask.objects.get()
    assert left.enqueued_at == now - timedelta(days=89)


def test_pruning_rejects_an_invalid_number_of_days(db):
    with pytest.raises(CommandError, match="not a number of days"):
        call_command("prune_task_results", "--days", "-1")
