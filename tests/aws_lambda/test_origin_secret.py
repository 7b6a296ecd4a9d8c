"""A site behind CloudFront: whom the throttle counts, and who is refused."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client

from apps.aws_lambda import handlers
from apps.aws_lambda.middleware import OriginSecretMiddleware
from apps.aws_lambda.test import EVENT_SOURCES, EventSource, LambdaClient, LambdaContext
from apps.aws_lambda.test.function import keeping_connections
from tests.aws_lambda.site import Site, environ_of, get, send
from tests.events import load_event

ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cret-" * 6
OTHER = "0ther--" * 6
MIDDLEWARE = "apps.aws_lambda.middleware.OriginSecretMiddleware"
EDGE = "130.176.0.1"
ATTACKER = "198.51.100.66"
VIEWER = "203.0.113.99"

FUNCTION_URL = replace(
    EVENT_SOURCES["function_url"], handler_options={"origin_secret": SECRET}
)


def behind_cloudfront(
    event_source: EventSource,
    viewer: str,
    *sent: tuple[str, str],
    secret: str = SECRET,
    **options: Any,
) -> str:
    """Return REMOTE_ADDR of a request in which CloudFront has set its headers."""
    site = Site()
    forwarded = [value for name, value in sent if name == "X-Forwarded-For"]
    headers = (
        ("X-Forwarded-For", ", ".join([*forwarded, viewer])),
        ("CloudFront-Viewer-Address", f"{viewer}:46532"),
        ("X-Origin-Secret", secret),
        *[pair for pair in sent if pair[0] != "X-Forwarded-For"],
    )
    request = replace(get(event_source, "/", *headers), client=EDGE)
    send(event_source, site, request, **options)
    return str(site.environ["REMOTE_ADDR"])


# Who is the client?


@pytest.mark.parametrize("forged", [(), ("6.6.6.6",), ("6.6.6.6", "7.7.7.7, 8.8.8.8")])
def test_the_viewer_is_the_client_on_every_event_source(
    event_source: EventSource, forged: tuple[str, ...]
):
    sent = [("X-Forwarded-For", value) for value in forged]

    client = behind_cloudfront(
        event_source, VIEWER, *sent, trusted_proxies=2, origin_secret=SECRET
    )

    assert client == VIEWER


def test_without_configuration_the_edge_is_the_client(event_source: EventSource):
    assert behind_cloudfront(event_source, VIEWER) == EDGE


@pytest.mark.parametrize("secret", ["", "wrong", SECRET[:-1], SECRET + "x", "ä" * 32])
def test_the_viewer_header_counts_with_the_secret_only(secret: str):
    event = load_event("function_url")
    event["headers"] |= {
        "cloudfront-viewer-address": "6.6.6.6:1",
        "x-origin-secret": secret,
    }

    assert environ_of(event, origin_secret=SECRET)["REMOTE_ADDR"] == "203.0.113.7"


def test_a_missing_secret_header_is_not_the_secret():
    event = load_event("function_url")
    event["headers"]["cloudfront-viewer-address"] = "6.6.6.6:1"

    assert environ_of(event, origin_secret=SECRET)["REMOTE_ADDR"] == "203.0.113.7"


@pytest.mark.parametrize(
    ("sent", "address"),
    [
        ("198.51.100.10:46532", "198.51.100.10"),
        ("2001:db8:0:abcd::9:9985", "2001:db8:0:abcd::9"),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334:443", "2001:db8:85a3::8a2e:370:7334"),
        ("[2001:db8::9]:9985", "2001:db8::9"),
        ("198.51.100.10", "203.0.113.7"),
        ("6.6.6.6:1,198.51.100.10:46532", "198.51.100.10"),
        ("nonsense", "203.0.113.7"),
        ("", "203.0.113.7"),
    ],
)
def test_the_port_is_removed_from_the_viewers_address(sent: str, address: str):
    event = load_event("function_url")
    event["headers"] |= {"cloudfront-viewer-address": sent, "x-origin-secret": SECRET}

    assert environ_of(event, origin_secret=SECRET)["REMOTE_ADDR"] == address


def test_both_secrets_count_during_a_rotation():
    both = f"{OTHER},{SECRET}"

    for secret in (SECRET, OTHER):
        client = behind_cloudfront(
            FUNCTION_URL, VIEWER, secret=secret, origin_secret=both
        )
        assert client == VIEWER
    client = behind_cloudfront(FUNCTION_URL, VIEWER, secret=both, origin_secret=both)
    assert client == EDGE


def test_the_setting_is_an_option_of_the_gateway(settings: Any, monkeypatch: Any):
    site = Site()
    monkeypatch.setattr(handlers, "load_application", lambda: site.application)
    settings.LAMBDA_ORIGIN_SECRET = SECRET
    event = load_event("function_url")
    event["headers"] |= {
        "cloudfront-viewer-address": f"{VIEWER}:1",
        "x-origin-secret": SECRET,
    }

    handlers.http()(event, LambdaContext())

    assert site.environ["REMOTE_ADDR"] == VIEWER


@pytest.mark.django_db
@pytest.mark.parametrize("name", EVENT_SOURCES)
def test_failed_logins_through_changing_edges_are_locked_out(
    name: str, admin_user: Any, settings: Any
):
    settings.AXES_FAILURE_LIMIT = 3
    settings.ALLOWED_HOSTS = ["*"]
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    options = {"trusted_proxies": 2, "origin_secret": SECRET}
    source = EVENT_SOURCES[name]
    source = replace(source, handler_options={**source.handler_options, **options})
    statuses = [
        LambdaClient(event_source=source, REMOTE_ADDR=f"130.176.0.{edge}")
        .post(
            "/admin/login/",
            {"username": "admin", "password": "wrong"},
            headers={
                "X-Forwarded-For": VIEWER,
                "CloudFront-Viewer-Address": f"{VIEWER}:{40000 + edge}",
                "X-Origin-Secret": SECRET,
            },
        )
        .status_code
        for edge in range(4)
    ]

    assert statuses == [200, 200, 429, 429]


# The middleware


@pytest.fixture
def demanded(settings: Any) -> None:
    settings.LAMBDA_ORIGIN_SECRET = SECRET
    position = settings.MIDDLEWARE.index("apps.health.middleware.HealthMiddleware")
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE[:position],
        MIDDLEWARE,
        *settings.MIDDLEWARE[position:],
    ]


@pytest.mark.usefixtures("demanded")
@pytest.mark.parametrize("path", ["/health/live", "/", "/static/x.css", "/nowhere"])
def test_a_request_without_the_secret_is_refused(
    event_source: EventSource, path: str, settings: Any
):
    settings.ALLOWED_HOSTS = ["*"]
    headers = (
        ("Accept", "application/json"),
        ("CloudFront-Viewer-Address", f"{VIEWER}:1"),
        ("X_Origin_Secret", SECRET),
    )

    with keeping_connections():
        response = send(event_source, WSGIHandler(), get(event_source, path, *headers))

    body = json.loads(response.body)
    assert (response.status, body["error"]) == (403, "origin_denied")
    assert body["requestId"] == response.values("x-request-id")[0]
    assert SECRET not in response.body.decode()


@pytest.mark.usefixtures("demanded")
@pytest.mark.parametrize("secret", ["", "wrong", SECRET[:-1], SECRET + "x", "ä" * 32])
def test_a_wrong_secret_is_refused(secret: str):
    response = Client().get("/health/live", headers={"X-Origin-Secret": secret})

    assert response.status_code == 403


@pytest.mark.usefixtures("demanded")
def test_a_request_with_the_secret_is_served():
    response = Client().get("/health/live", headers={"X-Origin-Secret": SECRET})

    assert response.status_code == 200


@pytest.mark.usefixtures("demanded")
def test_a_browser_gets_a_page():
    response = Client().get("/", headers={"Accept": "text/html"})

    assert response.status_code == 403
    assert response["Content-Type"].startswith("text/html")


def test_the_middleware_without_a_secret_is_an_error(settings: Any):
    settings.LAMBDA_ORIGIN_SECRET = ""

    with pytest.raises(ImproperlyConfigured, match="LAMBDA_ORIGIN_SECRET is empty"):
        OriginSecretMiddleware(lambda request: pytest.fail("called"))


# The project


INVOKE = """
import json, sys
import lambda_entry
from django.conf import settings
event = json.loads(sys.argv[1])
results = [lambda_entry.http(event, None)["statusCode"]]
event["headers"]["x-origin-secret"] = settings.LAMBDA_ORIGIN_SECRET
results.append(lambda_entry.http(event, None)["statusCode"])
from django.template import Engine
[loader] = Engine.get_default().template_loaders
kept = [getattr(k, "origin", None) for k in loader.get_template_cache.values()]
print(json.dumps([results, [k.template_name for k in kept if k]]))
"""


def test_the_project_demands_a_secret_that_is_set_and_warms_up_with_it():
    event = load_event("function_url", rawPath="/health/live")

    output = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-c", INVOKE, json.dumps(event)],
        cwd=ROOT,
        env={
            "ALLOWED_HOSTS": "example.com",
            "DATABASE_URL": "postgres://u:p@db.example.com:5432/site",
            "ENV_FILE": os.devnull,
            "LAMBDA_ORIGIN_SECRET": SECRET,
            "SECRET_KEY": "s" * 60,
            "STAGE": "prod",
        },
        text=True,
    )

    statuses, templates = json.loads(output.splitlines()[-1])
    assert statuses == [403, 200]
    assert "home.html" in templates
