"""A browser without a screen: what the script does, request by request."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import unescape
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from tests.services.aws import AWS

ADD = "admin:documents_document_add"


@pytest.fixture(scope="session")
def server() -> Iterator[AWS]:
    with AWS() as aws:
        yield aws


@pytest.fixture
def aws(
    server: AWS, monkeypatch: pytest.MonkeyPatch, settings: Any, db: None
) -> Iterator[AWS]:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    server.client("s3").create_bucket(
        Bucket="media",
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
    )
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "apps.aws_lambda.media.S3Storage",
            "OPTIONS": {"bucket_name": "media"},
        },
    }
    # The demonstration would read the file.
    dummy = "django.tasks.backends.dummy.DummyBackend"
    settings.TASKS = {"default": {"BACKEND": dummy}}
    yield server
    server.reset()


class Browser:
    """A user who is logged in to the admin."""

    def __init__(self, username: str, page: str = "") -> None:
        user = get_user_model().objects.create_superuser(username, password="x")
        self.user = user
        self.client = Client()
        self.client.force_login(user)
        self.page = page or reverse(ADD)

    def ticket(self) -> str:
        html = self.client.get(self.page).content.decode()
        found = re.search(r'data-upload-ticket="([^"]+)"', html)
        assert found, html
        return unescape(found[1])

    def post(self, path: str, **document: Any) -> Any:
        """Return the answer of a view, after a status of 200."""
        response = self.try_post(path, **document)
        assert response.status_code == 200, response.content
        return response.json()

    def refused(self, path: str, **document: Any) -> str:
        """Return the text of a view that refuses."""
        response = self.try_post(path, **document)
        assert response.status_code == 400, response.content
        return str(response.json()["error"])

    def try_post(self, path: str, **document: Any) -> Any:
        return self.client.post(
            f"/_uploads/{path}", json.dumps(document), "application/json"
        )

    def start(self, name: str, size: int) -> str:
        """Return the token of a grant."""
        granted = self.post("start", ticket=self.ticket(), name=name, size=size)
        return str(granted["token"])

    def sign(self, token: str, *parts: bytes, first: int = 1) -> list[Any]:
        checksums = {n: digest(part) for n, part in enumerate(parts, first)}
        return list(self.post(f"{token}/sign", parts=checksums)["parts"])

    def send(self, name: str, *parts: bytes) -> str:
        """Upload a file and return its token, without saving a form."""
        token = self.start(name, sum(map(len, parts)))
        for signed, part in zip(self.sign(token, *parts), parts, strict=True):
            assert put(signed, part) == 200
        self.post(f"{token}/finish")
        return token

    def save(self, **data: Any) -> Any:
        return self.client.post(self.page, {"title": "Report", **data})


def digest(content: bytes) -> str:
    return b64encode(sha256(content).digest()).decode()


def put(signed: dict[str, Any], body: bytes) -> int:
    """Return the status of a request that was signed."""
    try:
        # urllib would call it a form.
        headers = {"content-type": "application/octet-stream", **signed["headers"]}
        request = Request(signed["url"], body, headers, method="PUT")
        with urlopen(request) as response:
            return int(response.status)
    except HTTPError as error:
        return int(error.code)


@pytest.fixture
def browser(aws: AWS) -> Browser:
    return Browser("ann")


@pytest.fixture
def eve(aws: AWS) -> Browser:
    return Browser("eve")
