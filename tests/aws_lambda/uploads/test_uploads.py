"""Files that a browser sends to the bucket, and a form saves."""

import sys
from copy import copy
from types import ModuleType
from typing import Any, ClassVar

import pytest
from django import forms
from django.apps.registry import Apps
from django.contrib.admin.widgets import AdminFileWidget
from django.contrib.auth.models import AnonymousUser
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.validators import FileExtensionValidator
from django.db.models import FileField, ImageField, Model
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


def test_a_form_without_a_model_has_the_validators_of_the_field(
    as_user: Any, monkeypatch
):
    monkeypatch.setitem(vars(FIELD), "validators", [FileExtensionValidator(["pdf"])])

    class InboxForm(forms.Form):
        files = UploadField(FIELD, multiple=True)  # type: ignore[assignment]

    # The browser has sent it with the form.
    page = SimpleUploadedFile("a.html", b"<script>")
    form = InboxForm(posted(), MultiValueDict({"files": [page]}))

    assert "not allowed" in str(form.errors["files"])


def test_several_files_and_the_wish_to_clear_contradict_each_other(as_user: Any):
    class InboxForm(forms.Form):
        files = UploadField(  # type: ignore[assignment]
            FIELD, multiple=True, required=False
        )

    plain = SimpleUploadedFile("a.txt", b"a")
    clear = posted(**{"files-clear": "on"})

    form = InboxForm(clear, MultiValueDict({"files": [plain]}))

    assert "not both" in str(form.errors["files"])
    assert InboxForm(clear).is_valid()


def test_of_several_tokens_for_one_file_the_last_is_used(
    browser: Browser, as_user: Any, django_assert_num_queries
):
    tokens = [browser.send(f"{n}.txt", b"content") for n in "12"]

    with django_assert_num_queries(1):
        form = DocumentForm(posted(title="A", **{"file-upload": tokens}))
        assert form.is_valid()

    assert form.cleaned_data["file"].name == "2.txt"


class Pillow(ModuleType):
    """What Django's form field uses of Pillow, for images that begin with "image"."""

    MIME: ClassVar = {"FAKE": "image/fake"}
    EXTENSION: ClassVar = {".png": "FAKE"}
    format = "FAKE"

    @classmethod
    def open(cls, file: Any) -> Any:
        if not file.read().startswith(b"image"):
            raise OSError("cannot identify image file")
        return cls("image")

    def verify(self) -> None:
        pass

    @staticmethod
    def init() -> None:
        pass


@pytest.fixture
def image_form(as_user: Any, monkeypatch) -> type[forms.Form]:
    """Return a form with the form field of an ImageField, in place of the file."""
    pillow = ModuleType("PIL")
    pillow.Image = Pillow  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "PIL", pillow)
    field = ImageField(upload_to="documents")
    field.set_attributes_from_name("file")
    field.model = Document

    class ImageForm(forms.Form):
        file = field.formfield()

    return ImageForm


def test_an_image_is_read_from_the_bucket(browser: Browser, image_form: Any):
    good, bad = browser.send("a.png", b"image"), browser.send("b.png", b"text")

    form = image_form(posted(**{"file-upload": good}))

    assert form.is_valid(), form.errors
    assert form.cleaned_data["file"].content_type == "image/fake"
    document = Document.objects.create(title="a", file=form.cleaned_data["file"])
    assert document.file.name == Upload.objects.get(pk=good).name
    assert 'accept="image/*"' in str(form["file"])
    refused = image_form(posted(**{"file-upload": bad}))
    assert "valid image" in str(refused.errors["file"])


def test_a_refused_image_is_an_error_of_its_field(browser: Browser, image_form: Any):
    form = image_form(posted(**{"file-upload": "made-up"}))

    assert "not available" in str(form.errors["file"])
    assert "data-upload-ticket" in str(form["file"])


def test_an_image_that_cannot_be_read_is_an_error_of_its_field(
    browser: Browser, image_form: Any, aws: AWS
):
    token = browser.send("a.png", b"image")
    key = Upload.objects.get().name
    aws.client("s3").delete_object(Bucket="media", Key=key)

    form = image_form(posted(**{"file-upload": token}))

    assert form.errors["file"] == ["The file store does not answer."]


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


def text_folder(instance: Any, filename: str) -> str:
    return f"{instance}/{filename}"


def model_folder(instance: Any, filename: str) -> str:
    folder = type(instance).__name__
    assert folder == "Document"
    return f"{folder}/{filename}"


def suffix_folder(instance: Any, filename: str) -> str:
    name, suffix = filename.split(".")
    return f"{suffix}/{name}.{suffix}"


def demanding_folder(instance: Any, filename: str) -> str:
    return {"pdf": f"2026/{filename}"}[filename.rpartition(".")[2]]


def date_folder(instance: Any, filename: str) -> str:
    return f"2026/{filename}"


def test_a_folder_that_depends_on_the_instance_is_not_known_in_time(as_user: Any):
    assert tickets.issue(FIELD)
    for upload_to, direct in (
        (instance_folder, False),
        (text_folder, False),
        (demanding_folder, False),
        (model_folder, True),
        (suffix_folder, True),
        (date_folder, True),
    ):
        field = FileField(upload_to=upload_to)
        field.set_attributes_from_name("file")
        field.model = Document

        assert bool(tickets.issue(field)) is direct


def test_a_name_that_upload_to_does_not_expect_is_refused(
    browser: Browser, monkeypatch
):
    monkeypatch.setattr(FIELD, "upload_to", suffix_folder)
    monkeypatch.setattr(
        FIELD, "generate_filename", FileField.generate_filename.__get__(FIELD)
    )
    ticket = browser.ticket()

    refusal = browser.refused("start", ticket=ticket, name="a.tar.gz", size=1)

    assert refusal == "The name of the file is not valid."
    browser.post("start", ticket=ticket, name="a.gz", size=1)


def test_a_long_name_is_saved_too(browser: Browser, monkeypatch):
    monkeypatch.setattr(FIELD, "max_length", 100)
    token = browser.send("n" * 200 + ".txt", b"content")

    assert browser.save(**{"file-upload": token}).status_code == 302
    assert Upload.objects.get().filename == "n" * 96 + ".txt"


def test_a_copy_of_a_field_has_its_own_form_field(as_user: Any):
    # As apps for translations and for history copy the fields of a model.
    copied = copy(FIELD)
    copied.name, copied.blank = "file_de", True

    made = copied.formfield()

    assert made is not None
    assert not made.required
    assert made.widget.field is copied


def test_a_field_that_no_label_leads_to_stays_as_it_is(as_user: Any):
    class Dynamic(Model):  # noqa: DJ008
        file = FileField()

        class Meta:
            app_label = "documents"
            apps = Apps()

    for field in (FileField(), Dynamic._meta.get_field("file")):
        made = field.formfield()
        assert made is not None
        assert type(made.widget) is forms.ClearableFileInput


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

    class OwnField(forms.FileField):
        widget = Own

    for given, direct in (
        ({"widget": Own}, False),
        ({"widget": OwnUpload}, True),
        ({"widget": Own()}, False),
        ({"form_class": OwnField}, False),
    ):
        made = FIELD.formfield(**given)
        assert made is not None
        assert type(made.widget).__name__.startswith("Own")
        assert ("data-upload-ticket" in made.widget.render("file", None)) is direct


def test_a_file_input_without_a_checkbox_takes_uploads(as_user: Any):
    made = FIELD.formfield(widget=forms.FileInput(attrs={"accept": ".pdf"}))

    assert made is not None
    html = made.widget.render("file", None)
    assert "data-upload-ticket" in html
    assert 'accept=".pdf"' in html


def test_the_input_of_the_admin_has_a_label(as_user: Any):
    # The admin has a legend for it, and no label.
    made = FIELD.formfield(widget=AdminFileWidget)

    assert made is not None
    assert 'aria-label="File"' in made.widget.render("file", None)


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
