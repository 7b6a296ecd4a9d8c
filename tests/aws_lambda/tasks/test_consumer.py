"""The tasks function: which messages it reports, and what it logs."""

import asyncio
import json
import logging
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection
from django.tasks import Task, TaskResultStatus
from django.tasks.signals import task_finished, task_started

from apps.aws_lambda.aws import service, sqs
from apps.aws_lambda.aws.http import AwsError
from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from apps.aws_lambda.database.connections import discard_open_transactions
from apps.aws_lambda.deadline import DeadlineExceeded
from apps.aws_lambda.events import UnsupportedEvent
from apps.aws_lambda.handlers import lambda_handler
from apps.aws_lambda.invocation import chain_length, request_id, task_id
from apps.aws_lambda.observability import formatters as log
from apps.aws_lambda.tasks import consumer, registry
from apps.aws_lambda.tasks.consumer import Batch, Interrupted, backoff, make_consumer
from apps.aws_lambda.tasks.message import read_messages
from apps.aws_lambda.tasks.result_store import NoResults
from apps.aws_lambda.test import LambdaContext
from tests.aws_lambda.database.relay import Relay
from tests.aws_lambda.database.server import SiteServer
from tests.aws_lambda.tasks import jobs
from tests.aws_lambda.tasks.conftest import MAX_RECEIVE_COUNT, Function, Queue
from tests.events import ALL, load_event
from tests.services.aws import AWS

pytestmark = pytest.mark.django_db(transaction=True)

ATTEMPT = "apps.aws_lambda.tasks.attempt"


def lines(caplog: pytest.LogCaptureFixture) -> list[Any]:
    """Return the one line of each attempt."""
    return [r for r in caplog.records if hasattr(r, "outcome")]


def outcomes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line.outcome for line in lines(caplog)]


@pytest.fixture(autouse=True)
def _all_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_a_task_is_run_once_and_its_message_deleted(queue: Queue, function: Function):
    jobs.note.enqueue("done")

    function.drain(queue)

    assert Group.objects.filter(name="done").count() == 1
    assert queue.left() == 0
    assert function.answers == [{"batchItemFailures": []}]


def test_a_failure_affects_its_own_message_only(queue: Queue, function: Function):
    jobs.note.enqueue("before")
    jobs.fail.enqueue()
    jobs.note.enqueue("after")

    queue.mapping(function).poll()

    assert Group.objects.count() == 2
    assert len(function.answers[0]["batchItemFailures"]) == 1
    assert queue.left() == 1


@pytest.mark.parametrize(
    ("job", "error"),
    [
        (jobs.fail, "ValueError"),
        (jobs.exit_process, "SystemExit"),
        (jobs.interrupt, "KeyboardInterrupt"),
        (jobs.unstorable, "TypeError"),
    ],
)
def test_a_task_that_always_fails_ends_in_the_dead_letter_queue(
    queue: Queue, function: Function, caplog, job, error
):
    result = job.enqueue()

    function.drain(queue)

    assert outcomes(caplog) == ["retried", "retried", "failed"]
    assert [body["id"] for body in queue.dead()] == [result.id]
    assert queue.left() == 0
    failures = [r for r in caplog.records if r.name == ATTEMPT and r.exc_info]
    assert [r.levelname for r in failures] == ["WARNING", "WARNING", "ERROR"]
    assert "Attempt 1 of 3: it is retried later" in failures[0].message
    assert (
        "Attempt 3 of 3: SQS moves the message to the dead-letter queue"
        in failures[2].message
    )
    assert {r.exc_info[0].__name__ for r in failures} == {error}


def test_wrong_arguments_fail_the_task(queue: Queue, function: Function, caplog):
    jobs.add.enqueue(*[1])

    function.drain(queue)

    assert outcomes(caplog)[-1] == "failed"
    assert len(queue.dead()) == 1


def test_a_task_can_be_a_coroutine(queue: Queue, function: Function, caplog):
    jobs.add_later.enqueue(1, 2)

    function.drain(queue)

    assert outcomes(caplog) == ["succeeded"]


def test_the_context_counts_the_attempts(stored: Queue, function: Function):
    result = jobs.attempt.enqueue()

    function.drain(stored)

    result.refresh()
    assert result.return_value == [1, result.id]
    assert result.attempts == 1


def test_without_results_the_context_counts_them_too(
    queue: Queue, function: Function, caplog
):
    jobs.succeed_at.enqueue(2)

    function.drain(queue)

    assert outcomes(caplog) == ["retried", "succeeded"]


def test_the_signals_are_sent_with_the_current_status(queue: Queue, function: Function):
    sent = []
    receivers = {
        task_started: lambda task_result, **_: sent.append(
            ("started", task_result.status)
        ),
        task_finished: lambda task_result, **_: sent.append(
            ("finished", task_result.status)
        ),
    }
    for signal, receiver in receivers.items():
        signal.connect(receiver)
    try:
        jobs.add.enqueue(1, 2)
        function.drain(queue)
        jobs.fail.enqueue()
        function.drain(queue)
    finally:
        for signal, receiver in receivers.items():
            signal.disconnect(receiver)

    running = ("started", TaskResultStatus.RUNNING)
    assert sent == [
        running,
        ("finished", TaskResultStatus.SUCCESSFUL),
        *[running] * 3,
        ("finished", TaskResultStatus.FAILED),
    ]


def test_a_failing_receiver_of_task_started_fails_its_task_only(
    queue: Queue, function: Function
):
    def receiver(**kwargs: Any) -> None:
        raise ValueError("receiver")

    task_started.connect(receiver)
    try:
        jobs.note.enqueue("never")
        function.drain(queue)
    finally:
        task_started.disconnect(receiver)

    assert not Group.objects.exists()
    assert len(queue.dead()) == 1


@pytest.mark.parametrize("kind", [ValueError, SystemExit, asyncio.CancelledError])
def test_a_failing_receiver_of_task_finished_affects_no_other_task(
    stored: Queue, function: Function, kind: type[BaseException]
):
    def receiver(**kwargs: Any) -> None:
        raise kind

    jobs.note.enqueue("one")
    jobs.note.enqueue("two")
    task_finished.connect(receiver)
    try:
        function.drain(stored)
    finally:
        task_finished.disconnect(receiver)

    assert Group.objects.count() == 2
    assert [len(answer["batchItemFailures"]) for answer in function.answers] == [2, 0]


def test_a_chain_of_tasks_is_limited(
    queue: Queue, function: Function, settings, caplog
):
    settings.LAMBDA_TASK_CHAIN_LIMIT = 20
    jobs.enqueue_next.enqueue("sync")
    jobs.enqueue_next.enqueue("async")

    function.drain(queue)

    assert Group.objects.count() == 40
    assert outcomes(caplog).count("succeeded") == 38
    assert len(queue.dead()) == 2
    refusals = [r for r in caplog.records if hasattr(r, "metrics") and "chain" in r.msg]
    assert len(refusals) == 2 * MAX_RECEIVE_COUNT
    assert refusals[0].levelname == "ERROR"
    assert refusals[0].metrics == {"TaskChainsRefused": 1}
    assert "task 21 of a chain" in refusals[0].message
    # Outside of a task, another chain begins.
    assert chain_length.get() == 0


# Invalid messages


def body(**changes: Any) -> str:
    fields: dict[str, Any] = {
        "id": "0b1c7a52-3f0e-4e9c-8d55-0f6a2f1f3a11",
        "task": "tests.aws_lambda.tasks.jobs.add",
        "backend": "default",
        "queue": "default",
        "args": [1, 2],
        "kwargs": {},
        "enqueued_at": "2026-11-25 12:00:00+00:00",
        "run_after": None,
        "request_id": "",
        "chain_length": 1,
    }
    return json.dumps(fields | changes)


def deep_body(levels: int) -> str:
    return body(args=[]).replace("[]", "[" * levels + "]" * levels)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not JSON", "JSONDecodeError"),
        ("[]", "TypeError"),
        ("{}", "KeyError"),
        (body(id="../../etc"), "ValueError"),
        (body(args=7), "TypeError"),
        (body(kwargs=[1]), "TypeError"),
        (body(enqueued_at="yesterday"), "ValueError"),
        (body(task="tests.aws_lambda.tasks.jobs.gone"), "this version has no task"),
        (body(task="no.such.module"), "no app of INSTALLED_APPS defines it"),
        (body(task="os"), "no app of INSTALLED_APPS defines it"),
        (body(task="os.getpid"), "no app of INSTALLED_APPS defines it"),
        (body(task="unittest.__main__.x"), "no app of INSTALLED_APPS defines it"),
        (body(task="tests.aws_lambda.tasks.jobs.NOT_A_TASK"), "defines it"),
        (body(task="apps.documents.tasks.task"), "it is not a task"),
        ("[" * 10_000, "RecursionError"),
        (deep_body(1_000), "RecursionError"),
        (body(backend="other"), "cannot be run"),
        (body(queue="other"), "cannot be run"),
    ],
)
def test_an_invalid_message_is_refused_and_ends_in_the_dead_letter_queue(
    queue: Queue, function: Function, caplog, text: str, reason: str
):
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody=text)

    function.drain(queue)

    assert len(function.answers) == 3
    assert queue.left() == 0
    assert len(queue.messages(queue.dead_url)) == 1
    refusals = [r.message for r in caplog.records if r.levelname == "ERROR"]
    assert len(refusals) == 3
    assert reason in refusals[0]
    assert (
        "Attempt 3 of 3: SQS moves the message to the dead-letter queue" in refusals[2]
    )
    assert outcomes(caplog) == ["refused"] * 3


def test_a_message_for_another_kind_of_backend_is_refused(
    queue: Queue, function: Function, settings, caplog
):
    dummy = {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}
    settings.TASKS = queue.options() | {"dummy": dummy}
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody=body(backend="dummy"))

    queue.mapping(function).poll()

    assert outcomes(caplog) == ["refused"]
    assert "TASKS['dummy'] is not an SQSBackend" in caplog.text


TASK = """
from django.tasks import task

@task
def add(): pass
"""


@pytest.fixture
def app(tmp_path, monkeypatch, settings) -> Path:
    """Install an app without modules, and return its folder."""
    folder: Path = tmp_path / f"shop_{uuid4().hex}"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, folder.name]
    return folder


@pytest.mark.parametrize("end", ["raise SystemExit(3)", "import absent"])
def test_an_import_error_fails_the_tasks_of_its_module_only(
    queue: Queue, function: Function, app: Path, caplog, end: str
):
    (app / "jobs.py").write_text(TASK + end)
    name = f"{app.name}.jobs.add"
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody=body(task=name))
    jobs.note.enqueue("works")

    queue.mapping(function).poll()

    assert Group.objects.filter(name="works").exists()
    assert sorted(outcomes(caplog)) == ["refused", "succeeded"]
    [refusal] = [r for r in caplog.records if "Refused the message" in r.message]
    assert f"this version has no task '{name}'" in refusal.message
    assert app.name in str(refusal.exc_text)
    assert queue.left() == 1


@pytest.mark.parametrize(
    "source",
    [
        "def add(): pass",
        "@other.decorator\ndef add(): pass",
        "class Jobs:\n    @task\n    def add(): pass",
        "@task\ndef another(): pass",
        "@task\ndef add(): pass\n1 +",
        "@task\ndef add(): pass\n\0",
    ],
)
@pytest.mark.parametrize("name", ["jobs.add", "jobs", "..jobs.add", "jobs..add"])
def test_a_message_imports_no_module_without_such_a_task(
    queue: Queue, function: Function, app: Path, caplog, source: str, name: str
):
    (app / "jobs.py").write_text(source)
    path = f"{app.name}.{name}"
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody=body(task=path))

    queue.mapping(function).poll()

    assert outcomes(caplog) == ["refused"]
    assert not {name for name in sys.modules if name.startswith(app.name)} - {app.name}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("jobs.py", TASK),
        ("jobs/__init__.py", TASK),
        ("jobs/mail.py", TASK),
        ("tasks/mail.py", TASK),
        ("tasks.py", "from django.tasks import task as t\nadd = t(lambda: None)"),
        # In tasks.py it may be made in any way.
        ("tasks.py", "from django.tasks import task\n"
         "@(lambda function: task(function))\ndef add(): pass"),
        ("jobs.py", "from django.tasks import task as t\n@t(priority=0)\ndef add(): 0"),
        ("jobs.py", "from django import tasks\n@tasks.task\nasync def add(): pass"),
        ("jobs.py", "if True:\n    from django.tasks import task\n"
         "    def add(): pass\n    add = task(priority=0)(add)"),
    ],
)  # fmt: skip
def test_a_task_in_any_module_of_an_app_is_found(app: Path, module: str, source: str):
    (app / module).parent.mkdir(exist_ok=True)
    (app / module).write_text(source)
    path = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    task = registry.find(f"{app.name}.{path}.add")

    assert isinstance(task, Task)


def test_finished_messages_are_deleted_once_before_a_risky_task(
    queue: Queue, function: Function, monkeypatch, caplog
):
    for name in ("first", "second", "third"):
        jobs.note.enqueue(name)
    deleted = []

    def delete(url: str, receipts: list[str]) -> set[str]:
        deleted.append(len(receipts))
        return {"SQS answers InternalError"}

    monkeypatch.setattr(sqs, "delete", delete)
    # Each task is one that may end this environment.
    monkeypatch.setattr(consumer, "risk", lambda attempt: 1)
    function.drain(queue)

    assert deleted == [1, 1]
    assert (
        "Could not delete messages of finished tasks: SQS answers InternalError"
        in caplog.text
    )
    assert queue.left() == 0
    assert Group.objects.count() == 3


@pytest.mark.parametrize("name", sorted(ALL - {"sqs"}))
def test_another_event_source_is_refused_by_name(function: Function, name, caplog):
    with pytest.raises(UnsupportedEvent, match="the tasks function serves") as refusal:
        function(load_event(name))

    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == [
        str(refusal.value)
    ]


def test_the_refusal_of_a_web_request_names_the_http_function(function: Function):
    with pytest.raises(UnsupportedEvent, match="Send it to the http function"):
        function(load_event("rest_stage"))


@pytest.mark.parametrize(
    "event",
    [None, [], {}, {"Records": []}, {"Records": [None]}, {"Records": 7},
     {"Records": [{"eventSource": "aws:sqs"}]}],
)  # fmt: skip
def test_a_malformed_event_is_refused(function: Function, event: Any):
    with pytest.raises(UnsupportedEvent):
        function(event)


def test_an_event_with_messages_of_two_queues_is_refused(function: Function):
    record = load_event("sqs")["Records"][0]
    other = record | {"eventSourceARN": f"{record['eventSourceARN']}-other"}

    with pytest.raises(UnsupportedEvent):
        function({"Records": [record, other]})


# The deadline


def test_the_deadline_returns_the_running_task_and_those_behind_it(
    queue: Queue, function: Function, caplog
):
    jobs.note.enqueue("before")
    jobs.slow_query.enqueue()
    jobs.note.enqueue("after")
    function.timeout = 4

    start = time.monotonic()
    queue.mapping(function).poll()

    assert time.monotonic() - start < 20
    assert [*Group.objects.values_list("name", flat=True)] == ["before"]
    assert len(function.answers[0]["batchItemFailures"]) == 2
    assert outcomes(caplog) == ["succeeded", "retried"]
    line = lines(caplog)[1]
    assert line.metrics["DeadlineHits"] == 1
    assert (
        "Deadline exceeded in the task tests.aws_lambda.tasks.jobs.slow_query. "
        "Attempt 1 of 3" in caplog.text
    )
    assert "pg_sleep" in caplog.text
    assert "1 messages were not tried" in caplog.text
    # At once: these tests have no back-off.
    function.timeout = 60
    assert queue.left() == 2
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE query LIKE '%pg_sleep(%' AND state = 'active' "
            "AND pid != pg_backend_pid()"
        )
        assert cursor.fetchone() == (0,)


def test_untried_messages_are_retried_without_a_backoff(
    queue: Queue, function: Function, settings
):
    settings.LAMBDA_TASK_BACKOFF = (600, 900)
    jobs.slow_query.enqueue()
    jobs.note.enqueue("untried")
    function.timeout = 4
    queue.mapping(function).poll()

    function.timeout = 60
    function.drain(queue)

    assert [*Group.objects.values_list("name", flat=True)] == ["untried"]
    assert queue.left() == 1


def test_a_deadline_between_two_tasks_discards_connections(
    queue: Queue, function: Function, monkeypatch, caplog
):
    jobs.note.enqueue("before")
    jobs.note.enqueue("after")
    first = iter([Interrupted()])

    def interrupts() -> Interrupted:
        for outcome in first:
            return outcome
        raise DeadlineExceeded

    # The consumer makes one between two tasks.
    monkeypatch.setattr(consumer, "Interrupted", interrupts)
    # As on Lambda, where it would outlive this invocation.
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    connection.close()
    kept = []
    release = Batch.release

    def spy(batch: Batch, margin: float) -> None:
        kept.append(connection.connection)
        release(batch, margin)

    monkeypatch.setattr(Batch, "release", spy)
    queue.mapping(function).poll()

    [record] = [r for r in caplog.records if "outside of the tasks" in r.message]
    assert record.exc_info
    assert vars(record)["metrics"] == {"DeadlineHits": 1}
    assert kept == [None]
    assert [*Group.objects.values_list("name", flat=True)] == ["before"]
    assert queue.left() == 1


def test_an_interrupt_inside_atomic_affects_no_later_task(
    queue: Queue, function: Function, monkeypatch
):
    # As on Lambda, where the connection may be kept.
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    jobs.interrupt_in_atomic.enqueue()
    queue.mapping(function).poll()
    queue.messages()
    jobs.note.enqueue("after")

    function.drain(queue)

    assert Group.objects.filter(name="after").exists()


def test_an_import_that_the_deadline_interrupts_is_retried(
    queue: Queue, function: Function, app: Path, caplog
):
    (app / "jobs.py").write_text(f"{TASK}\nimport time\ntime.sleep(60)\n")
    name = f"{app.name}.jobs.add"
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody=body(task=name))
    function.timeout = 4

    queue.mapping(function).poll()

    assert len(function.answers[0]["batchItemFailures"]) == 1
    [record] = [r for r in caplog.records if "outside of the tasks" in r.message]
    assert record.exc_info
    assert vars(record)["metrics"] == {"DeadlineHits": 1}
    assert "Refused" not in caplog.text


def test_a_deadline_during_the_last_save_keeps_the_response(
    queue: Queue, function: Function, monkeypatch, caplog
):
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="not JSON")
    jobs.note.enqueue("unsaved")
    jobs.note.enqueue("saved")
    failures = iter([OperationalError("away")])

    def fails_once(self: NoResults, result: Any) -> None:
        for failure in failures:
            raise failure

    def interrupts(result: Any) -> None:
        raise DeadlineExceeded

    monkeypatch.setattr(NoResults, "save", fails_once)
    monkeypatch.setattr(consumer, "save", interrupts)
    queue.mapping(function).poll()

    assert Group.objects.count() == 2
    assert len(function.answers[0]["batchItemFailures"]) == 2
    assert "Could not save or announce the result of the task" in caplog.text


def test_the_deadline_cancels_a_coroutine(queue: Queue, function: Function, tmp_path):
    path = tmp_path / "cancelled"
    jobs.slow_coroutine.enqueue(str(path))
    function.timeout = 4

    queue.mapping(function).poll()

    assert path.read_text() == "cancelled"
    assert queue.left() == 1


def test_a_coroutine_is_cancelled_if_its_task_catches_the_interrupt(
    queue: Queue, function: Function, caplog, tmp_path
):
    path = tmp_path / "cancelled"
    jobs.catch_deadline_of_coroutine.enqueue(str(path))
    function.timeout = 4

    queue.mapping(function).poll()

    assert outcomes(caplog) == ["succeeded"]
    assert path.read_text() == "cancelled"


def test_a_coroutine_is_cancelled_if_its_clean_up_is_interrupted(
    queue: Queue, function: Function, caplog, monkeypatch, tmp_path
):
    def interrupt() -> None:
        raise DeadlineExceeded

    monkeypatch.setattr(f"{ATTEMPT}.disarm", interrupt)
    path = tmp_path / "cancelled"
    jobs.slow_coroutine.enqueue(str(path))
    function.timeout = 4

    queue.mapping(function).poll()

    assert "Deadline exceeded outside of the tasks" in caplog.text
    assert path.read_text() == "cancelled"
    assert queue.left() == 1


def test_a_coroutine_that_a_task_leaves_pending_does_not_run_in_the_next_task(
    queue: Queue, function: Function
):
    jobs.LEFT.clear()
    jobs.leave_coroutine_pending.enqueue("too late")
    jobs.slow_query.enqueue(0.5)

    queue.mapping(function).poll()

    assert [pending.cancelled() for pending in jobs.LEFT] == [True]
    assert not Group.objects.filter(name="too late").exists()


@pytest.mark.parametrize(
    ("error", "status", "left"),
    [("a hidden one", TaskResultStatus.READY, 2), ("", TaskResultStatus.SUCCESSFUL, 1)],
)
def test_an_interrupt_that_a_task_catches_is_remembered(
    stored: Queue, function: Function, caplog, error: str, status: str, left: int
):
    result = jobs.catch_deadline.enqueue(error)
    jobs.note.enqueue("not begun")
    function.timeout = 4

    stored.mapping(function).poll()

    [line] = lines(caplog)
    assert line.metrics["DeadlineHits"] == 1
    assert ("Deadline exceeded in the task" in caplog.text) == bool(error)
    assert not Group.objects.exists()
    assert stored.left() == left
    result.refresh()
    assert result.status == status
    if error:
        [failure] = result.errors
        assert failure.exception_class is DeadlineExceeded
        assert "ValueError: a hidden one" in failure.traceback


@pytest.mark.parametrize("how", ["exit", "cancel", "return", "begin"])
def test_a_transaction_that_a_task_leaves_open_affects_no_later_task(
    stored: Queue, function: Function, monkeypatch, caplog, how: str
):
    # As on Lambda, where the connection may be kept.
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    jobs.leave_transaction_open.enqueue(how)
    jobs.note.enqueue("after")

    stored.mapping(function).poll()

    assert not connection.in_atomic_block
    assert [*Group.objects.values_list("name", flat=True)] == ["after"]
    assert "A transaction was left open on DATABASES['default']" in caplog.text


def test_a_task_whose_work_was_rolled_back_is_retried(
    stored: Queue, function: Function
):
    result = jobs.leave_transaction_open.enqueue("begin")

    stored.mapping(function).poll()
    result.refresh()
    assert result.status == TaskResultStatus.READY
    assert "which was rolled back" in result.errors[0].traceback
    assert stored.left() == 1

    function.drain(stored)
    failed = jobs.leave_transaction_open.get_result(result.id)
    assert failed.status == TaskResultStatus.FAILED


def test_a_task_keeps_its_own_error_if_its_transaction_is_rolled_back(
    stored: Queue, function: Function
):
    result = jobs.leave_transaction_open.enqueue("exit")

    stored.mapping(function).poll()

    result.refresh()
    assert [error.exception_class for error in result.errors] == [SystemExit]


def test_a_task_keeps_its_own_error_if_its_rollback_fails(
    stored: Queue, function: Function, monkeypatch
):
    def fails() -> bool:
        discard_open_transactions()
        raise OperationalError("away")

    monkeypatch.setattr(f"{ATTEMPT}.discard_open_transactions", fails)
    own = jobs.leave_transaction_open.enqueue("exit")
    without = jobs.leave_transaction_open.enqueue("return")

    stored.mapping(function).poll()

    for result, kind in ((own, SystemExit), (without, OperationalError)):
        result.refresh()
        assert [error.exception_class for error in result.errors] == [kind]


def test_messages_are_returned_in_time_from_a_hanging_database(
    aws: AWS, server: SiteServer, hanging: Relay
):
    queue = Queue(aws)
    variables = {
        **server.variables(hanging.port),
        **aws.environment(),
        "DJANGO_SETTINGS_MODULE": "tests.aws_lambda.tasks.settings",
        "LAMBDA_DEADLINE_MARGIN": "1.5",
        "TASK_QUEUE_URL": queue.url,
    }
    slow = body(task="tests.aws_lambda.tasks.jobs.slow_query", args=[], id=str(uuid4()))
    for text in (slow, body(id=str(uuid4()))):
        queue.sqs.send_message(QueueUrl=queue.url, MessageBody=text)
    answers = []

    def invoke(event: Any) -> Any:
        # Raises FunctionError if the function does not return in time.
        answers.append(environment.invoke(event, 12))
        return answers[-1]

    with ExecutionEnvironment(variables, handler="lambda_entry.tasks") as environment:
        pid = environment.pid
        queue.mapping(invoke).poll()

        assert [len(answer["batchItemFailures"]) for answer in answers] == [2]
        assert (
            "Deadline exceeded in the task tests.aws_lambda.tasks.jobs.slow_query"
            in environment.log
        )
        assert "Could not save or announce the result of the task" in environment.log
        # Both are visible again, long before the visibility timeout.
        assert len(queue.messages()) == 2
        assert environment.pid == pid


# Back-off


@pytest.mark.parametrize(
    ("number", "least", "most"),
    [(1, 5, 10), (2, 10, 20), (4, 40, 80), (9, 450, 900), (10_000, 450, 900)],
)
def test_the_backoff_doubles_up_to_a_limit(number: int, least: int, most: int):
    waits = {backoff(number) for _ in range(300)}

    assert least <= min(waits) < max(waits) <= most


def test_a_failed_task_is_not_retried_before_its_backoff(
    queue: Queue, function: Function, settings
):
    settings.LAMBDA_TASK_BACKOFF = (600, 900)
    jobs.fail.enqueue()

    function.drain(queue)

    assert len(function.answers) == 1
    assert queue.left() == 1


def test_messages_are_reported_when_sqs_is_unreachable(
    queue: Queue, function: Function, monkeypatch, caplog
):
    jobs.fail.enqueue()
    [message] = queue.sqs.receive_message(QueueUrl=queue.url, AttributeNames=["All"])[
        "Messages"
    ]
    event = {"Records": [queue.mapping(function).record(message)]}
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    answer = function(event)

    assert answer == {"batchItemFailures": [{"itemIdentifier": message["MessageId"]}]}
    assert "Could not change message visibility" in caplog.text
    assert "Could not read maxReceiveCount of" in caplog.text


def test_a_slow_response_of_sqs_leaves_time_for_the_result(
    queue: Queue, function: Function, monkeypatch, caplog
):
    handler = lambda_handler(make_consumer(deadline_margin=1.5))
    jobs.fail.enqueue()
    [message] = queue.sqs.receive_message(QueueUrl=queue.url, AttributeNames=["All"])[
        "Messages"
    ]
    event = {"Records": [queue.mapping(function).record(message)]}
    context = LambdaContext("site-tasks", timeout=9)

    with drips() as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        [received] = read_messages(event)
        monkeypatch.setitem(consumer.max_receive_counts, received.queue_arn, 3)
        answer = handler(event, context)

    assert context.get_remaining_time_in_millis() > 0
    assert answer == {"batchItemFailures": [{"itemIdentifier": message["MessageId"]}]}
    assert "after the visibility timeout: deadline exceeded" in caplog.text


@contextmanager
def drips() -> Iterator[str]:
    """Serve a response that arrives one byte a second and never ends."""
    ended = Event()

    def serve() -> None:
        client, _ = server.accept()
        with client, suppress(OSError):
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not ended.wait(1):
                client.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        ended.set()
        thread.join()


def test_a_failed_lookup_of_the_retry_limit_is_repeated_after_a_minute(
    queue: Queue, function: Function, monkeypatch, caplog
):
    asked = []

    def fails(url: str) -> int:
        asked.append(url)
        raise AwsError("AWS is away")

    with monkeypatch.context() as away:
        away.setattr(sqs, "max_receive_count", fails)
        jobs.fail.enqueue()
        jobs.fail.enqueue()
        queue.mapping(function).poll()
        queue.mapping(function).poll()
    assert len(asked) == 1
    assert outcomes(caplog) == ["retried"] * 4

    # As if a minute had passed.
    for arn, retry_at in consumer.retry_lookup_at.items():
        assert 0 < retry_at - time.monotonic() <= 60
        consumer.retry_lookup_at[arn] = time.monotonic()
    function.drain(queue)

    assert outcomes(caplog)[4:] == ["failed"] * 2


# FIFO


def test_a_failed_task_blocks_its_group_on_a_fifo_queue(
    aws, settings, function: Function, caplog
):
    queue = Queue(aws, fifo=True)
    settings.TASKS = queue.options(
        MESSAGE_GROUP="tests.aws_lambda.tasks.test_consumer.group_of"
    )
    settings.LAMBDA_TASK_BACKOFF = (0, 0)
    jobs.note.enqueue("a 1")
    jobs.fail.enqueue("a 2")
    jobs.note.enqueue("a 3")
    jobs.note.enqueue("b 1")

    queue.mapping(function).poll()

    assert sorted(Group.objects.values_list("name", flat=True)) == ["a 1", "b 1"]
    assert len(function.answers[0]["batchItemFailures"]) == 2
    function.drain(queue)
    assert Group.objects.filter(name="a 3").exists()
    assert [body["args"] for body in queue.dead()] == [["a 2"]]


def group_of(result: Any) -> str:
    return str(result.args[0])[0]


# Log lines


def test_each_attempt_is_one_line_with_its_metrics(
    queue: Queue, function: Function, caplog
):
    result = jobs.note.enqueue("logged")

    function.drain(queue)

    [line] = lines(caplog)
    assert line.message == "tests.aws_lambda.tasks.jobs.note succeeded"
    assert line.task == "tests.aws_lambda.tasks.jobs.note"
    assert line.queue == queue.url.rpartition("/")[2]
    assert (line.outcome, line.attempt, line.queries) == ("succeeded", 1, 1)
    assert 0 < line.queries_ms <= line.duration_ms
    assert 0 <= line.age_ms < 60_000
    assert len(line.invocation_id) == 36
    counted = {k: v for k, v in line.metrics.items() if isinstance(v, int)}
    assert counted == {
        "TaskSucceeded": 1,
        "TaskFailed": 0,
        "TaskRetried": 0,
        "TaskRefused": 0,
        "DeadlineHits": 0,
    }
    assert line.metrics["TaskDuration"] == (line.duration_ms, "Milliseconds")
    entry = json.loads(log.JSONFormatter().format(line))
    [definition] = entry["_aws"]["CloudWatchMetrics"]
    assert definition["Dimensions"] == [["FunctionName"], ["FunctionName", "task"]]
    assert result.id not in json.dumps(definition)


def test_log_lines_of_a_task_have_its_id_and_its_request_id(
    queue: Queue, function: Function, monkeypatch
):
    seen: list[tuple[str, str, dict[str, Any]]] = []

    def create(**values: Any) -> None:
        fields: dict[str, Any] = {}
        log.add_current(fields, {})
        seen.append((request_id.get(), task_id.get(), fields))

    monkeypatch.setattr("django.contrib.auth.models.Group.objects.create", create)
    token = request_id.set("the-request")
    result = jobs.note.enqueue("x")
    request_id.reset(token)

    function.drain(queue)

    [(request, task, fields)] = seen
    assert (request, task) == ("the-request", result.id)
    assert fields["request_id"] == "the-request"
    assert fields["task_id"] == result.id
    assert fields["cold_start"] is True
    assert task_id.get() == ""


def test_a_task_that_disables_autocommit_affects_no_later_task(
    queue: Queue, function: Function
):
    jobs.forget_autocommit.enqueue()
    jobs.note.enqueue("committed")

    function.drain(queue)

    connection.close()
    assert Group.objects.filter(name="committed").exists()


def test_the_trace_header_is_sent_with_the_message(queue: Queue, monkeypatch):
    header = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1"
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)

    sent: list[Any] = []
    call = service.call

    def spy(*args: Any, **options: Any) -> Any:
        sent.extend(args[3]["Entries"])
        return call(*args, **options)

    monkeypatch.setattr(service, "call", spy)
    jobs.add.enqueue(1, 2)

    [entry] = sent
    assert entry["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"] == header
    assert queue.left() == 1
