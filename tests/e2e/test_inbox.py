"""The inbox in a real browser: two users, a bucket, a queue, under `run`."""

import os
import re
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.e2e.conftest import ARTIFACTS
from tests.e2e.local_site import LocalSite
from tests.e2e.test_browser import PNG

TIMEOUT_MS = 30_000
PASSWORD = "correct horse battery staple"
MIB = 1024 * 1024
GIB = 1024 * MIB
WORD_TYPE = "vnd.openxmlformats-officedocument.wordprocessingml.document"
BUCKET = re.compile("-mediabucket/")
LONG = "A name that is long, and_has_no_space_in_its_second_half_" + "x" * 60 + ".txt"


# The status of each request, such as "GET /path".
STATUSES = """async (requests) => {
    const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
    const headers = {"X-CSRFToken": token, "Content-Type": "application/json"};
    const found = [];
    for (const request of requests) {
        const [method, path] = request.split(" ");
        const body = method === "PATCH" ? '{"title": "Mine"}' : undefined;
        const options = {method, headers, body, redirect: "manual"};
        found.push((await fetch(path, options)).status);
    }
    return found;
}"""


def log_in(page: Page, site: LocalSite, name: str, password: str) -> None:
    page.goto(f"{site.url}/inbox/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{site.url}/inbox/")


@pytest.fixture(scope="module")
def session(browser: Browser, local_site: LocalSite) -> Any:
    """Return the cookies of the superuser."""
    context = browser.new_context()
    log_in(context.new_page(), local_site, "admin", local_site.password)
    cookies = context.cookies()
    context.close()
    return cookies


@pytest.fixture
def context(browser: Browser, session: Any) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_cookies(session)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, local_site: LocalSite) -> Page:
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.goto(f"{local_site.url}/inbox/")
    return page


def is_wider_than_the_window(page: Page) -> bool:
    return bool(
        page.evaluate(
            """() => [...document.querySelectorAll("html, .results, .drop")].some(
                (one) => one.scrollWidth > one.clientWidth)"""
        )
    )


def test_files_are_sent_processed_approved_downloaded_and_of_one_user(
    page: Page, browser: Browser, local_site: LocalSite, tmp_path: Path
):
    large = os.urandom(MIB) * 60
    files = {"Map.png": PNG, "Minutes.txt": b"We met.", "Archive.bin": large}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    loads: list[str] = []
    page.on("domcontentloaded", lambda p: loads.append(p.url))

    page.get_by_label("Add files").set_input_files([tmp_path / name for name in files])
    # The bar moves.
    bar = page.locator(".upload-item", has_text="Archive.bin").locator("progress")
    expect(bar).not_to_have_js_property("value", 0, timeout=TIMEOUT_MS)
    page.screenshot(path=ARTIFACTS / "inbox-1-sending.png")
    expect(page.locator(".row .state.processed")).to_have_count(3, timeout=TIMEOUT_MS)
    page.screenshot(path=ARTIFACTS / "inbox-2-processed.png")
    expect(page.locator("#count")).to_have_text("3")
    assert not loads
    assert not problems

    with page.expect_download() as download:
        page.get_by_role("link", name="Archive", exact=True).click()
    assert download.value.suggested_filename == "Archive.bin"
    assert Path(download.value.path()).read_bytes() == large

    # An approval in the admin is in the inbox.
    page.goto(f"{local_site.url}/admin/documents/document/")
    expect(page.locator("#result_list")).to_contain_text("Map")
    for column, text in (("kind", WORD_TYPE), ("sender", "ann@" + "x" * 60)):
        cell = page.locator(f"#result_list .field-{column}").first
        cell.evaluate("(cell, text) => { cell.textContent = text }", text)
    page.screenshot(path=ARTIFACTS / "inbox-3-admin.png")
    assert not is_wider_than_the_window(page)
    page.locator("tr", has_text="Map").get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option("approve")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".messagelist .success")).to_contain_text("is approved")
    page.set_viewport_size({"width": 390, "height": 844})
    assert not is_wider_than_the_window(page)
    page.screenshot(path=ARTIFACTS / "inbox-4-admin-phone.png")
    page.emulate_media(color_scheme="dark")
    page.goto(f"{local_site.url}/inbox/")
    expect(page.locator(".row", has_text="Map")).to_contain_text("Approved")
    assert not is_wider_than_the_window(page)
    page.screenshot(path=ARTIFACTS / "inbox-5-phone-dark.png", full_page=True)
    row = page.locator(".row", has_text="Map")
    pk = str(row.get_attribute("data-id"))

    # A second user sees and touches nothing of the first.
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{local_site.url}/admin/accounts/user/add/")
    page.get_by_label("Username").fill("second")
    page.get_by_label("Password:", exact=True).fill(PASSWORD)
    page.get_by_label("Password confirmation:").fill(PASSWORD)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_contain_text("added successfully")
    context = browser.new_context()
    other = context.new_page()
    log_in(other, local_site, "second", PASSWORD)
    expect(other.locator("#empty")).to_be_visible()
    reads = [
        f"GET /inbox/{pk}/download",
        f"GET /inbox/{pk}/delete",
        f"GET /api/documents/{pk}",
    ]
    writes = [
        f"POST /inbox/{pk}/delete",
        f"PATCH /api/documents/{pk}",
        f"DELETE /api/documents/{pk}",
    ]
    assert other.evaluate(STATUSES, [*reads, *writes]) == [404] * 6
    context.close()
    page.goto(f"{local_site.url}/inbox/")
    # A script does not see the status of the redirect to the bucket.
    assert page.evaluate(STATUSES, reads) == [0, 200, 200]
    expect(row).to_contain_text("Map")

    # The keyboard alone deletes a document.
    page.get_by_role("link", name="Delete Minutes").press("Enter")
    page.get_by_role("button", name="Delete it").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Minutes is deleted.")
    expect(page.locator(".row")).to_have_count(2)


def test_a_refused_file_keeps_no_other_one_from_the_inbox_of_a_phone(
    page: Page, tmp_path: Path
):
    page.set_viewport_size({"width": 390, "height": 844})
    sent: list[str] = []
    page.on("request", lambda r: sent.append(r.url) if BUCKET.search(r.url) else None)
    (tmp_path / "Setup.exe").write_bytes(b"MZ")
    # Without blocks on the disk.
    with (tmp_path / "Huge.bin").open("wb") as file:
        file.truncate(6 * GIB)

    page.get_by_label("Add files").set_input_files(
        [tmp_path / "Setup.exe", tmp_path / "Huge.bin"]
    )
    refused = page.locator(".upload-item")
    expect(refused.nth(0).get_by_role("alert")).to_have_text(
        "The inbox does not take programs, such as “.exe”."
    )
    expect(refused.nth(1).get_by_role("alert")).to_have_text(
        re.compile(r"The file has 6.0.GB\. The limit is 5.0.GB\.")
    )
    assert not sent

    # Dropped on the edge of the card.
    dropped = page.evaluate_handle(
        """name => { const data = new DataTransfer();
        data.items.add(new File(["dropped"], name)); return data; }""",
        LONG,
    )
    page.locator(".drop").dispatch_event("dragover", {"dataTransfer": dropped})
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": dropped})
    row = page.locator(".row", has_text="A name that is long")
    expect(row.locator(".state")).to_have_text("Processed", timeout=TIMEOUT_MS)
    expect(refused).to_have_count(2)
    assert not is_wider_than_the_window(page)
    page.screenshot(path=ARTIFACTS / "inbox-6-refused.png", full_page=True)

    for left in (1, 0):
        page.get_by_role("button", name="Remove").first.press("Enter")
        expect(refused).to_have_count(left)
        expect(page.get_by_label("Add files")).to_be_focused()


def test_an_upload_continues_after_a_lost_connection_and_a_reload(
    page: Page, context: BrowserContext, local_site: LocalSite, tmp_path: Path
):
    content = os.urandom(MIB) * 17
    path = tmp_path / "Cut.bin"
    path.write_bytes(content)
    held: list[Route] = []
    sent: list[str] = []
    reloaded = False

    def hold_last(route: Route) -> None:
        if "partNumber=2" in route.request.url and not reloaded:
            held.append(route)
        else:
            route.continue_()

    def put(request: Any) -> None:
        if request.method == "PUT" and BUCKET.search(request.url):
            sent.append(re.findall(r"partNumber=(\d)", request.url)[0])

    page.on("requestfinished", put)
    page.route(BUCKET, hold_last)
    item = page.locator(".upload-item")

    page.get_by_label("Add files").set_input_files(path)
    wait(page, lambda: held and sent == ["1"])
    context.set_offline(True)
    held.pop().abort("connectionreset")
    status = page.locator(".upload-status")
    expect(status).to_have_text("No answer yet: Cut.bin is tried again.")
    page.screenshot(path=ARTIFACTS / "inbox-7-cut.png")
    context.set_offline(False)
    # The last part again, without a click.
    wait(page, lambda: held)
    expect(item.locator("progress")).to_be_visible()
    expect(status).to_have_text("Uploading Cut.bin")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    reloaded = True
    page.get_by_label("Add files").set_input_files(path)

    row = page.locator(".row", has_text="Cut")
    expect(row.locator(".state")).to_have_text("Processed", timeout=TIMEOUT_MS)
    expect(row).to_contain_text(sha256(content).hexdigest())
    assert sorted(sent) == ["1", "2"]
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.nightly("1.2 GB through the inbox: 60 MB in the daily run")
@pytest.mark.parametrize("mib", [300, 900])
def test_a_large_file_takes_no_more_memory_of_the_browser_than_some_parts(
    page: Page, browser: Browser, tmp_path: Path, mib: int
):
    path = tmp_path / f"Film-of-{mib}.bin"
    with path.open("wb") as file:
        file.truncate(mib * MIB)
    tools = browser.new_browser_cdp_session()
    used: list[int] = []

    def is_done() -> bool:
        found = tools.send("SystemInfo.getProcessInfo")["processInfo"]
        pages = [str(each["id"]) for each in found if each["type"] == "renderer"]
        command = ["ps", "-o", "rss=", "-p", ",".join(pages)]
        output = subprocess.run(command, capture_output=True, text=True).stdout
        used.append(sum(map(int, output.split())) // 1024)
        return page.locator(".row", has_text=path.stem).count() == 1

    assert not is_done()
    page.get_by_label("Add files").set_input_files(path)
    wait(page, is_done, seconds=300)

    text = f"The page has {used[0]} MiB, and {max(used)} MiB at most with the upload."
    print(text)
    # A part that is read, its copy in WebCrypto, and what the browser takes for itself.
    assert max(used) - used[0] < 100, text


def wait(page: Page, condition: Any, seconds: int = TIMEOUT_MS // 1000) -> None:
    """Wait, while the events of the browser are handled."""
    for _ in range(seconds * 20):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def test_the_admin_shows_the_progress_of_the_task(
    page: Page, local_site: LocalSite, tmp_path: Path
):
    path = tmp_path / "Report.txt"
    path.write_bytes(b"It is done.")
    slow = local_site.root / ".run" / "slow"
    slow.touch()
    asked: list[str] = []
    page.on(
        "request",
        lambda r: asked.append(r.url) if r.url.endswith("/progress/") else None,
    )
    page.goto(f"{local_site.url}/admin/documents/document/add/")
    page.get_by_label("Title").fill("Report")
    page.get_by_label("File", exact=True).set_input_files(path)
    page.get_by_role("button", name="Save and continue editing").click()
    progress = page.locator("[data-progress]")

    # Responses are buffered under `run`. It counts on when the browser connects again.
    expect(page.get_by_text("Responses are buffered here")).to_be_visible()
    expect(progress).to_have_text(
        re.compile("^Waiting for the background task: [1-9] s$")
    )
    page.screenshot(path=ARTIFACTS / "inbox-8-progress.png")
    assert len(asked) > 1
    slow.unlink()

    checksum = sha256(b"It is done.").hexdigest()
    expect(progress).to_contain_text(
        f"Processed: 11 bytes, SHA-256 {checksum}.", timeout=TIMEOUT_MS
    )
    page.screenshot(path=ARTIFACTS / "inbox-9-done.png")
    page.get_by_role("link", name="Reload the page").click()
    expect(progress).to_have_count(0)
    expect(page.locator(".field-checksum")).to_contain_text(checksum)
