"""Rows of the admin's formsets, each with an upload of its own."""

import re
from typing import Any

import pytest

from apps.aws_lambda.uploads.models import Upload
from apps.documents.models import Document
from tests.aws_lambda.uploads.conftest import Browser


@pytest.fixture(autouse=True)
def _site(aws: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.aws_lambda.uploads.site"


@pytest.fixture
def page(browser: Browser) -> str:
    """Return the page of the user, with a row for each document."""
    return f"/inlines/accounts/user/{browser.user.pk}/change/"


def rows(initial: int, *given: dict[str, Any], prefix: str = "documents") -> Any:
    data: dict[str, Any] = {
        "username": "ann",
        f"{prefix}-TOTAL_FORMS": len(given),
        f"{prefix}-INITIAL_FORMS": initial,
    }
    for number, row in enumerate(given):
        data |= {f"{prefix}-{number}-{name}": value for name, value in row.items()}
    return data


def test_each_row_of_an_inline_saves_its_own_upload(browser: Browser, page: str):
    html = browser.client.get(page).content.decode()
    # The second is the row that "Add another" copies.
    assert html.count("data-upload-ticket") == 2
    assert 'name="documents-__prefix__-file"' in html
    first, second = (browser.send(f"{n}.txt", n.encode()) for n in "12")

    response = browser.client.post(
        page,
        rows(
            0,
            {"title": "one", "file-upload": first},
            {"title": "two", "file-upload": second},
        ),
    )

    assert response.status_code == 302, response.context["errors"]
    saved = {d.title: d.file for d in browser.user.documents.all()}
    assert saved.keys() == {"one", "two"}
    for title, content in (("one", b"1"), ("two", b"2")):
        with saved[title] as file:
            assert file.read() == content


def test_a_row_with_nothing_but_an_upload_is_not_skipped(browser: Browser, page: str):
    token = browser.send("a.txt", b"content")

    response = browser.client.post(page, rows(0, {"title": "", "file-upload": token}))

    html = response.content.decode()
    assert "This field is required." in html
    assert f'name="documents-0-file-upload" value="{token}"' in html
    assert not Document.objects.exists()


def test_one_token_in_two_rows_saves_neither(browser: Browser, page: str):
    token = browser.send("a.txt", b"content")
    row = {"title": "a", "file-upload": token}

    response = browser.client.post(page, rows(0, row, row))

    assert response.status_code == 400
    assert not Document.objects.exists()
    assert Upload.objects.get().claimed_at is None


def test_a_row_without_a_new_file_keeps_its_file(browser: Browser, page: str):
    file = Document.objects.create(
        title="a", file="documents/a.txt", uploaded_by=browser.user
    )
    token = browser.send("b.txt", b"content")

    def change(**row: Any) -> str:
        row = {"id": file.pk, "uploaded_by": browser.user.pk, **row}
        assert browser.client.post(page, rows(1, row)).status_code == 302
        file.refresh_from_db()
        return f"{file.title} {file.file.name}"

    assert change(title="new") == "new documents/a.txt"
    name = Upload.objects.get().name
    assert change(**{"title": "newer", "file-upload": token}) == f"newer {name}"


def test_a_file_is_replaced_in_the_list(browser: Browser):
    document = Document.objects.create(title="a", file="documents/a.txt")
    page = "/inlines/documents/document/"
    html = browser.client.get(page).content.decode()
    assert "data-upload-ticket" in html
    assert re.search(r'src="[^"]*/uploads\.[^"]*js"', html)
    token = browser.send("b.txt", b"content")
    row = {"id": document.pk, "title": "b", "file-upload": token}

    response = browser.client.post(page, {**rows(1, row, prefix="form"), "_save": "1"})

    assert response.status_code == 302
    document.refresh_from_db()
    assert document.file.name == Upload.objects.get().name
