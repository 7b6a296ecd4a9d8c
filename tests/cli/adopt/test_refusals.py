"""What is refused, in a sentence with the fix, and what is warned of."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from apps.aws_lambda.cli import site
from apps.aws_lambda.cli.adopt import facts
from apps.aws_lambda.cli.adopt.judgement import warnings
from apps.aws_lambda.cli.adopt.packages import Packages
from apps.aws_lambda.cli.adopt.size import Size
from apps.aws_lambda.cli.configuration import Configuration
from tests.cli import sites

from .conftest import Run
from .test_adopt import status

SETTINGS = "mysite/settings.py"


def add(root: Path, lines: str, name: str = SETTINGS) -> None:
    """Add lines to a file of the site, and commit it."""
    with (root / name).open("a") as file:
        file.write(f"\n{lines}\n")
    sites.commit(root)


def refused(adopt: Run, root: Path, *options: str) -> str:
    """Run the command, which must refuse; return why."""
    code, output = adopt(root, "--yes", *options)
    assert code == 1, output
    assert "Traceback" not in output
    return output.partition("Refused: ")[2]


def test_a_folder_without_a_site(tmp_path: Path, adopt: Run):
    sites.write(tmp_path, {"web/manage.py": ""})

    assert f"Run it in {tmp_path / 'web'}." in refused(adopt, tmp_path)


def test_a_site_without_git(tmp_path: Path, adopt: Run):
    sites.write(tmp_path, {"manage.py": ""})

    assert "Run: git init && git add -A && git commit" in refused(adopt, tmp_path)


def test_a_machine_without_git(
    simple: Path, adopt: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(simple))

    assert "git is not installed. The package has the" in refused(adopt, simple)


def test_uncommitted_changes(simple: Path, adopt: Run):
    sites.write(simple, {"notes.txt": "", "polls/views.py": ""})

    why = refused(adopt, simple)

    assert why.startswith("There are uncommitted changes: polls/views.py, notes.txt.")


def test_a_dry_run_shows_the_files_all_the_same(simple: Path, adopt: Run):
    sites.write(simple, {"notes.txt": ""})

    code, output = adopt(simple, "--dry-run")

    assert code == 1
    assert "uncommitted changes: notes.txt" in output
    assert "+++ b/lambda_entry.py" in output


def test_changes_of_the_site_beside_those_of_adopt(adopted: Path, adopt: Run):
    sites.write(adopted, {"polls/views.py": ""})

    assert "polls/views.py. Commit" in refused(adopt, adopted)


@pytest.mark.parametrize(
    ("name", "version", "why"),
    [
        ("PYTHON", (9, 0), "and django-on-lambda needs 9.0 or later"),
        ("DJANGO", (9, 0), "Upgrade Django first"),
    ],
)
def test_an_old_version(
    name: str,
    version: tuple[int, int],
    why: str,
    simple: Path,
    adopt: Run,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(facts, name, version)

    assert why in refused(adopt, simple)
    assert status(simple) == set()


def test_a_python_without_django(
    simple: Path, adopt: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("VIRTUAL_ENV")
    # The interpreter that made the virtual environment.
    base = str(Path(sys.executable).resolve())
    monkeypatch.setattr(sys, "executable", base)

    why = refused(adopt, simple)

    assert "has Django (tried" in why
    assert "activate it" in why


def test_settings_that_cannot_be_imported(simple: Path, adopt: Run):
    add(simple, "import no_such_package")

    why = refused(adopt, simple)

    line = (simple / SETTINGS).read_text().count("\n")
    assert why.startswith(
        f"mysite.settings does not start (settings, {SETTINGS}:{line}): "
        "ModuleNotFoundError: No module named 'no_such_package'. Install what is "
    )


def test_settings_that_import_a_module_that_git_does_not_track(
    simple: Path, adopt: Run
):
    add(simple, "from .local import *")
    add(simple, "local.py", ".gitignore")
    (simple / "mysite" / "local.py").write_text("KEY = 1")

    why = refused(adopt, simple)

    assert "No module named 'mysite.local'. git does not track mysite/local.py" in why


def test_a_wrong_name_of_a_module_of_the_site(simple: Path, adopt: Run):
    add(simple, "WSGI_APPLICATION = 'mysite.server.app'")

    assert "The site has no mysite/server.py" in refused(adopt, simple)


def test_settings_that_never_end(
    simple: Path, adopt: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(site, "TIMEOUT_SECONDS", 20)
    add(simple, "import time\n\nwhile True:\n    time.sleep(1)")

    why = refused(adopt, simple)

    assert why.startswith(
        "Django did not start within 20 seconds with mysite.settings. What do"
    )


def test_processes_that_the_settings_start_are_ended(
    simple: Path, adopt: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # Nothing waits for its end, which is later.
    monkeypatch.setattr(site, "TIMEOUT_SECONDS", 60)
    pid = tmp_path / "pid"
    add(
        simple,
        f"""\
import subprocess

with open({str(pid)!r}, "w") as file:
    file.write(str(subprocess.Popen(["sleep", "600"]).pid))
""",
    )

    assert adopt(simple, "--dry-run")[0] == 0

    listed = subprocess.run(
        ["ps", "-o", "stat=", "-p", pid.read_text()], capture_output=True, text=True
    )
    assert listed.stdout.strip()[:1] in ("", "Z")


def test_an_app_behind_a_symbolic_link_out_of_the_site(simple: Path, adopt: Run):
    (simple / "polls").rename(simple.parent / "polls")
    (simple / "polls").symlink_to(simple.parent / "polls")
    sites.commit(simple)

    assert "polls is a symbolic link out of the files" in refused(adopt, simple)


def test_a_variable_for_which_no_stand_in_is_found(simple: Path, adopt: Run):
    add(simple, "import os\nA = {'x': 1}[os.environ['KIND']]")

    assert "--stand-in KIND=..." in refused(adopt, simple)
    assert adopt(simple, "--yes", "--stand-in", "KIND=x")[0] == 0


def test_settings_that_read_a_file_that_git_does_not_track(simple: Path, adopt: Run):
    add(simple, "SECRET_KEY = (BASE_DIR / 'key.txt').read_text()")
    add(simple, "key.txt", ".gitignore")
    (simple / "key.txt").write_text("k" * 50)

    assert "It also reads key.txt, which git does not track." in refused(adopt, simple)


def test_unclear_settings(simple: Path, adopt: Run):
    wsgi = simple / "mysite" / "wsgi.py"
    wsgi.write_text(wsgi.read_text().replace("DJANGO_SETTINGS_MODULE", "SETTINGS"))
    (simple / "manage.py").write_text("")
    sites.write(simple, {"mysite/live.py": "from .settings import *\n"})
    sites.commit(simple)

    assert "mysite.live, mysite.settings. Name the module" in refused(adopt, simple)
    code, output = adopt(simple, "--yes", "--production", "mysite.live")
    assert code == 0, output
    entry = (simple / "mysite/lambda_settings.py").read_text()
    assert "from .live import *" in entry


def test_settings_whose_names_are_not_imported_by_a_star(simple: Path, adopt: Run):
    add(simple, "__all__ = ['DEBUG']")

    assert "brings no INSTALLED_APPS, because of its __all__" in refused(adopt, simple)


def test_settings_as_a_class(simple: Path, adopt: Run):
    (simple / SETTINGS).write_text(
        "from configurations import Configuration\n\n\n"
        "class Production(Configuration):\n    INSTALLED_APPS = []\n"
    )
    sites.commit(simple)

    assert f"{SETTINGS}:4: the settings are a class" in refused(adopt, simple)


def test_settings_of_an_object_that_replaces_djangos(simple: Path, adopt: Run):
    # As dynaconf's DjangoDynaconf does.
    sites.write(
        simple,
        {
            "mysite/own.py": """\
                import sys
                import types

                import django.conf


                class Settings:
                    def __getattr__(self, name):
                        return getattr(sys.modules["mysite.settings"], name)


                def replace():
                    django.conf.settings = Settings()
                """
        },
    )
    add(simple, "from mysite.own import replace\nreplace()")

    why = refused(adopt, simple)

    assert why.startswith("mysite.own puts an object of its own in the place of")
    assert "#settings-that-are-not-variables" in why


def test_a_site_for_asgi_only(simple: Path, adopt: Run):
    (simple / "mysite" / "wsgi.py").unlink()
    text = (simple / SETTINGS).read_text()
    (simple / SETTINGS).write_text(
        re.sub("WSGI(.*)wsgi", r"ASGI\1asgi", text),
    )
    sites.commit(simple)

    why = refused(adopt, simple)

    place = sites.place(simple, SETTINGS, "ASGI_APPLICATION")
    assert f"ASGI only: mysite.asgi.application, {place}. Lambda runs" in why


def test_a_secret_key_of_each_process(simple: Path, adopt: Run):
    add(simple, "import uuid\nSECRET_KEY = uuid.uuid4().hex")

    why = refused(adopt, simple)

    assert re.match(rf"SECRET_KEY differs .*, {SETTINGS}:\d+: each environment", why)


def test_a_site_without_the_integration_among_its_dependencies(
    simple: Path, adopt: Run
):
    (simple / "requirements.txt").write_text("django==6.1.3\n")
    sites.commit(simple)

    assert "Add the line django-on-lambda to requirements.txt." in refused(
        adopt, simple
    )
    assert "+++ b/serverless.yml" in adopt(simple, "--dry-run")[1]
    assert status(simple) == set()


def test_a_site_without_the_integration_in_its_environment(
    package: Path, adopt: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("PYTHONPATH")

    assert "Run: uv sync." in refused(adopt, package)


def test_a_site_without_dependencies(simple: Path, adopt: Run):
    (simple / "requirements.txt").unlink()
    sites.commit(simple)

    assert "Write a requirements.txt" in refused(adopt, simple)


def test_a_site_in_a_folder_of_its_project(tmp_path: Path, adopt: Run):
    sites.startproject(tmp_path / "src")
    (tmp_path / "src" / "requirements.txt").unlink()
    shutil.rmtree(tmp_path / "src" / ".git")
    sites.site(tmp_path, {"uv.lock": sites.UV_LOCK})

    code, output = adopt(tmp_path / "src", "--yes")

    assert code == 0, output
    assert Configuration.read(tmp_path / "src").lock == "../uv.lock"
    assert "  uv run django-on-lambda check --crawl\n" in output


def test_packages_that_are_not_beside_manage_py(simple: Path, adopt: Run):
    (simple / "src").mkdir()
    (simple / "mysite").rename(simple / "src" / "mysite")
    sites.commit(simple)

    why = refused(adopt, simple)

    assert why.startswith("The settings mysite.settings are in src/")
    assert "Run: git mv manage.py src/ && git commit" in why


def test_a_lock_file_of_poetry_1(package: Path, adopt: Run):
    lock = sites.POETRY_LOCK.replace("groups = ", "# groups = ")
    (package / "uv.lock").unlink()
    sites.write(package, {"poetry.lock": lock})
    sites.commit(package)

    assert "Run: uvx 'poetry>=2' lock" in refused(adopt, package)


def test_packages_without_wheels(
    simple: Path, adopt: Run, monkeypatch: pytest.MonkeyPatch
):
    found = Packages(impossible=("psycopg2",), servers=("uwsgi",))
    monkeypatch.setattr(facts, "examine_packages", lambda *_: found)

    why = refused(adopt, simple)

    assert why.startswith("psycopg2 in requirements.txt: there is no wheel for")
    assert "psycopg2 by psycopg[binary]" in why


def test_a_web_server_is_left_out_of_the_package(
    simple: Path, adopt: Run, monkeypatch: pytest.MonkeyPatch
):
    found = Packages(servers=("uwsgi",))
    monkeypatch.setattr(facts, "examine_packages", lambda *_: found)

    assert adopt(simple, "--yes")[0] == 0

    table = tomllib.loads((simple / "django-on-lambda.toml").read_text())
    assert {"boto3", "uwsgi"} <= {*table["provided"]}


LARGE = Counter(lingua=292_000_000, fontawesomefree=87_000_000, django=30_000_000)


def test_packages_that_do_not_fit_into_lambda(
    simple: Path, adopt: Run, monkeypatch: pytest.MonkeyPatch
):
    found = Packages(size=Size(LARGE, measured=True))
    monkeypatch.setattr(facts, "examine_packages", lambda *_: found)

    why = refused(adopt, simple)

    assert why.startswith(
        "The dependencies in requirements.txt have 409 MB unpacked, and Lambda's limit "
        "is 262 MB. The largest are lingua (292 MB), fontawesomefree (87 MB), "
        "django (30 MB). Remove what production does not need"
    )
    assert status(simple) == set()


@pytest.mark.parametrize(
    "size",
    [
        Size(LARGE, error="uv has no network"),
        # Bytecode, code and static files may exceed the limit.
        Size(Counter(torch=230_000_000), measured=True),
        Size(Counter(torch=230_000_000)),
    ],
    ids=["not measured", "near, measured", "near, estimated"],
)
def test_packages_that_may_not_fit_are_warned_of(
    simple: Path, adopt: Run, monkeypatch: pytest.MonkeyPatch, size: Size
):
    monkeypatch.setattr(facts, "examine_packages", lambda *_: Packages(size=size))

    code, output = adopt(simple, "--yes")

    assert code == 0
    [line] = [line for line in output.splitlines() if line[:7] == "  size "]
    assert "Lambda's limit is 262 MB. The largest are" in line
    assert size.error in line


def test_a_file_of_the_site_with_the_same_name(simple: Path, adopt: Run):
    sites.write(simple, {"serverless.yml": "service: mine\n"})
    sites.commit(simple)

    assert "serverless.yml exists, and adopt did not write it" in refused(adopt, simple)


def test_warnings_have_file_and_line(simple: Path, adopt: Run):
    sites.write(simple, {"history/a.txt": "", "tracked/a.txt": ""})
    add(
        simple,
        """\
CELERY_BROKER_URL = "redis://localhost"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": BASE_DIR / "cache",
    }
}
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "whoosh", "PATH": BASE_DIR / "index"}}
EXPORT_DIR = BASE_DIR / "exports"
TRACKED_DIR = BASE_DIR / "tracked"
(BASE_DIR / "stamp").write_text("")
(BASE_DIR / "logs").mkdir(exist_ok=True)
LOGGING = {
    "version": 1,
    "handlers": {
        "file": {
            "class": "logging.FileHandler",
            "filename": BASE_DIR / "logs" / "site.log",
        }
    },
    "root": {"handlers": ["file"]},
}
(BASE_DIR / "cache").mkdir(exist_ok=True)
(BASE_DIR / "cache" / "a").write_text("")
""",
    )

    def place(setting: str) -> str:
        return f"({sites.place(simple, SETTINGS, setting)})"

    _, output = adopt(simple, "--dry-run")

    lines = output.partition("Warnings:\n")[2].partition("\n\n")[0].splitlines()
    found = {line[:22].strip(): line for line in lines}
    assert "SQLite" in found["database default"]
    assert found["database default"].endswith(place("DATABASES"))
    assert found["Celery"].endswith(place("CELERY_BROKER_URL"))
    assert found["cache default"].endswith(place("CACHES"))
    assert "in index, which is read-only" in found["search index default"]
    assert found["EXPORT_DIR"].endswith(place("EXPORT_DIR"))
    assert "TRACKED_DIR" not in found
    assert "is written when the site starts" in found["stamp"]
    assert "is written when the site starts" in found["logs"]
    assert not {"logs/site.log", "cache", "cache/a"} & found.keys()
    assert "were not checked" in found["wheels"]
    assert "media files" in found
    assert not (simple / "stamp").exists()


def test_an_application_that_replaces_the_settings_is_warned_of(
    simple: Path, adopt: Run
):
    add(
        simple,
        'os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings_on_server"',
        "mysite/wsgi.py",
    )

    _, output = adopt(simple, "--dry-run")

    assert "sets DJANGO_SETTINGS_MODULE to mysite.settings_on_server" in output


def test_a_missing_library_for_uploads_is_warned_of(package: Path):
    site = facts.examine(package, production="", stand_ins={}, own=())
    assert "storages" in site.report["installed"]
    assert not any("uv add" in line.text for line in warnings(site))

    site.report["installed"].remove("storages")

    [line] = [line for line in warnings(site) if line.title == "media files"]
    assert line.text.endswith("is missing. Run: uv add 'django-storages[s3]'")
