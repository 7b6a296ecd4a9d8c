"""Tasks for the tests."""

import asyncio
import os
import signal
import sys
import time
from contextlib import closing, suppress
from contextvars import ContextVar
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.tasks import TaskContext, task
from django.utils import timezone, translation

from apps.aws_lambda.deadline import DeadlineExceeded

NOT_A_TASK = print
# The event loop keeps weak references only.
LEFT: list[asyncio.Task[None]] = []


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def note(name: str) -> None:
    """Create a row, so that a test can see that the task ran."""
    Group.objects.create(name=name)


@task
def fail(text: str = "") -> None:
    raise ValueError(text)


@task
def exit_process(code: int = 0) -> None:
    sys.exit(code)


@task
def interrupt() -> None:
    raise KeyboardInterrupt


@task
def unstorable() -> Any:
    return object()


@task(takes_context=True)
def attempt(context: TaskContext) -> list[Any]:
    return [context.attempt, context.task_result.id]


@task(takes_context=True)
def succeed_at(context: TaskContext, number: int) -> None:
    if context.attempt != number:
        raise ValueError(context.attempt)


@task
async def add_later(a: int, b: int) -> int:
    await asyncio.sleep(0)
    count = await Group.objects.acount()
    return a + b + count


@task
def enqueue_next(how: str, number: int = 1) -> None:
    """Create a row, and enqueue this task again."""
    Group.objects.get_or_create(name=f"{how} {number}")
    if how == "sync":
        enqueue_next.enqueue(how, number + 1)
    else:
        async_to_sync(enqueue_next.aenqueue)(how, number + 1)


@task
def slow_query(seconds: float = 60) -> None:
    with transaction.atomic():
        Group.objects.create(name="half done")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(%s)", [seconds])


@task
async def slow_coroutine(path: str) -> None:
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        with open(path, "w") as file:
            file.write("cancelled")
        raise


@task(takes_context=True)
def behave(context: TaskContext, number: int, how: str) -> None:
    """Fail, exit, be killed or hang, according to ``how``; otherwise insert a row."""
    kind, _, always = how.partition(" ")
    if always or context.attempt == 1:
        if kind == "fail":
            raise ValueError(number)
        if kind == "exit":
            os._exit(1)
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "hang":
            time.sleep(60)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO runs VALUES (%s)", [number])


@task
def consume(items: list[Any], object_at_end: bool) -> None:
    while items:
        if items.pop() == "bad":
            raise ValueError
    if object_at_end:
        items.append(object())


@task
def interrupt_in_atomic() -> None:
    """Interrupt Django where a transaction ends."""
    leave_block = transaction.Atomic.__exit__

    def interrupt_exit(*args: Any) -> None:
        transaction.Atomic.__exit__ = leave_block  # type: ignore[method-assign]
        raise DeadlineExceeded

    transaction.Atomic.__exit__ = interrupt_exit  # type: ignore[method-assign]
    with transaction.atomic():
        pass


@task
def catch_deadline(error: str) -> str:
    """Hide the interrupt by an error of its own, or return."""
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        if error:
            raise ValueError(error) from None
    return "in spite of it"


@task
def catch_deadline_of_coroutine(path: str) -> None:
    """Interrupt a coroutine, and return."""
    with suppress(KeyboardInterrupt):
        async_to_sync(slow_coroutine.func)(path)


@task
async def leave_coroutine_pending(name: str) -> None:
    """Start a coroutine that creates a row later, and do not wait for it."""

    async def create() -> None:
        await asyncio.sleep(0.1)
        await Group.objects.acreate(name=name)

    LEFT.append(asyncio.create_task(create()))
    await asyncio.sleep(0)


@task
def leave_transaction_open(how: str) -> None:
    """Enter a transaction, and do not leave it."""
    if how == "begin":
        connection.cursor().execute("BEGIN")
    else:
        transaction.atomic().__enter__()
    Group.objects.create(name="half done")
    if how == "exit":
        sys.exit()
    if how == "cancel":
        raise asyncio.CancelledError


@task
def forget_autocommit() -> None:
    transaction.set_autocommit(False)
    Group.objects.create(name="forgotten")


@task
def give_back(source: str) -> Any:
    """Return a value that JSON or PostgreSQL cannot hold."""
    Group.objects.create(name="worked")
    return {"value": [eval(source)]}  # noqa: S307


@task
def fail_with(escaped: str) -> None:
    raise ValueError(escaped.encode().decode("unicode_escape"))


@task
def lose_connection() -> None:
    """Create a row, then terminate the connection from the server."""
    Group.objects.create(name="worked")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    other = connection.copy()
    with closing(other), other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 60000)", [pid])
        assert cursor.fetchone() == (True,)


def add_one(text: str = "") -> None:
    """Replace the code of ``fail``, as a new version would."""


LABEL: ContextVar[str] = ContextVar("label", default="")


@task
def change_context() -> list[str]:
    """Return the language, the time zone and a context variable, and change them."""
    found = [
        translation.get_language(),
        timezone.get_current_timezone_name(),
        LABEL.get(),
    ]
    translation.activate("de")
    timezone.activate("Asia/Tokyo")
    LABEL.set("of a task")
    return found
