from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from . import streams
from .models import Document
from .tasks import fingerprint


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):
    list_display = ["title", "file", "size", "uploaded_by", "uploaded_at"]
    list_filter = ["uploaded_at"]
    list_select_related = ["uploaded_by"]
    search_fields = ["title", "note"]
    readonly_fields = ["size", "checksum", "uploaded_by", "uploaded_at"]

    def save_model(
        self,
        request: HttpRequest,
        obj: Document,
        form: ModelForm,
        change: bool,
    ) -> None:
        if not change:
            obj.uploaded_by = request.user  # type: ignore[assignment]
        if new_file := "file" in form.changed_data:
            obj.size, obj.checksum = None, ""
        super().save_model(request, obj, form, change)
        if new_file:
            fingerprint.enqueue(obj.pk)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("export/", view(self.export), name="documents_document_export"),
            path(
                "<int:pk>/progress/",
                view(self.progress),
                name="documents_document_progress",
            ),
            *super().get_urls(),
        ]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Send all documents as CSV."""
        self._may_view(request)
        return streams.export()

    def progress(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Send the progress of the task that computes the checksum of a document."""
        self._may_view(request)
        return streams.progress(request, pk)

    def _may_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        more = {"is_streamed": streams.is_streamed(request)}
        return super().change_view(
            request, object_id, form_url, (extra_context or {}) | more
        )
