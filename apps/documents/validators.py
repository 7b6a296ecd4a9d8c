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


def extension(name: str) -> str:
    """Return what decides how a file is opened, in lower case and without its dot."""
    # Windows drops dots and spaces at the end of a name.
    return PurePath(name.rstrip(". ")).suffix[1:].lower()


class ProgramValidator(FileExtensionValidator):
    """
    Refuse a file with the extension of a program.

    It is a FileExtensionValidator, so that an upload to the bucket is refused before
    it begins.
    """

    message = _("The inbox does not take programs, such as “.%(extension)s”.")

    def __call__(self, value: Any) -> None:
        found = extension(value.name)
        if found in PROGRAMS:
            raise ValidationError(
                self.message,
                code=self.code,
                params={"extension": found, "value": value},
            )
