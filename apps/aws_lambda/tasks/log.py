"""One log line per attempt at a task, which is also its metrics."""

import logging
import time

from django.tasks import Task

from ..invocation import invocation
from ..observability.queries import Queries
from .records import Record

logger = logging.getLogger(__name__)


def tell(
    record: Record,
    outcome: str,
    *,
    task: Task | None = None,
    queries: Queries,
    duration: float,
    out_of_time: bool = False,
) -> None:
    """
    Log what became of a message: one of the outcomes in docs/tasks.md.

    ``duration`` is in milliseconds. A message that is no task has no name of its
    own here: there would be as many metrics as names that somebody makes up.
    """
    now = invocation.get()
    path = task.module_path if task else "(none)"
    due = task.run_after.timestamp() * 1000 if task and task.run_after else 0
    waited = time.time() * 1000 - duration - max(record.sent_ms, due)
    age = max(round(waited), 0)
    logger.info(
        "%s %s",
        path,
        outcome,
        extra={
            "task": path,
            "queue": record.queue_url.rpartition("/")[2],
            "message_id": record.message_id,
            "invocation_id": getattr(now and now.context, "aws_request_id", None),
            "outcome": outcome,
            "attempt": record.attempt,
            "duration_ms": duration,
            "age_ms": age,
            "queries": queries.count,
            "queries_ms": queries.ms,
            "metrics": {
                "TaskSucceeded": int(outcome == "succeeded"),
                "TaskFailed": int(outcome == "failed"),
                "TaskRetried": int(outcome == "retried"),
                "TaskRefused": int(outcome == "refused"),
                "TaskDuration": (duration, "Milliseconds"),
                "TaskAge": (age, "Milliseconds"),
                "DatabaseTime": (queries.ms, "Milliseconds"),
                "DeadlineHits": int(out_of_time),
            },
        },
    )
