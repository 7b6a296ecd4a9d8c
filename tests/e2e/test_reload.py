"""A developer's edits of a site that `run` serves, in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.cli.run.adopted import AdoptedSite


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdoptedSite]:
    with AdoptedSite(tmp_path_factory.mktemp("adopted")).running() as site:
        yield site


@pytest.fixture
def page(browser: Browser, site: AdoptedSite) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    # WhiteNoise lets a browser keep a file without a hash in its name for a minute.
    tools = context.new_cdp_session(page)
    tools.send("Network.enable")
    tools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto(f"http://localhost:{site.port}/about/")
    yield page
    context.close()


def test_a_reload_shows_a_saved_view_template_and_style_sheet(
    site: AdoptedSite, page: Page
) -> None:
    expect(page.locator("h1")).to_have_text("First template")
    expect(page.locator("h1")).to_have_css("color", "rgb(0, 128, 0)")

    site.replace("polls/views.py", "first view", "second view")
    page.reload()
    expect(page.locator("p").first).to_contain_text("second view")

    site.replace("polls/templates/polls/about.html", "First", "Second")
    page.reload()
    expect(page.locator("h1")).to_have_text("Second template")

    site.replace("polls/static/polls/style.css", "green", "red")
    page.reload()
    expect(page.locator("h1")).to_have_css("color", "rgb(255, 0, 0)")


def test_an_error_is_shown_until_it_is_corrected(site: AdoptedSite, page: Page) -> None:
    with site.edited("polls/views.py", "def about", "def def about"):
        page.reload()
        expect(page).to_have_title("The site does not start")
        expect(page.locator("pre")).to_contain_text('views.py", line 10')
        expect(page.locator("pre")).to_contain_text("SyntaxError: invalid syntax")

    # Without a reload by hand.
    expect(page.locator("p").first).to_contain_text("view", timeout=20_000)
