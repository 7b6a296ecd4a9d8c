"""
Build Django sites that other people could have written, each in a git repository.

They run with this environment's Python: `environment()` has what their processes need,
with the integration under the name that it has when it is installed.
"""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from apps.aws_lambda.cli import ROOT

INTEGRATION = "django_on_lambda"
GIT = {
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
}
# A lock file of each kind, with the integration and Django in it.
REQUIREMENTS = "django==6.1.3\ndjango-on-lambda==0.1.0\n"
UV_LOCK = """\
version = 1
revision = 3
requires-python = ">=3.13"

[[package]]
name = "site"
version = "1.0"
source = { virtual = "." }
dependencies = [{ name = "django" }, { name = "django-on-lambda" }]

[package.dev-dependencies]
dev = [{ name = "uwsgi" }]

[[package]]
name = "django"
version = "6.1.3"
source = { registry = "https://registry.example.com/simple" }

[[package]]
name = "django-on-lambda"
version = "0.1.0"
source = { registry = "https://registry.example.com/simple" }

[[package]]
name = "uwsgi"
version = "2.0.30"
source = { registry = "https://registry.example.com/simple" }
"""
POETRY_LOCK = """\
[[package]]
name = "django"
version = "6.1.3"
optional = false
groups = ["main"]

[[package]]
name = "django-on-lambda"
version = "0.1.0"
optional = false
groups = ["main", "dev"]

[[package]]
name = "tzdata"
version = "2026.1"
optional = false
groups = ["main"]
markers = "sys_platform == \\"win32\\""

[[package]]
name = "uwsgi"
version = "2.0.30"
optional = false
groups = ["dev"]
"""
PIPFILE_LOCK = """\
{
  "_meta": {"sources": [{"name": "pypi", "url": "https://pypi.org/simple"}]},
  "default": {
    "django": {"version": "==6.1.3"},
    "django-on-lambda": {"version": "==0.1.0"},
    "tzdata": {"version": "==2026.1", "markers": "sys_platform == 'win32'"}
  },
  "develop": {"uwsgi": {"version": "==2.0.30"}}
}
"""
POLLS = {
    "polls/__init__.py": "",
    "polls/models.py": """\
        from django.db import models


        class Question(models.Model):
            text = models.CharField(max_length=200)
            picture = models.FileField(blank=True)
        """,
    "polls/admin.py": """\
        from django.contrib import admin

        from .models import Question

        admin.site.register(Question)
        """,
    "polls/views.py": """\
        from django.shortcuts import render


        def about(request):
            return render(request, "polls/about.html")
        """,
    "polls/tests.py": """\
        from django.test import TestCase


        class AboutTest(TestCase):
            def test_about_is_shown(self):
                self.assertContains(self.client.get("/about/"), "Polls")
        """,
    "polls/migrations/__init__.py": "",
    "polls/migrations/0001_initial.py": """\
        from django.db import migrations, models


        class Migration(migrations.Migration):
            initial = True
            dependencies = []
            operations = [
                migrations.CreateModel(
                    name="Question",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("text", models.CharField(max_length=200)),
                        ("picture", models.FileField(blank=True, upload_to="")),
                    ],
                )
            ]
        """,
    "polls/templates/polls/about.html": "<h1>Polls</h1>\n",
    "polls/static/polls/style.css": "h1 { color: green; }\n",
}
URLS = """\
    from django.contrib import admin
    from django.urls import path
    from polls.views import about

    urlpatterns = [
        path("about/", about, name="about"),
        path("admin/", admin.site.urls),
    ]
    """
BASE = """\
    from pathlib import Path

    BASE_DIR = Path(__file__).resolve().parents[2]
    VERSION = (BASE_DIR / "VERSION").read_text().strip()
    INSTALLED_APPS = [
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "django.contrib.staticfiles",
        "accounts",
        "polls",
    ]
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    ROOT_URLCONF = "config.urls"
    WSGI_APPLICATION = "config.wsgi.application"
    AUTH_USER_MODEL = "accounts.User"
    TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [BASE_DIR / "templates"],
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
    LANGUAGES = [("en", "English"), ("de", "German")]
    LOCALE_PATHS = [BASE_DIR / "locale"]
    STATIC_URL = "static/"
    STATIC_ROOT = BASE_DIR / "public"
    DATABASES = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "a.db"},
        "archive": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "b.db"},
    }
    """
PRODUCTION = """\
    import os

    from .base import *

    DEBUG = False
    SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
    ALLOWED_HOSTS = os.environ.get("HOSTS", "example.com").split(",")
    PAGE_SIZE = int(os.environ["PAGE_SIZE"])
    """


def site(folder: Path, files: dict[str, str]) -> Path:
    """Write the files into a folder, and commit them; return it."""
    write(folder, files)
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return folder


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files by their paths; texts may be indented."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text))


def commit(folder: Path) -> None:
    """Commit all files."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=Work")


def git(folder: Path, *arguments: str) -> str:
    """Return the output of git."""
    return subprocess.check_output(
        ["git", "-C", str(folder), *arguments], env=os.environ | GIT, text=True
    )


def startproject(
    folder: Path, python: Path = Path(sys.executable), **files: str
) -> Path:
    """
    Return what `django-admin startproject` makes, with an app.

    ``python`` has its Django. ``files`` are more files, or other texts of files, by
    path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(python), "-m", "django", "startproject", "mysite", str(folder)]
    subprocess.run(command, env=outside(), check=True)
    settings = (folder / "mysite" / "settings.py").read_text()
    added = settings.replace("INSTALLED_APPS = [", 'INSTALLED_APPS = [\n    "polls",')
    return site(
        folder,
        {
            **POLLS,
            "mysite/urls.py": URLS,
            "mysite/settings.py": added,
            ".gitignore": "*.pyc\ndb.sqlite3\n",
            "requirements.txt": REQUIREMENTS,
            **files,
        },
    )


def settings_package(folder: Path, **files: str) -> Path:
    """
    Return a site with a package of settings, as cookiecutters make them.

    It has a custom user model, two databases, translations, a file that the settings
    read, and variables without which production does not start; wsgi.py names the
    settings of development, as that of `wagtail start` does.
    """
    starts = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")'
    return site(
        folder,
        {
            **POLLS,
            "manage.py": f"""\
                import os
                import sys

                {starts}

                from django.core.management import execute_from_command_line

                execute_from_command_line(sys.argv)
                """,
            "config/__init__.py": "",
            "config/settings/__init__.py": "",
            "config/settings/base.py": BASE,
            "config/settings/dev.py": """\
                from .base import *

                DEBUG = True
                SECRET_KEY = "only-for-development"
                """,
            "config/settings/production.py": PRODUCTION,
            "config/urls.py": URLS,
            "config/wsgi.py": f"""\
                import os

                from django.core.wsgi import get_wsgi_application

                {starts}

                application = get_wsgi_application()
                """,
            "accounts/__init__.py": "",
            "accounts/models.py": """\
                from django.contrib.auth.models import AbstractUser


                class User(AbstractUser):
                    pass
                """,
            "templates/404.html": "<h1>Not here</h1>\n",
            "locale/de/LC_MESSAGES/django.po": 'msgid ""\nmsgstr ""\n',
            "docs/index.md": "# Docs\n",
            "tests/__init__.py": "",
            "VERSION": "1.0\n",
            ".gitignore": "*.db\n.env",
            "uv.lock": UV_LOCK,
            "pyproject.toml": """\
                [project]
                name = "Site of Ann"
                version = "1.0"
                requires-python = ">=3.13"
                dependencies = ["django", "django-on-lambda"]

                [dependency-groups]
                dev = ["uwsgi"]
                """,
            **files,
        },
    )


def place(folder: Path, name: str, start: str) -> str:
    """Return file and line of the first line that begins with a text."""
    lines = (folder / name).read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if line.startswith(start))
    return f"{name}:{number}"


def environment(scratch: Path) -> dict[str, str]:
    """Return the variables with which a site finds its Python and the integration."""
    link = scratch / "installed" / INTEGRATION
    if not link.exists():
        link.parent.mkdir(parents=True)
        link.symlink_to(ROOT / "apps" / "aws_lambda")
    return {
        "VIRTUAL_ENV": sys.prefix,
        "PYTHONPATH": str(link.parent),
        # What is not in uv's cache is not looked up.
        "UV_OFFLINE": "1",
    }


def manage(folder: Path, *arguments: str, **variables: str) -> str:
    """Run a site's manage.py, and return its output."""
    return subprocess.check_output(
        [sys.executable, "manage.py", *arguments],
        cwd=folder,
        env=outside() | variables,
        stderr=subprocess.STDOUT,
        text=True,
    )


def outside() -> dict[str, str]:
    """Return the environment without the settings of this suite."""
    names = ("DJANGO_SETTINGS_MODULE", "SECRET_KEY", "DATABASE_URL", "STAGE")
    return {name: v for name, v in os.environ.items() if name not in names}
