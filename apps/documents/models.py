from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from .validators import ProgramValidator


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

    title = models.CharField(_("title"), max_length=200)
    file = models.FileField(
        _("file"),
        upload_to="documents/%Y/%m/",
        max_length=255,
        validators=[ProgramValidator()],
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

    def forget_content(self) -> None:
        """Reset what is known of the file, because it is new. Nothing is saved."""
        self.status = self.Status.RECEIVED
        self.size, self.checksum, self.content_type = None, "", ""
        self.pages = self.width = self.height = None
        self.approved_at = self.approved_by = None

    def remove(self) -> None:
        """Delete the document, and its file once that is committed."""
        file = self.file
        with transaction.atomic():
            self.delete()
            # A file that stays does not bring the document back.
            transaction.on_commit(
                lambda: file.storage.delete(str(file.name)), robust=True
            )

    @property
    def filename(self) -> str:
        """Return the name under which a browser saves the file."""
        stored = str(self.file.name).rpartition("/")[2]
        suffix = stored[stored.rindex(".") :] if "." in stored else ""
        return self.title if self.title.endswith(suffix) else self.title + suffix
