"""The security of the site, as its clients see it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.events import load_event

ROOT = Path(__file__).resolve().parents[2]

# Prints the modules imported for one request, and its response.
INVOKE = """
import json, sys
import lambda_entry
result = lambda_entry.http(json.loads(sys.argv[1]), None)
print(json.dumps([sorted(sys.modules), result]))
"""


def invoke(event: dict[str, Any], **environment: str) -> tuple[set[str], Any]:
    output = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-c", INVOKE, json.dumps(event)],
        cwd=ROOT,
        env={
            "ALLOWED_HOSTS": "*",
            "DATABASE_URL": "postgres://u:p@db.example.com:5432/site",
            "ENV_FILE": os.devnull,
            "SECRET_KEY": "s" * 60,
            "STAGE": "prod",
            **environment,
        },
        text=True,
    )
    modules, result = json.loads(output.splitlines()[-1])
    return set(modules), result


# What a request imports


def test_a_request_imports_only_these_packages():
    modules, result = invoke(load_event("http_default", rawPath="/"))

    assert result["statusCode"] == 200
    packages = {name.partition(".")[0] for name in modules}
    # Compiled extensions create modules, and django-environ imports simplejson if it
    # is installed.
    made = {n for n in packages if n.startswith(("_", "cython_"))} | {"simplejson"}
    assert packages - sys.stdlib_module_names - made == {
        "apig_wsgi",
        "apps",
        "asgiref",
        "axes",
        "django",
        "environ",
        "lambda_entry",
        "project",
        "psycopg",
        "psycopg_binary",
        "pybase64",
        # The model of API tokens. The framework is not loaded.
        "rest_framework",
        "sqlparse",
        "whitenoise",
    }


@pytest.mark.parametrize(
    ("module", "switch"),
    [
        ("corsheaders", {"CORS_ALLOWED_ORIGINS": "https://app.example"}),
        ("django.contrib.admindocs", {"ADMIN_DOCS": "true"}),
        ("debug_toolbar", {"DEBUG_TOOLBAR": "true", "STAGE": "local"}),
    ],
)
def test_an_optional_package_is_imported_only_if_it_is_enabled(
    module: str, switch: dict[str, str]
):
    event = load_event("http_default", rawPath="/health/live")

    off, _ = invoke(event, STAGE=switch.get("STAGE", "prod"))
    on, result = invoke(event, **switch)

    assert module not in off
    assert module in on
    assert result["statusCode"] == 200


def test_the_debug_toolbar_is_off_outside_the_local_stage():
    event = load_event("http_default", rawPath="/health/live")

    modules, _ = invoke(event, DEBUG_TOOLBAR="true")

    assert "debug_toolbar" not in modules


# Cross-origin requests


def test_an_allowed_origin_gets_cors_headers():
    event = load_event("http_default", rawPath="/health/other")
    event["headers"]["origin"] = "https://app.example"

    _, result = invoke(event, CORS_ALLOWED_ORIGINS="https://app.example")

    assert result["headers"]["access-control-allow-origin"] == "https://app.example"


def test_another_origin_gets_no_cors_headers():
    event = load_event("http_default", rawPath="/health/other")
    event["headers"]["origin"] = "https://evil.example"

    _, result = invoke(event, CORS_ALLOWED_ORIGINS="https://app.example")

    assert "access-control-allow-origin" not in result["headers"]


# Content security policy


@pytest.mark.parametrize("path", ["/", "/nowhere", "/admin/login/"])
def test_the_content_security_policy_has_no_unsafe_source(client: Client, path: str):
    response = client.get(path, headers={"Accept": "text/html"})

    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/", "/nowhere"])
def test_styles_have_the_nonce_of_the_policy(client: Client, path: str):
    response = client.get(path, headers={"Accept": "text/html"})

    nonce = (
        response["Content-Security-Policy"].partition("'nonce-")[2].partition("'")[0]
    )
    assert nonce
    assert f'<style nonce="{nonce}">' in response.content.decode()
