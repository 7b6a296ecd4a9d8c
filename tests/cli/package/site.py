"""A small site with its own conventions: no admin and no health URLs."""

import re
import shutil
import subprocess
from pathlib import Path

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.configuration import FILE

# Of the lock file of this repository. The site runs in this environment.
PACKAGES = ("apig-wsgi", "asgiref", "django", "pybase64", "sqlparse", "whitenoise")

FILES = {
    FILE: """
settings = "shop.settings"
lock = "requirements.txt"
code = ["shop", "lambda_entry.py", "django_on_lambda"]
files = ["assets/dist"]
leave-out = ["shop/tests"]
pages = ["/", "/orders/"]

[stand-ins]
SHOP_KEY = "never-used-but-by-the-smoke-test-of-a-package"
""",
    "serverless.yml": "provider:\n  runtime: python3.13\n",
    ".gitignore": "assets/dist\ndist\n",
    # Written by a program, and ignored by git.
    "assets/dist/shop.css": "body {}",
    "lambda_entry.py": """
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
from django_on_lambda.bootstrap import init_phase
with init_phase():
    from django_on_lambda import handlers
    http = handlers.http()
    schedule = handlers.schedule()
""",
    "shop/__init__.py": "",
    "shop/CHANGELOG.md": "1.2.3",
    "shop/tests/test_shop.py": "",
    "shop/templates/home.tpl": "{% load static %}{{ version }} {% static 'shop.css' %}",
    "shop/settings.py": """
import os
from pathlib import Path
BASE_DIR = Path(__file__).parent.parent
VERSION = (BASE_DIR / "shop" / "CHANGELOG.md").read_text()
SECRET_KEY = os.environ["SHOP_KEY"]
ALLOWED_HOSTS = [os.environ.get("LAMBDA_HOSTS", "shop.example.com")]
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = ["django.contrib.staticfiles", "django_on_lambda"]
MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/none/x"}}
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "DIRS": [BASE_DIR / "shop" / "templates"],
}]
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / os.environ.get("SHOP_STATIC", "static")
STATICFILES_DIRS = [BASE_DIR / "assets" / "dist"]
STORAGES = {"staticfiles": {
    "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage",
}}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "django_on_lambda.observability.formatters.JSONFormatter"},
    },
    "handlers": {"out": {
        "class": "logging.StreamHandler",
        "stream": "ext://sys.stdout",
        "formatter": "json",
    }},
    "root": {"handlers": ["out"], "level": "INFO"},
}
""",
    "shop/urls.py": """
from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path

def home(request):
    return render(request, "home.tpl", {"version": settings.VERSION})

def orders(request):
    connection.ensure_connection()
    return HttpResponse("orders")

def broken(request):
    raise ValueError("no such order")

urlpatterns = [path("", home), path("orders/", orders), path("broken/", broken)]
""",
}


def write_site(folder: Path) -> Path:
    """Write the site with the integration into a repository of its own."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.lstrip())
    shutil.copytree(
        ROOT / "apps" / "aws_lambda",
        folder / "django_on_lambda",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    runtime = (ROOT / "requirements" / "runtime.txt").read_text()
    entries = re.split(r"^(?=[\w.-]+==)", runtime, flags=re.MULTILINE)
    locked = [entry for entry in entries if entry.partition("==")[0] in PACKAGES]
    server = "gunicorn==23.0.0 --hash=sha256:" + "0" * 64
    (folder / "requirements.txt").write_text("".join(locked) + server + "\n")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "add", "--all"], check=True)
    # A new file that was forgotten.
    (folder / "shop" / "new.py").touch()
    return folder
