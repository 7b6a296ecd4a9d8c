"""The page at the root of the site."""

import django
from django.test import Client

from apps.aws_lambda.test import LambdaClient


def test_it_says_what_is_running():
    response = LambdaClient(event_source="rest_stage").get("/")

    page = response.content.decode()
    assert "REST API" in page
    assert django.get_version() in page
    assert response["X-Request-ID"] in page
    assert "first of this execution environment" in page


def test_it_counts_the_invocations_of_an_environment():
    client = LambdaClient(event_source="http_default")
    client.get("/")

    page = client.get("/").content.decode()

    assert "number 2 of this execution environment" in page


def test_its_links_stay_under_the_stage():
    page = LambdaClient(event_source="rest_stage").get("/").content.decode()

    for path in ("/admin/", "/health/live", "/health/ready"):
        assert f'href="/prod{path}"' in page


def test_it_is_served_without_a_gateway_too(client: Client):
    response = client.get("/")

    assert response.status_code == 200
    assert "served without a gateway" in response.content.decode()


def test_it_needs_nothing_from_elsewhere(client: Client):
    page = client.get("/").content.decode()

    assert "http://" not in page
    assert "https://" not in page
    assert "src=" not in page
