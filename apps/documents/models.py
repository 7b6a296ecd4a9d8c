from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Document(models.Model):
    """A file in the inbox, with its title and note."""

    title = models.CharField(_("title"), max_length=200)
    file = models.FileField(_("file"), upload_to="documents/%Y/%m/", max_length=255)
    # A task computes both after the upload. The database default is for a previous
    # version of this code, which inserts rows without the column.
    size = models.PositiveBigIntegerField(
        _("size"), null=True, editable=False, help_text=_("In bytes.")
    )
    checksum = models.CharField(
        _("checksum"),
        max_length=64,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="SHA-256.",
    )
    note = models.TextField(_("note"), blank=True)
    uploaded_at = models.DateTimeField(_("uploaded at"), auto_now_add=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("uploaded by"),
        on_delete=models.SET_NULL,
        related_name="documents",
        editable=False,
        null=True,
    )

    class Meta:
        ordering = ["-uploaded_at"]
        verbose_name = _("document")
        verbose_name_plural = _("documents")

    def __str__(self) -> str:
        return self.title
