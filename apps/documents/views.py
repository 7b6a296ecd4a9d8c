from django.contrib.admin.views.decorators import staff_member_required
from django.http import FileResponse, Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from .models import Document


@require_safe
@staff_member_required
def download(request: HttpRequest, name: str) -> FileResponse:
    """
    Send a document to a staff user, by the name of its file in the storage.

    It is always an attachment: if a browser rendered an uploaded HTML or SVG file, its
    scripts would run with the permissions of the user.
    """
    document = get_object_or_404(Document, file=name)
    try:
        file = document.file.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    return FileResponse(file, as_attachment=True)
