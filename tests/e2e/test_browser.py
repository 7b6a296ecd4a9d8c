"""The admin in a real browser, through serverless-offline."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.e2e.conftest import ARTIFACTS, Site

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c636060f8ff1f0003030101f2ad5ce70000000049454e44ae426082"
)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


class Visit:
    """A browser session; each screenshot is a test artifact."""

    def __init__(self, page: Page, site: Site, url: str, event_source: str) -> None:
        self.page = page
        self.site = site
        self.url = url
        self.event_source = event_source.split()[0].lower()
        self.pictures = 0

    def picture(self, name: str) -> None:
        self.pictures += 1
        self.page.screenshot(
            path=ARTIFACTS / f"{self.event_source}-{self.pictures}-{name}.png"
        )

    def is_at(self, path: str) -> None:
        expect(self.page).to_have_url(self.url + path)

    def log_in(self) -> None:
        self.page.goto(f"{self.url}/admin/")
        self.page.get_by_label("Username").fill(self.site.username)
        self.page.get_by_label("Password").fill(self.site.password)
        self.page.get_by_role("button", name="Log in").click()
        self.is_at("/admin/")


@pytest.fixture
def visit(page: Page, site: Site, url: str, event_source: str) -> Visit:
    return Visit(page, site, url, event_source)


def test_the_home_page_leads_to_the_admin(visit: Visit):
    page = visit.page
    page.goto(f"{visit.url}/")
    visit.picture("home")

    page.get_by_role("link", name="Open the admin").click()

    assert page.url.startswith(f"{visit.url}/admin/login/")
    expect(page.get_by_label("Username")).to_be_visible()


def test_the_admin_is_styled(visit: Visit):
    stylesheets: list[Response] = []
    visit.page.on(
        "response",
        lambda response: (
            stylesheets.append(response)
            if response.request.resource_type == "stylesheet"
            else None
        ),
    )

    visit.page.goto(f"{visit.url}/admin/login/")
    visit.picture("login")

    assert stylesheets
    for response in stylesheets:
        assert response.url.startswith(f"{visit.url}/static/")
        assert response.status == 200
    # Django's admin colours its header with --header-bg.
    expect(visit.page.locator("#header")).to_have_css(
        "background-color", "rgb(65, 118, 144)"
    )


def test_a_login_sets_both_cookies(visit: Visit):
    visit.log_in()

    names = {cookie["name"] for cookie in visit.page.context.cookies()}
    assert names == {"csrftoken", "sessionid"}
    visit.picture("index")


def test_a_user_is_added_changed_and_deleted(visit: Visit):
    page = visit.page
    name = f"user-{visit.event_source}"
    visit.log_in()

    page.goto(f"{visit.url}/admin/accounts/user/add/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password:", exact=True).fill(visit.site.password)
    page.get_by_label("Password confirmation:").fill(visit.site.password)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_contain_text("added successfully")

    page.get_by_label("First name").fill("Zoë")
    page.get_by_role("button", name="Save", exact=True).click()
    visit.is_at("/admin/accounts/user/")
    expect(page.locator(".messagelist .success")).to_contain_text("changed")
    expect(page.locator("#result_list")).to_contain_text("Zoë")
    visit.picture("users")

    page.locator("#result_list").get_by_role("link", name=name).click()
    page.locator(".deletelink").click()
    page.get_by_role("button", name="Yes, I").click()
    visit.is_at("/admin/accounts/user/")
    expect(page.locator("#result_list")).not_to_contain_text(name)


def test_a_file_is_uploaded_changed_downloaded_and_deleted(
    visit: Visit, tmp_path: Path
):
    page = visit.page
    picture = tmp_path / "Straße 東京.png"
    picture.write_bytes(PNG)
    visit.log_in()

    page.goto(f"{visit.url}/admin/documents/document/add/")
    page.get_by_label("Title").fill("Map")
    page.locator("#id_file").set_input_files(picture)
    page.get_by_role("button", name="Save and continue editing").click()
    expect(page.locator(".messagelist .success")).to_contain_text("added successfully")
    visit.picture("document")

    with page.expect_download() as download:
        page.locator(".file-upload a").click()
    assert download.value.url.startswith(f"{visit.url}/media/documents/")
    assert Path(download.value.path()).read_bytes() == PNG

    page.get_by_label("Title").fill("Better map")
    page.get_by_role("button", name="Save", exact=True).click()
    visit.is_at("/admin/documents/document/")
    expect(page.locator("#result_list")).to_contain_text("Better map")
    visit.picture("documents")

    page.locator("#result_list").get_by_role("link", name="Better map").click()
    page.locator(".deletelink").click()
    page.get_by_role("button", name="Yes, I").click()
    visit.is_at("/admin/documents/document/")
    expect(page.get_by_text("0 documents")).to_be_visible()


def test_logout_ends_the_session(visit: Visit):
    visit.log_in()

    visit.page.get_by_role("button", name="Log out").click()
    visit.is_at("/admin/logout/")
    visit.page.goto(f"{visit.url}/admin/")

    expect(visit.page.get_by_label("Username")).to_be_visible()


def test_a_missing_page_shows_the_request_id(visit: Visit):
    response = visit.page.goto(f"{visit.url}/nowhere/")

    assert response
    assert response.status == 404
    request_id = response.header_value("x-request-id")
    assert request_id
    expect(visit.page.get_by_text(request_id)).to_be_visible()
    visit.picture("not-found")
