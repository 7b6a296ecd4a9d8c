"""Create a superuser on a stage without sending the password."""

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

PASSWORD_VARIABLE = "DJANGO_SUPERUSER_PASSWORD"  # noqa: S105  # a variable's name


def choose_password(arguments: list[str]) -> str:
    """
    Return the hash of a password for createsuperuser, or "" for an unusable password.

    Like Django, take the password from DJANGO_SUPERUSER_PASSWORD, or ask for it unless
    --noinput is among the arguments. Raises CommandError if the two inputs differ or
    AUTH_PASSWORD_VALIDATORS reject the password.
    """
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if not password:
        if {"--noinput", "--no-input"} & set(arguments):
            return ""
        password = getpass.getpass()
        if password != getpass.getpass("Password (again): "):
            raise CommandError("The two passwords are not the same. Run it again.")
    try:
        validate_password(password)
    except ValidationError as error:
        raise CommandError(
            f"AUTH_PASSWORD_VALIDATORS rejected the password: "
            f"{' '.join(error.messages)} Choose another one."
        ) from error
    return make_password(password)


@contextmanager
def password_set_to(password_hash: str) -> Iterator[None]:
    """
    Give this password to a user that is added in the block, in the same statement.

    Django's command reads a password from os.environ only, where other code and the
    next invocation could find it. Raises CommandError if no hasher of
    PASSWORD_HASHERS can verify the hash.
    """
    from django.contrib.auth import get_user_model

    try:
        identify_hasher(password_hash)
    except ValueError:
        raise CommandError(
            "The function cannot verify the hash of the password: PASSWORD_HASHERS "
            "differ between this machine and the stage. Deploy the settings, or run "
            "manage.py remote with those of the stage."
        ) from None

    def set_password(instance: Any, **kwargs: Any) -> None:
        if instance._state.adding:
            instance.password = password_hash

    pre_save.connect(set_password, sender=get_user_model())
    try:
        yield
    finally:
        pre_save.disconnect(set_password, sender=get_user_model())
