"""Static and media files, below the prefix of the request."""

import gzip
import re

import pytest
from django.core.files.storage import default_storage
from django.urls import set_script_prefix

from apps.aws_lambda.test import LambdaClient


def stylesheets(page: str) -> list[str]:
    return re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)


@pytest.mark.parametrize(
    ("event_source", "prefix"),
    [("rest_stage", "/prod"), ("http_default", ""), ("http_mapped_key", "/shop")],
)
def test_static_files_are_below_the_prefix(event_source: str, prefix: str):
    client = LambdaClient(event_source=event_source)

    links = stylesheets(client.get("/admin/login/").content.decode())

    assert links
    for link in links:
        assert link.startswith(f"{prefix}/static/")
        response = client.get(link)
        assert response.status_code == 200
        assert response["Content-Type"].startswith("text/css")


def test_each_event_source_has_its_own_prefix():
    rest, http = (
        LambdaClient(event_source="rest_stage"),
        LambdaClient(event_source="http_default"),
    )

    for _ in range(2):
        assert "/prod/static/" in rest.get("/admin/login/").content.decode()
        assert "/prod/static/" not in http.get("/admin/login/").content.decode()


def test_static_files_are_hashed_and_immutable():
    client = LambdaClient(event_source="rest_stage")
    link = stylesheets(client.get("/admin/login/").content.decode())[0]

    assert re.search(r"\.[0-9a-f]{12}\.css$", link)
    assert "immutable" in client.get(link)["Cache-Control"]


def test_static_files_are_served_compressed():
    client = LambdaClient(event_source="rest_stage")
    link = stylesheets(client.get("/admin/login/").content.decode())[0]

    response = client.get(link, headers={"Accept-Encoding": "gzip"})

    assert response["Content-Encoding"] == "gzip"
    assert b"DJANGO Admin styles" in gzip.decompress(response.content)


def test_media_files_are_below_the_prefix():
    set_script_prefix("/prod/")
    try:
        assert default_storage.url("a b.txt") == "/prod/media/a%20b.txt"
    finally:
        set_script_prefix("/")
    assert default_storage.url("a b.txt") == "/media/a%20b.txt"


def test_an_absolute_media_url_has_no_prefix(settings):
    settings.MEDIA_URL = "https://files.example.com/"
    set_script_prefix("/prod/")
    try:
        url = default_storage.url("a.txt")
    finally:
        set_script_prefix("/")

    assert url == "https://files.example.com/a.txt"
