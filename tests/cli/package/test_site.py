"""A site that others wrote is packaged, and served from the package."""

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest

from apps.aws_lambda.cli.configuration import FILE, Configuration
from apps.aws_lambda.cli.package import PackageError
from apps.aws_lambda.cli.package.code import copy_code
from apps.aws_lambda.cli.package.command import main
from apps.aws_lambda.cli.package.static import collect_static
from tests.cli.package.site import FILES, write_site
from tests.cli.template import ARCHITECTURE as FOREIGN

NATIVE = "arm64" if FOREIGN == "x86_64" else "x86_64"
PYTHON = Path(sys.executable)
linux = pytest.mark.skipif(sys.platform != "linux", reason="Lambda is Linux")


@dataclass
class Built:
    """A site with its package, and what the command printed."""

    site: Path
    archive: Path
    output: str


def package(site: Path, *options: str) -> tuple[int, str]:
    """Run `django-on-lambda package`, and return its status and its output."""
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        status = main(["--root", str(site), "--arch", NATIVE, *options])
    return status, output.getvalue()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    site = write_site(tmp_path_factory.mktemp("site") / "shop")
    status, output = package(site)
    assert status == 0, output
    return Built(site, site / "dist" / f"lambda-{NATIVE}.zip", output)


@pytest.fixture
def check(built: Built, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Check the archive again with another configuration or environment."""

    def run(edit: Callable[[str], str] = str, **variables: str) -> tuple[int, str]:
        (tmp_path / FILE).write_text(edit((built.site / FILE).read_text()))
        (tmp_path / "serverless.yml").write_text(FILES["serverless.yml"])
        environment = json.dumps({"STAGE": "prod", **variables})
        return package(
            tmp_path, "--archive", str(built.archive), "--environment", environment
        )

    return run


@linux
def test_every_handler_starts_and_the_pages_are_served(built: Built):
    assert "Started http (REST API, HTTP API), schedule" in built.output


@linux
def test_a_page_that_needs_a_database_is_reported(built: Built):
    assert "; /orders/ needs a database" in built.output


def test_the_package_has_the_code_of_the_site(built: Built):
    names = ZipFile(built.archive).namelist()

    for needed in (
        "shop/CHANGELOG.md",
        "shop/templates/home.tpl",
        "shop/settings.py",
        "bytecode.bundle",
        "assets/dist/shop.css",
        "static/staticfiles.json",
        "django/__init__.py",
        # It does not set LANGUAGES.
        "django/conf/locale/de/LC_MESSAGES/django.mo",
        "django_on_lambda/handlers.py",
    ):
        assert needed in names
    assert not [
        name
        for name in names
        if name.startswith(
            ("django_on_lambda/cli/", "django_on_lambda/test/", "shop/tests/", "bin/")
        )
    ]


def test_what_is_left_out_is_reported(built: Built):
    assert "left out: shop/new.py (not in git)" in built.output
    assert "left out: gunicorn, which nothing on Lambda starts" in built.output
    assert (
        "gunicorn"
        not in json.loads(ZipFile(built.archive).read("build.json"))["packages"]
    )


@linux
@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("/nowhere/", "GET /nowhere/ returned 404 through the REST API"),
        ("/broken/", "ValueError: no such order"),
    ],
)
def test_a_page_that_is_not_served_is_refused(page, reason, check):
    status, output = check(lambda text: text.replace('"/orders/"', f'"{page}"'))

    assert status == 1
    assert reason in output
    assert f"`pages` in {FILE} has it" in output


@linux
def test_a_static_file_that_is_not_served_is_refused(check):
    # Without a manifest, the page would fail first.
    status, output = check(
        lambda text: text.replace('pages = ["/", "/orders/"]', 'pages = ["/orders/"]'),
        SHOP_STATIC="elsewhere",
    )

    assert status == 1
    assert "GET /static/shop." in output
    assert "WhiteNoise serves it" in output


@linux
def test_pages_are_requested_for_the_host_name_of_the_public_url(check):
    status, output = check(PUBLIC_URL="https://shop.example.org")

    assert status == 0, output


def edited(site: Path, old: str, new: str) -> None:
    settings = site / "shop" / "settings.py"
    text = settings.read_text()
    assert old in text
    settings.write_text(text.replace(old, new))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "shop")


def collect(site: Path, target: Path):
    configuration = Configuration.read(site)
    copy_code(site, configuration, target)
    return collect_static(site, target, configuration, PYTHON)


ROOT_LINE = 'STATIC_ROOT = BASE_DIR / os.environ.get("SHOP_STATIC", "static")'


def test_static_files_are_collected_where_the_settings_will_look(site, tmp_path):
    static = collect(site, tmp_path / "target")

    assert (static.folder, static.url) == ("static", "/static/")
    assert (tmp_path / "target" / "static" / "shop.css").is_file()


@pytest.mark.parametrize("outside", ['"/var/www/static"', "None"])
def test_a_static_root_outside_of_the_site_is_refused(outside, site, tmp_path):
    edited(site, ROOT_LINE, f"STATIC_ROOT = {outside}")

    with pytest.raises(PackageError, match=r'STATIC_ROOT = BASE_DIR / "staticfiles"'):
        collect(site, tmp_path / "target")


def test_the_folder_of_the_settings_is_used_unless_it_is_outside(site, tmp_path):
    edited(
        site,
        ROOT_LINE,
        'STATIC_ROOT = os.environ.get("LAMBDA_STATIC_ROOT", BASE_DIR / "static")',
    )

    # On Lambda the variable has no value.
    assert collect(site, tmp_path / "target").folder == "static"


def test_settings_may_read_the_folder_of_the_package(site, tmp_path):
    edited(
        site,
        ROOT_LINE,
        'STATIC_ROOT = os.environ.get("LAMBDA_STATIC_ROOT", "/var/www/static")',
    )

    assert collect(site, tmp_path / "target").folder == "staticfiles"
    assert (tmp_path / "target" / "staticfiles" / "shop.css").is_file()


def test_static_files_in_a_bucket_are_not_collected(site, tmp_path):
    edited(
        site,
        '"whitenoise.storage.CompressedManifestStaticFilesStorage"',
        '"django.core.files.storage.memory.InMemoryStorage"',
    )

    static = collect(site, tmp_path / "target")

    assert static.folder == ""
    assert "InMemoryStorage keeps the static files elsewhere" in static.note


def test_a_site_without_static_files_has_none(site, tmp_path):
    edited(site, '"django.contrib.staticfiles", ', "")

    assert "is not in INSTALLED_APPS" in collect(site, tmp_path / "target").note


def test_a_folder_of_static_files_that_is_not_packaged_is_named(site, tmp_path):
    path = site / FILE
    path.write_text(path.read_text().replace('files = ["assets/dist"]', ""))

    with pytest.raises(PackageError, match=r'Add "assets/dist" to `code`'):
        collect(site, tmp_path / "target")


def test_a_missing_stand_in_is_reported_with_its_name(site, tmp_path):
    path = site / FILE
    path.write_text(path.read_text().replace("SHOP_KEY", "OTHER"))

    with pytest.raises(PackageError, match=r"KeyError: 'SHOP_KEY'(.|\n)*\[stand-ins\]"):
        collect(site, tmp_path / "target")


def test_an_environment_with_other_versions_is_refused(site):
    lock = site / "requirements.txt"
    lock.write_text(lock.read_text().replace("whitenoise==", "whitenoise==0."))

    status, output = package(site)

    assert status == 1
    assert "Run: pip install --requirement requirements.txt" in output


@linux
@pytest.mark.nightly("a package for another Python than that of the site")
def test_the_package_is_for_the_python_of_the_runtime(site):
    path = site / "serverless.yml"
    path.write_text(path.read_text().replace("3.13", "3.12"))

    status, output = package(site)

    assert status == 0, output
    names = ZipFile(site / "dist" / f"lambda-{NATIVE}.zip").namelist()
    assert "__pycache__/lambda_entry.cpython-312.pyc" in names
