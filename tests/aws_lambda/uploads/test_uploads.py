"""Files that a browser sends to the bucket, and a form saves."""

from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import FileField
from django.http import QueryDict
from django.test import RequestFactory
from django.utils.datastructures import MultiValueDict

from apps.aws_lambda.invocation import web_request
from apps.aws_lambda.media import S3Storage
from apps.aws_lambda.uploads import tickets
from apps.aws_lambda.uploads.fields import UploadedObject, UploadInput
from apps.aws_lambda.uploads.forms import UploadField
from apps.aws_lambda.uploads.models import Upload
from apps.documents.models import Document
from tests.aws_lambda.uploads.conftest import Browser
from tests.services.aws import AWS

MIB = 1024 * 1024
LARGE = [b"a" * 16 * MIB, b"b" * 3]


@pytest.mark.parametrize("parts", [[b"content"], LARGE])
def test_a_file_is_uploaded_and_saved_without_a_copy(
    browser: Browser, aws: AWS, parts: list[bytes]
):
    token = browser.send("Bericht ä.pdf", *parts)
    upload = Upload.objects.get()

    response = browser.save(**{"file-upload": token})

    assert response.status_code == 302
    document = Document.objects.get()
    assert document.file.name == upload.name
    assert document.file.name.startswith("documents/")
    assert document.file.name.endswith(".pdf")
    assert document.file.size == sum(map(len, parts))
    found = aws.client("s3").get_object(Bucket="media", Key=document.file.name)
    assert found["Body"].read() == b"".join(parts)
    assert found["ContentType"] == "application/pdf"
    assert found["ContentDisposition"] == "attachment"
    assert aws.client("s3").list_objects_v2(Bucket="media")["KeyCount"] == 1
    upload.refresh_from_db()
    assert upload.claimed_at


def test_an_upload_is_kept_in_a_form_with_another_error(browser: Browser):
    token = browser.send("a.txt", b"content")

    response = browser.save(**{"title": "", "file-upload": token})

    html = response.content.decode()
    assert f'name="file-upload" value="{token}"><span>a.txt is' in html
    # The browser would ask for another file.
    assert 'type="file" name="file" id="id_file" data-upload' in html
    assert browser.save(**{"file-upload": token}).status_code == 302


FIELD = Document._meta.get_field("file")


class DocumentForm(forms.ModelForm):
    class Meta:
        model = Document
        fields = ["title", "file"]


@pytest.fixture
def as_user(browser: Browser) -> Any:
    """Run code as in a request of the user."""
    request = RequestFactory().get("/")
    request.user = browser.user
    before = web_request.set(request)
    yield request
    web_request.reset(before)


def posted(**values: Any) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, value in values.items():
        data.setlist(name, value if isinstance(value, list) else [value])
    return data


def test_a_form_of_a_model_takes_an_upload(browser: Browser, as_user: Any):
    token = browser.send("a.txt", b"content")
    data = posted(title="A", **{"file-upload": token})

    form = DocumentForm(data)

    assert isinstance(form.fields["file"].widget, UploadInput)
    assert form.has_changed()
    assert form.is_valid(), form.errors
    file = form.cleaned_data["file"]
    assert (file.name, file.size, file.content_type) == ("a.txt", 7, "text/plain")
    with file:
        assert file.read() == b"content"
    assert form.save().file.name == Upload.objects.get().name


def test_a_form_takes_several_uploads_and_files(browser: Browser, as_user: Any):
    class InboxForm(forms.Form):
        files = UploadField(FIELD, multiple=True)  # type: ignore[assignment]

    tokens = [browser.send(f"{n}.txt", n.encode()) for n in "12"]
    plain = SimpleUploadedFile("3.txt", b"3")

    form = InboxForm(
        posted(**{"files-upload": tokens}), MultiValueDict({"files": [plain]})
    )

    assert form.is_valid(), form.errors
    names = [file.name for file in form.cleaned_data["files"]]
    assert names == ["3.txt", "1.txt", "2.txt"]
    assert "This field is required." in InboxForm(posted()).errors["files"]
    assert "multiple" in str(InboxForm()["files"])
    refused = InboxForm(posted(**{"files-upload": [tokens[0], "made-up"]}))
    assert "not available" in str(refused.errors["files"])


def test_a_file_in_the_form_is_stored_as_before(browser: Browser, aws: AWS):
    response = browser.save(file=SimpleUploadedFile("plain.txt", b"content"))

    assert response.status_code == 302
    assert str(Document.objects.get().file).endswith("/plain.txt")
    assert not Upload.objects.exists()


def test_an_upload_is_copied_into_another_storage(browser: Browser, as_user: Any):
    browser.send("a.txt", b"content")
    upload = UploadedObject(Upload.objects.get(), FIELD.storage)
    other = S3Storage("media", location="other")

    with upload:
        assert other.save("copy.txt", upload) == "copy.txt"
    assert other.size("copy.txt") == 7
    upload.upload.refresh_from_db()
    assert upload.upload.claimed_at is None


def test_the_location_of_the_storage_is_part_of_the_key(
    browser: Browser, aws: AWS, settings
):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "apps.aws_lambda.media.S3Storage",
            "OPTIONS": {"bucket_name": "media", "location": "shop"},
        },
    }

    token = browser.send("a.txt", b"content")

    assert browser.save(**{"file-upload": token}).status_code == 302
    [found] = aws.client("s3").list_objects_v2(Bucket="media")["Contents"]
    assert found["Key"] == f"shop/{Document.objects.get().file.name}"


def instance_folder(instance: Any, filename: str) -> str:
    return f"{instance.uploaded_by_id}/{filename}"


def date_folder(instance: Any, filename: str) -> str:
    return f"2026/{filename}"


def test_a_folder_that_depends_on_the_instance_is_not_known_in_time(as_user: Any):
    assert tickets.issue(FIELD)
    for upload_to, direct in ((instance_folder, False), (date_folder, True)):
        field = FileField(upload_to=upload_to)
        field.set_attributes_from_name("file")
        field.model = Document

        assert bool(tickets.issue(field)) is direct


def test_without_a_bucket_or_a_user_the_file_is_in_the_form(as_user: Any, settings):
    assert "data-upload-ticket" in str(DocumentForm()["file"])
    user, as_user.user = as_user.user, AnonymousUser()
    assert "data-upload-ticket" not in str(DocumentForm()["file"])
    as_user.user = user
    files = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": files}}
    assert "data-upload-ticket" not in str(DocumentForm()["file"])


def test_the_limit_of_the_event_source_is_in_the_form(as_user: Any, settings):
    assert "4.5 MB" not in str(DocumentForm()["file"])

    as_user.META["aws_lambda.upload_limit"] = "4.5 MB"
    with_script = '<noscript><p class="upload-limit">Without JavaScript, files up to'
    assert with_script in str(DocumentForm()["file"])

    files = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": files}}
    assert "Files up to 4.5 MB fit." in str(DocumentForm()["file"])


def test_a_widget_of_the_sites_own_stays(as_user: Any):
    class Own(forms.ClearableFileInput):
        pass

    class OwnUpload(UploadInput):
        pass

    for widget, direct in ((Own, False), (OwnUpload, True), (Own(), False)):
        made = FIELD.formfield(widget=widget)
        assert made is not None
        assert type(made.widget).__name__.startswith("Own")
        assert ("data-upload-ticket" in made.widget.render("file", None)) is direct


def test_attributes_of_a_widget_are_kept(as_user: Any):
    widget = forms.ClearableFileInput(attrs={"accept": ".pdf"})

    made = FIELD.formfield(widget=widget)

    assert made is not None
    assert 'accept=".pdf"' in made.widget.render("file", ContentFile(b""))


def test_parts_of_a_huge_file_are_few_enough(browser: Browser, settings):
    settings.LAMBDA_UPLOAD_MAX_BYTES = size = 5 * 1024**4

    browser.start("huge.bin", size)

    part = Upload.objects.get().part_size
    assert part % MIB == 0
    assert -(-size // part) <= 10_000
