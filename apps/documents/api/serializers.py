from django.db import models
from rest_framework import serializers

from ..models import Document
from .fields import TextField


class DocumentSerializer(serializers.ModelSerializer[Document]):
    """A document. A client may change its title and its note."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: TextField,
        models.TextField: TextField,
    }
    uploaded_by = serializers.CharField(
        source="uploaded_by.username", default=None, allow_null=True, read_only=True
    )

    class Meta:
        model = Document
        fields = [
            "id",
            "title",
            "note",
            "filename",
            "status",
            "content_type",
            "size",
            "checksum",
            "pages",
            "width",
            "height",
            "uploaded_at",
            "uploaded_by",
            "approved_at",
        ]
        read_only_fields = [*fields[3:]]
        extra_kwargs = {
            "filename": {
                "help_text": "The title with the extension of the file: the name "
                "under which a browser saves it."
            }
        }


class NewDocumentSerializer(serializers.Serializer[Document]):
    """What a client may say of a new document."""

    title = TextField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="Without it, the name of the file without its extension.",
    )
    note = TextField(required=False, allow_blank=True)


class UploadedDocumentSerializer(NewDocumentSerializer):
    """A new document in JSON, with a file that is in the bucket."""

    upload = TextField(help_text="The token of an upload that is finished.")


class SentDocumentSerializer(NewDocumentSerializer):
    """A new document in a multipart body, with its file if that is small."""

    file = serializers.FileField()
