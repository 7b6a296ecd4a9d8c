"""
What a function sees of its stage: the database, secrets, network and files.

Each item has a thread, because only a thread can be left behind: no signal interrupts
a name lookup in a VPC without a resolver. One that fails or hangs does not stop the
others.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import wait
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import NamedTuple

import django
from django.apps import apps
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from .. import parameters
from ..aws import sqs
from ..aws.http import AwsError, send
from ..aws.service import endpoint
from ..observability.formatters import REDACTED, names_secret
from .remote.client import in_background

# For all items together, as they run at once. connect_timeout is 3 seconds, and all
# secrets have 6.
DEADLINE_SECONDS = 10.0
HTTP_TIMEOUT_SECONDS = 3.0
# An upload of more than FILE_UPLOAD_MAX_MEMORY_SIZE is written there.
MIN_FREE_MB = 20
# A shorter value of a variable is not a secret, but may be a part of many words.
MIN_SECRET_CHARACTERS = 8
TEXT_LIMIT = 300

HOST = "check the host in DATABASE_URL, and docs/deploy-reference.md#vpc"
# What the text of a failed connection contains, in lower case, and the next step.
CONNECTION_FAILURES = {
    "authentication failed": "docs/secrets.md#the-database-password",
    "access denied": "docs/secrets.md#the-database-password",
    "certificate": "docs/operate.md#tls",
    "ssl": "docs/operate.md#tls",
    "remaining connection slots": "docs/capacity.md#connections",
    "too many": "docs/capacity.md#connections",
    "translate host name": HOST,
    "resolve host": HOST,
    "does not exist": "create the database: docs/deploy.md#3-the-database",
}
# Otherwise no packet arrives, or nothing listens.
ROUTE = (
    "check host and port in DATABASE_URL, that the server runs, and that its security "
    "group lets the functions in: docs/deploy-reference.md#vpc"
)
NETWORK = "give the functions a route to it: docs/deploy-reference.md#vpc"


class Finding(NamedTuple):
    """
    What is known of an item. ``ok`` is False if there is a ``next_step``.

    The step is a command or a page of the documentation.
    """

    item: str
    ok: bool
    text: str
    next_step: str = ""


class Problem(Exception):
    """What is wrong with an item, and the next step."""

    def __init__(self, text: str, next_step: str) -> None:
        super().__init__(text)
        self.next_step = next_step


# Returns what is good to know, or raises Problem or another exception.
Look = Callable[[], str]


def diagnose(
    looks: Mapping[str, Look] | None = None, seconds: float = DEADLINE_SECONDS
) -> list[Finding]:
    """
    Return a finding for each item, after at most so many seconds.

    ``looks`` are by default all that this module knows. No text contains a secret.
    """
    # The log lines of each have the request ID.
    running = {
        item: in_background(partial(copy_context().run, partial(finding, item, look)))
        for item, look in (looks or all_looks()).items()
    }
    wait(running.values(), seconds)
    return [
        future.result()
        if future.done()
        else Finding(
            item,
            False,
            f"no answer within {seconds:g} seconds",
            ROUTE if item.startswith("database") else NETWORK,
        )
        for item, future in running.items()
    ]


def finding(item: str, look: Look) -> Finding:
    """Return what a look finds. It raises nothing."""
    try:
        return Finding(item, True, hide_secrets(look()))
    except Problem as problem:
        return Finding(item, False, hide_secrets(str(problem)), problem.next_step)
    except Exception as error:
        text = f"{type(error).__name__}: {one_line(error)}"
        step = "docs/operate.md#a-request-failed-what-now"
        return Finding(item, False, hide_secrets(text), step)


def all_looks() -> dict[str, Look]:
    """Return a look for each item of this site."""
    databases: dict[str, Look] = {
        "database" if alias == DEFAULT_DB_ALIAS else f"database {alias}": partial(
            database, alias
        )
        for alias in connections
    }
    return {
        "function": function,
        "secrets": secrets,
        **databases,
        "static files": static_files,
        "bucket": bucket,
        "queue": queue,
        "e-mail": email,
        "disk": disk,
    }


def function() -> str:
    """Return what runs."""
    version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
    return (
        f"answers with version {version}, {os.environ.get('DJANGO_SETTINGS_MODULE')}, "
        f"Django {django.get_version()}, Python {sys.version.split()[0]}"
    )


def secrets() -> str:
    """Fetch the values of all references again."""
    reasons = parameters.check()
    if missing := [f"{name}: {reason}" for name, reason in reasons.items() if reason]:
        raise Problem("; ".join(missing), "docs/secrets.md#when-it-fails")
    if not reasons:
        return "no variable refers to a parameter or a secret"
    return f"{', '.join(reasons)} can be read"


def database(alias: str) -> str:
    """Connect with the deployed credentials, and look for unapplied migrations."""
    connection = connections[alias]
    name = f"DATABASES[{alias!r}]"
    if connection.settings_dict["ENGINE"] == "django.db.backends.dummy":
        return "the site has no database"
    start = time.perf_counter()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        took = (time.perf_counter() - start) * 1000
        missing = unapplied_migrations(connection)
    except Exception as error:
        text = one_line(error)
        raise Problem(
            f"{name}: {type(error).__name__}: {text}",
            next(
                (
                    step
                    for part, step in CONNECTION_FAILURES.items()
                    if part in text.lower()
                ),
                ROUTE,
            ),
        ) from error
    finally:
        # It belongs to this thread.
        connection.close()
    reached = f"{name} ({connection.display_name}) answered in {took:.0f} ms"
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise Problem(
            f"{reached}, but has unapplied migrations: {', '.join(missing[:3])}{more}",
            f"manage.py remote --stage {os.environ.get('STAGE', 'STAGE')} migrate"
            + ("" if alias == DEFAULT_DB_ALIAS else f" --database {alias}"),
        )
    return f"{reached}, all migrations are applied"


def unapplied_migrations(connection: BaseDatabaseWrapper) -> list[str]:
    """
    Return the migrations that are to be applied, in order.

    Another database than the default one may be a replica, or belong to another
    program: it is migrated here only if it ever was.
    """
    if (
        connection.alias != DEFAULT_DB_ALIAS
        and not MigrationRecorder(connection).has_table()
    ):
        return []
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def static_files() -> str:
    """Look for the files that the function itself serves."""
    if not apps.is_installed("django.contrib.staticfiles"):
        return "django.contrib.staticfiles is not installed"
    # Importing it needs the app.
    from django.contrib.staticfiles.storage import staticfiles_storage

    url = str(settings.STATIC_URL)
    if url.startswith(("http://", "https://", "//")):
        return f"are served from {url}"
    location = getattr(staticfiles_storage, "location", None)
    if not location:
        return f"are in {settings.STORAGES['staticfiles']['BACKEND']}"
    step = "build and release the package again: docs/package.md#static-files"
    folder = Path(location)
    if not folder.is_dir():
        raise Problem(f"STATIC_ROOT {folder} does not exist", step)
    hashed = getattr(staticfiles_storage, "hashed_files", None)
    if hashed is None:
        count = sum(path.is_file() for path in folder.rglob("*"))
        if not count:
            raise Problem(f"STATIC_ROOT {folder} has no files", step)
        return f"{count} files in {folder}, without a manifest"
    if not hashed:
        raise Problem(f"{folder} has no manifest, or an empty one", step)
    missing = [name for name in hashed.values() if not (folder / name).is_file()]
    if missing:
        raise Problem(
            f"{len(missing)} of {len(hashed)} files of the manifest are missing in "
            f"{folder}, such as {missing[0]}",
            step,
        )
    return f"{len(hashed)} files of the manifest are in {folder}"


def bucket() -> str:
    """Look for the bucket from this network; the role's permissions do not matter."""
    name = os.environ.get("MEDIA_BUCKET")
    if not name:
        return "MEDIA_BUCKET is not set"
    url = f"{endpoint(os.environ, 's3')}/{name}"
    try:
        status = send("HEAD", url, {}, timeout=HTTP_TIMEOUT_SECONDS).status
    except AwsError as error:
        raise Problem(f"{name}: {error}", NETWORK) from error
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
    if status == 404:
        raise Problem(
            f"MEDIA_BUCKET {name} does not exist",
            "the stack makes it: deploy again, docs/deploy.md#5-the-first-release",
        )
    if status in (301, 307):
        raise Problem(
            f"MEDIA_BUCKET {name} is in another region",
            "docs/deploy-reference.md#parameters",
        )
    if status >= 500:
        raise Problem(f"S3 returned status {status} for {name}", "try again later")
    # 403 without a signature: it exists.
    return f"{name} can be reached"


def queue() -> str:
    """Look for the queue from this network; the role's permissions do not matter."""
    url = os.environ.get("TASK_QUEUE_URL")
    if not url:
        return "TASK_QUEUE_URL is not set"
    try:
        receives = sqs.max_receive_count(url)
    except AwsError as error:
        if "AccessDenied" in error.code:
            return "SQS can be reached"
        if not error.code:
            raise Problem(f"SQS: {error}", NETWORK) from error
        raise Problem(
            f"TASK_QUEUE_URL {url}: {error}",
            "the stack makes it: deploy again, docs/deploy.md#5-the-first-release",
        ) from error
    if receives is None:
        raise Problem(
            f"{url} has no dead-letter queue, so a failed task is retried until it "
            "expires",
            "docs/tasks.md#the-queue",
        )
    return f"SQS can be reached, a task has {receives} attempts"


def email() -> str:
    """Look for SES from this network; the role's permissions do not matter."""
    if not os.environ.get("MAIL_FROM"):
        return "MAIL_FROM is not set"
    try:
        # Any status without a signature is an answer of SES.
        send("GET", endpoint(os.environ, "email"), {}, timeout=HTTP_TIMEOUT_SECONDS)
    except AwsError as error:
        raise Problem(f"SES: {error}", NETWORK) from error
    return "SES can be reached"


def disk() -> str:
    """Write to the temporary folder, the only one that can be written to."""
    folder = tempfile.gettempdir()
    free_mb = shutil.disk_usage(folder).free // 1024**2
    try:
        with tempfile.TemporaryFile() as file:
            file.write(b"written by lambda_diagnose")
            file.flush()
    except OSError as error:
        raise Problem(
            f"{folder} cannot be written to: {error.strerror}",
            "docs/troubleshoot.md#disk",
        ) from error
    if free_mb < MIN_FREE_MB:
        raise Problem(f"{folder} has {free_mb} MB left", "docs/troubleshoot.md#disk")
    return f"{folder} can be written to, {free_mb:,} MB are free"


def one_line(error: BaseException) -> str:
    """Return the text of an exception, without line breaks."""
    return " ".join(str(error).split())


def hide_secrets(text: str) -> str:
    """Return the text, shortened, and without the values of secrets."""
    for value in sorted(secret_values(), key=len, reverse=True):
        text = text.replace(value, REDACTED)
    return text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}..."


def secret_values() -> set[str]:
    """Return all values that a text must not contain."""
    values = {str(settings.SECRET_KEY), *map(str, settings.SECRET_KEY_FALLBACKS)}
    values |= {str(s.get("PASSWORD") or "") for s in connections.settings.values()}
    values |= {
        value
        for name, value in os.environ.items()
        if names_secret(name) and len(value) >= MIN_SECRET_CHARACTERS
    }
    return values - {""}
