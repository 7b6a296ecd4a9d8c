"""Sites that have been adopted, each generated in a folder of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import environment

ROOT = Path(__file__).resolve().parents[3]

# What the site has without Lambda.
SETTINGS = """
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "only-for-the-tests-of-a-check"
DEBUG = False
ALLOWED_HOSTS = ["www.shop.example"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "shop",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECURE_SSL_REDIRECT = True
STATIC_URL = "static/"
LOGIN_URL = "/admin/login/"
"""

# What the settings for Lambda need at least.
LAMBDA_SETTINGS = """
import os

from .settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "django_on_lambda"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    *MIDDLEWARE[1:],
]
ALLOWED_HOSTS = [*ALLOWED_HOSTS, *os.environ["LAMBDA_HOSTS"].split(",")]
STATIC_ROOT = os.environ["LAMBDA_STATIC_ROOT"]
# It has no uploads.
SILENCED_SYSTEM_CHECKS = ["aws_lambda.E013"]
"""

WSGI = """
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_wsgi_application()
"""

ENTRY = """
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.lambda_settings")

from django_on_lambda.bootstrap import init_phase

with init_phase():
    from django_on_lambda import handlers

    http = handlers.http()
"""

URLS = """
from django.contrib import admin
from django.urls import path, re_path
from django.views.generic import RedirectView

from . import views

urlpatterns = [
    path("", views.home),
    path("about/", views.about, name="about"),
    re_path(r"^feed/$", views.feed),
    path("old/", RedirectView.as_view(pattern_name="about")),
    path("visits/", views.visits),
    path("broken/", views.broken),
    path("products/<int:number>/", views.product, name="product"),
    path("admin/", admin.site.urls),
    path("sign-out/", views.sign_out),
]
"""

VIEWS = """
from django.contrib.auth import logout
from django.contrib.auth.models import Group
from django.http import HttpResponse
from django.shortcuts import render


def home(request):
    return render(request, "shop/home.html")


def about(request):
    return HttpResponse("<a href='/products/3/'>A</a> <a href='/products/11/'>B</a>")


def feed(request):
    return HttpResponse("<feed/>", content_type="application/atom+xml")


def product(request, number):
    if number in (4, 13):
        raise LookupError(f"number {number}")
    return HttpResponse(f"<a href='/products/{number + 1}/'>The next</a>")


def visits(request):
    Group.objects.create(name=str(Group.objects.count()))
    return HttpResponse("Counted")


def broken(request):
    raise LookupError("no such shelf")


def sign_out(request):
    logout(request)
    raise LookupError("The session has ended")
"""

HOME = """
{% load static %}
<link rel="stylesheet" href="{% static 'shop/shop.css' %}?v=17">
<a href="{% url 'about' %}#team">About</a>
<a href="https://other.example/about/">Elsewhere</a>
<a href="/sign-out/">Sign out</a>
<form action="/feed/"><button>Feed</button></form>
"""

CONFIGURATION = """
settings = "shop.lambda_settings"
lock = "requirements.txt"
code = ["lambda_entry.py", "shop"]
pages = ["/"]
"""

SITE = {
    "django-on-lambda.toml": CONFIGURATION,
    "serverless.yml": "service: shop\n",
    "lambda_entry.py": ENTRY,
    "shop/__init__.py": "",
    "shop/settings.py": SETTINGS,
    "shop/lambda_settings.py": LAMBDA_SETTINGS,
    "shop/wsgi.py": WSGI,
    "shop/urls.py": URLS,
    "shop/views.py": VIEWS,
    "shop/templates/shop/home.html": HOME,
    "shop/static/shop/shop.css": "body { margin: 0 }",
}


@dataclass(frozen=True)
class Outcome:
    """What a check printed, and its exit status."""

    status: int
    text: str


@dataclass(frozen=True)
class Site:
    """A site in a folder, with the folder of the installed integration."""

    root: Path
    installed: Path

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def append(self, name: str, text: str) -> None:
        with (self.root / name).open("a") as file:
            file.write(text)

    def replace(self, name: str, old: str, new: str) -> None:
        path = self.root / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def check(
        self, *options: str, virtual_environment: Path | str = sys.prefix
    ) -> Outcome:
        """Run the command as a user does."""
        process = subprocess.run(
            [sys.executable, "-m", "django_on_lambda.cli", "check", *options],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(self.installed),
                "TMPDIR": os.environ["TMPDIR"],
                "VIRTUAL_ENV": str(virtual_environment),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        text = process.stdout + process.stderr
        assert "Traceback" not in text
        return Outcome(process.returncode, text)


def install() -> Path:
    """Copy the integration to where a wheel would install it."""
    folder = environment.folder / "installed"
    shutil.copytree(
        ROOT / "apps" / "aws_lambda",
        folder / "django_on_lambda",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return folder


MakeSite = Callable[[str], Site]


@pytest.fixture(scope="session")
def make_site(tmp_path_factory: pytest.TempPathFactory) -> MakeSite:
    """Return a function that creates a site in a new folder."""
    installed = environment.once("installed", install)

    def make(name: str) -> Site:
        site = Site(tmp_path_factory.mktemp(name), installed)
        for path, text in SITE.items():
            site.write(path, text)
        return site

    return make


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site("site")
