from functools import partial
from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.db.models import FileField
from django.forms import Field

of_django = FileField.formfield


class UploadsConfig(AppConfig):
    # The package's own name, so that the folder can be copied anywhere.
    name = __package__
    label = "lambda_uploads"
    verbose_name = "Uploads"
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, app_name: str, app_module: Any) -> None:
        super().__init__(app_name, app_module)
        # Before the first form is made. A method of the class, because other apps copy
        # fields with what is set on them.
        FileField.formfield = formfield  # type: ignore[assignment,method-assign]


def formfield(field: FileField, **kwargs: Any) -> Field | None:
    """Return the form field of a model field, which takes uploads."""
    original = partial(of_django, field)
    model = getattr(field, "model", None)
    # A field without a model, or with one that no label leads to.
    if model is None or model._meta.apps is not installed:
        return original(**kwargs)
    # It needs the models, and a process without forms does not.
    from . import fields

    return fields.formfield(field, original, **kwargs)
