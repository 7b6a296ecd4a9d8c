"""Uploads: where they are stored, and which handlers read them."""

from types import SimpleNamespace

import pytest
from django.apps import apps
from django.core.files.storage import Storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.db.models import CharField, FileField
from django.test import RequestFactory

from tests.aws_lambda.checks import reported

MEMORY = "django.core.files.uploadhandler.MemoryFileUploadHandler"
TEMPORARY = "django.core.files.uploadhandler.TemporaryFileUploadHandler"
SIX_MB = 6 * 1024 * 1024


@pytest.fixture(autouse=True)
def has_model(monkeypatch):
    """Give the site one model, with a FileField or with other fields."""

    def use(*fields):
        model = SimpleNamespace(_meta=SimpleNamespace(get_fields=lambda: fields))
        monkeypatch.setattr(apps, "get_models", lambda **options: [model])

    use(FileField())
    return use


class TakesEverything(MemoryFileUploadHandler):
    def handle_raw_input(self, *args, **kwargs):
        self.activated = True


class RenamesFiles(MemoryFileUploadHandler):
    pass


@pytest.mark.parametrize(
    "storage",
    [
        {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        {"BACKEND": "apps.aws_lambda.storage.PrefixedFileSystemStorage"},
        {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": "/tmp/media"},  # noqa: S108
        },
        {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    ],
)
def test_uploads_on_the_local_disk_are_reported(settings, storage):
    settings.STORAGES = {**settings.STORAGES, "default": storage}

    (message,) = reported("E013")

    assert f"STORAGES['default'] is {storage['BACKEND']}" in message


@pytest.mark.parametrize(
    "storage",
    [
        {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": "/mnt/media"},
        },
        {"BACKEND": "django.core.files.storage.Storage"},
        {"BACKEND": "storages.backends.s3.S3Storage"},
    ],
)
def test_a_mounted_file_system_or_another_storage_is_accepted(settings, storage):
    settings.STORAGES = {**settings.STORAGES, "default": storage}

    assert not reported("E013")


@pytest.mark.parametrize("fields", [[CharField()], [FileField(storage=Storage())]])
def test_a_site_without_uploads_needs_no_storage_for_them(settings, has_model, fields):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    }
    assert reported("E013")

    has_model(*fields)

    assert not reported("E013")


def test_a_mounted_media_root_is_accepted(settings):
    settings.MEDIA_ROOT = "/mnt/media"

    assert not reported("E013")


def test_django_drops_a_file_without_a_handler(settings):
    """The fact behind E014."""
    settings.FILE_UPLOAD_HANDLERS = [MEMORY]
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1024

    for size, names in ((500, ["file"]), (5000, [])):
        file = SimpleUploadedFile("a.txt", b"x" * size)
        request = RequestFactory().post("/", {"file": file, "title": "kept"})
        assert request.POST["title"] == "kept"
        assert list(request.FILES) == names


@pytest.mark.parametrize("limit", [2_621_440, SIX_MB - 1])
@pytest.mark.parametrize("handler", [MEMORY, f"{__name__}.RenamesFiles"])
def test_files_without_a_handler_are_reported(settings, limit, handler):
    settings.FILE_UPLOAD_HANDLERS = [handler]
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = limit

    (message,) = reported("E014")

    assert f"FILE_UPLOAD_MAX_MEMORY_SIZE is {limit}" in message


@pytest.mark.parametrize(
    ("handlers", "limit"),
    [
        ([MEMORY], SIX_MB),
        ([TEMPORARY], 1024),
        ([MEMORY, TEMPORARY], 1024),
        ([f"{__name__}.TakesEverything"], 1024),
        (["another.project.Handler"], 1024),
    ],
)
def test_handlers_that_keep_every_file_are_accepted(settings, handlers, limit):
    settings.FILE_UPLOAD_HANDLERS = handlers
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = limit

    assert not reported("E014")


@pytest.mark.parametrize("limit", [None, SIX_MB + 1])
def test_a_limit_above_lambdas_is_reported(settings, limit):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = limit

    (message,) = reported("W007")

    assert f"DATA_UPLOAD_MAX_MEMORY_SIZE is {limit}" in message


@pytest.mark.parametrize("limit", [2_621_440, SIX_MB])
def test_a_limit_below_lambdas_is_accepted(settings, limit):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = limit

    assert not reported("W007")
