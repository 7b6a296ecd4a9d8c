"""
Sites in virtual environments of their own, which install the wheel.

A site is what its generator writes, with what its developers would have added before
they know of Lambda: an app, tests, and a database whose place an environment variable
names. Nothing is edited after `django-on-lambda adopt`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

from tests import environment
from tests.cli import sites
from tests.lts.site import python as find_python
from tests.lts.site import wheel

UV = Path(sys.executable).with_name("uv")
# What the environment of this suite has, and that of a developer does not.
OURS = (
    "ALLOWED_HOSTS",
    "DATABASE_URL",
    "DEBUG",
    "DJANGO_SETTINGS_MODULE",
    "ENV_FILE",
    "LOG_LEVEL",
    "MEDIA_ROOT",
    "PYTHONPATH",
    "SECRET_KEY",
    "STAGE",
    "STATIC_ROOT",
    "VIRTUAL_ENV",
)
EXTRAS = "static,media"
# The database of a site is a file that this variable names, or the default's.
DATABASE_FILE = "DATABASE_FILE"


def requirement() -> str:
    """Return the line of a requirements file that installs the wheel."""
    return f"django-on-lambda[{EXTRAS}] @ {wheel().as_uri()}"


def program() -> Path:
    """Return the Python that has the commands, as `uvx` would install them."""
    return environment.once("program", _install_program) / "bin" / "python"


def _install_program() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="program-")) / "venv"
    # It is moved.
    run(UV, "venv", "--quiet", "--relocatable", "--python", find_python("3.13"), folder)
    run(
        *(UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python"),
        f"django-on-lambda[deploy] @ {wheel().as_uri()}",
    )
    return folder


def outside(**variables: str) -> dict[str, str]:
    """Return the environment of a developer who has no variable of this suite."""
    return {n: v for n, v in os.environ.items() if n not in OURS} | variables


def run(*command: str | Path, cwd: Path | None = None, **variables: str) -> str:
    """Return what a command prints; fail with it if the exit status is not 0."""
    status, output = attempt(*command, cwd=cwd, **variables)
    assert status == 0, f"{' '.join(map(str, command))}:\n{output}"
    return output


def attempt(
    *command: str | Path, cwd: Path | None = None, **variables: str
) -> tuple[int, str]:
    """Return the exit status of a command, and what it prints."""
    process = subprocess.run(
        command,
        cwd=cwd,
        env=outside(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout


class InstalledSite:
    """A site in a folder, with a virtual environment in it, for a Python version."""

    def __init__(self, root: Path, version: str = "3.13") -> None:
        self.root = root
        self.python = root / ".venv" / "bin" / "python"
        root.mkdir(parents=True)
        self.run(UV, "venv", "--quiet", "--python", find_python(version))

    def run(self, *command: str | Path, **variables: str) -> str:
        """Run a command in the folder."""
        return run(*command, cwd=self.root, **variables)

    def install(self, *arguments: str) -> None:
        """Run `pip install`."""
        self.run(
            *(UV, "pip", "install", "--quiet", "--python", self.python), *arguments
        )

    def manage(self, *arguments: str, **variables: str) -> str:
        """Run manage.py."""
        return self.run(self.python, "manage.py", *arguments, **variables)

    def command(
        self, *arguments: str, root: Path | None = None, **variables: str
    ) -> tuple[int, str]:
        """Return the exit status and the output of `django-on-lambda`."""
        return attempt(
            *(str(program()), "-m", "django_on_lambda.cli", *arguments),
            cwd=root or self.root,
            VIRTUAL_ENV=str(self.root / ".venv"),
            **variables,
        )

    def write(self, **files: str) -> None:
        """Write files by their paths."""
        sites.write(self.root, files)

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file, which must have it."""
        path = self.root / name
        text = path.read_text()
        assert old in text, text
        path.write_text(text.replace(old, new))

    def append(self, name: str, text: str) -> None:
        """Append lines to a file."""
        path = self.root / name
        path.write_text(path.read_text() + dedent(text))

    def commit(self) -> None:
        """Commit all files, in a new repository if there is none."""
        if not (self.root / ".git").exists():
            sites.git(self.root, "init", "--quiet", "--initial-branch=main")
        sites.commit(self.root)

    def status(self, root: Path | None = None) -> list[str]:
        """Return the lines of `git status`."""
        folder = root or self.root
        arguments = ("status", "--porcelain", "--untracked-files=all")
        return sites.git(folder, *arguments).splitlines()

    def copy(self, target: Path) -> Path:
        """Copy the folder without the virtual environment."""
        ignore = shutil.ignore_patterns(".venv", "node_modules")
        return shutil.copytree(self.root, target, ignore=ignore, symlinks=True)


Build = Callable[[Path], InstalledSite]
IGNORED = ".venv/\n__pycache__/\n*.sqlite3\n"
DATABASE = f"""

import os

DATABASES["default"]["NAME"] = os.environ.get(
    "{DATABASE_FILE}", DATABASES["default"]["NAME"]
)
"""


def polls(folder: Path, django: str = "django~=6.1.0") -> InstalledSite:
    """Return `django-admin startproject` with an app, and a requirements.txt."""
    site = InstalledSite(folder)
    requirements = f"{django}\ndjango-storages[s3]\n{requirement()}\n"
    site.write(**{"requirements.txt": requirements})
    site.install("--requirement", "requirements.txt")
    files = {".gitignore": IGNORED, "requirements.txt": requirements}
    sites.startproject(folder, site.python, **files)
    site.append("mysite/settings.py", DATABASE)
    site.commit()
    return site


def wagtail(folder: Path) -> InstalledSite:
    """Return `wagtail start` with a test, and a uv.lock."""
    site = InstalledSite(folder)
    site.write(
        **{
            ".gitignore": IGNORED,
            "pyproject.toml": f"""\
                [project]
                name = "gallery"
                version = "1.0"
                requires-python = ">=3.13"
                dependencies = [
                  "django-on-lambda[{EXTRAS}]",
                  "django-storages[s3]",
                  "wagtail~=8.0",
                ]

                [tool.uv.sources]
                django-on-lambda = {{ path = "{wheel()}" }}
                """,
        }
    )
    site.run(UV, "sync", "--quiet")
    site.run(site.root / ".venv" / "bin" / "wagtail", "start", "mysite", ".")
    site.write(
        **{
            "home/tests.py": """\
                from django.test import TestCase


                class HomeTest(TestCase):
                    def test_the_home_page_is_served(self):
                        self.assertContains(self.client.get("/"), "Wagtail")
                """
        }
    )
    site.append("mysite/settings/base.py", DATABASE)
    site.commit()
    return site


def poetry_lock(folder: Path) -> str:
    """
    Return what Poetry writes for the versions in uv.lock.

    Poetry needs an index with PyPI's own API, which a mirror may not have.
    """
    locked = tomllib.loads((folder / "uv.lock").read_text())["package"]
    needs = [need for package in locked for need in package.get("dependencies", ())]
    sections = []
    for package in locked:
        name, source = package["name"], package["source"]
        if "virtual" in source:
            continue
        marked = {need.get("marker", "") for need in needs if need["name"] == name}
        lines = [
            "[[package]]",
            f'name = "{name}"',
            f'version = "{package["version"]}"',
            'groups = ["main"]',
        ]
        if "" not in marked:
            lines.append(f"markers = {json.dumps(' or '.join(sorted(marked)))}")
        wheels = package.get("wheels", ())
        files = [
            f'  {{file = "{wheel.get("url", "").split("/")[-1] or wheel["filename"]}", '
            f'hash = "{wheel["hash"]}"}},'
            for wheel in wheels
        ]
        lines += ["files = [", *files, "]"]
        if path := source.get("path"):
            lines += ["[package.source]", 'type = "file"', f'url = "{path}"']
        sections.append("\n".join(lines))
    return "\n\n".join(sections) + "\n"


def settings_package(folder: Path) -> InstalledSite:
    """Return a site of many settings modules, with a poetry.lock."""
    site = InstalledSite(folder)
    site.write(
        **{
            "pyproject.toml": f"""\
                [project]
                name = "library"
                version = "1.0"
                requires-python = ">=3.13,<4"
                dependencies = [
                  "django (>=6.1,<6.2)",
                  "django-storages[s3]",
                  "{requirement()}",
                ]

                [tool.poetry]
                package-mode = false
                """
        }
    )
    site.run(UV, "sync", "--quiet")
    site.write(**{"poetry.lock": poetry_lock(folder)})
    names = ("pyproject.toml", "poetry.lock")
    kept = {name: (folder / name).read_text() for name in names}
    sites.settings_package(folder, **kept, **{".gitignore": IGNORED + "*.db\n"})
    (folder / "uv.lock").unlink()
    site.append("config/settings/production.py", DATABASE)
    site.manage("makemigrations", "accounts")
    site.commit()
    return site


def rest_framework(folder: Path) -> InstalledSite:
    """Return a site with an API, tokens and a schema, on Python 3.12: Pipfile.lock."""
    site = InstalledSite(folder, "3.12")
    site.write(
        Pipfile=f"""\
                [[source]]
                name = "pypi"
                url = "https://pypi.org/simple"
                verify_ssl = true

                [packages]
                django = "~=6.0.0"
                django-storages = {{extras = ["s3"], version = "*"}}
                django-on-lambda = {{extras = ["static"], file = "{wheel().as_uri()}"}}
                djangorestframework = "*"
                drf-spectacular = "*"

                [requires]
                python_version = "3.12"
                """
    )
    inside = {"VIRTUAL_ENV": str(folder / ".venv"), "PIPENV_VERBOSITY": "-1"}
    site.run(UV, "tool", "run", "--quiet", "pipenv", "lock", **inside)
    site.run(UV, "tool", "run", "--quiet", "pipenv", "sync", **inside)
    names = ("Pipfile", "Pipfile.lock")
    kept = {name: (folder / name).read_text() for name in names}
    sites.startproject(folder, site.python, **kept, **{".gitignore": IGNORED})
    (folder / "requirements.txt").unlink()
    site.append("mysite/settings.py", DATABASE)
    site.append(
        "mysite/settings.py",
        """
        INSTALLED_APPS += [
            "rest_framework",
            "rest_framework.authtoken",
            "drf_spectacular",
        ]
        REST_FRAMEWORK = {
            "DEFAULT_AUTHENTICATION_CLASSES": [
                "rest_framework.authentication.TokenAuthentication",
            ],
            "DEFAULT_PERMISSION_CLASSES": [
                "rest_framework.permissions.IsAuthenticated",
            ],
            "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
        }
        """,
    )
    site.write(
        **{
            "polls/api.py": """\
                from rest_framework.serializers import ModelSerializer
                from rest_framework.viewsets import ModelViewSet

                from .models import Question


                class QuestionSerializer(ModelSerializer):
                    class Meta:
                        model = Question
                        fields = ["id", "text"]


                class QuestionViewSet(ModelViewSet):
                    queryset = Question.objects.order_by("id")
                    serializer_class = QuestionSerializer
                """
        }
    )
    site.append(
        "mysite/urls.py",
        """

        from django.urls import include
        from drf_spectacular.views import SpectacularAPIView
        from polls.api import QuestionViewSet
        from rest_framework.authtoken.views import obtain_auth_token
        from rest_framework.routers import DefaultRouter

        router = DefaultRouter()
        router.register("questions", QuestionViewSet)
        urlpatterns += [
            path("api/token/", obtain_auth_token),
            path("api/schema/", SpectacularAPIView.as_view(permission_classes=[])),
            path("api/", include(router.urls)),
        ]
        """,
    )
    site.commit()
    return site


def codered(folder: Path) -> InstalledSite:
    """Return `coderedcms start` with a test, and its requirements.txt."""
    site = InstalledSite(folder)
    site.install("coderedcms~=6.0")
    start = site.root / ".venv" / "bin" / "coderedcms"
    site.run(start, "start", "mysite", ".")
    site.append(
        "requirements.txt",
        f"""\
        django-storages[s3]
        {requirement()}
        """,
    )
    site.install("--requirement", "requirements.txt")
    site.write(
        **{
            "website/tests.py": """\
                from django.test import TestCase


                class HomeTest(TestCase):
                    def test_the_home_page_is_served(self):
                        self.assertEqual(self.client.get("/").status_code, 200)
                """
        }
    )
    site.append("mysite/settings/base.py", DATABASE)
    site.commit()
    return site
