"""What forms have for a file field: a widget, and a file that is in the bucket."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from django.core.exceptions import BadRequest, ValidationError
from django.core.files import File
from django.core.files.uploadedfile import UploadedFile
from django.db.models import FileField
from django.forms import Field
from django.forms import FileField as FormFileField
from django.forms.widgets import (
    FILE_INPUT_CONTRADICTION,
    ClearableFileInput,
    FileInput,
    Media,
    Script,
    Widget,
)
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from ..invocation import web_request
from ..media import S3Storage
from . import grants, tickets
from .models import Upload

logger = logging.getLogger(__name__)

SUFFIX = "-upload"
DONE = "%s is uploaded"


class UploadedObject(UploadedFile):
    """
    A file in the bucket, as a form has it: name, size, type, and content if it is read.

    The storage of its field takes it without a copy, and claims it.
    """

    _opened: File | None = None

    def __init__(self, upload: Upload, storage: Any) -> None:
        super().__init__(
            name=upload.filename, content_type=upload.content_type, size=upload.size
        )
        self.upload = upload
        self._storage: S3Storage = storage

    @property
    def file(self) -> Any:
        """
        Open the object. It is read from the bucket in blocks.

        Raises ValidationError if it cannot be read, because a form field reads it.
        """
        if self._opened is None:
            try:
                opened: Any = self._storage.open(self.upload.name)
                # The first block is read here, and not at the first read().
                opened.file.peek(1)
                self._opened = opened
            except Exception as error:
                logger.exception("Cannot read the upload %s", self.upload.name)
                raise ValidationError(
                    _("The file store does not answer."), code="upload"
                ) from error
        return self._opened

    @file.setter
    def file(self, value: Any) -> None:
        """Ignore what the base class sets."""

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def __del__(self) -> None:
        # Nothing else closes what a form field has read.
        self.close()

    def stored_in(self, storage: S3Storage) -> str:
        """Return its name in its own storage and claim it; "" in another one."""
        if (storage.bucket.name, storage.location) != (
            self._storage.bucket.name,
            self._storage.location,
        ):
            return ""
        if not grants.claim(self.upload):
            # The form has checked it: two requests have sent the same form.
            raise BadRequest(f"The upload {self.upload.name} was saved before.")
        return str(self.upload.name)


class RefusedUpload:
    """
    What a form has for a token that is not valid for its user and its field.

    Form fields ask for the name first, which is the error: validators would be too
    late for one that reads the content.
    """

    @property
    def name(self) -> str:
        raise ValidationError(
            _("This upload is not available. Send the file again."), code="upload"
        )


class UploadMixin:
    """Make a widget of Django one whose file may be in the bucket already."""

    def __init__(self, *args: Any, field: FileField, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.field = field
        # Of the form that this widget is a copy for: Django gives render() the
        # initial value only.
        self.kept: list[Upload] = []

    @property
    def media(self) -> Media:
        script = Script("aws_lambda/uploads.js", type="module")
        return super().media + Media(  # type: ignore[misc,no-any-return]
            css={"all": ["aws_lambda/uploads.css"]},
            js=[script],  # type: ignore[list-item]
        )

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        value = super().value_from_datadict(data, files, name)  # type: ignore[misc]
        tokens = self._tokens(data, name)
        if value is FILE_INPUT_CONTRADICTION or not tokens:
            return value
        if value is False:
            return FILE_INPUT_CONTRADICTION
        several = getattr(self, "allow_multiple_selected", False)
        uploads = [self._find(token) for token in (tokens if several else tokens[-1:])]
        self.kept = [one.upload for one in uploads if isinstance(one, UploadedObject)]
        if not several:
            return value or uploads[-1]
        return [*(value or ()), *uploads]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        omitted: bool = super().value_omitted_from_data(  # type: ignore[misc]
            data, files, name
        )
        return omitted and not self._tokens(data, name)

    def _tokens(self, data: Any, name: str) -> list[str]:
        key = name + SUFFIX
        given = data.getlist(key) if hasattr(data, "getlist") else [data.get(key)]
        return [token for token in given if token]

    def _find(self, token: str) -> UploadedObject | RefusedUpload:
        try:
            upload = grants.find(token)
        except grants.Refused:
            return RefusedUpload()
        if upload.field != tickets.label(self.field) or not upload.done_at:
            return RefusedUpload()
        return UploadedObject(upload, self.field.storage)

    def render(
        self, name: str, value: Any, attrs: Any = None, renderer: Any = None
    ) -> SafeString:
        """Add what the script needs, and the uploads of a form with other errors."""
        attrs = {**(attrs or {})}
        if self.kept:
            attrs["required"] = False
        if ticket := tickets.issue(self.field):
            attrs["data-upload-ticket"] = ticket
        if self.use_fieldset:  # type: ignore[attr-defined]
            # The admin has a legend instead of a label.
            attrs.setdefault("aria-label", capfirst(self.field.verbose_name))
        html = super().render(name, value, attrs, renderer)  # type: ignore[misc]
        return format_html(
            '<div class="upload"{}>{}<ul class="upload-list">{}</ul>{}'
            '<p class="upload-status" role="status"></p></div>',
            _settings(bool(ticket)),
            html,
            format_html_join(
                "",
                '<li class="upload-item" data-name="{}">'
                '<input type="hidden" name="{}" value="{}"><span>{}</span></li>',
                (
                    (u.filename, name + SUFFIX, u.token, _(DONE) % u.filename)
                    for u in self.kept
                ),
            ),
            _limit(bool(ticket)),
        )


def _settings(direct: bool) -> SafeString:
    """Return the attributes with the URL of the views and the words of the script."""
    if not direct:
        return SafeString("")
    words = {
        "url": reverse("start", urlconf=f"{__package__}.urls").removesuffix("start"),
        "cancel": _("Cancel"),
        "remove": _("Remove"),
        "retry": _("Try again"),
        "sending": _("Uploading %s"),
        "done": _(DONE),
        "failed": _("%s could not be uploaded. Check the connection."),
        "cancelled": _("%s is removed"),
        "waiting": _("No answer yet: %s is tried again."),
        "later": _("The form is sent when the upload is done."),
        "unfinished": _("Wait for the upload, or remove the file."),
    }
    return format_html_join(
        "", ' data-{}="{}"', ((name, word) for name, word in words.items())
    )


def _limit(direct: bool) -> SafeString:
    """Return how large a file may be that goes through the function, if one does."""
    request = web_request.get()
    limit = request.META.get("aws_lambda.upload_limit") if request else None
    if not limit:
        return SafeString("")
    if not direct:
        text = _("Files up to %s fit.") % limit
        return format_html('<p class="upload-limit">{}</p>', text)
    text = _("Without JavaScript, files up to %s fit.") % limit
    return format_html('<noscript><p class="upload-limit">{}</p></noscript>', text)


class UploadInput(UploadMixin, ClearableFileInput):
    """The file input of a form."""


class PlainUploadInput(UploadMixin, FileInput):
    """A file input without the checkbox to clear the field."""


class MultipleUploadInput(UploadInput):
    """A file input for several files; the value of the form is a list."""

    allow_multiple_selected = True


@cache
def replaced() -> dict[type[Widget], Any]:
    """Return the widgets of Django, and those of this app that replace them."""
    from django.apps import apps

    widgets: dict[type[Widget], Any] = {
        ClearableFileInput: UploadInput,
        FileInput: PlainUploadInput,
    }
    if apps.is_installed("django.contrib.admin"):
        from django.contrib.admin.widgets import AdminFileWidget

        widgets[AdminFileWidget] = type(
            "AdminUploadInput", (UploadMixin, AdminFileWidget), {}
        )
    return widgets


@cache
def several(kind: type[Widget]) -> Any:
    """
    Return the replacement of a widget that Django's recipe for several files makes.

    https://docs.djangoproject.com/en/6.1/topics/http/file-uploads/#uploading-multiple-files
    """
    if kind.__bases__ == (ClearableFileInput,) and vars(kind).get(
        "allow_multiple_selected"
    ):
        return type(f"Upload{kind.__name__}", (UploadMixin, kind), {})
    return None


def formfield(
    field: FileField, original: Callable[..., Field | None], **kwargs: Any
) -> Field | None:
    """
    Return the form field of a model field, which takes uploads.

    A widget other than Django's stays: ``UploadMixin`` makes it one for uploads.
    """
    given = kwargs.get("widget") or kwargs.get("form_class", FormFileField).widget
    kind = given if isinstance(given, type) else type(given)
    if widget := replaced().get(kind) or several(kind):
        attrs = None if isinstance(given, type) else given.attrs
        kwargs["widget"] = widget(attrs=attrs, field=field)
    elif isinstance(given, type) and issubclass(given, UploadMixin):
        kwargs["widget"] = given(field=field)
    return original(**kwargs)
