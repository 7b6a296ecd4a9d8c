"""What the inbox does not take."""

from pathlib import PurePath
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import FileExtensionValidator
from django.utils.translation import gettext_lazy as _

# What Windows or macOS runs when a user opens it.
PROGRAMS = {
    "app",
    "bat",
    "cmd",
    "com",
    "cpl",
    "dll",
    "exe",
    "hta",
    "jar",
    "js",
    "jse",
    "lnk",
    "msi",
    "msp",
    "pif",
    "pkg",
    "ps1",
    "reg",
    "scr",
    "vb",
    "vbe",
    "vbs",
    "wsf",
    "wsh",
}


class ProgramValidator(FileExtensionValidator):
    """
    Refuse a file with the extension of a program.

    It is a FileExtensionValidator, so that an upload to the bucket is refused before
    it begins.
    """

    message = _("The inbox does not take programs, such as “.%(extension)s”.")

    def __call__(self, value: Any) -> None:
        extension = PurePath(value.name).suffix[1:].lower()
        if extension in PROGRAMS:
            raise ValidationError(
                self.message,
                code=self.code,
                params={"extension": extension, "value": value},
            )
