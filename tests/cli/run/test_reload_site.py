"""What is saved in an adopted site is in the next response of `run`."""

import fcntl
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from .adopted import AdoptedSite, messages
from .service import wait_until

MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("polls", "0001_initial")]
    operations = [migrations.AddField("question", "note", models.TextField(default=""))]
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdoptedSite]:
    with AdoptedSite(tmp_path_factory.mktemp("adopted")).running() as site:
        yield site


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("polls/views.py", "first view", "second view"),
        ("src/shop/texts.py", "first source", "second source"),
        ("polls/templates/polls/about.html", "First template", "Second template"),
        (
            "config/settings/base.py",
            "BASE_DIR = ",
            'import os; os.environ["WORD"] = "new"; BASE_DIR = ',
        ),
    ],
)
def test_a_saved_file_is_in_the_next_response(
    site: AdoptedSite, name: str, old: str, new: str
) -> None:
    shown = new.partition('= "')[2].partition('"')[0] or new
    assert shown not in site.get()[1]

    with site.edited(name, old, new):
        with ThreadPoolExecutor(4) as clients:
            answers = list(clients.map(lambda _: site.get(), range(4)))

        assert all(shown in text for _, text in answers)
    assert shown not in site.get()[1]


def test_a_message_file_is_in_the_next_response(site: AdoptedSite) -> None:
    name = "locale/de/LC_MESSAGES/django.mo"
    german = {"Accept-Language": "de"}
    assert "Hallo" in site.get(**german)[1]

    site.save(name, messages({"Hello": "Moin"}))

    assert "Moin" in site.get(**german)[1]


def test_a_style_sheet_is_served_as_it_was_saved_last(site: AdoptedSite) -> None:
    name = "polls/static/polls/style.css"
    second = time.time_ns() // 10**9 * 10**9
    for number, colour in enumerate(("#aaa", "#bbb", "#ccc")):
        site.save(name, f"h1 {{ color: {colour}; }}\n")
        # All in one second, in which collectstatic would copy the first one only.
        os.utime(site.root / name, ns=(second, second + number * 10**6))

        assert colour in site.get("/static/polls/style.css")[1]


@pytest.mark.parametrize(
    ("name", "old", "new", "line"),
    [
        ("polls/views.py", "def about", "def def about", 10),
        ("config/urls.py", "urlpatterns = [", "urlpatterns = [[", 5),
        ("config/settings/base.py", "INSTALLED_APPS = [", "INSTALLED_APPS = [[", 5),
        ("polls/models.py", "class Question", "class class Question", 4),
    ],
)
def test_a_syntax_error_is_shown_with_its_file_and_line(
    site: AdoptedSite, name: str, old: str, new: str, line: int
) -> None:
    with site.edited(name, old, new):
        status, page = site.get(Accept="text/html")

        assert status == 500
        assert f'File "{site.root}/{name}", line {line}' in page
        assert "SyntaxError" in page
        assert site.get() == (500, '{"message":"Internal Server Error"}')
    assert site.get()[0] == 200


def test_static_files_are_collected_one_time_after_the_other(
    site: AdoptedSite,
) -> None:
    folder = os.open(site.root, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        with ThreadPoolExecutor() as clients:
            site.save("polls/static/polls/style.css", "h1 { color: #123; }")
            request = clients.submit(site.get, "/static/polls/style.css")
            time.sleep(3)
            assert not request.done()
            fcntl.flock(folder, fcntl.LOCK_UN)
            assert "#123" in request.result()[1]
    finally:
        os.close(folder)


def test_an_error_of_collectstatic_is_shown(site: AdoptedSite) -> None:
    copy = site.root / ".run/static/polls/style.css"
    copy.unlink(missing_ok=True)
    copy.mkdir(parents=True)
    site.save("polls/static/polls/style.css", "h1 { color: #ddd; }")

    status, page = site.get(Accept="text/html")

    assert status == 500
    assert "collectstatic failed" in page
    assert f"Is a directory: &#39;{copy}" in page.replace("'", "&#39;")
    copy.rmdir()
    site.save("polls/static/polls/style.css", "h1 { color: #eee; }")
    assert "#eee" in site.get("/static/polls/style.css")[1]


def test_a_new_migration_prints_the_command(site: AdoptedSite) -> None:
    site.save("polls/migrations/0002_note.py", MIGRATION)

    assert site.prints(
        "python manage.py migrate --settings=config.settings.lambda_settings"
    )


def test_what_the_site_writes_is_not_an_edit(site: AdoptedSite) -> None:
    assert site.get()[0] == 200
    before = site.output.read_text().count("Changed: ")
    # MEDIA_ROOT and the databases are those of the settings.
    for name in ("uploads/picture.png", "data/one", "data/one-journal"):
        site.save(name, "written")
        site.get()

    assert site.output.read_text().count("Changed: ") == before


def test_the_configuration_reaches_the_running_site(site: AdoptedSite) -> None:
    assert "page size 1," in site.get()[1]

    site.replace("django-on-lambda.toml", 'PAGE_SIZE = "1"', 'PAGE_SIZE = "20"')
    assert site.prints("Changed: django-on-lambda.toml. Starting again")
    assert site.shows("page size 20, None")

    # What .env has takes precedence, as it does for the settings.
    site.save(".env", "PAGE_SIZE=30\nWORD=of .env\n")
    site.replace(
        "serverless.yml", "  environment:\n", "  environment:\n    WORD: of yml\n"
    )
    assert site.shows("page size 30, of .env")

    site.save(".env", "PAGE_SIZE=40\n")
    assert site.prints("Changed: .env. Starting again")
    assert site.shows("page size 40, of yml"), site.output.read_text()


def test_an_invalid_configuration_is_reported_until_it_is_corrected(
    site: AdoptedSite,
) -> None:
    site.replace("serverless.yml", "provider:", "provider: ]")
    assert site.prints("serverless-offline ended with status")

    site.replace("serverless.yml", "provider: ]", "provider:")
    site.replace("django-on-lambda.toml", "lock = ", "look = ")
    assert site.prints("unknown key look")

    site.replace("django-on-lambda.toml", "look = ", "lock = ")
    site.replace("config/settings/base.py", "INSTALLED_APPS", "if: INSTALLED_APPS")
    assert site.prints("The settings are invalid: SyntaxError")
    assert wait_until(lambda: "SyntaxError" in site.page(Accept="text/html"))

    site.replace("config/settings/base.py", "if: INSTALLED_APPS", "INSTALLED_APPS")
    assert site.shows("first view")
