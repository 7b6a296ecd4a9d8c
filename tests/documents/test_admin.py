"""The admin of the documents: filters, search, preview and actions."""

import csv
import gzip
import re
from typing import Any
from urllib.request import urlopen

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.aws_lambda.test import LambdaClient
from apps.documents import tasks
from apps.documents.admin import DocumentAdmin
from apps.documents.models import Document
from tests.documents.conftest import log_in, make_user

LIST = "/admin/documents/document/"
BACKEND = "django.contrib.auth.backends.ModelBackend"


def act(client: Client, action: str, *documents: Document, **more: Any) -> Any:
    data = {"action": action, "_selected_action": [d.pk for d in documents], **more}
    return client.post(LIST, data, follow=True)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?status__exact=failed", ["Broken"]),
        ("?approved=yes", ["Good"]),
        ("?approved=no", ["Broken"]),
        ("?q=broke", ["Broken"]),
        ("?q=ann", ["Broken", "Good"]),
    ],
)
def test_the_list_is_filtered_and_searched(
    admin_client: Client, ann: Any, add: Any, query: str, found: list[str]
):
    add(ann, "Good", status="processed", approved_at=timezone.now())
    add(ann, "Broken", status="failed")

    documents = admin_client.get(LIST + query).context["cl"].queryset

    assert sorted(d.title for d in documents) == found


def test_only_the_page_of_a_document_shows_what_was_found(
    admin_client: Client, ann: Any, add: Any
):
    new = admin_client.get(f"{LIST}add/").content.decode()
    found = admin_client.get(f"{LIST}{add(ann).pk}/change/").content.decode()

    for name in ("preview", "checksum", "uploaded_by"):
        assert f"field-{name}" in found
        assert f"field-{name}" not in new


def test_the_list_needs_a_constant_number_of_queries(
    admin_client: Client, ann: Any, add: Any, django_assert_max_num_queries: Any
):
    for n in range(5):
        add(make_user(f"user{n}"))

    with django_assert_max_num_queries(6):
        admin_client.get(LIST)


def test_only_processed_documents_are_approved(
    admin_client: Client, admin_user: Any, ann: Any, add: Any
):
    good, broken = add(ann, status="processed"), add(ann, status="failed")

    page = act(admin_client, "approve", good, broken).content.decode()

    good.refresh_from_db()
    broken.refresh_from_db()
    assert good.approved_by == admin_user
    assert broken.approved_at is None
    assert "1 document is approved." in page
    assert "1 is not: it is not processed, or was approved before." in page


def test_approving_takes_its_permission(ann: Any, add: Any):
    editor = make_user("editor", "view_document", "change_document", is_staff=True)
    document = add(ann, status="processed")

    act(log_in(editor), "approve", document)

    document.refresh_from_db()
    assert document.approved_at is None


def test_a_document_is_processed_again_and_loses_its_approval(
    admin_client: Client, ann: Any, add: Any
):
    document = add(ann, status="processed", approved_at=timezone.now())

    page = act(admin_client, "process_again", document).content.decode()

    document.refresh_from_db()
    assert (document.status, document.size) == ("processed", 7)
    assert document.approved_at is None
    assert "1 document is processed again." in page


def test_too_many_documents_are_not_processed_again(
    admin_client: Client, ann: Any, add: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tasks, "MAX_AT_ONCE", 1)
    documents = [add(ann), add(ann)]

    page = act(admin_client, "process_again", *documents).content.decode()

    assert "At most 1 documents can be processed again at once" in page
    assert not Document.objects.filter(status="processed").exists()


def test_an_edit_keeps_what_the_task_finds_meanwhile(
    admin_client: Client, ann: Any, add: Any, monkeypatch: pytest.MonkeyPatch
):
    document = add(ann)

    def save_model(*args: Any) -> None:
        tasks.fingerprint.func(document.pk)
        save(*args)

    save = DocumentAdmin.save_model
    monkeypatch.setattr(DocumentAdmin, "save_model", save_model)
    url = reverse("admin:documents_document_change", args=[document.pk])

    admin_client.post(url, {"title": "New"})

    document.refresh_from_db()
    assert (document.title, document.status) == ("New", "processed")
    assert document.checksum


@pytest.mark.parametrize("by", ["page", "action", "new file"])
def test_a_file_is_deleted_when_its_document_has_it_no_more(
    admin_client: Client,
    ann: Any,
    add: Any,
    django_capture_on_commit_callbacks: Any,
    by: str,
):
    document = add(ann)
    file = document.file
    page = "change" if by == "new file" else "delete"
    url = reverse(f"admin:documents_document_{page}", args=[document.pk])

    with django_capture_on_commit_callbacks(execute=True):
        if by == "page":
            admin_client.post(url, {"post": "yes"})
        elif by == "action":
            act(admin_client, "delete_selected", document, post="yes")
        else:
            new = SimpleUploadedFile("new.txt", b"New")
            admin_client.post(url, {"title": "New", "file": new})
        assert file.storage.exists(file.name)

    assert not file.storage.exists(file.name)
    left = Document.objects.first()
    assert (by == "new file") == (left is not None)
    if left:
        assert left.file.read() == b"New"
        left.file.close()


def test_a_new_file_takes_back_the_approval(admin_client: Client, ann: Any, add: Any):
    document = add(ann, status="processed", approved_at=timezone.now())
    url = reverse("admin:documents_document_change", args=[document.pk])

    admin_client.post(
        url, {"title": "New", "file": SimpleUploadedFile("new.txt", b"New")}
    )

    document.refresh_from_db()
    assert document.approved_at is None
    assert document.size == 3


def test_the_list_has_the_end_of_a_type(admin_client: Client, ann: Any, add: Any):
    word = "vnd.openxmlformats-officedocument.wordprocessingml.document"
    for kind in ("application/pdf", f"application/{word}", ""):
        add(ann, content_type=kind)

    url = reverse("admin:documents_document_changelist")
    page = admin_client.get(url, {"o": "3"}).content.decode()

    assert re.findall('"field-kind">(.*?)<', page) == ["-", "pdf", "document"]


def test_an_image_has_a_preview_and_a_page_has_none(
    admin_client: Client, ann: Any, add: Any
):
    image = add(ann, content_type="image/png", size=99)
    html = add(ann, content_type="text/html", size=99)

    def page(document: Document) -> str:
        url = reverse("admin:documents_document_change", args=[document.pk])
        return admin_client.get(url).content.decode()

    assert f'<img src="{image.file.url}"' in page(image)
    assert "<img" not in page(html)
    # Neither has it dimensions.
    assert page(html).count('<div class="readonly">-</div>') >= 2
    assert "None" not in page(html)


def test_a_file_without_contents_is_a_failed_document(ann: Any, add: Any):
    document = add(ann)
    document.file.storage.delete(str(document.file.name))

    tasks.fingerprint.call(document.pk)

    document.refresh_from_db()
    assert document.status == "failed"


def test_the_list_is_a_page_on_lambda(aws, admin_user: Any):
    client = LambdaClient("http_default")
    client.force_login(admin_user, backend=BACKEND)

    assert "Select document" in client.get(LIST).content.decode()


# The export


def export(client: Client) -> list[dict[str, str]]:
    data = {"action": "export", "select_across": "1"}
    first = Document.objects.order_by("pk").values_list("pk", flat=True)[:1]
    response: Any = client.post(LIST, data | {"_selected_action": list(first)})
    assert response["Content-Disposition"].startswith(
        'attachment; filename="documents-'
    )
    text = b"".join(response.streaming_content).decode()
    return list(csv.DictReader(text.splitlines()))


def test_the_export_has_a_row_for_each_document(
    admin_client: Client, ann: Any, add: Any
):
    add(ann, 'A "quote", and more', status="processed", size=7)
    add(None, "Other")

    rows = export(admin_client)

    assert [row["title"] for row in rows] == ["Other", 'A "quote", and more']
    assert (rows[1]["uploaded_by_username"], rows[1]["size"]) == ("ann", "7")


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_cell_is_never_a_formula(
    admin_client: Client, ann: Any, add: Any, title: str
):
    add(ann, title)

    assert export(admin_client)[0]["title"] == f"'{title}"


def export_on_lambda(client: LambdaClient, **more: Any) -> Any:
    key = Document.objects.values_list("pk", flat=True)[0]
    data = {"action": "export", "select_across": "1", "_selected_action": [key]}
    return client.post(LIST, data, **more)


# More than a result of Lambda can have.
ROWS = [
    12_000,
    pytest.param(
        100_000, marks=pytest.mark.nightly("an export of a hundred thousand rows")
    ),
]
MANY = """
INSERT INTO documents_document (title, file, note, uploaded_at)
WITH RECURSIVE numbers (n) AS (
    SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %s
)
SELECT %s, %s, '', CURRENT_TIMESTAMP FROM numbers
"""


def add_many(rows: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MANY, [rows, "x" * 200, "f" * 200])


@pytest.mark.parametrize("rows", ROWS)
def test_a_large_export_is_a_redirect_to_the_bucket(aws, admin_user: Any, rows: int):
    add_many(rows)
    client = LambdaClient("http_default")
    client.force_login(admin_user, backend=BACKEND)

    response = export_on_lambda(client)

    assert response.status_code == 302
    for stored in aws.client("s3").list_objects_v2(Bucket="media")["Contents"]:
        assert stored["Key"].startswith("exports/")
        assert stored["Size"] > rows * 400
    with urlopen(response["Location"]) as sent:
        assert sum(block.count(b"\r\n") for block in sent) == rows + 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("event_source", ["rest_streamed", "function_url_streamed"])
def test_a_large_export_is_streamed(event_source: str, rows: int):
    add_many(rows)
    client = LambdaClient(event_source)
    client.force_login(make_user("ada", is_staff=True, is_superuser=True), BACKEND)

    response = export_on_lambda(client)

    assert response.content.count(b"\r\n") == rows + 1
    assert len(response.content) > rows * 400
    assert max(map(len, response.chunks)) < 300_000
    assert response.cut == ""


@pytest.mark.django_db(transaction=True)
def test_a_streamed_export_is_compressed_in_blocks():
    Document.objects.bulk_create(Document(title=f"Title {n}") for n in range(3000))
    client = LambdaClient("function_url_streamed")
    client.force_login(make_user("ada", is_staff=True, is_superuser=True), BACKEND)

    response = export_on_lambda(client, headers={"Accept-Encoding": "gzip"})

    assert response.headers["Content-Encoding"] == "gzip"
    assert len(gzip.decompress(response.content).splitlines()) == 3001
    assert len(response.content) < 50_000
