import re
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.utils.module_loading import import_string
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from . import progress, tasks
from .models import Document, delete_files

# What every browser shows, and runs no script of.
PREVIEWS = ("image/avif", "image/gif", "image/jpeg", "image/png", "image/webp")
MAX_PREVIEW_BYTES = 10 * 1024 * 1024


class ApprovalFilter(admin.SimpleListFilter):
    title = _("approval")
    parameter_name = "approved"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("yes", _("Approved")), ("no", _("Not approved"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet | None:
        if self.value() is None:
            return None
        return queryset.filter(approved_at__isnull=self.value() == "no")


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):
    list_display = [
        "title",
        "state",
        "kind",
        "human_size",
        "sender",
        "date",
        "link",
    ]
    list_filter = ["status", ApprovalFilter, "uploaded_at"]
    list_select_related = ["uploaded_by"]
    list_per_page = 50
    # Without a second count of all rows.
    show_full_result_count = False
    search_fields = ["title", "note", "uploaded_by__username", "=checksum"]
    readonly_fields = [
        "preview",
        "status",
        "content_type",
        "size",
        "pages",
        "dimensions",
        "checksum",
        "uploaded_by",
        "uploaded_at",
        "approved_by",
        "approved_at",
    ]
    fieldsets = [
        (None, {"fields": ["title", "file", "note", "preview"]}),
        (
            _("Content"),
            {
                "fields": [
                    "status",
                    "content_type",
                    "size",
                    "pages",
                    "dimensions",
                    "checksum",
                ]
            },
        ),
        (
            _("History"),
            {"fields": ["uploaded_by", "uploaded_at", "approved_by", "approved_at"]},
        ),
    ]
    actions = ["process_again", "approve", "export"]

    class Media:
        css = {"all": ["documents/admin.css"]}

    @admin.display(description=_("status"), ordering="status")
    def state(self, document: Document) -> str:
        approved = document.approved_at is not None
        return str(_("Approved") if approved else document.get_status_display())

    @admin.display(description=_("type"), ordering="content_type")
    def kind(self, document: Document) -> str | None:
        # The list has room for "pdf", and for "document" of Word's type.
        return re.split(r"[/.]", document.content_type)[-1] or None

    @admin.display(description=_("from"), ordering="uploaded_by__username")
    def sender(self, document: Document) -> str:
        return str(document.uploaded_by or "")

    @admin.display(description=_("date"), ordering="uploaded_at")
    def date(self, document: Document) -> str:
        return f"{localtime(document.uploaded_at):%d %b %Y %H:%M}"

    @admin.display(description=_("size"), ordering="size")
    def human_size(self, document: Document) -> str | None:
        return None if document.size is None else filesizeformat(document.size)

    @admin.display(description=_("file"))
    def link(self, document: Document) -> str:
        return format_html('<a href="{}">{}</a>', document.file.url, _("Open"))

    @admin.display(description=_("dimensions"))
    def dimensions(self, document: Document) -> str:
        if not document.width:
            return self.get_empty_value_display()
        return f"{document.width} \u00d7 {document.height}"

    @admin.display(description=_("preview"))
    def preview(self, document: Document) -> str:
        small = document.size is not None and document.size <= MAX_PREVIEW_BYTES
        if document.content_type not in PREVIEWS or not small:
            return self.get_empty_value_display()
        return format_html(
            '<img src="{}" alt="{}" width="320">', document.file.url, document.title
        )

    def get_fieldsets(self, request: HttpRequest, obj: Document | None = None) -> Any:
        # A new document has nothing of the rest.
        if obj is None:
            return [(None, {"fields": ["title", "file", "note"]})]
        return super().get_fieldsets(request, obj)

    def save_model(
        self, request: HttpRequest, obj: Document, form: ModelForm, change: bool
    ) -> None:
        new_file = "file" in form.changed_data
        if change:
            fields = {*form.changed_data}
            if new_file:
                fields.update(obj.forget_content())
                delete_files([form.initial["file"].name])
            # No other column: the task may have stored what it found meanwhile.
            obj.save(update_fields=fields)
        else:
            obj.uploaded_by = request.user  # type: ignore[assignment]
            obj.save()
        if new_file:
            tasks.fingerprint.enqueue(obj.pk)

    def delete_model(self, request: HttpRequest, obj: Document) -> None:
        obj.remove()

    def delete_queryset(
        self, request: HttpRequest, queryset: QuerySet[Document]
    ) -> None:
        Document.objects.filter(pk__in=queryset.order_by().values("pk")).remove()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.progress)
        name = "documents_document_progress"
        return [path("<int:pk>/progress/", view, name=name), *super().get_urls()]

    def progress(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Send the progress of the task that reads a document."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return progress.events(request, pk)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        more = {"is_streamed": progress.is_streamed(request)}
        return super().change_view(
            request, object_id, form_url, (extra_context or {}) | more
        )

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        # Unless it is streamed, the export is larger than what an event source takes.
        decorate = import_string(settings.DOCUMENTS_EXPORT_DECORATOR)
        return decorate(super().changelist_view)(request, *args, **kwargs)

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("documents.approve_document")

    @admin.action(description=_("Process again"), permissions=["change"])
    def process_again(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        try:
            count = tasks.process_again(queryset)
        except ValueError:
            limit = _(
                "At most %d documents can be processed again at once: choose fewer."
            )
            self.message_user(request, limit % tasks.MAX_AT_ONCE, messages.ERROR)
            return
        text = ngettext(
            "%d document is processed again.", "%d are processed again.", count
        )
        self.message_user(request, text % count, messages.SUCCESS)

    @admin.action(description=_("Approve"), permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        chosen = queryset.count()
        count = tasks.approve(queryset, request.user)
        text = ngettext("%d document is approved.", "%d documents are approved.", count)
        self.message_user(request, text % count, messages.SUCCESS)
        if left := chosen - count:
            text = ngettext(
                "%d is not: it is not processed, or was approved before.",
                "%d are not: they are not processed, or were approved before.",
                left,
            )
            self.message_user(request, text % left, messages.WARNING)

    @admin.action(description=_("Export as CSV"), permissions=["view"])
    def export(
        self, request: HttpRequest, queryset: QuerySet[Document]
    ) -> HttpResponseBase:
        # The page for the export, and a view, do not need it.
        from . import exports

        disposition = content_disposition_header(True, exports.filename())
        return StreamingHttpResponse(
            exports.chunks(queryset),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": str(disposition)},
        )
