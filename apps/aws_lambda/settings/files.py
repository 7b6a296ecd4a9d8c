"""Static and uploaded files: the function's disk is read-only and not shared."""

import os
from typing import Any

from .. import conf
from ..aws import s3
from . import variables
from .apps import serves_static_files
from .site import INTEGRATION, Site, like

FILE_SYSTEM = (
    "django.core.files.storage.FileSystemStorage",
    "django.core.files.storage.filesystem.FileSystemStorage",
)
S3 = f"{INTEGRATION}.media.S3Storage"
SDK = "storages.backends.s3.S3Storage"
UPLOADS = f"{INTEGRATION}.uploads"
UPLOAD_MIDDLEWARE = f"{INTEGRATION}.middleware.UploadMiddleware"

# Settings of django-storages, and the options of the integration's storage that they
# are. A site that has others keeps the storage of django-storages.
# https://django-storages.readthedocs.io/en/latest/backends/amazon-S3.html#settings
OPTIONS = {
    "AWS_LOCATION": "location",
    "AWS_QUERYSTRING_EXPIRE": "querystring_expire",
    "AWS_S3_FILE_OVERWRITE": "file_overwrite",
    "AWS_S3_OBJECT_PARAMETERS": "object_parameters",
    "AWS_S3_REGION_NAME": "region_name",
}
# What these ask for is so in any case.
SATISFIED = {
    "AWS_QUERYSTRING_AUTH": True,
    "AWS_S3_ADDRESSING_STYLE": "virtual",
    "AWS_S3_SIGNATURE_VERSION": "s3v4",
}
# Beside those that start with AWS_S3_.
OTHERS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CLOUDFRONT_KEY",
    "AWS_CLOUDFRONT_KEY_ID",
    "AWS_DEFAULT_ACL",
    "AWS_IS_GZIPPED",
    "AWS_QUERYSTRING_AUTH",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
)


def static_root(site: Site) -> None:
    """
    Set STATIC_ROOT if the site has none.

    Packaging names its own folder in LAMBDA_STATIC_ROOT, which takes precedence. The
    storage stays: one with a manifest would break pages of a site whose files are
    incomplete.
    """
    folder = variables.read("LAMBDA_STATIC_ROOT")
    if folder:
        site.change(
            "STATIC_ROOT",
            site.root / folder,
            "set from the variable LAMBDA_STATIC_ROOT",
            "The package has the static files there.",
        )
    elif not site.get("STATIC_ROOT") and serves_static_files(site):
        site.change(
            "STATIC_ROOT",
            site.root / "staticfiles",
            "the folder staticfiles",
            "collectstatic writes there, and WhiteNoise reads there.",
            "Set STATIC_ROOT in your own settings",
        )


def static_prefix(site: Site) -> None:
    """
    Put static and media URLs below LAMBDA_BASE_PATH.

    Django adds the prefix of the first request that reads a relative URL, and keeps
    the result; the init phase, which has no prefix, reads it first. WhiteNoise
    compares its prefix with the path without LAMBDA_BASE_PATH.
    """
    base = site.namespace.get("LAMBDA_BASE_PATH") or ""
    if not base.strip("/"):
        return
    for name in ("STATIC_URL", "MEDIA_URL"):
        url = str(site.get(name) or "")
        if url and not url.startswith(("/", "http://", "https://")):
            site.change(
                name,
                f"{base}/{url}",
                f"below {base}",
                "Django would add the prefix of the first request only.",
            )
    url = str(site.get("STATIC_URL") or "")
    if url.startswith(f"{base}/") and "WHITENOISE_STATIC_PREFIX" not in site.namespace:
        site.change(
            "WHITENOISE_STATIC_PREFIX",
            url.removeprefix(base),
            f"STATIC_URL without {base}",
            "WhiteNoise compares it with the path of the application.",
            "Set WHITENOISE_STATIC_PREFIX in your own settings",
        )


def media(site: Site) -> None:
    """
    Store uploads in MEDIA_BUCKET if the site stores them on its disk.

    The bucket is private: links are signed. A file never replaces another one of
    the same name, as on disk. A site without django-storages starts all the same,
    because each deployment has a bucket: the check E013 reports uploads that are lost.
    """
    bucket = variables.read("MEDIA_BUCKET")
    storages = site.get("STORAGES")
    backend = storages.get("default", {}).get("BACKEND", FILE_SYSTEM[0])
    if backend not in FILE_SYSTEM:
        return
    if not bucket:
        if not site.is_writable(site.get("MEDIA_ROOT") or "media"):
            site.advise(
                "STORAGES['default']",
                "Uploads go to MEDIA_ROOT, which a function cannot write to: set the "
                "variable MEDIA_BUCKET, unless the site has no uploads.",
            )
        return
    if "STORAGES" in site.kept:
        return
    if missing := [name for name in ("storages", "boto3") if not site.has(name)]:
        site.advise(
            "STORAGES['default']",
            f"The package {missing[0]} is not installed, so that uploads are not "
            "stored in MEDIA_BUCKET: run pip install 'django-storages[s3]', unless the "
            "site has no uploads.",
        )
        return
    site.change(
        "STORAGES",
        {**storages, "default": s3_storage(site, bucket)},
        f"uploads are stored in the S3 bucket {bucket}",
        "The function's disk is read-only, except for /tmp, which is not kept.",
        "Unset the variable MEDIA_BUCKET, or use a storage of your own",
    )


def s3_storage(site: Site, bucket: str) -> dict[str, Any]:
    """
    Return the storage; the site's own AWS_ settings win.

    It is the integration's, whose links need no boto3, or that of django-storages if
    the site has settings for what only that one can do, such as another domain.
    """
    settings = site.namespace
    for name, value in settings.items():
        known = name in OTHERS or (name.startswith("AWS_S3_") and name not in OPTIONS)
        if known and (value or None) != SATISFIED.get(name):
            return {"BACKEND": SDK, "OPTIONS": sdk_options(site, bucket)}
    parameters = settings.get("AWS_S3_OBJECT_PARAMETERS") or {}
    if not parameters.keys() <= s3.OBJECT_HEADERS.keys():
        return {"BACKEND": SDK, "OPTIONS": sdk_options(site, bucket)}
    options = {o: settings[name] for name, o in OPTIONS.items() if settings.get(name)}
    return {"BACKEND": S3, "OPTIONS": {"bucket_name": bucket, **options}}


def sdk_options(site: Site, bucket: str) -> dict[str, Any]:
    """Return the options of django-storages' storage."""
    options: dict[str, Any] = {"file_overwrite": False}
    if region := variables.read("AWS_REGION") or variables.read("AWS_DEFAULT_REGION"):
        # Without these, botocore signs links for the global endpoint, which redirects
        # for a day after a bucket is made, and which newer regions reject.
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
        options |= {
            "region_name": region,
            "addressing_style": "virtual",
            "signature_version": "s3v4",
        }
    options = {
        name: value
        for name, value in options.items()
        if f"AWS_S3_{name.upper()}" not in site.namespace
    }
    return {"bucket_name": bucket, **options}


def uploads(site: Site) -> None:
    """
    Let browsers send files straight to the bucket, if the site has LAMBDA_UPLOADS.

    The app has a model, so a site chooses it: `migrate` makes its table.
    """
    if not site.get("LAMBDA_UPLOADS"):
        return
    if site.get("STORAGES").get("default", {}).get("BACKEND") != S3:
        site.advise(
            "LAMBDA_UPLOADS",
            f"STORAGES['default'] is not {S3}, so files are sent through the function, "
            "up to 4.5 MB: set the variable MEDIA_BUCKET, and remove the settings of "
            "django-storages that this storage lacks.",
        )
        return
    for name, entry, what in (
        ("INSTALLED_APPS", UPLOADS, "its grants, and the form field of each FileField"),
        ("MIDDLEWARE", UPLOAD_MIDDLEWARE, "it serves the requests of the script"),
        ("LAMBDA_SCHEDULED_COMMANDS", ["purge_uploads"], "it deletes unsaved uploads"),
    ):
        given = site.get(name)
        if name.startswith("LAMBDA_") and given is None:
            given = conf.DEFAULTS[name]
        if entry not in given:
            site.change(
                name, like(given, [*given, entry]), f"added {entry}, last", f"{what}."
            )


def content_policy(site: Site) -> None:
    """
    Allow pages to show images and media of MEDIA_BUCKET, which are not of the site.

    With LAMBDA_UPLOADS they may also send files there.

    Only where the site has a policy of Django 6, and may show its own.
    """
    bucket = variables.read("MEDIA_BUCKET")
    storage = site.get("STORAGES").get("default", {})
    options = storage.get("OPTIONS", {})
    if not bucket or options.get("bucket_name") != bucket:
        return
    if site.namespace.get("AWS_S3_CUSTOM_DOMAIN"):
        return
    region = site.namespace.get("AWS_S3_REGION_NAME") or options.get("region_name")
    origin = s3.origin(os.environ, bucket, region or "")
    if storage.get("BACKEND") == SDK:
        # The SDK has no region in the host name of this one.
        origin = origin.replace("s3.us-east-1.", "s3.")
    directives = ["img-src", "media-src"]
    if site.is_installed(UPLOADS):
        directives.append("connect-src")
    for name in ("SECURE_CSP", "SECURE_CSP_REPORT_ONLY"):
        policy = site.get(name) or {}
        allowed = {
            directive: [*sources, origin]
            for directive in directives
            if (sources := policy.get(directive) or policy.get("default-src"))
            and "'none'" not in sources
            and origin not in sources
        }
        if allowed:
            site.change(
                name,
                {**policy, **allowed},
                f"{', '.join(directives)}: {origin} is allowed",
                "Uploads have another host name than the site.",
            )
