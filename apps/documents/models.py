from collections.abc import Iterable
from functools import partial
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from .validators import PROGRAMS, ProgramValidator, extension

# The digest has one line for each title.
ONE_LINE = RegexValidator(
    r"^[^\x00-\x1f\x7f]*\Z",
    _("It must have one line, without control characters."),
)


class DocumentQuerySet(models.QuerySet["Document"]):
    """Who may do what: a document that is not in the result does not exist for them."""

    def visible_to(self, user: Any) -> "DocumentQuerySet":
        """Return the user's own documents, or all with the permission to view them."""
        if user.has_perm("documents.view_document"):
            return self.all()
        return self.changeable_by(user)  # It includes the permission to view them.

    def changeable_by(self, user: Any) -> "DocumentQuerySet":
        return self._own_unless(user, "documents.change_document")

    def deletable_by(self, user: Any) -> "DocumentQuerySet":
        return self._own_unless(user, "documents.delete_document")

    def remove(self) -> None:
        """Delete the documents, and their files once that is committed."""
        with transaction.atomic():
            names = list(self.order_by().values_list("file", flat=True))
            self.delete()
            delete_files(names)

    def _own_unless(self, user: Any, permission: str) -> "DocumentQuerySet":
        if user.has_perm(permission):
            return self.all()
        if not user.is_active:
            return self.none()
        # An anonymous user has no key: documents without an owner are not theirs.
        return self.filter(uploaded_by=user.pk) if user.pk else self.none()


class Document(models.Model):
    """
    A file in the inbox, with its title and note.

    A background task reads the file and stores what it found. Columns that came later
    have database defaults, for a previous version of this code, which inserts rows
    without them.
    """

    class Status(models.TextChoices):
        RECEIVED = "received", _("Received")
        PROCESSED = "processed", _("Processed")
        FAILED = "failed", _("Failed")

    title = models.CharField(_("title"), max_length=200, validators=[ONE_LINE])
    file = models.FileField(
        _("file"),
        upload_to="documents/%Y/%m/",
        max_length=255,
        validators=[ProgramValidator()],
    )
    # A page of the API has 200 of them, and Lambda takes 6 MB: 14 bytes a character.
    note = models.TextField(_("note"), blank=True, max_length=1000)
    uploaded_at = models.DateTimeField(_("uploaded at"), auto_now_add=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("uploaded by"),
        on_delete=models.SET_NULL,
        related_name="documents",
        editable=False,
        null=True,
    )
    status = models.CharField(
        _("status"),
        max_length=10,
        choices=Status,
        default=Status.RECEIVED,
        db_default=Status.RECEIVED,
        editable=False,
    )
    # What the task found.
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
    content_type = models.CharField(
        _("type"),
        max_length=100,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text=_("As the content has it, not the name."),
    )
    pages = models.PositiveIntegerField(_("pages"), null=True, editable=False)
    width = models.PositiveIntegerField(_("width"), null=True, editable=False)
    height = models.PositiveIntegerField(_("height"), null=True, editable=False)
    approved_at = models.DateTimeField(_("approved at"), null=True, editable=False)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("approved by"),
        on_delete=models.SET_NULL,
        related_name="+",
        editable=False,
        null=True,
        # Deleting a user is rare, and looks for these rows once.
        db_index=False,
    )

    objects = DocumentQuerySet.as_manager()

    class Meta:
        ordering = ["-uploaded_at", "-pk"]
        verbose_name = _("document")
        verbose_name_plural = _("documents")
        permissions = [("approve_document", _("Can approve documents"))]
        constraints = [
            models.CheckConstraint(
                name="document_status",
                condition=Q(status__in=["received", "processed", "failed"]),
            ),
            models.CheckConstraint(
                name="document_dimensions",
                # A comparison with NULL would not refuse.
                condition=Q(width=None, height=None)
                | Q(
                    width__isnull=False, width__gt=0, height__isnull=False, height__gt=0
                ),
            ),
            # A new file has no approval.
            models.CheckConstraint(
                name="document_approved_after_processing",
                condition=Q(approved_at=None) | Q(status="processed"),
            ),
        ]
        indexes = [
            # The inbox of a user, newest first.
            models.Index(
                F("uploaded_by"),
                F("uploaded_at").desc(),
                F("id").desc(),
                name="document_inbox",
            ),
            # The admin's list, by its filter.
            models.Index(
                F("status"),
                F("uploaded_at").desc(),
                F("id").desc(),
                name="document_status_date",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    def forget_content(self) -> set[str]:
        """
        Reset what is known of the file, because it is new; return the fields.

        Nothing is saved.
        """
        self.status = self.Status.RECEIVED
        self.size, self.checksum, self.content_type = None, "", ""
        self.pages = self.width = self.height = None
        self.approved_at = self.approved_by = None
        return {
            "status",
            "size",
            "checksum",
            "content_type",
            "pages",
            "width",
            "height",
            "approved_at",
            "approved_by",
        }

    def remove(self) -> None:
        """Delete the document, and its file once that is committed."""
        name = str(self.file.name)
        with transaction.atomic():
            self.delete()
            delete_files([name])

    @property
    def filename(self) -> str:
        """Return the name under which a browser saves the file."""
        stored = str(self.file.name).rpartition("/")[2]
        suffix = stored[stored.rindex(".") :] if "." in stored else ""
        title = self.title
        name = title if title.endswith(suffix) else title + suffix
        # A title must not make a program of a file without a suffix.
        return f"{name}.bin" if extension(name) in PROGRAMS else name


def delete_files(names: Iterable[str]) -> None:
    """Delete files of documents once the transaction is committed."""
    storage = Document._meta.get_field("file").storage
    for name in filter(None, names):
        # A file that stays does not bring the document back.
        transaction.on_commit(partial(storage.delete, name), robust=True)
