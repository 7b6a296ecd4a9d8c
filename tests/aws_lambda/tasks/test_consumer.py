"""The tasks function: which messages are done with, and what is told of the rest."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.tasks import TaskResultStatus
from django.tasks.signals import task_finished, task_started

from apps.aws_lambda.aws import service, sqs
from apps.aws_lambda.aws.http import AwsError
from apps.aws_lambda.deadline import DeadlineExceeded
from apps.aws_lambda.events import UnsupportedEvent
from apps.aws_lambda.invocation import request_id, task_id
from apps.aws_lambda.observability import formatters as log
from apps.aws_lambda.tasks import batch
from apps.aws_lambda.tasks import retries as redrive
from apps.aws_lambda.tasks.attempt import Attempt
from apps.aws_lambda.tasks.batch import Batch
from apps.aws_lambda.tasks.records import read
from apps.aws_lambda.tasks.retries import backoff
from apps.aws_lambda.test import LambdaContext
from local.lambda_service import ExecutionEnvironment
from tests.aws_lambda.database.relay import Relay
from tests.aws_lambda.database.server import SiteServer
from tests.aws_lambda.tasks import jobs
from tests.aws_lambda.tasks.conftest import Function, Queue
from tests.events import ALL, load_event
from tests.services.aws import AWS

pytestmark = pytest.mark.django_db(transaction=True)

ATTEMPT = "apps.aws_lambda.tasks.attempt"
LOG = "apps.aws_lambda.tasks.log"


def lines(caplog: pytest.LogCaptureFixture) -> list[Any]:
    """Return the one line of each attempt."""
    return [r for r in caplog.records if r.name == LOG]


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


def test_a_failure_is_that_of_its_own_message_only(queue: Queue, function: Function):
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
        (jobs.leave, "SystemExit"),
        (jobs.interrupt, "KeyboardInterrupt"),
        (jobs.unstorable, "TypeError"),
    ],
)
def test_a_task_that_keeps_failing_ends_in_the_dead_letter_queue(
    queue: Queue, function: Function, caplog, job, error
):
    result = job.enqueue()

    function.drain(queue)

    assert outcomes(caplog) == ["retried", "retried", "failed"]
    assert [body["id"] for body in queue.dead()] == [result.id]
    assert queue.left() == 0
    told = [r for r in caplog.records if r.name == ATTEMPT and r.exc_info]
    assert [r.levelname for r in told] == ["WARNING", "WARNING", "ERROR"]
    assert "Attempt 1 of 3: it comes back" in told[0].message
    assert "Attempt 3 of 3: it goes to the dead-letter queue" in told[2].message
    assert {r.exc_info[0].__name__ for r in told} == {error}


def test_arguments_that_do_not_fit_are_a_failure_of_the_task(
    queue: Queue, function: Function, caplog
):
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


def test_the_signals_are_sent_with_the_result_as_it_is(
    queue: Queue, function: Function
):
    heard = []
    receivers = {
        task_started: lambda task_result, **_: heard.append(
            ("started", task_result.status)
        ),
        task_finished: lambda task_result, **_: heard.append(
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
    assert heard == [
        running,
        ("finished", TaskResultStatus.SUCCESSFUL),
        *[running] * 3,
        ("finished", TaskResultStatus.FAILED),
    ]


def test_a_receiver_that_raises_fails_its_task_alone(queue: Queue, function: Function):
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
def test_a_receiver_of_the_end_harms_no_other_task_whatever_it_raises(
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


# Messages that are no tasks


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
    }
    return json.dumps(fields | changes)


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
        (body(task="tests.aws_lambda.tasks.jobs.gone"), "There is no task"),
        (body(task="no.such.module"), "There is no task"),
        (body(task="os"), "There is no task"),
        (body(task="os.getpid"), "'os.getpid' is no task"),
        (body(task="tests.aws_lambda.tasks.jobs.NOT_A_TASK"), "is no task"),
        (body(backend="other"), "cannot be run"),
        (body(queue="other"), "cannot be run"),
    ],
)
def test_a_message_that_is_no_task_is_refused_and_ends_in_the_dead_letter_queue(
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
    assert "Attempt 3 of 3: it goes to the dead-letter queue" in refusals[2]
    assert outcomes(caplog) == ["refused"] * 3


@pytest.mark.parametrize("end", ["1 +", "raise SystemExit(3)", "import absent"])
def test_a_module_that_cannot_be_imported_fails_its_own_tasks_alone(
    queue: Queue, function: Function, tmp_path, monkeypatch, caplog, end: str
):
    name = f"broken_{uuid4().hex}"
    (tmp_path / f"{name}.py").write_text(end)
    monkeypatch.syspath_prepend(tmp_path)
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody=body(task=f"{name}.add"))
    jobs.note.enqueue("well")

    queue.mapping(function).poll()

    assert Group.objects.filter(name="well").exists()
    assert sorted(outcomes(caplog)) == ["refused", "succeeded"]
    [refusal] = [r for r in caplog.records if "is refused" in r.message]
    assert f"There is no task '{name}.add' in this version" in refusal.message
    assert name in str(refusal.exc_text)
    assert queue.left() == 1


def test_what_is_finished_is_deleted_once_and_a_failure_of_that_told(
    queue: Queue, function: Function, monkeypatch, caplog
):
    for name in ("first", "second", "third"):
        jobs.note.enqueue(name)
    deleted = []

    def delete(url: str, receipts: list[str]) -> set[str]:
        deleted.append(len(receipts))
        return {"SQS answers InternalError"}

    monkeypatch.setattr(sqs, "delete", delete)
    # Any may end this environment.
    monkeypatch.setattr(batch, "risk", lambda attempt: 1)
    function.drain(queue)

    assert deleted == [1, 1]
    assert "are not deleted: SQS answers InternalError" in caplog.text
    assert queue.left() == 0
    assert Group.objects.count() == 3


@pytest.mark.parametrize("name", sorted(ALL - {"sqs"}))
def test_an_event_of_another_source_is_refused_by_name(
    function: Function, name, caplog
):
    with pytest.raises(UnsupportedEvent, match="the tasks function serves") as refusal:
        function(load_event(name))

    assert [r.message for r in caplog.records if r.levelname == "ERROR"] == [
        str(refusal.value)
    ]


def test_a_web_request_is_sent_to_the_http_function(function: Function):
    with pytest.raises(UnsupportedEvent, match="Send it to the http function"):
        function(load_event("rest_stage"))


@pytest.mark.parametrize(
    "event",
    [None, [], {}, {"Records": []}, {"Records": [None]}, {"Records": 7},
     {"Records": [{"eventSource": "aws:sqs"}]}],
)  # fmt: skip
def test_an_event_without_shape_is_refused(function: Function, event: Any):
    with pytest.raises(UnsupportedEvent):
        function(event)


# The deadline


def test_out_of_time_a_task_goes_back_and_so_do_those_behind_it(
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
    assert "slow_query ran out of time. Attempt 1 of 3" in caplog.text
    assert "pg_sleep" in caplog.text
    assert "1 messages go back untried" in caplog.text
    # At once, as the back-off here is none.
    function.timeout = 60
    assert queue.left() == 2
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE query LIKE '%pg_sleep(%' AND state = 'active' "
            "AND pid != pg_backend_pid()"
        )
        assert cursor.fetchone() == (0,)


def test_untried_messages_come_back_at_once_and_the_one_that_ran_does_not(
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


def test_between_two_tasks_it_leaves_no_interrupted_connection_behind(
    queue: Queue, function: Function, monkeypatch, caplog
):
    jobs.note.enqueue("before")
    jobs.note.enqueue("after")
    waits = iter([0])

    def strikes(number: int) -> int:
        for wait in waits:
            return wait
        raise DeadlineExceeded

    monkeypatch.setattr(batch, "backoff", strikes)
    # As on Lambda, where it would outlive this invocation.
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    connection.close()
    kept = []
    send_back = Batch.send_back

    def spy(batch: Batch, margin: float) -> None:
        kept.append(connection.connection)
        send_back(batch, margin)

    monkeypatch.setattr(Batch, "send_back", spy)
    queue.mapping(function).poll()

    assert "The time was up between two tasks" in caplog.text
    assert kept == [None]
    assert [*Group.objects.values_list("name", flat=True)] == ["before"]
    assert queue.left() == 1


def test_an_interrupt_inside_of_django_spoils_no_later_task(
    queue: Queue, function: Function, monkeypatch
):
    # As on Lambda, where the connection may be kept.
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    jobs.strike_in_atomic.enqueue()
    queue.mapping(function).poll()
    queue.messages()
    jobs.note.enqueue("after")

    function.drain(queue)

    assert Group.objects.filter(name="after").exists()


def test_an_import_that_the_deadline_interrupts_is_no_refusal(
    queue: Queue, function: Function, tmp_path, monkeypatch, caplog
):
    name = f"slow_{uuid4().hex}"
    (tmp_path / f"{name}.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.syspath_prepend(tmp_path)
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody=body(task=f"{name}.add"))
    function.timeout = 4

    queue.mapping(function).poll()

    assert len(function.answers[0]["batchItemFailures"]) == 1
    assert "The time was up between two tasks" in caplog.text
    assert "is refused" not in caplog.text


def test_a_message_that_was_no_task_spoils_no_end_of_the_batch(
    queue: Queue, function: Function, monkeypatch
):
    queue.sqs.send_message(QueueUrl=queue.url, MessageBody="not JSON")
    jobs.note.enqueue("fine")
    conclude = Attempt.conclude

    def strikes(attempt: Attempt) -> None:
        if attempt.record.body == "not JSON":
            raise DeadlineExceeded
        conclude(attempt)

    monkeypatch.setattr(Attempt, "conclude", strikes)
    queue.mapping(function).poll()

    assert len(function.answers[0]["batchItemFailures"]) == 1


def test_a_coroutine_ends_with_its_time(queue: Queue, function: Function, tmp_path):
    path = tmp_path / "told"
    jobs.slow_coroutine.enqueue(str(path))
    function.timeout = 4

    queue.mapping(function).poll()

    assert path.read_text() == "cancelled"
    assert queue.left() == 1


def test_a_database_that_hangs_keeps_no_message_from_going_back_in_time(
    aws: AWS, server: SiteServer, hanging: Relay
):
    queue = Queue(aws)
    variables = {
        **server.variables(hanging.port),
        **aws.environment(),
        "LAMBDA_DEADLINE_MARGIN": "1.5",
        "TASK_QUEUE_URL": queue.url,
    }
    slow = body(task="tests.aws_lambda.tasks.jobs.slow_query", args=[], id=str(uuid4()))
    for text in (slow, body(id=str(uuid4()))):
        queue.sqs.send_message(QueueUrl=queue.url, MessageBody=text)
    answers = []

    def invoke(event: Any) -> Any:
        # Raises FunctionError if Lambda has to end it.
        answers.append(environment.invoke(event, 12))
        return answers[-1]

    entry = "tests.aws_lambda.tasks.entry.tasks"
    with ExecutionEnvironment(variables, handler=entry) as environment:
        pid = environment.pid
        queue.mapping(invoke).poll()

        assert [len(answer["batchItemFailures"]) for answer in answers] == [2]
        assert (
            "tests.aws_lambda.tasks.jobs.slow_query ran out of time" in environment.log
        )
        assert "It was not stored, or not told, how the task" in environment.log
        # Both are there again, long before the queue's own time.
        assert len(queue.messages()) == 2
        assert environment.pid == pid


# Back-off


@pytest.mark.parametrize(
    ("number", "least", "most"),
    [(1, 5, 10), (2, 10, 20), (4, 40, 80), (9, 450, 900), (10_000, 450, 900)],
)
def test_the_wait_doubles_up_to_a_limit(number: int, least: int, most: int):
    waits = {backoff(number) for _ in range(300)}

    assert least <= min(waits) < max(waits) <= most


def test_a_failed_task_comes_back_after_its_wait(
    queue: Queue, function: Function, settings
):
    settings.LAMBDA_TASK_BACKOFF = (600, 900)
    jobs.fail.enqueue()

    function.drain(queue)

    assert len(function.answers) == 1
    assert queue.left() == 1


def test_messages_come_back_though_sqs_does_not_answer(
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
    assert "Messages come back at the queue's own time" in caplog.text
    assert "How often a task is tried is not known" in caplog.text


def test_time_is_left_for_the_answer_though_sqs_answers_in_drips(
    queue: Queue, function: Function, monkeypatch, caplog, settings
):
    settings.LAMBDA_DEADLINE_MARGIN = 1.5
    jobs.fail.enqueue()
    [message] = queue.sqs.receive_message(QueueUrl=queue.url, AttributeNames=["All"])[
        "Messages"
    ]
    event = {"Records": [queue.mapping(function).record(message)]}
    context = LambdaContext("site-tasks", timeout=9)

    with drips() as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        [record] = read(event)
        monkeypatch.setitem(redrive.limits, record.queue_url, 3)
        answer = function.handler(event, context)

    assert context.get_remaining_time_in_millis() > 0
    assert answer == {"batchItemFailures": [{"itemIdentifier": message["MessageId"]}]}
    assert "the queue's own time: no time was left" in caplog.text


@contextmanager
def drips() -> Iterator[str]:
    """Serve answers of which a byte comes in each second, and none is the last."""
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


def test_a_queue_that_did_not_tell_its_limit_is_asked_again_after_a_while(
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

    # The minute is over.
    for url in redrive.silent:
        assert 0 < redrive.silent[url] - time.monotonic() <= 60
        redrive.silent[url] = time.monotonic()
    function.drain(queue)

    assert outcomes(caplog)[4:] == ["failed"] * 2


# FIFO


def test_in_a_fifo_queue_nothing_overtakes_a_failed_task_of_its_group(
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


# What is told


def test_each_attempt_is_one_line_with_its_metrics(
    queue: Queue, function: Function, caplog
):
    result = jobs.note.enqueue("told")

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


def test_a_task_tells_the_request_that_enqueued_it_and_its_own_id(
    queue: Queue, function: Function, monkeypatch
):
    seen = []
    monkeypatch.setattr(
        "django.contrib.auth.models.Group.objects.create",
        lambda **_: seen.append((request_id.get(), task_id.get(), log.current())),
    )
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


def test_a_task_leaves_no_connection_without_autocommit_behind(
    queue: Queue, function: Function
):
    jobs.forget_autocommit.enqueue()
    jobs.note.enqueue("committed")

    function.drain(queue)

    connection.close()
    assert Group.objects.filter(name="committed").exists()


def test_the_trace_of_the_request_goes_along(queue: Queue, monkeypatch):
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
