"""A file field for a form that is not made from a model."""

from typing import Any

from django import forms
from django.db.models import FileField
from django.forms.widgets import FILE_INPUT_CONTRADICTION

from .fields import MultipleUploadInput, UploadInput


class UploadField(forms.FileField):
    """
    Take files for a model field: ``UploadField(Document._meta.get_field("file"))``.

    The validators of the model field apply. With ``multiple`` the value is a list. Save
    each file by giving it to the model field: ``Document.objects.create(file=file)``.
    """

    def __init__(
        self, field: FileField, *, multiple: bool = False, **kwargs: Any
    ) -> None:
        widget = MultipleUploadInput if multiple else UploadInput
        kwargs.setdefault("widget", widget(field=field))
        kwargs.setdefault("max_length", field.max_length)
        super().__init__(**kwargs)
        self.multiple = multiple
        self.validators = [*field.validators, *self.validators]

    def clean(self, data: Any, initial: Any = None) -> Any:
        if not self.multiple or data is FILE_INPUT_CONTRADICTION:
            return super().clean(data, initial)
        if not data:
            one = super().clean(None, initial)
            return [one] if one else []
        return [super(UploadField, self).clean(one, initial) for one in data]
