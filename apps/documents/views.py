"""The inbox of a user: a page, what its script asks for, and downloads."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils.module_loading import import_string
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from .models import Document

PAGE_SIZE = 20


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def inbox(request: HttpRequest) -> HttpResponse:
    """
    Show the user's documents, newest first, and store the files of the form.

    The page's script sends a file as soon as it is uploaded, and gets the rows or the
    errors as JSON. Without the script the browser gets a page.
    """
    # It loads what uploads need, and another page does not need it.
    from .forms import InboxForm

    form = InboxForm(request.POST or None, request.FILES or None)
    by_script = not request.accepts("text/html")
    if request.method == "POST":
        if form.is_valid():
            documents = form.save(request.user)
            if by_script:
                return JsonResponse({"rows": rows_of(request, documents)}, status=201)
            count = len(documents)
            text = ngettext(
                "%d file is in the inbox.", "%d files are in the inbox.", count
            )
            messages.success(request, text % count)
            return redirect("documents:inbox")
        if by_script:
            return JsonResponse({"errors": form.errors.get("file", [])}, status=400)
    own = Document.objects.filter(uploaded_by=request.user.pk)
    page = Paginator(own, PAGE_SIZE).get_page(request.GET.get("page"))
    status = 400 if form.is_bound else 200
    context = {"form": form, "page": page}
    return render(request, "documents/inbox.html", context, status=status)


@never_cache
@login_required
@require_GET
def rows(request: HttpRequest) -> JsonResponse:
    """Return rows of the page by the keys of their documents, those that exist."""
    keys = [key for key in request.GET.getlist("id")[:PAGE_SIZE] if key.isdecimal()]
    # A longer number is not a key, and no database takes it.
    keys = [key for key in keys if len(key) < 19]
    documents = Document.objects.filter(uploaded_by=request.user.pk, pk__in=keys)
    return JsonResponse({"rows": rows_of(request, documents)})


def rows_of(request: HttpRequest, documents: Any) -> dict[str, str]:
    return {
        str(document.pk): render_to_string(
            "documents/row.html", {"document": document}, request
        )
        for document in documents
    }


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask whether to delete a document, and delete it with its file."""
    document = get_object_or_404(Document.objects.deletable_by(request.user), pk=pk)
    if request.method == "POST":
        document.remove()
        messages.success(request, f"{document.title} is deleted.")
        return redirect("documents:inbox")
    return render(request, "documents/delete.html", {"document": document})


@never_cache
@require_safe
@login_required
def download(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Send the file of a document under the name of its title."""
    visible = Document.objects.visible_to(request.user)
    document = get_object_or_404(visible, pk=pk)
    return send(document, document.filename)


@never_cache
@require_safe
@login_required
def media(request: HttpRequest, name: str) -> HttpResponseBase:
    """
    Send a document, by the name of its file in the storage: a link of a local storage.

    The download is always an attachment: if a browser rendered an uploaded HTML or SVG
    file, its scripts would run with the permissions of the user.
    """
    visible = Document.objects.visible_to(request.user)
    document = get_object_or_404(visible, file=name)
    return send(document, name.rpartition("/")[2])


def send(document: Document, filename: str) -> HttpResponseBase:
    """Return the file as an attachment, or a redirect to it: see the settings."""
    file_response = import_string(settings.DOCUMENTS_FILE_RESPONSE)
    try:
        response: HttpResponseBase = file_response(document.file, filename=filename)
    except FileNotFoundError as error:
        raise Http404 from error
    return response
