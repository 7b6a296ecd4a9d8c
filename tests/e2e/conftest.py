"""The site behind serverless-offline, and a browser."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, sync_playwright

from apps.aws_lambda.cli.ports import free_port
from apps.aws_lambda.cli.run.offline import ServerlessOffline
from tests.e2e.local_site import LocalSite
from tests.services import chromium
from tests.services.postgresql import PostgreSQL

ROOT = Path(__file__).resolve().parents[2]
ARTIFACTS = ROOT / "test-artifacts"


@dataclass(frozen=True)
class Site:
    """The running site: the URL of each event source, and the superuser."""

    event_sources: dict[str, str]
    database: str
    username: str = "admin"
    password: str = "correct horse battery staple"


@pytest.fixture(scope="package")
def site(
    postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with psycopg.connect(postgresql.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE e2e")
    port = free_port()
    site = Site(
        event_sources={
            "REST API": f"http://localhost:{port}/dev",
            "HTTP API": f"http://localhost:{port}",
        },
        database=postgresql.url("e2e"),
    )
    environment = {
        "DATABASE_URL": site.database,
        "MEDIA_ROOT": str(tmp_path_factory.mktemp("media")),
        "DJANGO_SUPERUSER_PASSWORD": site.password,
        # As it is for a user, whose hosts are those of the local stage.
        "ALLOWED_HOSTS": "",
    }
    for command in (
        ["migrate"],
        ["createcachetable"],
        [
            "createsuperuser",
            "--noinput",
            f"--username={site.username}",
            "--email=admin@example.com",
        ],
    ):
        subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    ARTIFACTS.mkdir(exist_ok=True)
    with ServerlessOffline(
        http_port=port,
        lambda_port=free_port(),
        log=ARTIFACTS / "serverless-offline.log",
        environment=environment,
        until=["/health/live", "/dev/health/live"],
    ):
        yield site


@pytest.fixture(scope="package")
def local_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSite]:
    """Return a clone of this project that `run` serves, with the local AWS."""
    site = LocalSite(tmp_path_factory.mktemp("clone"))
    with site.running():
        yield site


@pytest.fixture(params=["REST API", "HTTP API"])
def event_source(request: pytest.FixtureRequest) -> str:
    """Return the name of each event source in turn."""
    name: str = request.param
    return name


@pytest.fixture
def url(site: Site, event_source: str) -> str:
    """Return the URL of the site's root through the event source."""
    return site.event_sources[event_source]


# Playwright runs an event loop in this thread, in which Django does not allow database
# queries. These tests make none, and the browser is closed after each module.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = chromium.find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(found.executable),
            args=list(found.args),
            env=dict(found.env),
        )
        yield browser
        browser.close()
