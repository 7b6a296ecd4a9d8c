import re
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.http.response import HttpResponseBase
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive
from rest_framework import mixins, status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from ..forms import DocumentForm
from ..models import Document
from ..views import send
from .serializers import (
    DocumentSerializer,
    SentDocumentSerializer,
    UploadedDocumentSerializer,
)

PAGE_SIZE = re.compile("[0-9]{1,9}")


class NewestFirst(CursorPagination):
    """Pages that neither count the rows nor move when one is added."""

    ordering = ("-uploaded_at", "-pk")
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    # Rows of one time, such as those of an import: after more of them than the default
    # of 1,000, the next page would be the same page again.
    offset_cutoff = 1_000_000

    def get_page_size(self, request: Request) -> int:
        given = request.query_params.get("page_size", str(self.page_size))
        number = int(given) if PAGE_SIZE.fullmatch(given) else 0
        if not 1 <= number <= self.max_page_size:
            text = f"It must be a number from 1 to {self.max_page_size}."
            raise ValidationError({"page_size": [text]})
        return number

    def decode_cursor(self, request: Request) -> Cursor | None:
        cursor: Cursor | None = super().decode_cursor(request)
        if cursor and cursor.position is not None:
            try:
                moment = parse_datetime(str(cursor.position))
            except ValueError:
                moment = None
            # Of a cursor that was made up.
            if moment is None or is_naive(moment):
                raise NotFound(self.invalid_cursor_message)
        return cursor


class DocumentViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    GenericViewSet[Document],
):
    """The documents that the user may see. Others are not found."""

    serializer_class = DocumentSerializer
    pagination_class = NewestFirst
    queryset = Document.objects.none()

    def get_queryset(self) -> QuerySet[Document]:
        documents = Document.objects.select_related("uploaded_by")
        if self.request.method == "DELETE":
            return documents.deletable_by(self.request.user)
        if self.request.method == "PATCH":
            return documents.changeable_by(self.request.user)
        return documents.visible_to(self.request.user)

    def create(self, request: Request) -> Response:
        """Store the file of a finished upload, or that of a multipart body."""
        is_sent = isinstance(request.data, QueryDict)
        kind = SentDocumentSerializer if is_sent else UploadedDocumentSerializer
        given = kind(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        # As the form of a page has an upload: in a hidden input beside the file's.
        data["file-upload"] = data.get("upload")
        form = DocumentForm(data, request.FILES)
        if not form.is_valid():
            errors: dict[str, Any] = dict(form.errors)
            if not is_sent and "file" in errors:
                errors["upload"] = errors.pop("file")
            raise ValidationError(errors)
        document = form.save(request.user)
        answer = self.get_serializer(document).data
        return Response(answer, status=status.HTTP_201_CREATED)

    def perform_destroy(self, instance: Document) -> None:
        instance.remove()

    def file(self, request: Request, pk: str) -> HttpResponseBase:
        """Redirect to the file, or send it."""
        document = self.get_object()
        return send(document, document.filename)


collection = DocumentViewSet.as_view(
    {"get": "list", "post": "create"},
    parser_classes=[*DocumentViewSet.parser_classes, MultiPartParser],
)
member = DocumentViewSet.as_view(
    {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
)
file = DocumentViewSet.as_view({"get": "file"})
