"""startproject's site with apply(), and the app under another name."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.aws_lambda.settings.mysite import MySite, this_python
from tests.services import install

OTHER_VERSIONS = pytest.mark.nightly(
    "startproject's site on other versions of Django and Python: the current "
    "ones stand for them"
)


def other_python(version: str, django: str, folder: Path) -> list[str]:
    """Return the command of a Python of this version with this Django."""
    versions = Path.home() / ".pyenv" / "versions"
    # Otherwise uv finds or downloads it.
    known = [str(p) for p in versions.glob(f"{version}.*/bin/python")] or [version]
    uv = str(shutil.which("uv", path=str(install.PROJECT / ".venv" / "bin")))
    python = str(folder / "bin" / "python")
    install.run([uv, "venv", "--python", known[0], str(folder)])
    packages = [f"django~={django}.0", "apig-wsgi", "pybase64", "whitenoise"]
    install.run([uv, "pip", "install", "--python", python, *packages])
    return [python]


@pytest.fixture(
    scope="module",
    params=[
        None,
        pytest.param(("3.12", "5.2"), marks=OTHER_VERSIONS),
        pytest.param(("3.12", "6.0"), marks=OTHER_VERSIONS),
        pytest.param(("3.12", "6.1"), marks=OTHER_VERSIONS),
    ],
    ids=lambda param: "-".join(param) if param else "current",
)
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MySite]:
    """Return a new site, on the current versions and nightly on all supported ones."""
    folder = tmp_path_factory.mktemp("site")
    python = this_python()
    if request.param:
        version, django = request.param
        python = other_python(version, django, tmp_path_factory.mktemp("python"))
    site = MySite(folder, python)
    site.create()
    yield site
    shutil.rmtree(folder)


def answers(output: str) -> Any:
    """Return what a script has printed as its last line."""
    return json.loads(output.splitlines()[-1])


# Event sources at the root of a host, each with the entry that Lambda calls, and
# with LambdaClient.
EVERY_EVENT_SOURCE = """
import json, sys
import lambda_entry
from django.contrib.auth import get_user_model
from django_on_lambda.test import EVENT_SOURCES, LambdaClient, LambdaContext, Request

user = get_user_model().objects.create_superuser("admin", "a@example.com", "password")
answers = {}
for source in EVENT_SOURCES.values():
    if not source.prefix:
        def get(path):
            return source.send(lambda_entry.http, Request("GET", path), LambdaContext())
        page, style = get("/admin/login/"), get("/static/admin/css/base.css")
        client = LambdaClient(source)
        client.force_login(user)
        answers[source.name] = [
            page.status,
            bool(page.values("x-request-id")),
            style.status,
            LambdaClient(source).get("/admin/login/").status_code,
            client.get("/admin/").status_code,
        ]
user.delete()
print(json.dumps([answers, [name for name in sys.modules if name.startswith("apps")]]))
"""


def test_every_event_source_at_the_root_of_a_host_is_served(site: MySite):
    answered, modules = answers(site.run("-c", EVERY_EVENT_SOURCE))

    assert len(answered) >= 7
    assert set(map(tuple, answered.values())) == {(200, True, 200, 200, 200)}
    assert modules == []


def test_the_checks_report_nothing(site: MySite):
    output = site.manage("check", "--deploy", "--tag", "aws_lambda")

    assert "System check identified no issues (0 silenced)." in output


def test_the_checks_name_the_package_as_it_is_installed(site: MySite):
    site.write(
        "mysite/kept.py",
        "from mysite.lambda_settings import *\nWHITENOISE_MAX_AGE = 3600\n",
    )

    output = site.manage(
        *("check", "--deploy", "--tag", "aws_lambda"),
        *("--settings", "mysite.kept"),
        check=False,
    )

    assert "(aws_lambda.W008)" in output
    assert "django_on_lambda.storage.PrefixedStaticFilesStorage" in output
    assert "apps.aws_lambda" not in output


BELOW_A_PREFIX = """
import json, re
import lambda_entry
from django_on_lambda.test import EVENT_SOURCES, LambdaContext, Request

source = EVENT_SOURCES["http_mapped_key"]
def get(path):
    return source.send(lambda_entry.http, Request("GET", path), LambdaContext())
page = get("/shop/admin/login/")
style = re.search(rb'href="([^"]+base.css)"', page.body)[1].decode()
print(json.dumps([page.status, style, get(style).status]))
"""


def test_static_files_are_below_the_base_path(site: MySite):
    output = site.run("-c", BELOW_A_PREFIX, PUBLIC_URL="https://www.example.com/shop")

    assert answers(output) == [200, "/shop/static/admin/css/base.css", 200]


REQUEST = """
import lambda_entry
from django_on_lambda.test import EVENT_SOURCES, LambdaContext, Request

source = EVENT_SOURCES["http_default"]
source.send(lambda_entry.http, Request("GET", "/"), LambdaContext())
"""


@pytest.mark.parametrize("configured", ["", "LOGGING_CONFIG = None\n"])
def test_the_access_log_is_json_with_any_logging_config(site: MySite, configured: str):
    site.write(
        "mysite/own.py",
        f"from .settings import *\n{configured}"
        "from django_on_lambda.settings import apply\napply(globals())\n",
    )

    output = site.run("-c", REQUEST, DJANGO_SETTINGS_MODULE="mysite.own")

    lines = [json.loads(line) for line in output.splitlines() if line[0] == "{"]
    [access] = [li for li in lines if li["logger"] == "django_on_lambda.access"]
    assert access["status"] == 404
    assert access["_aws"]["CloudWatchMetrics"]


# The command


def test_the_command_prints_changes_and_advice(site: MySite):
    output = site.manage("lambda_settings")

    first, *_ = output.splitlines()
    assert first == "mysite.lambda_settings on Lambda (docs/settings.md)"
    assert "\nDEBUG: off\n  why: Debug pages show" in output
    assert '\n  to keep your own: apply(globals(), keep=["DEBUG"])\n' in output
    changes, _, advice = output.partition("Not changed, for you to decide:")
    assert "MIDDLEWARE: added django_on_lambda.whitenoise.White" in changes
    assert "DATABASES['default'] (must change)\n  SQLite is a file" in advice
    assert "SECRET_KEY (see)\n" in advice


@pytest.mark.parametrize(
    ("file", "text", "advice"),
    [
        (
            "django-on-lambda.toml",
            'settings = "shop.on_lambda"',
            "The functions run with shop.on_lambda, by django-on-lambda.toml. Run: "
            "manage.py lambda_settings --settings shop.on_lambda",
        ),
        (
            "django-on-lambda.toml",
            "",
            "The functions run with mysite.lambda_settings, by lambda_entry.py. Run: "
            "manage.py lambda_settings --settings mysite.lambda_settings",
        ),
        ("lambda_entry.py", "", "'from django_on_lambda.settings import apply'"),
    ],
)
def test_the_command_names_the_settings_to_use(
    site: MySite, file: str, text: str, advice: str
):
    before = (site.folder / file).read_text() if (site.folder / file).exists() else None
    site.write(file, text)
    try:
        output = site.manage(
            "lambda_settings", "--settings", "mysite.development", check=False
        )
    finally:
        (site.folder / file).unlink()
        if before is not None:
            site.write(file, before)

    assert output.startswith("CommandError: mysite.development does not call apply(). ")
    assert advice in output
