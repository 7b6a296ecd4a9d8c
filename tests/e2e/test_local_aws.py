"""A developer's uploads, tasks and e-mail, in a real browser, under `run`."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import ARTIFACTS
from tests.e2e.local_site import LocalSite, wait_until
from tests.e2e.test_browser import PNG
from tests.services.admin import Admin


@pytest.fixture
def page(browser: Browser, local_site: LocalSite) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{local_site.url}/admin/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(local_site.password)
    page.get_by_role("button", name="Log in").click()
    yield page
    context.close()


def upload(page: Page, site: LocalSite, title: str, path: Path) -> None:
    path.write_bytes(PNG)
    page.goto(f"{site.url}/admin/documents/document/add/")
    page.get_by_label("Title").fill(title)
    page.locator("#id_file").set_input_files(path)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_contain_text("added successfully")


def test_an_upload_is_in_the_bucket_and_its_signed_link_opens(
    page: Page, local_site: LocalSite, tmp_path: Path
):
    upload(page, local_site, "Map", tmp_path / "map.png")

    link = page.locator("#result_list .field-link a").first
    url = str(link.get_attribute("href"))
    with page.expect_download() as download:
        link.click()

    assert re.match(r"http://127\.0\.0\.1:\d+/[\w-]+-mediabucket/documents/", url)
    assert "X-Amz-Signature=" in url
    assert Path(download.value.path()).read_bytes() == PNG
    [file] = (local_site.root / ".run" / "buckets").glob("*/*-map*.png")
    assert file.read_bytes() == PNG
    assert not (local_site.root / "media").exists()


SHOW = """url => new Promise(resolve => {
    const image = new Image();
    image.onload = () => resolve(true);
    image.onerror = () => resolve(false);
    image.src = url;
    document.body.append(image);
})"""


def test_the_policy_of_the_site_allows_images_of_the_bucket_and_of_no_other_host(
    page: Page, local_site: LocalSite, tmp_path: Path
):
    upload(page, local_site, "Picture", tmp_path / "picture.png")
    link = page.locator("#result_list .field-link a").first
    url = str(link.get_attribute("href"))

    assert page.evaluate(SHOW, url)
    # The same file of the same server: the port is the same, the host another one.
    assert not page.evaluate(SHOW, url.replace("127.0.0.1", "localhost"))


def status_of_task(page: Page) -> str:
    page.reload()
    return page.locator("#result_list .field-status").first.inner_text()


def test_a_task_runs_fails_is_dead_and_is_enqueued_again(
    page: Page, local_site: LocalSite, tmp_path: Path
):
    state = local_site.root / ".run"
    slow, broken = state / "slow", state / "broken"
    slow.touch()
    broken.touch()
    upload(page, local_site, "Report", tmp_path / "report.png")
    page.goto(local_site.printed_url("Tasks"))

    wait_until(lambda: status_of_task(page) == "Running")
    page.screenshot(path=ARTIFACTS / "local-1-running.png")
    slow.unlink()
    wait_until(lambda: status_of_task(page) == "Failed")
    page.screenshot(path=ARTIFACTS / "local-2-failed.png")
    page.locator("#result_list .field-task_path a").first.click()
    errors = page.locator("pre", has_text="ValueError: The file is not readable")
    expect(errors).to_have_count(5)
    dead = "Dead letter: the task apps.documents.tasks.fingerprint"
    wait_until(lambda: dead in local_site.printed)

    broken.unlink()
    page.goto(local_site.printed_url("Tasks"))
    page.locator("#result_list .action-select").first.check()
    page.get_by_label("Action:").select_option(
        label="Enqueue failed and lost tasks again"
    )
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".messagelist")).to_contain_text("1 task was enqueued")
    wait_until(lambda: status_of_task(page) == "Successful")
    page.screenshot(path=ARTIFACTS / "local-3-again.png")


def test_the_e_mail_that_a_task_sends_by_ses_is_shown(
    page: Page, local_site: LocalSite, tmp_path: Path
):
    upload(page, local_site, "Agenda", tmp_path / "agenda.png")
    page.goto(local_site.printed_url("E-mail"))

    def is_there() -> bool:
        page.reload()
        return page.get_by_role("link", name="Checked Agenda").count() == 1

    wait_until(is_there)
    page.get_by_role("link", name="Checked Agenda").click()

    expect(page.locator("pre")).to_have_text("It is fine.\n")
    expect(page.locator("table")).to_contain_text("shop@example.com")
    expect(page.locator("table")).to_contain_text("ann@example.com")
    page.screenshot(path=ARTIFACTS / "local-4-mail.png")


def test_a_schedule_runs_by_hand(local_site: LocalSite):
    process = subprocess.run(
        local_site.command("schedule", "clearsessions"),
        cwd=local_site.root,
        env=local_site.environment,
        capture_output=True,
        text=True,
    )

    assert process.returncode == 0, process.stderr
    assert "-dev-schedule runs clearsessions\nIt succeeded." in process.stdout
    wait_until(lambda: "The scheduled clearsessions succeeded" in local_site.printed)


def test_after_a_restart_the_files_are_there_and_the_lost_task_is_reported(
    tmp_path: Path,
):
    site = LocalSite(tmp_path / "clone")

    def admin() -> Admin:
        return Admin(f"{site.url}/admin", "admin", site.password)

    with site.running():
        assert "had not finished" not in site.printed
        (site.root / ".run" / "slow").touch()
        fields = {"title": "Map", "file": ("map.txt", b"a map", "text/plain")}
        admin().post("/documents/document/add/", fields)
        [before] = admin().links("/documents/document/")
        page = "/lambda_task_results/storedtask/"
        wait_until(lambda: ">Running<" in admin().page(page))
    with site.running():
        [link] = admin().links("/documents/document/")
        with urlopen(link) as response:
            assert response.read() == b"a map"
            assert response.headers["Content-Type"] == "text/plain"
        # `run` starts again, and the local AWS does not: its queue is not lost.
        with (site.root / "serverless.yml").open("a") as file:
            file.write("# Saved\n")
        wait_until(lambda: site.printed.count("Its log follows") == 2)
        urlopen(link).close()
        assert len(re.findall(r"E-mail +http", site.printed)) == 2
        assert len(set(re.findall(r"E-mail +(http\S+)", site.printed))) == 1

    assert urlsplit(link).path == urlsplit(before).path
    assert "1 had not finished when the last run ended" in site.printed
