"""The site is started until no variable is missing, as it would start on Lambda."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import django
import pytest

from apps.aws_lambda.cli.adopt.environment import Probed, probe
from tests.cli import sites
from tests.cli.adopt.conftest import Run

SETTINGS = """\
import os
import uuid
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

SECRET_KEY = "only-for-tests"
INSTALLED_APPS = []
ROOT_URLCONF = "urls"
USE_TZ = True
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Probed]:
    """Return what a probe finds of a site whose settings have more lines."""

    def run(lines: str, given: dict[str, str] | None = None, urls: str = "") -> Probed:
        sites.write(
            tmp_path,
            {
                "settings.py": SETTINGS + dedent(lines),
                "urls.py": f"urlpatterns = []\n{dedent(urls)}\n",
            },
        )
        python = Path(sys.prefix, "bin", "python")
        return probe(python, tmp_path, tmp_path, "settings", given or {})

    return run


@pytest.mark.parametrize(
    ("lines", "stand_ins"),
    [
        ("A = os.environ['COLOUR']", {"COLOUR": "stand-in-colour"}),
        ("A = int(os.environ['WORKERS'])", {"WORKERS": "1"}),
        ("A = os.environ['HOST'].split()[0]", {"HOST": "stand-in.example.com"}),
        ("A = int(os.getenv('NUMBER'))", {"NUMBER": "1"}),
        (
            """\
            A = os.environ.get("DB_NAME")
            if not A:
                raise ValueError("You must set DB_NAME in deployed environments")
            """,
            {"DB_NAME": "stand-in-db-name"},
        ),
        (
            """\
            A = os.environ.get("SECRET_KEY_OF_SITE")
            SECRET_KEY = A or ""
            """,
            {"SECRET_KEY_OF_SITE": None},
        ),
        (
            """\
            import environ

            DATABASES = {"default": environ.Env().db("DATABASE_URL")}
            """,
            {"DATABASE_URL": "postgres://stand-in@127.0.0.1:1/stand-in"},
        ),
        (
            """\
            import environ

            A = environ.Env().bool("SHOWN")
            B = environ.Env().str("NAME")
            """,
            {"SHOWN": "stand-in-shown", "NAME": "stand-in-name"},
        ),
    ],
)
def test_a_missing_variable_gets_a_stand_in(
    start: Callable[..., Probed], lines: str, stand_ins: dict[str, str | None]
):
    probed = start(lines)

    assert not probed.report["error"]
    assert probed.stand_ins.keys() == stand_ins.keys()
    for name, value in stand_ins.items():
        assert value in (None, probed.stand_ins[name])


def test_a_variable_of_the_urlconf_is_found_too(start: Callable[..., Probed]):
    probed = start("", urls="import os\n\nA = os.environ['ADMIN_PATH']\n")

    assert probed.stand_ins.keys() == {"ADMIN_PATH"}
    read = probed.report["variables"]["ADMIN_PATH"]
    assert (read["file"], read["line"]) == ("urls.py", 4)


def test_a_given_value_is_not_replaced(start: Callable[..., Probed]):
    lines = "A = {'x': 1}[os.environ['KIND']]\nB = os.environ['NAME']"

    assert start(lines).report["error"]
    probed = start(lines, {"KIND": "x"})
    assert not probed.report["error"]
    assert probed.stand_ins.keys() == {"NAME"}


def test_variables_of_this_machine_are_not_seen(
    start: Callable[..., Probed], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLOUR", "from the shell")

    assert start("A = os.environ['COLOUR']").stand_ins == {"COLOUR": "stand-in-colour"}


def test_optional_variables_are_listed_with_their_place(start: Callable[..., Probed]):
    probed = start("A = os.environ.get('SHADE', '')\nB = 'TINT' in os.environ\n")

    assert probed.stand_ins == {}
    line = SETTINGS.count("\n") + 1
    assert probed.report["variables"]["SHADE"] == {
        "file": "settings.py",
        "line": line,
        "missing": True,
    }
    assert "TINT" in probed.report["variables"]


def test_a_key_that_is_random_without_a_variable_makes_it_required(
    start: Callable[..., Probed],
):
    probed = start("SECRET_KEY = os.environ.get('SITE_KEY') or uuid.uuid4().hex")

    assert probed.stand_ins.keys() == {"SITE_KEY"}
    assert not probed.changing_key


@pytest.mark.parametrize(
    "lines",
    [
        "SECRET_KEY = uuid.uuid4().hex",
        """\
        KEY_FILE = Path(__file__).with_name("key.txt")
        if not KEY_FILE.exists():
            KEY_FILE.write_text(uuid.uuid4().hex)
        SECRET_KEY = KEY_FILE.read_text()
        """,
    ],
)
def test_a_key_that_differs_between_processes_is_seen(
    start: Callable[..., Probed], lines: str
):
    assert start(lines).changing_key


def test_settings_that_load_only_once_are_reported(start: Callable[..., Probed]):
    probed = start("Path(__file__).with_name('made').mkdir()")

    assert "FileExistsError" in probed.report["error"]["type"]


def test_no_secret_is_in_the_report(start: Callable[..., Probed]):
    probed = start(
        """\
        SECRET_KEY = "never-shown"
        DATABASES = {
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": "never-shown",
                "PASSWORD": "never-shown",
            }
        }
        CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": "redis://:never-shown@example.com",
            }
        }
        API_TOKEN_DIR = "/tmp"
        API_TOKEN = "never-shown"
        """
    )

    assert not probed.report["error"]
    assert "API_TOKEN" in probed.report["names"]
    assert "never-shown" not in str(probed.report)


def test_a_key_that_is_in_no_tracked_file_comes_from_a_variable(
    start: Callable[..., Probed],
):
    probed = start("del SECRET_KEY")

    assert not probed.report["error"]
    assert probed.without_key
    assert probed.stand_ins.keys() == {"SECRET_KEY"}


def test_a_variable_that_a_library_reads_for_itself_is_not_listed(
    start: Callable[..., Probed],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
):
    folder = tmp_path_factory.mktemp("library")
    sites.write(
        folder,
        {
            "library.py": """\
                import os

                os.environ.get("OF_THE_LIBRARY")


                def read(name):
                    return os.environ.get(name)
                """
        },
    )
    monkeypatch.setenv("PYTHONPATH", str(folder))

    probed = start("import library\n\nA = library.read('OF_THE_SITE')")

    assert not probed.report["error"]
    assert "OF_THE_SITE" in probed.report["variables"]
    assert "OF_THE_LIBRARY" not in probed.report["variables"]


def test_the_page_of_an_empty_site_is_not_a_page(start: Callable[..., Probed]):
    assert start("DEBUG = True").report["pages"] == []


def test_pages_below_a_language_are_those_of_a_visitor(start: Callable[..., Probed]):
    probed = start(
        "MIDDLEWARE = ['django.middleware.locale.LocaleMiddleware']",
        urls="""\
        from django.conf.urls.i18n import i18n_patterns
        from django.http import HttpResponse
        from django.urls import path

        urlpatterns = i18n_patterns(
            path("about/", lambda request: HttpResponse("Hi"), name="about")
        )
        """,
    )

    assert probed.report["pages"] == ["/en/about/"]


def test_a_virtual_environment_in_the_sites_folder_is_not_the_sites(
    simple: Path, adopt: Run, monkeypatch: pytest.MonkeyPatch
):
    inside = simple / ".venv"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(inside)], check=True
    )
    [packages] = inside.glob("lib/python3*/site-packages")
    (packages / "shared.pth").write_text(str(Path(django.__file__).parents[1]))
    (packages / "noise.txt").write_text("read at the start")
    (packages / "noise.py").write_text(
        "from pathlib import Path\nPath(__file__).with_name('noise.txt').read_text()\n"
    )
    (simple / ".git" / "info" / "exclude").write_text(".venv\n")
    with (simple / "mysite" / "settings.py").open("a") as settings:
        settings.write("import noise\n")
    sites.commit(simple)
    monkeypatch.setenv("VIRTUAL_ENV", str(inside))

    _, output = adopt(simple, "--dry-run")

    assert f"({inside}/bin/python)" in output
    assert "noise" not in output
    assert ".venv," not in output


def test_the_variables_of_pydantic_settings_are_found(start: Callable[..., Probed]):
    found = start(
        """
        from pydantic import SecretStr
        from pydantic_settings import BaseSettings, SettingsConfigDict


        class Base(BaseSettings):
            model_config = SettingsConfigDict(env_prefix="shop_")


        class Env(Base):
            secret_key: SecretStr
            page_size: int
            api_url: str
            title: str = "Shop"


        env = Env()
        SECRET_KEY = env.secret_key.get_secret_value()
        """
    )

    assert not found.report["error"]
    assert list(found.stand_ins) == [
        "SHOP_SECRET_KEY",
        "SHOP_PAGE_SIZE",
        "SHOP_API_URL",
    ]
    assert found.stand_ins["SHOP_PAGE_SIZE"] == "1"
    # The first candidates of the others: only what is refused is tried again.
    assert found.stand_ins["SHOP_SECRET_KEY"].startswith("stand-in-shop-secret-key")
    assert found.stand_ins["SHOP_API_URL"] == "https://stand-in.example.com"


def test_what_pydantic_settings_refuses_is_named(start: Callable[..., Probed]):
    found = start(
        """
        from typing import Literal

        from pydantic_settings import BaseSettings


        class Env(BaseSettings):
            kind: Literal["large", "small"]


        Env()
        """
    )

    message = found.report["error"]["message"]
    assert message == "KIND: Input should be 'large' or 'small'"
