from typing import Any

from django.db import models
from django.tasks import TaskResult, TaskResultStatus
from django.tasks.base import TaskError
from django.tasks.exceptions import TaskResultDoesNotExist
from django.utils.translation import gettext_lazy as _

from ..registry import find


class StoredTask(models.Model):
    """A task that was enqueued, and its result so far."""

    id = models.UUIDField(primary_key=True, editable=False)
    task_path = models.CharField(_("task"), max_length=500)
    queue_name = models.CharField(_("queue"), max_length=100)
    backend = models.CharField(_("backend"), max_length=100)
    status = models.CharField(
        _("status"), max_length=10, choices=TaskResultStatus.choices
    )
    args = models.JSONField(_("arguments"), default=list)
    kwargs = models.JSONField(_("named arguments"), default=dict)
    run_after = models.DateTimeField(_("run after"), null=True)
    enqueued_at = models.DateTimeField(_("enqueued at"))
    started_at = models.DateTimeField(_("first started at"), null=True)
    last_attempted_at = models.DateTimeField(_("last started at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)
    # While it runs: when the invocation that runs it ends at the latest.
    claimed_until = models.DateTimeField(_("claimed until"), null=True)
    # One for each attempt: the log stream of its execution environment.
    worker_ids = models.JSONField(_("log streams"), default=list)
    # One for each attempt that failed.
    errors = models.JSONField(_("errors"), default=list)
    return_value = models.JSONField(_("return value"), null=True)

    class Meta:
        ordering = ["-enqueued_at"]
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        indexes = [
            models.Index(fields=["-enqueued_at"], name="lambda_task_enqueued"),
            models.Index(fields=["finished_at"], name="lambda_task_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.task_path} {self.id}"

    def result(self) -> TaskResult:
        """
        Return the result as an object of Django's tasks framework.

        Raises TaskResultDoesNotExist, with the reason, if this version of the project
        cannot read the row: it has no such task, backend or queue, or another version
        wrote the row in another form.
        """
        try:
            return self._result()
        except Exception as error:
            raise TaskResultDoesNotExist(
                f"The task {self} is stored, but cannot be read: "
                f"{type(error).__name__}: {error}"
            ) from error

    def progress(self) -> dict[str, Any]:
        """
        Return what the result has of the attempts so far.

        Raises TypeError or ValueError if the row has another form.
        """
        return {
            "status": TaskResultStatus(self.status),
            "started_at": self.started_at,
            "last_attempted_at": self.last_attempted_at,
            "errors": [TaskError(**error) for error in self._json("errors", list)],
            "worker_ids": self._json("worker_ids", list),
        }

    def _json(self, field: str, kind: type) -> Any:
        value = getattr(self, field)
        if not isinstance(value, kind):
            raise TypeError(
                f"{field} has the type {type(value).__name__}, not {kind.__name__}"
            )
        return value

    def _result(self) -> TaskResult:
        task = find(self.task_path)
        result: TaskResult = TaskResult(
            task=task.using(
                backend=self.backend,
                queue_name=self.queue_name,
                run_after=self.run_after,
            ),
            id=str(self.id),
            enqueued_at=self.enqueued_at,
            finished_at=self.finished_at,
            args=self._json("args", list),
            kwargs=self._json("kwargs", dict),
            backend=self.backend,
            **self.progress(),
        )
        object.__setattr__(result, "_return_value", self.return_value)
        return result
