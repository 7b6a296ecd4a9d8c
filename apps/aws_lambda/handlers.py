"""
One Lambda handler per kind of event, and what all of them do around an event.

lambda_entry names them. Each builds a ``serve`` function, which takes the
invocation and returns the result; ``lambda_handler`` is everything around it.
"""

import logging
import os
import time
from collections.abc import Callable, Iterable
from contextvars import copy_context
from functools import partial, wraps
from itertools import count
from typing import TYPE_CHECKING, Any

from django.core.signals import request_finished
from django.utils.module_loading import autodiscover_modules

from . import conf
from .database.connections import (
    close_old_connections,
    discard_interrupted_connections,
    discard_open_transactions,
    opened,
)
from .deadline import DeadlineExceeded, guard
from .events import UnsupportedEvent
from .http.gateway import make_gateway
from .http.response import Payload
from .http.stream import Stream
from .invocation import Invocation, Reply, access_facts, activate
from .lifecycle import before_freeze, send_before_freeze
from .views import make_error_writer, status_of
from .warm_up import create_backends, load_application, warm_up

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)
# One of its own, so that a project can turn the access log off.
access = logging.getLogger(f"{__package__}.access")

# Left of the time of an invocation for the log, when what comes after its answer takes
# too long.
AFTERWARDS_MARGIN_SECONDS = 0.2

Handler = Callable[[Any, Any], Any]
Serve = Callable[[Invocation], Any]


class lambda_handler:  # noqa: N801 - a handler is called like a function
    """
    A Lambda handler that serves each event as an invocation of its own.

    It counts the invocations of this execution environment, makes each the current
    one, and sends ``before_freeze`` once ``serve`` has returned or raised. It raises
    what ``serve`` raises; an UnsupportedEvent is logged first.

    Each invocation runs in a context of its own: the language, the time zone, the
    script prefix and all other context variables that it sets end with it.
    """

    # What wraps a handler may read it, as of a function.
    __name__ = "handler"

    def __init__(self, serve: Serve) -> None:
        self.serve = serve
        self.numbers = count(1)
        create_backends()

    def __call__(self, event: Any, context: Any) -> Any:
        """Return the result, as AWS's runtime client needs it."""
        current = Invocation(event, context, next(self.numbers))
        return copy_context().run(self.invoke, current)

    def answer(self, event: Any, context: Any, reply: Reply) -> None:
        """
        Give the result or the exception to the reply, and then do the rest.

        The client does not wait for what comes after the answer, so this is how the
        runtime client of this project calls a handler (docs/runtime.md).
        """
        current = Invocation(event, context, next(self.numbers), [])
        copy_context().run(self.reply_first, current, reply)

    def invoke(self, current: Invocation) -> Any:
        activate(current)
        try:
            return self.serve(current)
        except UnsupportedEvent as error:
            logger.error("%s", error, exc_info=error.__cause__)
            raise
        finally:
            if before_freeze.receivers:
                send_before_freeze(current)

    def reply_first(self, current: Invocation, reply: Reply) -> None:
        activate(current)
        try:
            try:
                result = self.serve(current)
            except Exception as error:
                if isinstance(error, UnsupportedEvent):
                    logger.error("%s", error, exc_info=error.__cause__)
                reply.error(error)
            else:
                if isinstance(result, Payload):
                    reply.payload(result)
                elif isinstance(result, Stream):
                    reply.stream(result)
                else:
                    reply.result(result)
        finally:
            finish(current)
            if before_freeze.receivers:
                send_before_freeze(current)


def finish(invocation: Invocation) -> None:
    """
    Do what an invocation has left for after its answer, and log what fails in it.

    The deadline interrupts all of it together: a client has its answer, and the next
    one would find a killed execution environment.
    """
    if not invocation.afterwards:
        return
    deadline = guard(invocation.remaining_ms, AFTERWARDS_MARGIN_SECONDS)
    try:
        with deadline:
            for step in invocation.afterwards:
                try:
                    step()
                except BaseException:
                    # SystemExit, too: it would end the execution environment.
                    logger.exception("An error occurred after the response was sent")
    except DeadlineExceeded:
        # Between two of them.
        logger.exception("Deadline exceeded after the response was sent")
    if deadline.exceeded:
        discard_interrupted_connections()


def managing_connections(serve: Serve) -> Serve:
    """
    Close expired and broken database connections before and after each invocation.

    Django's own handler does so for web requests, by its signals.
    """

    @wraps(serve)
    def served(invocation: Invocation) -> Any:
        close_old_connections()
        try:
            return serve(invocation)
        finally:
            discard_open_transactions()
            close_old_connections()

    return served


# The names of the functions below.
FUNCTIONS: set[str] = set()


def function(build: Callable[[], Serve]) -> Callable[[], Handler]:
    """
    Make ``build`` return the Lambda handler of the function that has its name.

    All functions share one lambda_entry, and each needs only its own handler, whose
    name Lambda puts into _HANDLER: the others are not built. Elsewhere all are, and
    so they are where a layer has put its own name there, and calls a handler itself.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    FUNCTIONS.add(build.__name__)

    @wraps(build)
    def factory() -> Handler:
        wanted = os.environ.get("_HANDLER", "").rpartition(".")[2]
        if wanted != build.__name__ and wanted in FUNCTIONS:
            return not_built
        return lambda_handler(build())

    return factory


def not_built(event: Any, context: Any) -> Any:
    raise RuntimeError(
        f"The handler of this function is {os.environ.get('_HANDLER')}, and another "
        "one was called. lambda_entry builds only the one that the function names: "
        "http, tasks, schedule or manage."
    )


def make_handler(application: "WSGIApplication", **options: Any) -> Handler:
    """
    Return a Lambda handler that serves web requests with Django's WSGI application.

    The options are those of ``http.gateway.make_gateway``.
    """
    return lambda_handler(_web(application, **options))


def _web(application: "WSGIApplication", **options: Any) -> Serve:
    gateway = make_gateway(
        always_finished(application),
        answer_error=make_error_writer(),
        status_of=status_of,
        after_failure=discard_interrupted_connections,
        **options,
    )
    return access_logged(ending_transactions(gateway))


def always_finished(application: "WSGIApplication") -> "WSGIApplication":
    """
    Send ``request_finished`` for a request without a response, too.

    Django sends it when the response is closed. SystemExit, asyncio's CancelledError
    and the deadline end a request before it has one.
    """

    def finished(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        try:
            return application(environ, start_response)
        except BaseException:
            request_finished.send(sender=None)
            raise

    return finished


def ending_transactions(serve: Serve) -> Serve:
    """Roll back what a web request has left open on a database."""

    @wraps(serve)
    def served(invocation: Invocation) -> Any:
        result = serve(invocation)
        invocation.after_answer(_end_transactions)
        return result

    return served


def _end_transactions() -> None:
    if opened:
        discard_open_transactions()


def access_logged(serve: Serve) -> Serve:
    """
    Write one line for each web request, with its metrics.

    What counts is what Lambda receives, also for an error outside of Django. The
    middleware adds the route and the queries.
    """

    @wraps(serve)
    def served(invocation: Invocation) -> Any:
        facts: dict[str, Any] = {"route": "(none)"}
        access_facts.set(facts)
        start = time.perf_counter()
        result = serve(invocation)
        if access.isEnabledFor(logging.INFO):
            seconds = time.perf_counter() - start
            if isinstance(result, Stream) and result.unfinished:
                facts["first_byte_ms"] = round(seconds * 1000, 1)
                log = partial(log_stream, invocation, facts, start, result)
            else:
                log = partial(log_access, invocation, facts, seconds)
            invocation.after_answer(log)
        return result

    return served


def log_stream(
    invocation: Invocation, facts: dict[str, Any], start: float, stream: Stream
) -> None:
    """Write the line of a streamed response, whose duration ends with its last byte."""
    log_access(invocation, facts, stream.ended - start)


def log_access(invocation: Invocation, facts: dict[str, Any], seconds: float) -> None:
    status: int = facts["status"]
    failed = status >= 500 or facts.get("cut") in ("deadline", "error")
    duration = round(seconds * 1000, 1)
    metrics: dict[str, Any] = {
        "Requests": 1,
        "Errors": int(failed),
        "ClientErrors": int(400 <= status < 500),
        "ColdStarts": int(invocation.cold_start),
    }
    # A stream may last for minutes, which is not slow.
    name, value = "Duration", duration
    if "first_byte_ms" in facts:
        name, value = "TimeToFirstByte", facts["first_byte_ms"]
    metrics[name] = (value, "Milliseconds")
    if "queries_ms" in facts:
        metrics["DatabaseTime"] = (facts["queries_ms"], "Milliseconds")
    if (remaining := invocation.remaining_ms) is not None:
        metrics["RemainingTime"] = (remaining, "Milliseconds")
    words = facts["method"], facts["route"], status
    # What access.info() does, without the search of its caller on the stack.
    record = access.makeRecord(
        access.name, logging.INFO, __file__, 0, "%s %s %s", words, None
    )
    vars(record).update(facts, duration_ms=duration, metrics=metrics)
    access.handle(record)


@function
def http() -> Serve:
    """Build the handler of web requests: the Django project behind the gateway."""
    application = load_application()
    warm_up(always_finished(application), conf.get("LAMBDA_WARM_UP_PATHS"))
    return _web(
        application,
        base_path=conf.get("LAMBDA_BASE_PATH"),
        scheme=conf.get("LAMBDA_URL_SCHEME"),
        trusted_proxies=conf.get("LAMBDA_TRUSTED_PROXIES"),
        origin_secret=conf.get("LAMBDA_ORIGIN_SECRET"),
        deadline_margin=conf.get("LAMBDA_DEADLINE_MARGIN"),
        streaming=conf.get("LAMBDA_STREAMING"),
    )


# The modules below are imported by the function that needs them, and by no other.


@function
def tasks() -> Serve:
    """Build the handler of the messages in a task queue. It needs Django 6."""
    from .tasks.consumer import make_consumer

    # Where projects define tasks, by convention. Imported now, the first is quick.
    autodiscover_modules("tasks")
    return managing_connections(make_consumer(conf.get("LAMBDA_DEADLINE_MARGIN")))


@function
def schedule() -> Serve:
    """Build the handler of schedules: management commands on a schedule."""
    from .commands import schedule

    return managing_connections(schedule.serve)


@function
def manage() -> Serve:
    """Build the handler of `manage.py remote`: commands that an operator sends."""
    from .commands import manage

    return managing_connections(manage.serve)
