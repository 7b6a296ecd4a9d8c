"""The inbox in a real browser: two users, a bucket, a queue, under `run`."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import ARTIFACTS
from tests.e2e.local_site import LocalSite
from tests.e2e.test_browser import PNG

TIMEOUT_MS = 30_000
PASSWORD = "correct horse battery staple"


def log_in(page: Page, site: LocalSite, name: str, password: str) -> None:
    page.goto(f"{site.url}/inbox/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{site.url}/inbox/")


@pytest.fixture
def page(browser: Browser, local_site: LocalSite) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    log_in(page, local_site, "admin", local_site.password)
    yield page
    context.close()


def is_wider_than_the_window(page: Page) -> bool:
    return bool(
        page.evaluate(
            """() => [...document.querySelectorAll("html, .results")].some(
                (one) => one.scrollWidth > one.clientWidth)"""
        )
    )


def test_files_are_sent_processed_approved_downloaded_and_of_one_user(
    page: Page, browser: Browser, local_site: LocalSite, tmp_path: Path
):
    large = os.urandom(1024 * 1024) * 60
    files = {"Map.png": PNG, "Minutes.txt": b"We met.", "Archive.bin": large}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    loads: list[str] = []
    page.on("domcontentloaded", lambda p: loads.append(p.url))

    page.get_by_label("Drop files here").set_input_files(
        [tmp_path / name for name in files]
    )
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
    url = page.get_by_role("link", name="Map", exact=True).get_attribute("href")

    # A second user
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
    response = other.goto(f"{local_site.url}{url}")
    assert response is not None
    assert response.status == 404
    context.close()

    # The keyboard alone deletes a document.
    page.goto(f"{local_site.url}/inbox/")
    page.get_by_role("link", name="Delete Minutes").press("Enter")
    page.get_by_role("button", name="Delete it").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Minutes is deleted.")
    expect(page.locator(".row")).to_have_count(2)
