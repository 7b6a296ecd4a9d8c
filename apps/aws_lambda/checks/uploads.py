"""Direct uploads: what the app needs beside INSTALLED_APPS."""

import os
from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Error as CheckError
from django.core.checks import Warning as CheckWarning
from django.core.files.storage import default_storage
from django.db.models import FileField

from ..aws import s3
from ..media import S3Storage
from ..middleware import UploadMiddleware
from . import lookup

APP = f"{__package__.rpartition('.')[0]}.uploads"
MIDDLEWARE = lookup.dotted_name(UploadMiddleware)
POLICY = "django.middleware.csp.ContentSecurityPolicyMiddleware"


def middleware() -> Iterator[CheckMessage]:
    """Report the app without its middleware: no form offers an upload."""
    if apps.is_installed(APP) and MIDDLEWARE not in settings.MIDDLEWARE:
        yield CheckError(
            f"INSTALLED_APPS has {APP}, and MIDDLEWARE has not {MIDDLEWARE}: forms "
            "send files through the function, up to 4.5 MB.",
            hint=f"Add {MIDDLEWARE} to MIDDLEWARE, at its end.",
            id="aws_lambda.E024",
        )


def policy() -> Iterator[CheckMessage]:
    """Report a policy by which a browser refuses to send files to the bucket."""
    policy = getattr(settings, "SECURE_CSP", None) or {}
    if not apps.is_installed(APP) or POLICY not in settings.MIDDLEWARE:
        return
    name = "connect-src" if "connect-src" in policy else "default-src"
    sources = policy.get(name)
    for origin, bucket in sorted(origins().items()):
        if sources and not {origin, "*", "https:"} & {*sources}:
            yield CheckWarning(
                f"SECURE_CSP['{name}'] does not have {origin}: a browser sends no "
                f"files to the bucket {bucket}.",
                hint=f"Add {origin} to SECURE_CSP['connect-src'].",
                id="aws_lambda.W018",
            )


def origins() -> dict[str, str]:
    """Return the buckets of the default storage and of all fields, by their origin."""
    fields = [
        field
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, FileField)
    ]
    return {
        s3.origin(
            os.environ, storage.bucket.name, storage.bucket.given_region
        ): storage.bucket.name
        for storage in (default_storage, *(field.storage for field in fields))
        if isinstance(storage, S3Storage)
    }
