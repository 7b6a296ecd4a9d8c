from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

TOKEN_CHARACTERS = 32
# The longest key of S3.
MAX_NAME_CHARACTERS = 1024
# As Django's UploadedFile.
MAX_FILENAME_CHARACTERS = 255


class Upload(models.Model):
    """
    A grant: one user may store one file of this size for one model field.

    It is done when the bucket has the file, and claimed once, in the transaction that
    saves the model with the file.
    """

    # Random, of 190 bits.
    token = models.CharField(
        max_length=TOKEN_CHARACTERS, primary_key=True, editable=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
    )
    # "documents.Document.file"
    field = models.CharField(_("field"), max_length=200)
    # In the storage of the field.
    name = models.CharField(_("name"), max_length=MAX_NAME_CHARACTERS)
    # The user's.
    filename = models.CharField(_("file name"), max_length=MAX_FILENAME_CHARACTERS)
    content_type = models.CharField(_("type"), max_length=100)
    size = models.PositiveBigIntegerField(_("size"), help_text=_("In bytes."))
    # Of a file that is sent in parts.
    upload_id = models.TextField(blank=True)
    part_size = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, db_index=True)
    done_at = models.DateTimeField(_("done at"), null=True)
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True)
    claimed_at = models.DateTimeField(_("claimed at"), null=True)

    class Meta:
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")

    def __str__(self) -> str:
        return self.name
