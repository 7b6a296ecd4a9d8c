"""The JSON API: sessions and tokens, permissions, errors, uploads."""

import json
import re
import subprocess
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.test import LambdaClient
from apps.aws_lambda.uploads import grants
from apps.documents import tasks
from apps.documents.api.serializers import DocumentSerializer
from apps.documents.models import Document
from tests.aws_lambda.uploads.conftest import digest, put
from tests.documents.conftest import log_in, make_user

DOCUMENTS, UPLOADS = "/api/documents", "/api/uploads"
SHAPE = {"statusCode", "error", "message", "requestId", "timestamp"}


def program(user: Any) -> Client:
    """Return a client with a token instead of a session."""
    token = Token.objects.create(user=user)
    return Client(headers={"Authorization": f"Bearer {token.key}"})


def post(client: Client, path: str, **document: Any) -> Any:
    return client.post(path, json.dumps(document), "application/json")


def refused(response: Any, status: int, error: str) -> dict[str, Any]:
    """Return the body of an error, after a check of its shape."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["error"]) == (status, error), body
    assert set(body) >= SHAPE
    assert body["statusCode"] == status
    return body


# Who


def test_a_visitor_is_unauthorized(client: Client, db: None):
    response = client.get(DOCUMENTS)

    refused(response, 401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Bearer"


def test_a_wrong_token_is_unauthorized(client: Client, db: None):
    response = client.get(DOCUMENTS, headers={"Authorization": "Bearer none"})

    refused(response, 401, "authentication_failed")


def test_a_session_needs_a_csrf_token_to_write(ann: Any):
    client = Client(enforce_csrf_checks=True)
    client.force_login(ann, backend="django.contrib.auth.backends.ModelBackend")

    assert client.get(DOCUMENTS).status_code == 200
    refused(post(client, UPLOADS, name="a", size=1), 403, "permission_denied")


def test_a_second_user_finds_nothing_of_the_first(ann: Any, eve: Any, add: Any):
    url = f"{DOCUMENTS}/{add(ann).pk}"
    client = program(eve)

    assert client.get(DOCUMENTS).json()["results"] == []
    refused(client.get(url), 404, "not_found")
    refused(client.get(f"{url}/file"), 404, "not_found")
    refused(client.delete(url), 404, "not_found")
    response = client.patch(url, {"title": "x"}, "application/json")
    refused(response, 404, "not_found")
    assert Document.objects.get().title == "Minutes"


def test_a_reader_sees_all_and_changes_nothing(ann: Any, add: Any):
    url = f"{DOCUMENTS}/{add(ann).pk}"
    client = program(make_user("reader", "view_document"))

    assert client.get(url).json()["uploaded_by"] == "ann"
    refused(client.delete(url), 404, "not_found")


# Documents


def test_the_list_has_pages_of_constant_cost(
    ann: Any, add: Any, django_assert_num_queries: Any
):
    for n in range(5):
        add(ann, title=str(n))
    client = log_in(ann)

    # The session, the user, two for the permissions, and the documents.
    with django_assert_num_queries(5):
        first = client.get(DOCUMENTS, {"page_size": 2}).json()

    assert [d["title"] for d in first["results"]] == ["4", "3"]
    second = client.get(first["next"]).json()
    assert [d["title"] for d in second["results"]] == ["2", "1"]
    assert second["previous"]


@pytest.mark.parametrize(
    "cursor", [b"\xff", b"p=x", b"p=", b"p=%00", b"p=2026-13-45", b"p=2026-01-01"]
)
def test_a_cursor_that_was_made_up_is_not_found(ann: Any, cursor: bytes):
    given = {"cursor": b64encode(cursor).decode()}

    refused(log_in(ann).get(DOCUMENTS, given), 404, "not_found")


@pytest.mark.parametrize("size", ["0", "-1", "201", "x", "", "9" * 5000])
def test_a_page_size_out_of_range_is_refused(ann: Any, size: str):
    response = log_in(ann).get(DOCUMENTS, {"page_size": size})

    body = refused(response, 400, "validation_failed")
    assert body["fields"] == {"page_size": ["It must be a number from 1 to 200."]}


def test_a_document_is_created_changed_and_deleted(
    ann: Any, django_capture_on_commit_callbacks: Any
):
    client = program(ann)
    file = SimpleUploadedFile("Report.txt", b"We met.")

    created = client.post(DOCUMENTS, {"file": file, "note": "New"})
    assert created.status_code == 201
    assert created.json()["title"] == "Report"
    url = f"{DOCUMENTS}/{created.json()['id']}"

    found = client.get(url).json()
    assert (found["status"], found["size"]) == ("processed", 7)
    changed = client.patch(
        url, {"title": "Minutes", "status": "failed"}, "application/json"
    ).json()
    assert (changed["title"], changed["status"]) == ("Minutes", "processed")
    download = client.get(f"{url}/file")
    assert b"".join(download) == b"We met."
    assert 'filename="Minutes.txt"' in download["Content-Disposition"]

    with django_capture_on_commit_callbacks(execute=True):
        assert client.delete(url).status_code == 204
    assert not Document.objects.exists()


def test_the_pages_end_where_many_documents_have_the_same_time(ann: Any):
    Document.objects.bulk_create(
        Document(title="Imported", file="a.txt", uploaded_by=ann) for _ in range(1250)
    )
    Document.objects.update(uploaded_at=timezone.now())
    client, found = program(ann), []
    url: str | None = f"{DOCUMENTS}?page_size=200"

    for _ in range(7):
        page = client.get(str(url)).json()
        found += [document["id"] for document in page["results"]]
        url = page["next"]

    assert url is None
    assert len(set(found)) == len(found) == 1250


@pytest.mark.parametrize("status", [200, 404])
def test_a_change_keeps_what_happens_meanwhile(
    ann: Any,
    add: Any,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
):
    document = add(ann)

    def update(*args: Any) -> Any:
        if status == 200:
            tasks.fingerprint.func(document.pk)
        else:
            Document.objects.all().delete()
        return save(*args)

    save = DocumentSerializer.update
    monkeypatch.setattr(DocumentSerializer, "update", update)

    response = program(ann).patch(
        f"{DOCUMENTS}/{document.pk}", {"title": "New"}, "application/json"
    )

    assert response.status_code == status
    found = Document.objects.values_list("title", "status")
    assert list(found) == ([("New", "processed")] if status == 200 else [])


@pytest.mark.parametrize("body", [{"title": "a\nb"}, {"note": "x" * 1001}])
def test_a_change_that_is_not_valid_is_refused(
    ann: Any, add: Any, body: dict[str, str]
):
    url = f"{DOCUMENTS}/{add(ann).pk}"

    response = program(ann).patch(url, body, "application/json")

    assert body.keys() <= refused(response, 400, "validation_failed")["fields"].keys()


def test_the_largest_page_fits_an_answer_of_lambda(ann: Any):
    longest = Document._meta.get_field("note").max_length or 100_000
    title, note = "\U0001f600" * 200, "\U0001f600" * longest
    Document.objects.bulk_create(
        Document(title=title, note=note, file="a.txt", uploaded_by=ann)
        for _ in range(200)
    )
    token = Token.objects.create(user=ann)

    response = LambdaClient().get(
        f"{DOCUMENTS}?page_size=200",
        headers={"Authorization": f"Bearer {token.key}"},
    )

    assert response.status_code == 200
    assert len(response.json()["results"]) == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "upload"),
        ({"upload": "made-up"}, "upload"),
        ({"upload": 7}, "upload"),
        ({"title": ["x"]}, "title"),
        ({"title": 7}, "title"),
        ({"title": "\ud800"}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"title": "a\nb"}, "title"),
        ({"note": "x" * 1001}, "note"),
        ([], "detail"),
        ("text", "detail"),
    ],
)
def test_a_body_that_is_not_valid_is_explained(
    aws,
    ann: Any,
    body: Any,
    field: str,
):
    response = program(ann).post(DOCUMENTS, json.dumps(body), "application/json")

    assert field in refused(response, 400, "validation_failed")["fields"]


def test_a_program_in_a_body_is_refused(ann: Any):
    file = SimpleUploadedFile("setup.exe", b"MZ")

    response = program(ann).post(DOCUMENTS, {"file": file})

    assert "file" in refused(response, 400, "validation_failed")["fields"]


@pytest.mark.parametrize(
    ("content", "kind", "status", "error"),
    [
        ("{", "application/json", 400, "parse_error"),
        ("[" * 100_000, "application/json", 400, "parse_error"),
        ("<a/>", "text/xml", 415, "unsupported_media_type"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    ann: Any, content: str, kind: str, status: int, error: str
):
    refused(program(ann).post(DOCUMENTS, content, kind), status, error)


def test_another_method_is_refused(ann: Any):
    refused(program(ann).put(DOCUMENTS), 405, "method_not_allowed")


# Uploads


def test_a_program_sends_a_file_to_the_bucket(aws, ann: Any):
    client = program(ann)
    content = b"We met."

    grant = post(client, UPLOADS, name="Report.txt", size=len(content)).json()
    url = f"{UPLOADS}/{grant['token']}"
    signed = post(client, f"{url}/sign", parts={"1": digest(content)}).json()
    assert put(signed["parts"][0], content) == 200
    assert client.post(f"{url}/finish").status_code == 204
    created = post(client, DOCUMENTS, upload=grant["token"])

    assert created.status_code == 201
    document = Document.objects.get(pk=created.json()["id"])
    assert document.uploaded_by == ann
    assert aws.client("s3").head_object(Bucket="media", Key=document.file.name)


def test_the_upload_of_another_user_is_refused(
    aws,
    ann: Any,
    eve: Any,
):
    token = post(program(ann), UPLOADS, name="a.txt", size=1).json()["token"]
    other = program(eve)
    url = f"{UPLOADS}/{token}"

    for response in (
        post(other, f"{url}/sign", parts={"1": digest(b"1")}),
        other.post(f"{url}/finish"),
        other.delete(url),
    ):
        refused(response, 404, "not_found")
    response = post(other, DOCUMENTS, upload=token)
    assert "upload" in refused(response, 400, "validation_failed")["fields"]


def test_an_upload_that_was_not_sent_cannot_be_finished(aws, ann: Any):
    client = program(ann)
    token = post(client, UPLOADS, name="a.txt", size=1).json()["token"]

    refused(client.post(f"{UPLOADS}/{token}/finish"), 409, "conflict")


@pytest.mark.parametrize(
    "parts",
    [
        {"2": digest(b"1")},
        {"1": "eA=="},
        {str(number): digest(b"1") for number in range(1, 102)},
    ],
)
def test_a_part_that_cannot_be_signed_is_refused(aws, ann: Any, parts: dict[str, str]):
    client = program(ann)
    token = post(client, UPLOADS, name="a.txt", size=1).json()["token"]

    response = post(client, f"{UPLOADS}/{token}/sign", parts=parts)

    assert "parts" in refused(response, 400, "validation_failed")["fields"]


def test_an_upload_is_cancelled(aws, ann: Any):
    client = program(ann)
    token = post(client, UPLOADS, name="a.txt", size=1).json()["token"]

    assert client.delete(f"{UPLOADS}/{token}").status_code == 204
    refused(client.delete(f"{UPLOADS}/{token}"), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (UPLOADS, {"size": 1}, "name"),
        (UPLOADS, {"name": "a", "size": 0}, "size"),
        (UPLOADS, {"name": "a", "size": 2**70}, "size"),
        (UPLOADS, {"name": "a\0", "size": 1}, "name"),
        (UPLOADS, {"name": 7, "size": 1}, "name"),
        (UPLOADS, {"name": "a", "size": "1"}, "size"),
        (UPLOADS, {"name": "a", "size": 10**15}, "size"),
        (UPLOADS, {"name": "setup.exe", "size": 1}, "name"),
        (f"{UPLOADS}/x/sign", {"parts": {"one": "x"}}, "parts"),
        (f"{UPLOADS}/x/sign", {"parts": {}}, "parts"),
        (f"{UPLOADS}/x/sign", {"parts": {"\ud800": "\ud800"}}, "parts"),
    ],
)
def test_a_grant_is_checked(
    aws,
    ann: Any,
    path: str,
    body: Any,
    field: str,
):
    response = post(program(ann), path, **body)

    [text, *_] = refused(response, 400, "validation_failed")["fields"][field]
    assert isinstance(text, str)


# What it costs, and its description


def test_no_page_imports_the_framework():
    code = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
import django
django.setup()
from django.urls import resolve
for path in ("/", "/inbox/", "/api/documents", "/admin/"):
    resolve(path)
names = ("rest_framework.views", "pypdf", "puremagic", "imagesize", "csv")
print([name for name in names if name in sys.modules])
"""
    output = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert output.stdout.strip() == "[]"


def test_the_description_is_that_of_the_views():
    output = subprocess.run(
        [sys.executable, "-m", "project.api.schema"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    stored = Path(ROOT / "project/api/openapi.json").read_text()

    assert output.stderr == ""
    assert output.stdout == stored, (
        "Run: .venv/bin/python -m project.api.schema > project/api/openapi.json"
    )


def test_the_description_is_public(client: Client):
    paths = client.get("/api/openapi.json").json()["paths"]

    assert "post" in paths["/api/uploads/{token}/sign"]


def test_the_client_of_the_documentation_sends_a_file_in_parts(
    live_server, aws, ann: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(grants, "PART_BYTES", 5 * 2**20)
    page = (ROOT / "docs/api.md").read_text().partition("## Upload a file")[2]
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    client: dict[str, Any] = {}
    exec(code, client)  # noqa: S102
    path = tmp_path / "Report.bin"
    path.write_bytes(bytes(5 * 2**20) + b"the end")
    token = Token.objects.create(user=ann)

    found = client["upload"](live_server.url, token.key, path)

    assert found["title"] == "Report"
    document = Document.objects.get(pk=found["id"])
    with document.file.open() as file:
        assert file.read() == path.read_bytes()
