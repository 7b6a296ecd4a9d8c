"""The document inbox: its admin and its downloads."""

import hashlib
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Permission
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.aws_lambda.test import LambdaClient
from apps.documents.models import Document
from apps.documents.tasks import fingerprint

User = get_user_model()
pytestmark = pytest.mark.django_db


@pytest.fixture
def document() -> Document:
    document = Document(title="Minutes")
    document.file.save("minutes.txt", ContentFile(b"We met."))
    return document


def test_an_upload_in_the_admin_is_stored_with_its_author(
    admin_client: Client, admin_user: AbstractUser
):
    response = admin_client.post(
        reverse("admin:documents_document_add"),
        {"title": "Photo", "file": SimpleUploadedFile("photo.png", b"\x89PNG\r\n")},
    )

    assert response.status_code == 302
    document = Document.objects.get()
    assert document.uploaded_by == admin_user
    with document.file.open("rb") as file:
        assert file.read() == b"\x89PNG\r\n"


def test_an_edit_keeps_the_author(admin_client: Client, document: Document):
    url = reverse("admin:documents_document_change", args=[document.pk])

    response = admin_client.post(url, {"title": "Final minutes"})

    assert response.status_code == 302
    document.refresh_from_db()
    assert document.title == "Final minutes"
    assert document.uploaded_by is None


def test_the_change_page_links_to_the_file(admin_client: Client, document: Document):
    url = reverse("admin:documents_document_change", args=[document.pk])

    page = admin_client.get(url).content.decode()

    assert f'href="{document.file.url}"' in page
    response = admin_client.get(document.file.url)
    assert b"".join(response) == b"We met."


def test_a_download_is_an_attachment(admin_client: Client, document: Document):
    response = admin_client.get(document.file.url)

    assert b"".join(response) == b"We met."
    assert response["Content-Disposition"].startswith("attachment")
    assert response["X-Content-Type-Options"] == "nosniff"


def test_an_anonymous_user_is_redirected_to_the_login(
    client: Client, document: Document
):
    response = client.get(document.file.url)

    assert response.status_code == 302
    assert response["Location"].startswith(reverse("login"))


@pytest.mark.parametrize(
    ("is_staff", "codename", "status"),
    [
        (True, "", 404),
        (True, "add_document", 404),
        (True, "view_document", 200),
        (True, "change_document", 200),
        (False, "", 404),
        (False, "view_document", 200),
    ],
)
def test_a_download_requires_the_permission_to_view_documents(
    client: Client, document: Document, is_staff: bool, codename: str, status: int
):
    user = User.objects.create(username="reader", is_staff=is_staff)
    user.user_permissions.set(Permission.objects.filter(codename=codename))
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    response = client.get(document.file.url)
    response.close()

    assert response.status_code == status


def test_an_inactive_user_downloads_nothing(client: Client, document: Document):
    user = User.objects.create_superuser("former")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    User.objects.update(is_active=False)

    assert client.get(document.file.url).status_code == 302


def test_a_file_without_a_document_is_not_found(admin_client: Client):
    assert admin_client.get("/media/documents/none.txt").status_code == 404


def test_a_deleted_file_is_not_found(admin_client: Client, document: Document):
    document.file.storage.delete(str(document.file.name))

    assert admin_client.get(document.file.url).status_code == 404


# NUL, which PostgreSQL does not store


@pytest.fixture
def lambda_client(admin_user: Any) -> LambdaClient:
    client = LambdaClient("http_default", raise_request_exception=False)
    client.force_login(admin_user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize(
    "url",
    [
        "/media/a%00b",
        "/admin/documents/document/%00/change/",
        "/admin/documents/document/?title=%00",
        "/admin/documents/document/?q=%00",
        "/admin/axes/accessattempt/?path_info=%00",
    ],
)
def test_nul_in_a_url_is_a_bad_request(lambda_client: LambdaClient, url: str):
    assert lambda_client.get(url).status_code == 400


def test_a_session_cookie_with_nul_is_ignored(lambda_client: LambdaClient):
    url = reverse("admin:documents_document_changelist")
    assert lambda_client.get(url).status_code == 200
    lambda_client.cookies.clear()

    cookie = r'sessionid="abcdefgh\000"'
    response = lambda_client.get(url, headers={"Cookie": cookie})

    assert response.status_code == 302
    assert response["Location"].startswith(reverse("admin:login"))


# The background task


def test_an_upload_gets_its_size_and_checksum(admin_client: Client):
    admin_client.post(
        reverse("admin:documents_document_add"),
        {"title": "Note", "file": SimpleUploadedFile("note.txt", b"abc")},
    )

    document = Document.objects.get()
    assert document.size == 3
    assert document.checksum.startswith("ba7816bf8f01cfea414140de5dae2223")
    url = reverse("admin:documents_document_change", args=[document.pk])
    assert document.checksum in admin_client.get(url).content.decode()


def test_an_edit_without_a_new_file_enqueues_no_task(
    admin_client: Client, document: Document
):
    url = reverse("admin:documents_document_change", args=[document.pk])

    admin_client.post(url, {"title": "Final minutes"})

    document.refresh_from_db()
    assert document.checksum == ""


def test_the_task_accepts_a_deleted_document(document: Document):
    pk = document.pk
    document.delete()

    assert fingerprint.call(pk) is None


def test_the_task_accepts_a_deleted_file(document: Document):
    document.file.storage.delete(str(document.file.name))

    assert fingerprint.call(document.pk) is None


def test_the_task_does_not_overwrite_the_checksum_of_a_new_file(
    document: Document, monkeypatch: pytest.MonkeyPatch
):
    digest = hashlib.file_digest

    def slow_digest(*args):
        Document.objects.update(file="documents/new.txt", checksum="new")
        return digest(*args)

    monkeypatch.setattr("hashlib.file_digest", slow_digest)

    fingerprint.call(document.pk)

    document.refresh_from_db()
    assert document.checksum == "new"
