"""Attempts to upload what was not granted, or to save what is not one's own."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import BadRequest
from django.core.validators import FileExtensionValidator
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from apps.aws_lambda.aws import multipart
from apps.aws_lambda.aws.http import AwsError
from apps.aws_lambda.aws.s3 import Bucket
from apps.aws_lambda.uploads import grants, tickets
from apps.aws_lambda.uploads.fields import UploadedObject
from apps.aws_lambda.uploads.models import Upload
from apps.documents.models import Document
from tests.aws_lambda.uploads.conftest import Browser, digest, put
from tests.services.aws import AWS

UNAVAILABLE = "This upload is not available. Send the file again."
FIELD = Document._meta.get_field("file")


def errors(browser: Browser, *tokens: str) -> list[str]:
    """Return the errors of the field in the form with these tokens."""
    response: Any = browser.save(**{"file-upload": list(tokens)})
    assert response.status_code == 200, "the form was saved"
    assert not Document.objects.exists()
    return list(response.context["adminform"].form.errors["file"])


def test_the_upload_of_another_user_is_refused(browser: Browser, eve: Browser):
    token = browser.send("a.txt", b"content")

    assert errors(eve, token) == [UNAVAILABLE]
    for path in ("sign", "state", "finish", "cancel"):
        refusal = eve.refused(f"{token}/{path}", parts={"1": digest(b"content")})
        assert refusal == UNAVAILABLE
    assert browser.save(**{"file-upload": token}).status_code == 302


@pytest.mark.parametrize(
    "token", ["made-up", "documents/a.txt", "../a", "a\0b", "x" * 5000]
)
def test_a_token_that_was_not_granted_is_refused(browser: Browser, token: str):
    assert errors(browser, token) == [UNAVAILABLE]


def test_a_token_is_used_once(browser: Browser):
    token = browser.send("a.txt", b"content")
    assert browser.save(**{"file-upload": token}).status_code == 302
    Document.objects.all().delete()

    assert errors(browser, token) == [UNAVAILABLE]


def test_of_two_requests_with_one_token_the_second_is_refused(
    browser: Browser, monkeypatch
):
    token = browser.send("a.txt", b"content")
    original = UploadedObject.stored_in

    def another_is_faster(self: UploadedObject, storage: Any) -> str:
        Upload.objects.update(claimed_at=timezone.now())
        return original(self, storage)

    monkeypatch.setattr(UploadedObject, "stored_in", another_is_faster)

    assert browser.save(**{"file-upload": token}).status_code == 400
    assert not Document.objects.exists()


def test_an_upload_can_be_saved_after_a_rollback(browser: Browser):
    token = browser.send("a.txt", b"content")
    upload = Upload.objects.get()
    file = UploadedObject(upload, FIELD.storage)

    with transaction.atomic():
        Document.objects.create(title="a", file=file)
        transaction.set_rollback(True)

    assert not Document.objects.exists()
    assert browser.save(**{"file-upload": token}).status_code == 302


def test_the_upload_for_another_field_is_refused(browser: Browser):
    token = browser.send("a.txt", b"content")
    Upload.objects.update(field="documents.Other.file")

    assert errors(browser, token) == [UNAVAILABLE]


def test_an_unfinished_upload_is_refused(browser: Browser):
    token = browser.start("a.txt", 7)

    assert errors(browser, token) == [UNAVAILABLE]
    assert "not complete" in browser.refused(f"{token}/finish")


def test_an_old_upload_is_refused(browser: Browser):
    token = browser.send("a.txt", b"content")
    Upload.objects.update(created_at=timezone.now() - grants.USABLE)

    # It is about to be purged; a new link would be valid for longer.
    assert errors(browser, token) == [UNAVAILABLE]
    assert browser.refused(f"{token}/sign", parts={}) == UNAVAILABLE


def test_a_file_and_the_wish_to_clear_contradict_each_other(browser: Browser):
    browser.save(**{"file-upload": browser.send("a.txt", b"content")})
    document = Document.objects.get()
    field = Document._meta.get_field("file")
    field.blank = True
    try:
        response: Any = browser.client.post(
            f"/admin/documents/document/{document.pk}/change/",
            {
                "title": "a",
                "file-upload": browser.send("b.txt", b"b"),
                "file-clear": "on",
            },
        )
    finally:
        field.blank = False

    [error] = response.context["adminform"].form.errors["file"]
    assert "not both" in error


def test_a_ticket_is_for_its_user(browser: Browser, eve: Browser):
    ticket = browser.ticket()

    for given in (ticket, ticket[:-1], "", "documents.Document.file"):
        refusal = eve.refused("start", ticket=given, name="a.txt", size=1)
        assert refusal == "This form is too old. Reload the page."


def test_a_ticket_expires(browser: Browser, monkeypatch):
    ticket = browser.ticket()
    monkeypatch.setattr(tickets, "MAX_AGE_SECONDS", -1)

    refusal = browser.refused("start", ticket=ticket, name="a.txt", size=1)
    assert refusal == "This form is too old. Reload the page."


def test_without_a_csrf_token_nothing_is_granted(browser: Browser):
    client = Client(enforce_csrf_checks=True)
    client.force_login(browser.user)

    assert client.post("/_uploads/start", {}, "application/json").status_code == 403


def test_without_a_login_nothing_is_granted(browser: Browser):
    ticket = browser.ticket()
    browser.client.logout()

    refusal = browser.refused("start", ticket=ticket, name="a.txt", size=1)
    assert refusal == "This form is too old. Reload the page."


@pytest.mark.parametrize(
    "document", [b"[]", b"{", b"\xff", b"{}", b'{"ticket": 1, "name": 2}']
)
def test_a_malformed_request_is_refused(browser: Browser, document: bytes):
    response = browser.client.post("/_uploads/start", document, "application/json")

    assert response.status_code == 400
    assert response.json()["error"]


@pytest.mark.parametrize("parts", [None, 1, ["1"], {"a": "b"}, {"1": None}])
def test_malformed_parts_are_refused(browser: Browser, parts: Any):
    assert browser.refused(f"{browser.start('a.txt', 7)}/sign", parts=parts)


@pytest.mark.parametrize("size", ["a", None, [], float("inf"), float("nan"), 10**30])
def test_a_malformed_size_is_refused(browser: Browser, size: Any):
    assert browser.refused("start", ticket=browser.ticket(), name="a", size=size)


def test_other_methods_are_refused(browser: Browser):
    assert browser.client.get("/_uploads/start").status_code == 405
    assert browser.client.get("/_uploads/other").status_code == 404


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "empty"), (-1, "empty"), (5 * 1024**3 + 1, "The limit is 5.0\xa0GB")],
)
def test_a_size_that_is_not_allowed_is_refused(browser: Browser, size: int, text: str):
    refusal = browser.refused("start", ticket=browser.ticket(), name="a", size=size)

    assert text in refusal
    assert not Upload.objects.exists()


def test_nesting_without_end_is_refused(browser: Browser):
    response = browser.client.post(
        "/_uploads/start", b"[" * 200_000, "application/json"
    )

    assert response.status_code == 400


def test_a_path_that_does_not_exist_has_the_sites_own_page(browser: Browser):
    response = browser.client.get("/_uploads/other", headers={"accept": "*/*"})

    # Django's own page is HTML.
    assert response.json()["error"] == "not_found"


def test_the_sites_limit_applies(browser: Browser, settings):
    settings.LAMBDA_UPLOAD_MAX_BYTES = 10

    ticket = browser.ticket()
    assert "limit" in browser.refused("start", ticket=ticket, name="a", size=11)
    browser.post("start", ticket=ticket, name="a", size=10)


def test_an_extension_that_the_field_refuses_is_refused_before_it_is_sent(
    browser: Browser, monkeypatch
):
    validators = [FileExtensionValidator(["pdf"])]
    monkeypatch.setattr(FIELD, "_validators", validators)
    monkeypatch.delitem(vars(FIELD), "validators", raising=False)

    refusal = browser.refused("start", ticket=browser.ticket(), name="a.html", size=1)

    monkeypatch.delitem(vars(FIELD), "validators", raising=False)
    assert "html" in refusal
    assert "not allowed" in refusal


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("../../etc/passwd.txt", "passwd_"),
        ("a/b\\c.txt", "c_"),
        ("/etc/x.txt", "x_"),
        ("ä ö%+?.txt", "ä_ö_"),
        ("n" * 400 + ".txt", "nnnn"),
    ],
)
def test_a_path_in_a_name_is_cut_off(browser: Browser, name: str, stored: str):
    browser.start(name, 1)

    upload = Upload.objects.get()
    folder, _, last = upload.name.rpartition("/")
    assert folder.startswith("documents/20")
    assert ".." not in folder
    assert last.startswith(stored)
    assert last.endswith(".txt")
    assert len(upload.name) <= (FIELD.max_length or 0)


@pytest.mark.parametrize("name", ["..", ".", "/", "", "a\x00b" * 100 + "/"])
def test_a_name_that_is_none_is_refused(browser: Browser, name: str):
    browser.refused("start", ticket=browser.ticket(), name=name, size=1)

    assert not Upload.objects.exists()


def test_a_name_has_the_characters_that_are_printed(browser: Browser):
    browser.start("Minutes\x00 of\r\n the \u202emeeting.txt", 1)

    assert Upload.objects.get().filename == "Minutes of the meeting.txt"


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.xhtml", "a.mjs", "a.xml"])
def test_no_upload_is_a_page_that_a_browser_runs(browser: Browser, aws: AWS, name: str):
    browser.send(name, b"<script>alert(1)</script>")

    key = Upload.objects.get().name
    found = aws.client("s3").head_object(Bucket="media", Key=key)
    assert found["ContentType"] == "application/octet-stream"
    assert found["ContentDisposition"] == "attachment"


def test_the_quota_of_a_user_counts_what_is_not_saved(
    browser: Browser, eve: Browser, settings
):
    settings.LAMBDA_UPLOAD_QUOTA = 2
    first, second = (browser.send(f"{n}.txt", b"content") for n in "12")
    ticket = browser.ticket()
    assert "2 unsaved" in browser.refused("start", ticket=ticket, name="3", size=1)
    eve.start("a.txt", 1)

    assert browser.save(**{"file-upload": first}).status_code == 302
    third = browser.start("3.txt", 1)

    # A link of the cancelled one may still be valid.
    browser.post(f"{third}/cancel")
    assert "2 unsaved" in browser.refused("start", ticket=ticket, name="4", size=1)
    Upload.objects.filter(pk=third).update(
        cancelled_at=timezone.now() - grants.CANCELLED
    )
    browser.start("4.txt", 1)
    assert second


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has no locks of rows"
)
def test_two_requests_at_once_do_not_exceed_the_quota(browser: Browser, settings):
    settings.LAMBDA_UPLOAD_QUOTA = 1
    ticket = browser.ticket()

    def start() -> str:
        try:
            return browser.refused("start", ticket=ticket, name="2.txt", size=1)
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool, transaction.atomic():
        browser.start("1.txt", 1)
        other = pool.submit(start)
        # Until it waits for the first one, which is not committed.
        while not other.done() and not lock_is_awaited():
            time.sleep(0.01)

    assert "1 unsaved" in other.result()
    assert Upload.objects.count() == 1


def lock_is_awaited() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
        return cursor.fetchone() is not None


def test_a_grant_that_the_bucket_refuses_does_not_count(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*args: object) -> None:
        raise AwsError("S3 returned AccessDenied", "AccessDenied")

    monkeypatch.setattr(multipart, "create", refuse)

    size = grants.PART_BYTES + 1
    document = {"ticket": browser.ticket(), "name": "a", "size": size}
    assert browser.try_post("start", **document).status_code == 503
    assert not Upload.objects.exists()


def test_a_signed_request_sends_exactly_one_body(browser: Browser):
    token = browser.start("a.txt", 7)

    [signed] = browser.sign(token, b"content")

    # They are signed, so S3 refuses others; the tests of the client compare signatures.
    for name in (
        "content-disposition",
        "content-length",
        "content-type",
        "if-none-match",
        "x-amz-checksum-sha256",
    ):
        assert name in signed["url"]
    assert put(signed, b"content") == 200
    assert put(signed, b"another") == 412


@pytest.mark.parametrize(
    "parts",
    [
        {"0": digest(b"a")},
        {"2": digest(b"a")},
        {"-1": digest(b"a")},
        {"1": "not base64"},
        {"1": "YQ=="},
        {str(n): digest(b"a") for n in range(1, 102)},
    ],
)
def test_only_parts_of_the_file_are_signed(browser: Browser, parts: dict[str, str]):
    token = browser.start("a.txt", 7)

    assert browser.refused(f"{token}/sign", parts=parts)


def test_another_file_than_the_granted_one_is_not_finished(browser: Browser, aws: AWS):
    token = browser.start("a.txt", 7)
    key = Upload.objects.get().name
    aws.client("s3").put_object(Bucket="media", Key=key, Body=b"longer than 7")

    refusal = browser.refused(f"{token}/finish")

    assert refusal == "The file is not the one that was announced."
    assert errors(browser, token) == [UNAVAILABLE]


def test_a_finished_upload_is_not_signed_again(browser: Browser):
    token = browser.send("a.txt", b"content")

    refusal = browser.refused(f"{token}/sign", parts={"1": digest(b"content")})
    assert refusal == UNAVAILABLE
    # The answer was lost, and the script asks again.
    assert browser.post(f"{token}/finish")["size"] == 7


def test_a_cancelled_upload_is_deleted_and_cannot_be_saved(browser: Browser, aws: AWS):
    token = browser.send("a.txt", b"content")

    browser.post(f"{token}/cancel")

    assert aws.client("s3").list_objects_v2(Bucket="media")["KeyCount"] == 0
    assert errors(browser, token) == [UNAVAILABLE]


def test_a_claimed_file_is_not_cancelled(browser: Browser, aws: AWS):
    token = browser.send("a.txt", b"content")
    assert browser.save(**{"file-upload": token}).status_code == 302

    browser.refused(f"{token}/cancel")

    assert aws.client("s3").list_objects_v2(Bucket="media")["KeyCount"] == 1


def test_a_claim_that_comes_too_late_is_refused(browser: Browser):
    browser.send("a.txt", b"content")
    upload = Upload.objects.get()
    Upload.objects.update(cancelled_at=timezone.now())

    with pytest.raises(BadRequest, match="was saved before"):
        Document.objects.create(title="a", file=UploadedObject(upload, FIELD.storage))


def test_a_user_of_a_removed_account_has_no_upload(browser: Browser):
    browser.send("a.txt", b"content")
    browser.user.delete()

    assert Upload.objects.get().user is None


def test_a_day_later_it_is_purged(browser: Browser, aws: AWS):
    from django.core.management import call_command

    large = 17 * 1024 * 1024
    browser.start("unfinished.bin", large)
    browser.send("unsaved.txt", b"content")
    kept = browser.send("saved.txt", b"content")
    assert browser.save(**{"file-upload": kept}).status_code == 302
    Upload.objects.update(created_at=timezone.now() - grants.EXPIRY)
    new = browser.send("new.txt", b"content")

    call_command("purge_uploads")

    client = aws.client("s3")
    names = {o["Key"] for o in client.list_objects_v2(Bucket="media")["Contents"]}
    assert names == {
        Document.objects.get().file.name,
        Upload.objects.get(pk=new).name,
    }
    assert "Uploads" not in client.list_multipart_uploads(Bucket="media")
    assert {u.pk for u in Upload.objects.all()} == {kept, new}
    Upload.objects.filter(pk=kept).update(claimed_at=timezone.now() - timedelta(2))
    call_command("purge_uploads")
    assert {u.pk for u in Upload.objects.all()} == {new}


def test_a_file_that_cannot_be_purged_does_not_keep_the_others(
    browser: Browser, aws: AWS, monkeypatch
):
    for name in ("1.txt", "2.txt", "3.txt"):
        browser.send(name, b"content")
    Upload.objects.update(created_at=timezone.now() - grants.EXPIRY)
    broken = Upload.objects.all()[0]
    original = Bucket.delete

    def delete(self: Bucket, key: str) -> None:
        if key == broken.name:
            raise AwsError("S3 returned AccessDenied", "AccessDenied")
        original(self, key)

    monkeypatch.setattr(Bucket, "delete", delete)

    with pytest.raises(AwsError, match="AccessDenied"):
        grants.purge()

    # It is tried again by the next purge.
    assert [upload.pk for upload in Upload.objects.all()] == [broken.pk]
    monkeypatch.setattr(Bucket, "delete", original)
    assert grants.purge() == 1
