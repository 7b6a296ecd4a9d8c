from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

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
