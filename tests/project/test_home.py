"""The home page."""

import re
from html import unescape

import django
import pytest
from django.conf import settings
from django.test import Client

from apps.aws_lambda.test import LambdaClient


def test_it_shows_what_serves_the_request():
    response = LambdaClient(event_source="rest_stage").get("/")

    page = response.content.decode()
    assert "REST API" in page
    assert django.get_version() in page
    assert response["X-Request-ID"] in page
    assert "first in this execution environment" in page


def test_it_counts_the_invocations_of_an_environment():
    client = LambdaClient(event_source="http_default")
    client.get("/")

    page = client.get("/").content.decode()

    assert "number 2 in this execution environment" in page


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/admin/login/"])
def test_the_title_of_the_site_is_in_every_heading(client: Client, path: str):
    page = unescape(client.get(path).content.decode())

    [title] = re.findall(r"<title>(.*?)</title>", page, re.DOTALL)
    assert settings.SITE_TITLE in title
    assert page.count(settings.SITE_TITLE) >= 2


def test_its_links_include_the_stage():
    page = LambdaClient(event_source="rest_stage").get("/").content.decode()

    for path in ("/admin/", "/health/live", "/health/ready"):
        assert f'href="/prod{path}"' in page


def test_it_is_served_without_the_handler(client: Client):
    response = client.get("/")

    assert response.status_code == 200
    assert "without the Lambda handler" in response.content.decode()


def test_it_loads_nothing_from_other_hosts(client: Client):
    page = client.get("/").content.decode()

    assert "http://" not in page
    assert "https://" not in page
    assert "src=" not in page
