from django.contrib.admin.views.decorators import staff_member_required
from django.http import FileResponse, Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from .models import Document


@require_safe
@staff_member_required
def download(request: HttpRequest, name: str) -> FileResponse:
    """
    Send a document to a member of staff, by its name in the storage.

    Always as an attachment: an uploaded HTML or SVG file that opened in the
    browser would run its scripts with the rights of whoever looks at it.
    """
    document = get_object_or_404(Document, file=name)
    try:
        file = document.file.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    return FileResponse(file, as_attachment=True)
