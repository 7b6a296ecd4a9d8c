from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from .models import Document


@require_safe
@login_required(login_url="admin:login")
def download(request: HttpRequest, name: str) -> FileResponse:
    """
    Send a document, by the name of its file in the storage.

    The user must be allowed to view it in the admin: ``documents.view_document``, or
    ``documents.change_document``, which includes it. The download is always an
    attachment: if a browser rendered an uploaded HTML or SVG file, its scripts would
    run with the permissions of the user.
    """
    if not admin.site.get_model_admin(Document).has_view_permission(request):
        raise PermissionDenied
    document = get_object_or_404(Document, file=name)
    try:
        file = document.file.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    return FileResponse(file, as_attachment=True)
