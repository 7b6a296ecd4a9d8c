"""A superuser whose password never leaves the machine of whoever chooses it."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.hashers import identify_hasher, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db.models.signals import pre_save

PASSWORD = "DJANGO_SUPERUSER_PASSWORD"  # noqa: S105  # the name of a variable


def choose_password(arguments: list[str]) -> str:
    """
    Return the hash of a password for createsuperuser, or "" for one that nobody has.

    As Django does, take it from DJANGO_SUPERUSER_PASSWORD, or ask unless --noinput
    is among the arguments. Raises CommandError if it is none to use.
    """
    password = os.environ.get(PASSWORD, "")
    if not password:
        if {"--noinput", "--no-input"} & set(arguments):
            return ""
        password = getpass.getpass()
        if password != getpass.getpass("Password (again): "):
            raise CommandError("The two passwords are not the same.")
    try:
        validate_password(password)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    return make_password(password)


@contextmanager
def password_set_to(password_hash: str) -> Iterator[None]:
    """
    Give this password to a user that is added in the block, in the same statement.

    Django's command takes a password from os.environ only, where the next
    invocation, and any other code, could find it. Raises CommandError if this is no
    hash that the project's PASSWORD_HASHERS can verify.
    """
    if not password_hash:
        yield
        return
    from django.contrib.auth import get_user_model

    try:
        identify_hasher(password_hash)
    except ValueError:
        raise CommandError(
            "The password was hashed in a way that the function does not know: "
            "PASSWORD_HASHERS differ between here and there."
        ) from None

    def set_password(instance: Any, **kwargs: Any) -> None:
        if instance._state.adding:
            instance.password = password_hash

    pre_save.connect(set_password, sender=get_user_model())
    try:
        yield
    finally:
        pre_save.disconnect(set_password, sender=get_user_model())
