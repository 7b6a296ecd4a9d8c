"""The form of the inbox: one file or several."""

from pathlib import PurePath
from typing import Any

from django import forms
from django.core.files.base import File
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from .models import Document
from .tasks import fingerprint

FILE = Document._meta.get_field("file")
TITLE = Document._meta.get_field("title")
NOTE = Document._meta.get_field("note")


class MultipleFileInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class MultipleFileField(forms.FileField):
    """Clean a list of files, as Django's documentation has it."""

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        if not isinstance(data, list | tuple):
            data = [data]
        # None is an error of a field that is required.
        files = data or [None]
        return [super(MultipleFileField, self).clean(one, initial) for one in files]


class InboxForm(forms.Form):
    """Several files, each with the title of its name."""

    file = FILE.formfield(
        label=_("Files"),
        form_class=MultipleFileField,
        widget=MultipleFileInput,
        validators=FILE.validators,
    )

    def save(self, user: Any) -> list[Document]:
        with transaction.atomic():
            return [receive(file, user) for file in self.cleaned_data["file"]]


class DocumentForm(forms.Form):
    """One file, with a title unless its name is right."""

    title = forms.CharField(
        max_length=TITLE.max_length, required=False, validators=TITLE.validators
    )
    note = forms.CharField(max_length=NOTE.max_length, required=False)
    file = FILE.formfield(validators=FILE.validators)

    def save(self, user: Any) -> Document:
        return receive(user=user, **self.cleaned_data)


def receive(file: File, user: Any, title: str = "", note: str = "") -> Document:
    """Store a file in the inbox of a user, and enqueue the task that reads it."""
    # A file that is in the bucket already is claimed in the transaction, and the task
    # is sent after it.
    with transaction.atomic():
        document = Document.objects.create(
            title=title or title_of(file), note=note, file=file, uploaded_by=user
        )
        fingerprint.enqueue(document.pk)
    return document


def title_of(file: File) -> str:
    """Return the name of a file without its folder and its suffix."""
    return PurePath(str(file.name)).stem[: TITLE.max_length]
