from typing import Any

from django.db import models
from rest_framework import serializers
from rest_framework.exceptions import NotFound

from ..models import ONE_LINE, Document
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

    def update(self, instance: Document, validated_data: dict[str, Any]) -> Document:
        """
        Save what was sent, and no other column: the task may have stored what it found.

        Raises NotFound if the document was deleted meanwhile, instead of storing it
        again without its file.
        """
        rows = Document.objects.filter(pk=instance.pk)
        if validated_data and not rows.update(**validated_data):
            raise NotFound
        for name, value in validated_data.items():
            setattr(instance, name, value)
        return instance


class NewDocumentSerializer(serializers.Serializer[Document]):
    """What a client may say of a new document."""

    title = TextField(
        required=False,
        allow_blank=True,
        max_length=200,
        validators=[ONE_LINE],
        help_text="Without it, the name of the file without its extension.",
    )
    note = TextField(required=False, allow_blank=True, max_length=1000)


class UploadedDocumentSerializer(NewDocumentSerializer):
    """A new document in JSON, with a file that is in the bucket."""

    upload = TextField(help_text="The token of an upload that is finished.")


class SentDocumentSerializer(NewDocumentSerializer):
    """A new document in a multipart body, with its file if that is small."""

    file = serializers.FileField()
