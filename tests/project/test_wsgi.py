"""The environ and the response, validated against PEP 3333."""

from wsgiref.validate import validator

import pytest
from django.contrib.auth.models import AbstractUser
from django.core.wsgi import get_wsgi_application

from apps.aws_lambda.test import EVENT_SOURCES, LambdaClient

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("event_source", list(EVENT_SOURCES))
def test_a_login_is_valid_wsgi_with_every_event_source(
    event_source: str, admin_user: AbstractUser
):
    # The validator raises AssertionError, which becomes a response with status 500.
    client = LambdaClient(
        event_source=event_source, application=validator(get_wsgi_application())
    )

    page = client.get("/admin/login/")
    response = client.post(
        "/admin/login/",
        {
            "csrfmiddlewaretoken": client.cookies["csrftoken"].value,
            "username": "admin",
            "password": "password",
            "next": f"{client.event_source.prefix}/admin/",
        },
        headers={"Origin": f"https://{client.event_source.host}"},
    )

    assert page.status_code == 200
    assert response.status_code == 302
    assert response["Location"] == f"{client.event_source.prefix}/admin/"
    assert client.get("/admin/").status_code == 200
    assert client.head("/health/live").status_code == 200
