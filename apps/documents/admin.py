from django.contrib import admin
from django.forms import ModelForm
from django.http import HttpRequest

from .models import Document


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):
    list_display = ["title", "file", "uploaded_by", "uploaded_at"]
    list_filter = ["uploaded_at"]
    list_select_related = ["uploaded_by"]
    search_fields = ["title", "note"]
    readonly_fields = ["uploaded_by", "uploaded_at"]

    def save_model(
        self,
        request: HttpRequest,
        obj: Document,
        form: ModelForm,
        change: bool,
    ) -> None:
        if not change:
            obj.uploaded_by = request.user  # type: ignore[assignment]
        super().save_model(request, obj, form, change)
