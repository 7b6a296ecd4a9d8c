from rest_framework import serializers

from ..models import Document


class DocumentSerializer(serializers.ModelSerializer[Document]):
    """What a client reads of a document; it may change the title and the note."""

    uploaded_by = serializers.CharField(
        source="uploaded_by.username", default=None, read_only=True
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


class NewDocumentSerializer(serializers.Serializer[Document]):
    """The body of a new document. Its form validates it; this describes it."""

    upload = serializers.CharField(
        required=False, help_text="The token of an upload that is finished."
    )
    file = serializers.FileField(
        required=False,
        help_text="The file itself, in a multipart body, if it is small.",
    )
    title = serializers.CharField(required=False, max_length=200)
    note = serializers.CharField(required=False)
