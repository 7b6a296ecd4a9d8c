"""Health checks, through Django's middleware."""

import pytest
from django.db import connection
from django.test import Client


def test_live_needs_no_database(client: Client):
    # No database mark: pytest-django raises if the view connects.
    response = client.get("/health/live")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


@pytest.mark.django_db
def test_ready_queries_the_database(client: Client, django_assert_num_queries):
    with django_assert_num_queries(1):
        response = client.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}


def test_an_unreachable_database_is_reported_with_503(
    client: Client, unreachable_database, caplog
):
    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json() == {
        "status": "unavailable",
        "reason": "database_unreachable",
    }
    assert "Cannot reach the database" in caplog.text


def test_the_database_error_is_in_the_log_only(client: Client, unreachable_database):
    response = client.get("/health/ready")

    text = response.content.decode()
    assert connection.settings_dict["HOST"] not in text
    assert "refused" not in text


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
@pytest.mark.django_db
def test_a_load_balancer_needs_no_valid_host_and_no_https(
    client: Client, settings, path: str
):
    settings.ALLOWED_HOSTS = ["example.com"]
    settings.SECURE_SSL_REDIRECT = True

    assert client.get(path, headers={"Host": "10.0.3.7"}).status_code == 200


def test_other_paths_still_need_a_valid_host(client: Client, settings):
    settings.ALLOWED_HOSTS = ["example.com"]

    response = client.get("/health/other", headers={"Host": "10.0.3.7"})

    assert response.status_code == 400


def test_health_responses_are_not_cached(client: Client):
    assert client.get("/health/live")["Cache-Control"] == "no-store"


def test_health_responses_have_the_request_id(client: Client):
    assert client.get("/health/live")["X-Request-ID"]
