"""
Print the OpenAPI document: python -m project.api.schema > project/api/openapi.json

drf-spectacular reads the views here, in development. The package has the document, and
neither it nor its YAML and JSON Schema libraries.
"""

import json
import os
from typing import Any


def make() -> str:
    """Return the document as JSON. Call it once, in a process without the API."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    import django
    from django.conf import settings

    django.setup()
    # Read when the first view is defined.
    settings.REST_FRAMEWORK["DEFAULT_SCHEMA_CLASS"] = (
        "drf_spectacular.openapi.AutoSchema"
    )
    settings.SPECTACULAR_SETTINGS = {
        "TITLE": "Inbox",
        "DESCRIPTION": "Documents of the user, and uploads straight to the bucket.",
        "VERSION": "1",
        "SCHEMA_PATH_PREFIX": "/api",
        "COMPONENT_SPLIT_REQUEST": True,
    }
    from drf_spectacular.generators import SchemaGenerator

    # It has no types.
    generator: Any = SchemaGenerator
    document = generator(patterns=described()).get_schema(request=None, public=True)
    return json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n"


def described() -> list[Any]:
    """Return the paths with the views themselves, which describe what they take."""
    from django.urls import path
    from django.utils.module_loading import import_string
    from drf_spectacular.extensions import OpenApiAuthenticationExtension
    from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
    from rest_framework import serializers

    from apps.documents.api import serializers as documents
    from apps.documents.api.views import DocumentViewSet, NewestFirst

    from . import uploads, urls

    class Bearer(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
        target_class = "project.api.authentication.BearerAuthentication"
        name = "token"

        def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
            return {"type": "http", "scheme": "bearer"}

    class Error(serializers.Serializer[Any]):
        statusCode = serializers.IntegerField()  # noqa: N815
        error = serializers.CharField(help_text="A code that does not change.")
        message = serializers.CharField()
        requestId = serializers.CharField()  # noqa: N815
        timestamp = serializers.DateTimeField()
        fields = serializers.DictField(  # type: ignore[assignment]
            required=False,
            child=serializers.ListField(child=serializers.CharField()),
            help_text="Of a validation error: texts by the names of fields.",
        )

    def describe(view: Any, method: str, good: dict[int, Any], **more: Any) -> None:
        texts = {
            400: "The request is not valid.",
            401: "There is no valid token or session.",
            404: "It does not exist, or is not the user's.",
            406: "The client does not accept JSON.",
            413: "The request is too large.",
        }
        if method not in ("list", "retrieve", "file"):
            texts[403] = "The session has no CSRF token."
        if method in ("create", "partial_update") or more.get("request"):
            texts[415] = "The body has another type."
        if view is uploads.FinishView:
            texts[409] = "The bucket does not have what was granted."
        if issubclass(view, uploads.UploadView):
            texts[503] = "The bucket does not answer."
        bad = {code: OpenApiResponse(Error, text) for code, text in texts.items()}
        decorate = extend_schema(responses={**good, **bad}, **more)
        setattr(view, method, decorate(getattr(view, method)))

    found = documents.DocumentSerializer
    many = documents.DocumentSerializer(many=True)
    size = {"type": "integer", "minimum": 1, "maximum": NewestFirst.max_page_size}
    describe(
        DocumentViewSet,
        "list",
        {200: many},
        operation_id="listDocuments",
        description="The documents that the user may see, newest first, in pages.",
        parameters=[OpenApiParameter("page_size", size)],
    )
    describe(
        DocumentViewSet,
        "retrieve",
        {200: found},
        operation_id="getDocument",
        description="A document that the user may see.",
    )
    describe(
        DocumentViewSet,
        "partial_update",
        {200: found},
        operation_id="changeDocument",
        description="Change the title or the note of a document.",
    )
    describe(
        DocumentViewSet,
        "destroy",
        {204: OpenApiResponse(None, "The document is deleted.")},
        operation_id="deleteDocument",
        description="Delete a document, and its file.",
    )
    describe(
        DocumentViewSet,
        "create",
        {201: found},
        operation_id="createDocument",
        request={
            "application/json": documents.UploadedDocumentSerializer,
            "multipart/form-data": documents.SentDocumentSerializer,
        },
    )
    describe(
        DocumentViewSet,
        "file",
        {
            200: OpenApiResponse(bytes, "The file, of a storage without a bucket."),
            302: OpenApiResponse(None, "The file is there, for a minute."),
        },
        operation_id="downloadDocument",
        description="Get the file: follow the redirect without the token.",
    )
    describe(
        uploads.StartView,
        "post",
        {201: uploads.GrantSerializer},
        operation_id="startUpload",
        request=uploads.NewUploadSerializer,
    )
    describe(
        uploads.SignView,
        "post",
        {200: uploads.SignedSerializer},
        operation_id="signParts",
        request=uploads.PartsSerializer,
    )
    describe(
        uploads.FinishView,
        "post",
        {
            202: OpenApiResponse(None, "Not known yet: repeat the request."),
            204: OpenApiResponse(None, "The bucket has the file."),
        },
        operation_id="finishUpload",
        description="Compare what the bucket has with the grant.",
        request=None,
    )
    describe(
        uploads.UploadDetailView,
        "delete",
        {204: OpenApiResponse(None, "What was sent is deleted.")},
        operation_id="cancelUpload",
    )
    patterns = []
    for pattern in urls.urlpatterns:
        name = getattr(pattern.callback, "dotted_name", None)
        if name:
            patterns.append(path(f"api/{pattern.pattern}", import_string(name)))
    return patterns


if __name__ == "__main__":
    print(make(), end="")  # noqa: T201
