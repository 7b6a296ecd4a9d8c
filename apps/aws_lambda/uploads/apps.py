from functools import partial
from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.db.models import FileField, Model
from django.db.models.signals import class_prepared
from django.forms import Field


class UploadsConfig(AppConfig):
    # The package's own name, so that the folder can be copied anywhere.
    name = __package__
    label = "lambda_uploads"
    verbose_name = "Uploads"
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, app_name: str, app_module: Any) -> None:
        super().__init__(app_name, app_module)
        # All configurations are made before the first model, and forms after the
        # model whose fields they have.
        class_prepared.connect(connect_fields)


def connect_fields(sender: type[Model], **kwargs: object) -> None:
    """Replace the method by which the file fields of a model make form fields."""
    # Not of a model in a migration.
    if sender._meta.apps is not installed:
        return
    for field in sender._meta.local_fields:
        if isinstance(field, FileField):
            made = partial(formfield, field, field.formfield)
            field.formfield = made  # type: ignore[method-assign]


def formfield(field: FileField, original: Any, **kwargs: Any) -> Field | None:
    # It needs the models, and a process without forms does not.
    from . import fields

    return fields.formfield(field, original, **kwargs)
