"""The page of the inbox, and who sees and touches what."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from apps.documents.models import Document
from tests.aws_lambda.uploads.conftest import Browser
from tests.documents.conftest import PNG, log_in, make_user

INBOX = "/inbox/"
SCRIPT = {"Accept": "application/json"}


def file(name: str = "minutes.txt", content: bytes = b"We met.") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


# Files


def test_a_form_with_two_files_stores_two_documents(ann: Any):
    client = log_in(ann)

    response = client.post(INBOX, {"file": [file("a.txt"), file("b.png", PNG)]})

    assert response.status_code == 302
    found = Document.objects.order_by("title")
    assert [(d.title, d.uploaded_by, d.status) for d in found] == [
        ("a", ann, "processed"),
        ("b", ann, "processed"),
    ]
    page = client.get(INBOX).content.decode()
    assert "2 files are in the inbox." in page
    assert "3 \u00d7 2" in page


def test_a_form_without_a_file_shows_the_error_beside_the_field(ann: Any):
    response = log_in(ann).post(INBOX, {"x": "1"})

    assert response.status_code == 400
    assert "This field is required." in response.content.decode()


def test_one_bad_file_of_several_stores_none(ann: Any):
    response = log_in(ann).post(INBOX, {"file": [file("a.txt"), file("b", b"")]})

    assert response.status_code == 400
    assert not Document.objects.exists()


@pytest.mark.parametrize("name", ["Setup.EXE", "Setup.exe.", "Setup.exe. ."])
def test_a_program_is_refused(ann: Any, name: str):
    response = log_in(ann).post(INBOX, {"file": [file("a.txt"), file(name)]})

    assert response.status_code == 400
    text = "The inbox does not take programs, such as “.exe”."
    assert text in response.content.decode()
    assert not Document.objects.exists()


def test_the_script_gets_the_row_of_a_new_document(ann: Any):
    response = log_in(ann).post(INBOX, {"file": file()}, headers=SCRIPT)

    assert response.status_code == 201
    document = Document.objects.get()
    assert list(response.json()["rows"]) == [str(document.pk)]
    # A queue has the task: the script asks for the row until it is processed.
    assert 'data-state="received"' in response.json()["rows"][str(document.pk)]


def test_the_script_gets_the_errors(ann: Any):
    response = log_in(ann).post(INBOX, {"file": file(content=b"")}, headers=SCRIPT)

    assert response.status_code == 400
    assert response.json() == {"errors": ["The submitted file is empty."]}


def test_an_upload_to_the_bucket_becomes_a_document_once(aws):
    browser = Browser("bob", INBOX)
    token = browser.send("Report of May.txt", b"We met.")

    first = browser.client.post(INBOX, {"file-upload": token}, headers=SCRIPT)
    again = browser.client.post(INBOX, {"file-upload": token}, headers=SCRIPT)

    assert (first.status_code, again.status_code) == (201, 400)
    document = Document.objects.get()
    assert document.title == "Report of May"
    assert aws.client("s3").head_object(Bucket="media", Key=document.file.name)


def test_an_upload_of_another_user_is_refused(aws):
    token = Browser("bob", INBOX).send("a.txt", b"1")

    other = Browser("eva", INBOX)
    response = other.client.post(INBOX, {"file-upload": token}, headers=SCRIPT)

    assert response.status_code == 400
    assert not Document.objects.exists()


def test_a_download_from_the_bucket_is_a_redirect_under_the_title(aws):
    browser = Browser("bob", INBOX)
    token = browser.send("report.pdf", b"%PDF-1.4")
    browser.client.post(INBOX, {"file-upload": token})
    document = Document.objects.get()

    response = browser.client.get(reverse("documents:download", args=[document.pk]))

    assert response.status_code == 302
    assert "filename%3D%22report.pdf%22" in response["Location"]


# The page


def test_an_empty_inbox_says_so(ann: Any):
    page = log_in(ann).get(INBOX).content.decode()

    assert '<p class="empty" id="empty">' in page


def test_the_inbox_has_pages(ann: Any, add: Any):
    Document.objects.bulk_create(
        Document(title=f"Note {n}", file=f"documents/{n}", uploaded_by=ann)
        for n in range(21)
    )

    client = log_in(ann)

    assert "Page 1 of 2" in client.get(INBOX).content.decode()
    assert "Note 0" in client.get(INBOX, {"page": "2"}).content.decode()
    assert client.get(INBOX, {"page": "none"}).status_code == 200


def test_the_page_needs_a_constant_number_of_queries(
    ann: Any, add: Any, django_assert_num_queries: Any
):
    for _ in range(3):
        add(ann)
    client = log_in(ann)

    # The session, the user, the number of documents, and the documents.
    with django_assert_num_queries(4):
        client.get(INBOX)


def test_titles_are_escaped(ann: Any, add: Any):
    add(ann, title="<script>alert(1)</script>")

    assert "<script>alert" not in log_in(ann).get(INBOX).content.decode()


def test_the_rows_of_a_page_have_no_others(ann: Any, eve: Any, add: Any):
    mine, hers = add(ann), add(eve)
    keys = [mine.pk, hers.pk, "x", "9" * 30]

    response = log_in(ann).get("/inbox/rows", {"id": keys})

    assert list(json.loads(response.content)["rows"]) == [str(mine.pk)]


@pytest.mark.parametrize("path", ["", "rows", "1/download", "1/delete"])
def test_a_visitor_is_redirected_to_the_login(client: Any, db: None, path: str):
    response = client.get(INBOX + path)

    assert response.status_code == 302
    assert response["Location"].startswith("/login/?next=")


def test_a_user_who_is_not_staff_can_log_in(client: Any, ann: Any):
    ann.set_password("correct horse battery staple")
    ann.save()

    response = client.post(
        "/login/", {"username": "ann", "password": "correct horse battery staple"}
    )

    assert response["Location"] == INBOX


# Permissions


def test_a_second_user_sees_and_touches_nothing_of_the_first(
    ann: Any, eve: Any, add: Any
):
    document = add(ann)
    client = log_in(eve)

    assert "Minutes" not in client.get(INBOX).content.decode()
    for name in ("documents:download", "documents:delete"):
        url = reverse(name, args=[document.pk])
        assert client.get(url).status_code == 404
    assert (
        client.post(reverse("documents:delete", args=[document.pk])).status_code == 404
    )
    assert Document.objects.exists()


@pytest.mark.parametrize(
    ("codename", "visible", "changeable", "deletable"),
    [
        ("view_document", True, False, False),
        ("change_document", True, True, False),
        ("delete_document", False, False, True),
        ("approve_document", False, False, False),
    ],
)
def test_a_permission_is_for_the_documents_of_all(
    ann: Any, add: Any, codename: str, visible: bool, changeable: bool, deletable: bool
):
    add(ann)
    user = make_user("staff", codename, is_staff=True)
    documents = Document.objects

    assert documents.visible_to(user).exists() is visible
    assert documents.changeable_by(user).exists() is changeable
    assert documents.deletable_by(user).exists() is deletable


def test_an_anonymous_user_owns_no_document_without_an_owner(add: Any):
    add(None)

    assert not Document.objects.visible_to(AnonymousUser()).exists()


def test_an_inactive_owner_sees_nothing(ann: Any, add: Any):
    add(ann)
    ann.is_active = False

    assert not Document.objects.visible_to(ann).exists()


@pytest.mark.parametrize(
    "path",
    [
        "/inbox/",
        "/inbox/rows",
        "/inbox/{0.pk}/download",
        "/media/{0.file.name}",
        "/api/documents",
        "/api/documents/{0.pk}",
        "/api/documents/{0.pk}/file",
    ],
)
def test_no_cache_keeps_what_one_user_may_see(ann: Any, add: Any, path: str):
    response = log_in(ann).get(path.format(add(ann)))

    assert response.status_code == 200
    assert {"no-store", "private"} <= set(response["Cache-Control"].split(", "))
    response.close()


# Deleting


def test_a_document_is_deleted_with_its_file_after_confirmation(
    ann: Any, add: Any, django_capture_on_commit_callbacks: Any
):
    document = add(ann)
    client, url = log_in(ann), reverse("documents:delete", args=[document.pk])

    assert "Delete Minutes?" in client.get(url).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post(url).status_code == 302

    assert not Document.objects.exists()
    assert not document.file.storage.exists(str(document.file.name))


# Constraints


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "lost"},
        {"width": 3},
        {"width": 0, "height": 0},
        {"status": "received", "approved_at": timezone.now()},
    ],
)
def test_the_database_refuses(ann: Any, add: Any, wrong: dict[str, Any]):
    add(ann, status="processed")

    with pytest.raises(IntegrityError), transaction.atomic():
        Document.objects.update(**wrong)


@pytest.mark.parametrize(
    ("title", "stored", "filename"),
    [
        ("Report", "documents/a_x1.pdf", "Report.pdf"),
        ("Report.pdf", "documents/a_x1.pdf", "Report.pdf"),
        ("Report", "documents/a", "Report"),
        ("Report.EXE", "documents/a", "Report.EXE.bin"),
        ("Report.exe", "documents/a.", "Report.exe..bin"),
        ("Report.exe", "documents/a.pdf", "Report.exe.pdf"),
    ],
)
def test_a_file_is_saved_under_the_title(title: str, stored: str, filename: str):
    assert Document(title=title, file=stored).filename == filename
