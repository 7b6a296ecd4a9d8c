"""The short check: a few pages of the site on Lambda."""

import sqlite3
import sys

import pytest

from apps.aws_lambda.cli.check.command import next_steps
from apps.aws_lambda.cli.configuration import Configuration
from tests.cli.check.conftest import MakeSite, Outcome, Site

POSTGRESQL_ONLY = """
from django.db import migrations


class Migration(migrations.Migration):
    operations = [migrations.RunSQL("CREATE EXTENSION hstore")]
"""

FAILING_APP = """
import sys

from django.apps import AppConfig


class Shop(AppConfig):
    name = "shop"

    def ready(self):
        if "lambda_entry" in sys.modules: raise LookupError("no shelf")
"""


@pytest.fixture(scope="module")
def clean(make_site: MakeSite) -> Outcome:
    return make_site("clean").check()


def test_an_adopted_site_has_no_problems(clean: Outcome):
    assert clean.status == 0, clean.text
    assert clean.text.endswith(
        "No problems. Next:\n"
        "  django-on-lambda check --crawl\n"
        "  django-on-lambda run\n"
        "  django-on-lambda deploy --stage dev\n"
    )


@pytest.mark.parametrize(
    ("lock", "crawled", "first", "expected"),
    [
        ("requirements.txt", True, "", "# run, # package, # deploy --stage dev"),
        ("uv.lock", False, "", "uv run # check --crawl, uv run # run, uv run # deploy"),
        ("Pipfile.lock", True, "npm i", "npm i, pipenv run # run, pipenv run # deploy"),
        ("poetry.lock", False, "npm i", "npm i, poetry run # check --crawl, "),
    ],
)
def test_three_commands_come_next(lock: str, crawled: bool, first: str, expected: str):
    found = next_steps(Configuration("", lock, ()), crawled=crawled, first=first)

    assert len(found) == 3
    text = ", ".join(found).replace("django-on-lambda", "#")
    assert text.startswith(expected)


def test_what_keeps_the_site_from_working_on_lambda_comes_before_the_deployment(
    site: Site,
):
    site.append(
        "shop/lambda_settings.py",
        "from django_on_lambda.settings import apply\napply(globals())\n",
    )

    outcome = site.check()

    assert outcome.status == 0, outcome.text
    line = (
        "Before you deploy, unless a variable changes it: DATABASES['default']: SQLite"
    )
    assert line in outcome.text
    assert outcome.text.index(line) < outcome.text.index("django-on-lambda deploy")


def test_home_login_and_a_static_file_are_requested(clean: Outcome):
    assert "200 / (page)" in clean.text
    assert "200 /admin/login/ (LOGIN_URL)" in clean.text
    assert "200 /static/admin/css/autocomplete.css (static file)" in clean.text


def test_nothing_is_printed_that_the_site_has_without_lambda(clean: Outcome):
    checks = clean.text.partition("» System checks\n")[2].partition("  done in")[0]
    assert {line.partition(".")[0] for line in checks.splitlines()} == {"  aws_lambda"}


def test_an_error_of_django_is_printed(site: Site):
    site.append("shop/lambda_settings.py", "LANGUAGE_CODE = 'en_nowhere'\n")

    outcome = site.check()

    assert outcome.status == 0, outcome.text
    assert "  translation.E004: You have provided a value for the LANGU" in outcome.text


def test_an_error_of_our_checks_is_a_problem_unless_ignored(site: Site):
    site.append(
        "shop/lambda_settings.py",
        "DATABASES['default'] = {'ENGINE': 'django.db.backends.postgresql', "
        "'NAME': 'shop', 'OPTIONS': {'pool': True}}\n",
    )

    outcome = site.check()
    ignoring = site.check("--ignore", "aws_lambda.E001")

    assert outcome.status == 1, outcome.text
    assert "aws_lambda.E001: " in outcome.text
    assert ignoring.status == 0, ignoring.text
    assert "aws_lambda.E001: " in ignoring.text
    assert "default (django.db.backends.postgresql). SQLite stands for" in outcome.text


def test_the_system_checks_see_the_bucket_of_a_deployment(site: Site):
    site.append(
        "shop/lambda_settings.py",
        "if os.environ.get('MEDIA_BUCKET'):\n"
        "    DATABASES['default'] = {'ENGINE': 'django.db.backends.postgresql', "
        "'NAME': 'shop', 'OPTIONS': {'pool': True}}\n",
    )

    outcome = site.check()

    assert "aws_lambda.E001: " in outcome.text
    assert "Not shown" not in outcome.text, "no page sees it"


def test_a_host_that_is_not_allowed_is_explained(site: Site):
    site.append("shop/lambda_settings.py", "ALLOWED_HOSTS = ['www.shop.example']\n")

    outcome = site.check()

    assert outcome.status == 1, outcome.text
    assert "400 / (page)" in outcome.text
    assert "Django rejected the request: ALLOWED_HOSTS is ['www.shop.example']" in (
        outcome.text
    )


def test_a_static_file_that_is_not_served_is_explained(site: Site):
    site.replace(
        "shop/lambda_settings.py",
        '    "whitenoise.middleware.WhiteNoiseMiddleware",\n',
        "",
    )

    outcome = site.check()

    assert outcome.status == 1, outcome.text
    assert "404 /static/admin/css/autocomplete.css (static file)" in outcome.text
    assert "Add whitenoise.middleware.WhiteNoiseMiddleware" in outcome.text


def test_a_page_that_redirects_to_itself_is_explained(site: Site):
    # Nothing behind an HTTP API sends this header.
    site.append(
        "shop/lambda_settings.py",
        "SECURE_PROXY_SSL_HEADER = ('HTTP_X_FORWARDED_PROTO', 'spdy')\n",
    )

    outcome = site.check()

    assert outcome.status == 1, outcome.text
    assert "It redirects to itself. If SECURE_SSL_REDIRECT is on" in outcome.text


def test_a_variable_without_a_value_is_named_and_a_stand_in_is_one(site: Site):
    site.append(
        "shop/settings.py", "import os\nKEY = os.environ['PAYMENT_PROVIDER_KEY']\n"
    )

    without = site.check()
    site.append(
        "django-on-lambda.toml", '[stand-ins]\nPAYMENT_PROVIDER_KEY = "anything"\n'
    )
    complete = site.check()

    assert without.status == 1, without.text
    assert "The environment variable PAYMENT_PROVIDER_KEY is not set" in without.text
    assert "(shop/settings.py:" in without.text
    assert "[stand-ins] in django-on-lambda.toml" in without.text
    assert complete.status == 0, complete.text


def test_the_variables_of_this_machine_are_not_those_of_lambda(site: Site):
    site.append("shop/settings.py", "import os\nKEY = os.environ['VIRTUAL_ENV']\n")

    outcome = site.check()

    assert "The environment variable VIRTUAL_ENV is not set" in outcome.text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("http = (", "SyntaxError: '(' was never closed"),
        (
            "raise RuntimeError('no shelf')",
            "RuntimeError: no shelf (lambda_entry.py:1).",
        ),
        ("import shelves", "add it to the dependencies of the site"),
        ("", "lambda_entry.py has no handler `http`"),
    ],
)
def test_a_broken_entry_is_a_sentence(site: Site, text: str, sentence: str):
    site.write("lambda_entry.py", text)

    outcome = site.check()

    assert outcome.status == 1, outcome.text
    assert sentence in outcome.text


def test_the_cause_of_a_failed_init_phase_is_named(site: Site):
    site.write("shop/apps.py", FAILING_APP)

    outcome = site.check()

    assert outcome.status == 1, outcome.text
    assert "LookupError: no shelf (shop/apps.py:11)." in outcome.text


def test_other_settings_in_the_entry_are_refused(site: Site):
    site.replace("lambda_entry.py", "shop.lambda_settings", "shop.other_settings")
    site.write("shop/other_settings.py", "from .lambda_settings import *\n")

    outcome = site.check()

    assert outcome.status == 1, outcome.text
    assert "sets DJANGO_SETTINGS_MODULE to 'shop.other_settings', but" in outcome.text


def test_a_site_that_was_not_adopted_is_refused(site: Site):
    (site.root / "django-on-lambda.toml").unlink()

    outcome = site.check()

    assert outcome.status == 1
    assert "django-on-lambda adopt" in outcome.text


def test_a_site_without_the_integration_is_refused(site: Site):
    python = site.root / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nPYTHONPATH= exec {sys.executable} "$@"\n')
    python.chmod(0o755)

    outcome = site.check(virtual_environment=site.root)

    assert outcome.status == 1
    assert f"{python} cannot import django_on_lambda. Add django-on-la" in outcome.text


def test_an_unknown_event_source_is_refused(site: Site):
    outcome = site.check("--event-source", "carrier_pigeon")

    assert outcome.status == 1
    assert "--event-source carrier_pigeon is not one of rest_stage, " in outcome.text


def test_static_files_that_cannot_be_collected_are_a_sentence(site: Site):
    site.append(
        "shop/lambda_settings.py",
        "STORAGES = {'staticfiles': {'BACKEND': 'django.contrib.staticfiles.storage."
        "ManifestStaticFilesStorage'}}\n",
    )
    site.write("shop/static/shop/shop.css", "body { background: url(gone.png) }")

    outcome = site.check()

    assert outcome.status == 1, outcome.text
    assert "collectstatic failed: " in outcome.text
    assert "gone.png" in outcome.text


def test_the_database_of_the_site_does_not_change(site: Site):
    file = site.root / "db.sqlite3"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE mine (name TEXT)")
    connection.commit()
    connection.close()
    before = file.read_bytes()

    outcome = site.check("--crawl")

    assert "default: a copy, migrated" in outcome.text
    assert file.read_bytes() == before
    assert not list(site.root.glob("static*"))


def test_a_database_that_does_not_exist_is_not_created(site: Site):
    # A check that connects.
    site.append(
        "shop/__init__.py",
        "from django.core.checks import register\n"
        "@register(deploy=True)\n"
        "def tables(**kwargs):\n"
        "    from django.db import connection\n"
        "    connection.ensure_connection()\n"
        "    return []\n",
    )

    outcome = site.check()

    assert outcome.status == 0, outcome.text
    assert not (site.root / "db.sqlite3").exists()


@pytest.mark.parametrize(
    ("options", "code", "page"),
    [
        ("", "en-us", "/en/admin/login/"),
        ("", "de-at", "/de/admin/login/"),
        (", prefix_default_language=False", "de", "/admin/login/"),
    ],
)
def test_urls_that_begin_with_a_language_are_those_of_a_visitor(
    site: Site, options: str, code: str, page: str
):
    site.append(
        "shop/settings.py",
        f'LANGUAGE_CODE = "{code}"\n'
        "MIDDLEWARE.insert(2, 'django.middleware.locale.LocaleMiddleware')\n",
    )
    site.append(
        "shop/urls.py",
        "from django.conf.urls.i18n import i18n_patterns\n"
        f"urlpatterns = i18n_patterns(*urlpatterns{options})\n",
    )

    outcome = site.check("--crawl", "--limit", "30")

    assert f"200 {page} (" in outcome.text
    assert "Pages by status: 200: " in outcome.text
    assert "404" not in outcome.text


def test_a_site_without_a_database_is_served(site: Site):
    site.append(
        "shop/settings.py",
        "DATABASES = {}\nMIDDLEWARE = MIDDLEWARE[:1]\nINSTALLED_APPS = ['shop']\n",
    )
    site.write(
        "shop/urls.py",
        "from django.http import HttpResponse\nfrom django.urls import path\n"
        "urlpatterns = [path('', lambda request: HttpResponse('Hi'))]\n",
    )

    outcome = site.check()

    assert "200 / (" in outcome.text


def test_storages_without_one_for_static_files_are_a_sentence(site: Site):
    site.append("shop/settings.py", "STORAGES = {}\n")

    assert "STORAGES has no 'staticfiles', so that" in site.check().text


def test_the_code_is_read_only_as_on_lambda(site: Site):
    """Except MEDIA_ROOT, whose files are in a bucket there."""
    site.append(
        "shop/views.py",
        """
from pathlib import Path

def write(folder):
    def view(request):
        Path(folder).mkdir(exist_ok=True)
        (Path(folder) / "a.txt").write_text("")
        return HttpResponse("Written")

    return view
""",
    )
    site.append(
        "shop/urls.py",
        "urlpatterns += [path(f'{n}/', views.write(n)) for n in ('media', 'reports')]",
    )
    site.append("shop/settings.py", "MEDIA_ROOT = BASE_DIR / 'media'\n")
    site.replace(
        "django-on-lambda.toml", 'pages = ["/"]', 'pages = ["/media/", "/reports/"]'
    )

    outcome = site.check()

    assert "200 /media/ (page)" in outcome.text
    assert "500 /reports/ (page)" in outcome.text
    assert "Read-only file system: 'reports' (shop/views.py:" in outcome.text
    assert not (site.root / "reports").exists()


def test_settings_that_write_beside_the_code_are_a_sentence(site: Site):
    site.append("shop/lambda_settings.py", "open('shop/stamp', 'w')\n")

    outcome = site.check()

    assert outcome.status == 1
    assert "Read-only file system: 'shop/stamp' (shop/lambda_settings" in outcome.text
    assert "read-only on Lambda: write below /tmp" in outcome.text


def test_a_login_page_that_only_a_cms_would_match_is_not_requested(site: Site):
    site.replace("shop/settings.py", 'LOGIN_URL = "/admin/login/"\n', "")
    site.append(
        "shop/urls.py",
        "from django.http import Http404\n"
        "def page(request, slug): raise Http404\n"
        "urlpatterns.append(path('<path:slug>', page))\n",
    )

    outcome = site.check()

    assert outcome.status == 0, outcome.text
    assert "200 /admin/login/ (admin login)" in outcome.text


def test_tables_are_made_from_models_where_sqlite_cannot_migrate(site: Site):
    site.write("shop/migrations/__init__.py", "")
    site.write("shop/migrations/0001_initial.py", POSTGRESQL_ONLY)
    site.replace("django-on-lambda.toml", '["/"]', '["/visits/"]')

    outcome = site.check()

    assert outcome.status == 0, outcome.text
    assert "default: new, tables without migrations (OperationalError" in outcome.text
    assert "200 /visits/ (page)" in outcome.text
