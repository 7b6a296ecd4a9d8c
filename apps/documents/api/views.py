from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from rest_framework import mixins, status
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from ..forms import DocumentForm
from ..models import Document
from ..views import send
from .serializers import DocumentSerializer


class NewestFirst(CursorPagination):
    """Pages that neither count the rows nor move when one is added."""

    ordering = ("-uploaded_at", "-pk")
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


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
        if not isinstance(request.data, dict):
            raise ValidationError({"detail": ["The body must be a JSON object."]})
        given = {name: request.data.get(name) for name in ("title", "note", "upload")}
        if wrong := [n for n, v in given.items() if not isinstance(v, str | None)]:
            raise ValidationError({name: ["Not a valid string."] for name in wrong})
        # As the form of a page has an upload: in a hidden input beside the file's.
        data = {"title": given["title"], "note": given["note"]}
        data["file-upload"] = given["upload"]
        form = DocumentForm(data, request.FILES)
        if not form.is_valid():
            errors: dict[str, Any] = dict(form.errors)
            if "file" in errors and given["upload"]:
                errors["upload"] = errors.pop("file")
            raise ValidationError(errors)
        document = form.save(request.user)
        data = self.get_serializer(document).data
        return Response(data, status=status.HTTP_201_CREATED)

    def perform_destroy(self, instance: Document) -> None:
        instance.remove()

    def file(self, request: Request, pk: str) -> HttpResponseBase:
        """Redirect to the file, or send it."""
        document = self.get_object()
        return send(document, document.filename)


collection = DocumentViewSet.as_view({"get": "list", "post": "create"})
member = DocumentViewSet.as_view(
    {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
)
file = DocumentViewSet.as_view({"get": "file"})
