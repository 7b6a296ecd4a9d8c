"""Uploads in a browser, to a bucket on another origin, under the project's policy."""

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Route,
    expect,
    sync_playwright,
)

from apps.aws_lambda.cli import ROOT
from tests.services import chromium
from tests.services.aws import AWS
from tests.services.runserver import runserver

PASSWORD = "correct horse battery staple"
MIB = 1024 * 1024
TIMEOUT_SECONDS = 30
expect.set_options(timeout=TIMEOUT_SECONDS * 1000)


@dataclass
class Site:
    url: str
    database: Path
    aws: AWS

    def saved(self) -> list[tuple[str, str]]:
        """Return the titles and the files of all documents."""
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(
                "SELECT title, file FROM documents_document ORDER BY id"
            ).fetchall()

    def content(self, name: str) -> bytes:
        found = self.aws.client("s3").get_object(Bucket="media", Key=name)
        return bytes(found["Body"].read())

    def left(self) -> list[str]:
        """Return what the bucket has, uploads in parts included."""
        client = self.aws.client("s3")
        objects = client.list_objects_v2(Bucket="media").get("Contents", ())
        parts = client.list_multipart_uploads(Bucket="media").get("Uploads", ())
        return [found["Key"] for found in (*objects, *parts)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    database = tmp_path_factory.mktemp("uploads") / "db.sqlite3"
    with AWS() as aws:
        environment = os.environ | aws.environment()
        environment |= {
            "DATABASE_URL": f"sqlite:///{database}",
            "DJANGO_SETTINGS_MODULE": "tests.aws_lambda.uploads.site",
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "MEDIA_BUCKET": "media",
        }
        create = ["createsuperuser", "--noinput", "--username=ann", "--email=a@b.cd"]
        for command in (["migrate"], ["createcachetable"], create):
            subprocess.run(
                [sys.executable, "manage.py", *command],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        with runserver(sys.executable, ROOT, environment) as url:
            client = aws.client("s3")
            client.create_bucket(
                Bucket="media",
                CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
            )
            rule = {
                "AllowedMethods": ["GET", "PUT"],
                "AllowedHeaders": ["*"],
                "AllowedOrigins": [url],
            }
            client.put_bucket_cors(
                Bucket="media", CORSConfiguration={"CORSRules": [rule]}
            )
            yield Site(url, database, aws)


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    found = chromium.find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(found.executable),
            args=[*found.args],
            env={**found.env},
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def session(chrome: Browser, site: Site) -> Any:
    """Return the cookies of a user who is logged in."""
    context = chrome.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/admin/login/?next=/inbox/")
    page.get_by_label("Username").fill("ann")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{site.url}/inbox/")
    cookies = context.cookies()
    context.close()
    return cookies


@dataclass
class Visit:
    """A page of a user who is logged in."""

    page: Page
    site: Site
    problems: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(TIMEOUT_SECONDS * 1000)
        self.page.on(
            "console",
            lambda m: self.problems.append(m.text) if m.type == "error" else None,
        )
        self.page.on("pageerror", lambda e: self.problems.append(str(e)))
        bucket = self.site.aws.url
        self.page.on(
            "requestfinished",
            lambda r: (
                self.sent.append(r.url)
                if r.method == "PUT" and r.url.startswith(bucket)
                else None
            ),
        )

    def add(self, title: str = "") -> None:
        self.page.goto(f"{self.site.url}/admin/documents/document/add/")
        self.page.get_by_label("Title").fill(title)

    def save(self) -> None:
        self.page.get_by_role("button", name="Save", exact=True).click()

    def is_saved(self) -> None:
        expect(self.page.locator(".messagelist .success")).to_be_visible()

    def file(self, title: str) -> str:
        [name] = [file for found, file in self.site.saved() if found == title]
        return name

    def status(self, text: str) -> None:
        expect(self.page.locator(".upload-status")).to_contain_text(text)


@pytest.fixture
def context(chrome: Browser, session: Any, site: Site) -> Iterator[BrowserContext]:
    context = chrome.new_context()
    context.add_cookies(session)
    yield context
    context.close()


@pytest.fixture
def visit(context: BrowserContext, site: Site) -> Visit:
    return Visit(context.new_page(), site)


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str, float], Path]:
    def make(name: str, megabytes: float) -> Path:
        path = tmp_path / name
        path.write_bytes(os.urandom(4096) * int(megabytes * 256))
        return path

    return make


def until(page: Page, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        # Events of the browser are handled meanwhile.
        page.wait_for_timeout(50)


@pytest.mark.parametrize("megabytes", [0.5, 36])
def test_a_file_that_is_saved_at_once_is_in_the_bucket(
    visit: Visit, file: Any, megabytes: float
):
    title = f"At once {megabytes}"
    path = file("Straße 東京.bin", megabytes)
    visit.add(title)

    visit.page.locator("#id_file").set_input_files(path)
    visit.save()
    visit.is_saved()

    content = visit.site.content(visit.file(title))
    assert sha256(content).digest() == sha256(path.read_bytes()).digest()
    assert len(visit.sent) == (1 if megabytes < 16 else 3)
    # Among them would be what the policy forbids.
    assert visit.problems == []


def test_the_button_of_the_form_is_not_lost(visit: Visit, file: Any):
    visit.add("Continue")
    visit.page.locator("#id_file").set_input_files(file("a.bin", 1))

    visit.page.get_by_role("button", name="Save and continue editing").click()

    visit.is_saved()
    assert re.search(r"/document/\d+/change/$", visit.page.url)


def test_a_cut_connection_is_retried(visit: Visit, file: Any):
    cut: list[str] = []

    def some(route: Route) -> None:
        if route.request.method == "PUT" and len(cut) < 3:
            cut.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    visit.page.route(f"{visit.site.aws.url}/**", some)
    path = file("cut.bin", 17)
    visit.add("Cut")

    visit.page.locator("#id_file").set_input_files(path)
    visit.save()
    visit.is_saved()

    assert len(cut) == 3
    assert visit.site.content(visit.file("Cut")) == path.read_bytes()


def test_an_upload_continues_after_a_reload(visit: Visit, file: Any):
    path = file("reload.bin", 36)
    held: list[Route] = []
    reloaded: list[bool] = []

    def hold_last(route: Route) -> None:
        if "partNumber=3" in route.request.url and not reloaded:
            held.append(route)
        else:
            route.continue_()

    visit.page.route(f"{visit.site.aws.url}/**", hold_last)
    visit.add("Reload")
    visit.page.locator("#id_file").set_input_files(path)
    until(visit.page, lambda: held and len(visit.sent) == 2)
    visit.page.on("dialog", lambda dialog: dialog.accept())
    visit.page.reload()
    reloaded.append(True)

    visit.page.get_by_label("Title").fill("Reload")
    visit.page.locator("#id_file").set_input_files(path)
    visit.save()
    visit.is_saved()

    parts = [re.search(r"partNumber=(\d)", url) for url in visit.sent]
    assert sorted(part[1] for part in parts if part) == ["1", "2", "3"]
    assert visit.site.content(visit.file("Reload")) == path.read_bytes()


def test_a_cancelled_upload_leaves_nothing(visit: Visit, file: Any):
    before = visit.site.left()
    visit.page.route(
        f"{visit.site.aws.url}/**",
        lambda route: (
            None if "partNumber=2" in route.request.url else route.continue_()
        ),
    )
    visit.add("Cancelled")
    visit.page.locator("#id_file").set_input_files(file("cancel.bin", 17))
    until(visit.page, lambda: visit.sent)

    visit.page.get_by_role("button", name="Cancel").click()

    visit.status("cancel.bin is removed")
    expect(visit.page.locator("#id_file")).to_be_focused()
    until(visit.page, lambda: visit.site.left() == before)
    visit.save()
    expect(visit.page.locator(".errorlist")).to_contain_text("required")


def test_a_refused_file_does_not_leave_with_the_form(visit: Visit, file: Any):
    visit.add("Refused")
    visit.page.locator("#id_file").set_input_files(file("large.bin", 41))
    expect(visit.page.locator(".upload-error")).to_contain_text("The limit is 40.0")

    visit.save()
    visit.status("Wait for the upload, or remove the file.")

    expect(visit.page.get_by_role("button", name="Remove")).to_be_focused()
    visit.page.keyboard.press("Enter")
    visit.page.locator("#id_file").set_input_files(file("small.bin", 1))
    visit.save()
    visit.is_saved()
    assert visit.file("Refused").rpartition("/")[2].startswith("small_")


def test_the_upload_is_kept_when_another_field_has_an_error(visit: Visit, file: Any):
    path = file("kept.bin", 1)
    visit.add()
    visit.page.locator("#id_file").set_input_files(path)
    visit.save()
    expect(visit.page.locator(".errorlist")).to_contain_text("required")
    expect(visit.page.locator(".upload-item")).to_contain_text("kept.bin is uploaded")

    visit.page.get_by_label("Title").fill("Kept")
    visit.save()
    visit.is_saved()

    assert visit.site.content(visit.file("Kept")) == path.read_bytes()
    assert len(visit.sent) == 1


def test_without_javascript_the_file_is_in_the_form(
    chrome: Browser, session: Any, site: Site, file: Any
):
    context = chrome.new_context(java_script_enabled=False)
    context.add_cookies(session)
    visit = Visit(context.new_page(), site)
    path = file("plain.bin", 1)
    visit.add("Without a script")

    visit.page.locator("#id_file").set_input_files(path)
    visit.save()
    visit.is_saved()

    assert visit.sent == []
    assert site.content(visit.file("Without a script")) == path.read_bytes()
    context.close()


def test_several_files_are_chosen_and_dropped(visit: Visit, file: Any):
    visit.page.goto(f"{visit.site.url}/inbox/")
    box = visit.page.locator(".upload")
    visit.page.locator("[type=file]").set_input_files(
        [file("one.bin", 1), file("two.bin", 17)]
    )
    dropped = visit.page.evaluate_handle(
        "() => { const data = new DataTransfer();"
        "data.items.add(new File(['dropped'], 'three.txt')); return data; }"
    )
    box.dispatch_event("dragover", {"dataTransfer": dropped})
    expect(box).to_have_class(re.compile("upload-over"))
    box.dispatch_event("drop", {"dataTransfer": dropped})

    visit.page.get_by_role("button", name="Keep").click()

    saved = visit.page.locator("output")
    for name in ("one.bin", "two.bin", "three.txt"):
        # The button that was clicked is part of the form.
        expect(saved).to_contain_text(f"keep {name}")
    assert visit.site.content(visit.file("keep three.txt")) == b"dropped"
    assert visit.problems == []


def test_an_upload_is_removed_by_keyboard(visit: Visit, file: Any):
    visit.page.goto(f"{visit.site.url}/inbox/")
    visit.page.locator("[type=file]").set_input_files(file("keys.bin", 1))
    visit.status("keys.bin is uploaded")
    expect(visit.page.locator("[type=file]")).not_to_have_attribute("required", "")

    visit.page.locator("[type=file]").focus()
    visit.page.keyboard.press("Tab")
    expect(visit.page.get_by_role("button", name="Remove")).to_be_focused()
    visit.page.keyboard.press("Enter")

    visit.status("keys.bin is removed")
    expect(visit.page.locator("[type=file]")).to_have_attribute("required", "")


def test_rows_of_a_formset_have_uploads_of_their_own(visit: Visit, file: Any):
    page = visit.page
    before = {*visit.site.left()}
    page.goto(f"{visit.site.url}/inlines/accounts/user/1/change/")
    # After those of the documents that there are.
    first = int(page.locator("#id_documents-INITIAL_FORMS").input_value())
    page.get_by_text("Add another Document").click()
    for row, name in enumerate(("removed", "kept"), first):
        page.locator(f"#id_documents-{row}-title").fill(f"Row {name}")
        path = file(f"{name}.bin", 0.5)
        page.locator(f"#id_documents-{row}-file").set_input_files(path)
        expect(page.locator(f"[name=documents-{row}-file-upload]")).to_have_count(1)

    # The other row gets its number.
    page.locator(f"#documents-{first} .inline-deletelink").click()
    expect(page.locator(f"[name=documents-{first}-file-upload]")).to_have_count(1)
    visit.save()

    visit.is_saved()
    kept = visit.file("Row kept")
    assert visit.site.content(kept) == path.read_bytes()
    assert [title for title, _ in visit.site.saved() if title == "Row removed"] == []
    until(page, lambda: {*visit.site.left()} - before == {kept})
    assert visit.problems == []
