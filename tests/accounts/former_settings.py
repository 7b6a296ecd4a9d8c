"""The project with Django's own user model, as before apps/accounts existed."""

from project.settings import *  # noqa: F403

INSTALLED_APPS.remove("apps.accounts")  # noqa: F405
AUTH_USER_MODEL = "auth.User"
