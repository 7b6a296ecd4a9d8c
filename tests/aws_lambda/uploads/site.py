"""Settings and URLs of the project, with a form that is not the admin's."""

from django import forms
from django.contrib.admin import AdminSite, ModelAdmin, TabularInline
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template import engines
from django.urls import path

from project.settings import *  # noqa: F403

ROOT_URLCONF = __name__
# For a test of the refusal.
LAMBDA_UPLOAD_MAX_BYTES = 40 * 1024 * 1024

PAGE = """<!doctype html><html lang="en"><title>Inbox</title>
<meta name="color-scheme" content="light dark">{{ form.media }}
<form method="post" enctype="multipart/form-data">{% csrf_token %}{{ form }}
<button name="action" value="keep">Keep</button></form>
<output>{{ saved }}</output></html>"""


def inbox(request: HttpRequest) -> HttpResponse:
    from apps.aws_lambda.uploads.forms import UploadField
    from apps.documents.models import Document

    class InboxForm(forms.Form):
        files = UploadField(  # type: ignore[assignment]
            Document._meta.get_field("file"), multiple=True
        )

    form = InboxForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        for file in form.cleaned_data["files"]:
            title = f"{request.POST['action']} {file.name}"
            Document.objects.create(title=title, file=file)
        return redirect("/inbox/")
    saved = ", ".join(Document.objects.order_by("pk").values_list("title", flat=True))
    template = engines["django"].from_string(PAGE)
    return HttpResponse(template.render({"form": form, "saved": saved}, request))


def inlines() -> AdminSite:
    """Return an admin whose page of a user has a row for each document."""
    from django.contrib.auth import get_user_model

    from apps.documents.models import Document

    class Rows(TabularInline):
        model = Document
        fk_name = "uploaded_by"
        fields = ["title", "file"]
        extra = 1

    class UserAdmin(ModelAdmin):
        fields = ["username"]
        inlines = [Rows]

    class DocumentAdmin(ModelAdmin):
        list_display = ["pk", "title", "file"]
        list_editable = ["title", "file"]

    site = AdminSite("inlines")
    site.register(get_user_model(), UserAdmin)
    site.register(Document, DocumentAdmin)
    return site


def patterns() -> list[object]:
    from project.urls import urlpatterns

    return [
        path("inbox/", inbox),
        path("inlines/", inlines().urls),
        *urlpatterns,
    ]


def __getattr__(name: str) -> object:
    # The settings are read before there are apps; the URLs after it.
    if name == "urlpatterns":
        return patterns()
    raise AttributeError(name)
