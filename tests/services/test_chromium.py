import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import sync_playwright

from tests.services import chromium, install


@pytest.fixture(autouse=True)
def _no_system_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test must not change the machine."""
    monkeypatch.setattr(install, "from_apt", lambda package: False)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "index.html").write_text(
        "<!doctype html><meta charset=utf-8><h1>Loading</h1>"
        "<script>document.querySelector('h1').textContent = 'Zoë ' + 6 * 7</script>"
    )
    handler = partial(QuietHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_browser_renders_a_page_through_playwright(site):
    found = chromium.find()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.executable, args=found.args, env={**found.env}
        )
        page = browser.new_page()
        page.goto(site)
        heading = page.inner_text("h1")
        # Without a font, text has no height.
        height = page.evaluate("document.querySelector('h1').offsetHeight")
        browser.close()

    assert heading == "Zoë 42"
    assert height > 0


def test_a_browser_that_does_not_run_is_passed_over_with_the_reason(
    monkeypatch, tmp_path
):
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\necho 'needs a snap' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(chromium, "NAMES", ())
    monkeypatch.setattr(chromium, "PLACES", (str(broken),))
    said: list[str] = []
    monkeypatch.setattr(install, "say", said.append)

    assert chromium._on_machine() is None

    assert said == [f"{broken} --version ended with code 1:\nneeds a snap"]


def test_a_browser_that_renders_nothing_is_passed_over(monkeypatch, tmp_path):
    silent = tmp_path / "chromium"
    silent.write_text("#!/bin/sh\nexit 0\n")
    silent.chmod(0o755)

    with pytest.raises(install.Unavailable, match="does not render a page"):
        chromium._checked(chromium._chromium(silent))


def test_a_machine_without_chromium_gets_advice_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(install, "say", lambda sentence: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(chromium, "PLACES", ())
    monkeypatch.setattr(install, "CACHE", tmp_path)

    with pytest.raises(install.Unavailable) as raised:
        chromium.find()

    assert "Debian: apt-get install chromium" in str(raised.value)
    if sys.platform == "linux":
        assert "npm does not run" in str(raised.value)
