"""Health checks without a Host header, as Lambda events."""

import json

import pytest
from django.core.wsgi import get_wsgi_application

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import LambdaContext
from tests.events import load_event


@pytest.mark.parametrize(
    "name", ["alb_health_check", "alb_health_check_multi", "rest_console_test"]
)
def test_they_are_served_before_host_validation(settings, name: str):
    settings.ALLOWED_HOSTS = ["example.com"]
    settings.SECURE_SSL_REDIRECT = True
    event = load_event(name, path="/health/live")
    if name == "rest_console_test":
        event |= {"resource": "/{proxy+}", "pathParameters": {"proxy": "health/live"}}
        event["requestContext"]["path"] = "/health/live"

    result = make_handler(get_wsgi_application())(event, LambdaContext())

    assert result["statusCode"] == 200
    assert json.loads(result["body"]) == {"status": "ok"}
