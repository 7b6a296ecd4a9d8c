from datetime import timedelta

from django.contrib import admin, messages
from django.db import DatabaseError
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.tasks import TaskResultStatus
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ...aws.limits import MAX_INVOCATION_SECONDS
from . import store
from .models import StoredTask


@admin.register(StoredTask)
class StoredTaskAdmin(admin.ModelAdmin):
    """Show tasks, and enqueue failed and lost ones again."""

    actions = ["enqueue_again"]
    date_hierarchy = "enqueued_at"
    list_display = ["task_path", "status", "attempts", "queue_name", "enqueued_at"]
    list_filter = ["status", "queue_name", "enqueued_at"]
    search_fields = ["=id", "task_path"]
    fields = [
        "id",
        "task_path",
        "status",
        "attempts",
        "args",
        "kwargs",
        "return_value",
        "failures",
        "queue_name",
        "backend",
        "run_after",
        "enqueued_at",
        "started_at",
        "last_attempted_at",
        "finished_at",
        "worker_ids",
    ]
    readonly_fields = [*fields]  # type: ignore[list-item]

    # Another version of the project may have written the JSON in another form.

    @admin.display(description=_("attempts"))
    def attempts(self, stored: StoredTask) -> int | None:
        workers = stored.worker_ids
        return len(workers) if isinstance(workers, list) else None

    @admin.display(description=_("errors"))
    def failures(self, stored: StoredTask) -> SafeString:
        errors = stored.errors if isinstance(stored.errors, list) else [stored.errors]
        texts = [
            (error.get("traceback", error) if isinstance(error, dict) else error,)
            for error in errors
        ]
        return format_html_join("", "<pre>{}</pre>", texts) or SafeString("-")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: StoredTask | None = None
    ) -> bool:
        return False

    def has_enqueue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.change_storedtask")

    @admin.action(
        description=_("Enqueue failed and lost tasks again"), permissions=["enqueue"]
    )
    def enqueue_again(
        self, request: HttpRequest, tasks: "QuerySet[StoredTask]"
    ) -> None:
        """Enqueue failed tasks, and those not updated for 15 minutes."""
        before = timezone.now() - timedelta(seconds=MAX_INVOCATION_SECONDS)
        lost = ~Q(status=TaskResultStatus.SUCCESSFUL) & Q(last_update__lt=before)
        chosen = [
            *tasks.alias(
                last_update=Coalesce("last_attempted_at", "enqueued_at")
            ).filter(Q(status=TaskResultStatus.FAILED) | lost)
        ]
        # The page may list failed tasks only, which these will no longer be.
        skipped = tasks.count() - len(chosen)
        enqueued = 0
        for stored in chosen:
            try:
                # Without a transaction, so that it raises if SQS rejects the message.
                store.enqueue_again(stored)
            except DatabaseError:
                raise
            except Exception as error:
                # By the task's module or the project's MESSAGE_GROUP, for example.
                reason = f"{type(error).__name__}: {error}"
                text = f"The task {stored} was not enqueued. {reason}"
                self.message_user(request, text, messages.ERROR)
            else:
                enqueued += 1
        self.message_user(
            request,
            ngettext("%d task was enqueued.", "%d tasks were enqueued.", enqueued)
            % enqueued,
        )
        if skipped:
            text = ngettext(
                "%d task was skipped: it succeeded, or may still be running.",
                "%d tasks were skipped: they succeeded, or may still be running.",
                skipped,
            )
            self.message_user(request, text % skipped, messages.WARNING)
