"""The settings modules and the lock file are found by reading files."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from apps.aws_lambda.cli.adopt.locks import (
    Lock,
    cause,
    find_lock,
    lines,
    pinned,
    run_uv,
    without_wheels,
)
from apps.aws_lambda.cli.adopt.modules import Modules, find_modules
from apps.aws_lambda.cli.adopt.plan import service_name
from apps.aws_lambda.cli.adopt.repository import Repository
from tests.cli import sites

BASE = "INSTALLED_APPS = []\nROOT_URLCONF = 'urls'\nDEBUG = True\n"
STAR = "from .base import *\n"


def modules(folder: Path, files: dict[str, str]) -> Modules:
    sites.write(folder, files)
    return find_modules(folder, sorted(files))


def wsgi(name: str) -> str:
    return f'import os\n\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "{name}")\n'


def test_production_is_found_by_its_name_and_not_by_wsgi(tmp_path: Path):
    found = modules(
        tmp_path,
        {
            "site/settings/base.py": BASE,
            "site/settings/dev.py": STAR,
            "site/settings/production.py": STAR,
            "site/wsgi.py": wsgi("site.settings.dev"),
        },
    )

    assert found.settings.keys() == {
        "site.settings.base",
        "site.settings.dev",
        "site.settings.production",
    }
    assert found.production() == ("site.settings.production", "by its name")


@pytest.mark.parametrize("more", [{}, {"site/settings/prod_eu.py": STAR}])
def test_without_one_such_name_it_is_what_wsgi_names(
    tmp_path: Path, more: dict[str, str]
):
    found = modules(
        tmp_path,
        {
            "site/settings/base.py": BASE,
            "site/settings/live.py": STAR,
            "site/settings/prod_us.py" if more else "site/settings/dev.py": STAR,
            "site/wsgi.py": wsgi("site.settings.live"),
            **more,
        },
    )

    assert found.production() == ("site.settings.live", "named in site/wsgi.py:3")


def test_two_modules_that_no_file_names_are_not_guessed_from(tmp_path: Path):
    found = modules(tmp_path, {"a/settings.py": BASE, "b/settings.py": BASE})

    assert found.production() == ("", "")


def test_settings_of_tests_and_of_adopt_are_not_candidates(tmp_path: Path):
    found = modules(
        tmp_path,
        {
            "site/settings.py": BASE,
            "site/lambda_settings.py": "from .settings import *\n",
            "tests/settings.py": BASE,
        },
    )

    assert found.settings.keys() == {"site.settings"}
    assert found.production() == ("site.settings", "the only one")


def test_the_place_of_a_setting_is_where_production_has_it(tmp_path: Path):
    found = modules(
        tmp_path,
        {
            "site/settings/base.py": BASE,
            "site/settings/middle.py": "from site.settings.base import *\n",
            "site/settings/prod.py": """\
                from .middle import *

                if True:
                    DEBUG: bool = False
                    DEBUG = False
                """,
        },
    )

    assert found.place("site.settings.prod", "DEBUG") == "site/settings/prod.py:5"
    assert found.place("site.settings.prod", "ROOT_URLCONF") == (
        "site/settings/base.py:2"
    )
    assert found.place("site.settings.prod", "CACHES") == ""


def test_a_package_of_settings_is_named_by_its_folder(tmp_path: Path):
    found = modules(
        tmp_path,
        {"site/settings/base.py": BASE, "site/settings/__init__.py": STAR},
    )

    assert found.settings["site.settings"].stars == ("site.settings.base",)


def find(folder: Path, files: dict[str, str]) -> Lock:
    sites.write(folder, files)
    lock = find_lock(folder, folder, sorted(files))
    assert lock
    return lock


LOCKS = {
    "uv.lock": (sites.UV_LOCK, "Run: uv add django-on-lambda"),
    "poetry.lock": (sites.POETRY_LOCK, "Run: poetry add django-on-lambda"),
    "Pipfile.lock": (sites.PIPFILE_LOCK, "Run: pipenv install django-on-lambda"),
}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_is_found_before_requirements(name: str, tmp_path: Path):
    text, command = LOCKS[name]

    lock = find(tmp_path, {name: text, "requirements.txt": "django\n"})

    assert (lock.path, lock.kind) == (name, name)
    assert lock.command("add") == command
    assert lock.has("django-on-lambda")
    assert lock.has("Django")
    assert not lock.has("django-on")
    assert not lock.has("lambda")


def test_a_lock_file_above_the_site_is_found(tmp_path: Path):
    sites.write(tmp_path, {"uv.lock": sites.UV_LOCK, "web/manage.py": ""})

    lock = find_lock(tmp_path / "web", tmp_path, ["manage.py"])

    assert lock
    assert lock.path == "../uv.lock"
    assert lock.has("django")


def test_requirements_of_production_are_found_with_what_they_include(tmp_path: Path):
    lock = find(
        tmp_path,
        {
            "requirements/base.txt": "# flask\ndjango_on_lambda[deploy] == 0.1\n",
            "requirements/dev.txt": "ipython\n",
            "requirements/production.txt": "-r base.txt\ngunicorn\n",
        },
    )

    assert lock.path == "requirements/production.txt"
    assert lock.kind == "requirements"
    assert lock.has("django-on-lambda")
    assert not lock.has("flask")
    assert lock.command("add").endswith("to requirements/production.txt")


def test_dependencies_of_a_project_without_a_lock_file_are_found(tmp_path: Path):
    text = '[project]\nname = "a"\ndependencies = [\n  "Django>=6"\n]\n'

    assert find(tmp_path, {"pyproject.toml": text}).has("django")
    assert find_lock(tmp_path / "elsewhere", tmp_path / "elsewhere", []) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("uv.lock", ["django==6.1.3", "django-on-lambda==0.1.0"]),
        (
            "poetry.lock",
            [
                "django==6.1.3",
                "django-on-lambda==0.1.0",
            ],
        ),
        (
            "Pipfile.lock",
            [
                "django==6.1.3",
                "django-on-lambda==0.1.0",
            ],
        ),
    ],
)
def test_a_lock_file_is_read_without_what_is_for_developers_or_other_systems(
    name: str, expected: list[str], tmp_path: Path
):
    project = (
        '[project]\nname = "site"\nversion = "1.0"\nrequires-python = ">=3.13"\n'
        'dependencies = ["django", "django-on-lambda"]\n\n'
        '[dependency-groups]\ndev = ["uwsgi"]\n'
    )
    lock = find(tmp_path, {"pyproject.toml": project, name: LOCKS[name][0]})

    assert lines(pinned(lock, Path(sys.executable), "3.13")) == expected


def test_the_index_of_a_company_is_asked_too(tmp_path: Path):
    text = sites.PIPFILE_LOCK.replace("https://pypi.org", "https://pypi.example.com")
    lock = find(tmp_path, {"Pipfile.lock": text})

    found = lines(pinned(lock, Path(sys.executable), "3.13"))

    assert found[0] == "--extra-index-url https://pypi.example.com/simple"


def test_packages_without_a_wheel_for_lambda_are_found(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv("UV_OFFLINE", raising=False)
    wanted = ["asgiref==3.11.0", "uwsgi==2.0.30", "psycopg2==2.9.10"]
    wanted += ["mine @ git+https://example.com/mine"]

    missing = without_wheels(wanted, "3.13")

    assert sorted(missing) == [wanted[3], wanted[2], wanted[1]]


def test_the_cause_of_an_error_of_uv_is_named():
    new = """\
        error: No solution found when resolving dependencies
          cause: Because a was not found, your requirements are unsatisfiable.

        hint: Packages were unavailable because the network was disabled.
        """
    old = "  \u00d7 No solution found\n  ╰─▶ Because a was not found\n      for b\n"

    assert cause(dedent(new)).startswith("Because a was not found")
    assert cause(old) == "Because a was not found"
    assert cause("") == "uv has no output"
    assert run_uv(["--version"], None).stdout.startswith("uv ")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("My Shop", "my-shop"),
        ("2026_site", "site-2026-site"),
        ("a" * 40, "a" * 30),
    ],
)
def test_a_service_is_named_as_aws_requires(folder: str, name: str, tmp_path: Path):
    assert service_name(tmp_path / folder) == name


def test_what_submodules_and_symbolic_links_have_is_the_sites(tmp_path: Path):
    module = sites.site(tmp_path / "module", {"shop/models.py": ""})
    root = sites.site(tmp_path / "site", {"manage.py": "", "lib/polls/views.py": ""})
    (root / "polls").symlink_to("lib/polls")
    (root / "elsewhere").symlink_to(tmp_path)
    allowed = ("-c", "protocol.file.allow=always")
    sites.git(root, *allowed, "submodule", "--quiet", "add", str(module), "vendor")
    sites.commit(root)
    copy = tmp_path / "copy"

    Repository(root).copy(copy)

    files = [str(p.relative_to(copy)) for p in copy.rglob("*") if p.is_file()]
    assert sorted(files) == [
        ".gitmodules",
        "lib/polls/views.py",
        "manage.py",
        "polls/views.py",
        "vendor/shop/models.py",
    ]


def test_uncommitted_paths_are_relative_to_the_site(tmp_path: Path):
    sites.site(tmp_path, {"web/manage.py": "", "docs/a.md": ""})
    sites.write(tmp_path, {"web/new file.py": "", "docs/b.md": ""})
    repository = Repository(tmp_path / "web")

    assert repository.changed() == ["new file.py"]
    assert repository.tracked() == ["manage.py"]
    assert repository.top() == tmp_path
