"""The app under another name, in another project."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.events import load_event
from tests.services import install

PROJECT = """
import json, sys
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=["serverless_parts"],
    MIDDLEWARE=[
        "serverless_parts.middleware.RequestIDMiddleware",
        "serverless_parts.middleware.AccessLogMiddleware",
        "serverless_parts.middleware.DeadlineMiddleware",
        "serverless_parts.middleware.ExceptionMiddleware",
    ],
    ROOT_URLCONF="site_urls",
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True
    }],
    USE_TZ=True,
)

from serverless_parts.bootstrap import init_phase

with init_phase():
    from serverless_parts import handlers

    http = handlers.http()

print(json.dumps(http(json.loads(sys.argv[1]), None)))
print(json.dumps([name for name in sys.modules if name.startswith("apps")]))
"""

URLS = """
from django.http import HttpResponse
from django.urls import path, reverse

urlpatterns = [path("here/", lambda r: HttpResponse(reverse("here")), name="here")]
"""


def test_it_works_under_any_name(tmp_path: Path):
    shutil.copytree(install.PROJECT / "apps/aws_lambda", tmp_path / "serverless_parts")
    (tmp_path / "site_urls.py").write_text(URLS)
    event = load_event("rest_stage", path="/here/", pathParameters={"proxy": "here"})
    event["requestContext"]["path"] = "/prod/here/"

    output = subprocess.check_output(
        [sys.executable, "-P", "-c", PROJECT, json.dumps(event)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        text=True,
    )

    *_, response, modules = map(json.loads, output.splitlines())
    assert response["statusCode"] == 200
    assert response["body"] == "/prod/here/"
    assert modules == []
