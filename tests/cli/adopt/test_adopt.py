"""Two sites are adopted: what is found, written, merged and taken back."""

import ast
import json
import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from apps.aws_lambda.cli.adopt import plan, record
from tests.cli import sites

from .conftest import Run

WRITTEN = {
    ".django-on-lambda.json",
    "django-on-lambda.toml",
    "lambda_entry.py",
    "package.json",
    "serverless.yml",
}


def status(root: Path) -> set[str]:
    lines = sites.git(root, "status", "--porcelain", "--untracked-files=all")
    return set(lines.splitlines())


def test_at_most_eight_files_are_written_and_no_line_is_changed(adopted: Path):
    new = WRITTEN | {"mysite/lambda_settings.py", "test_lambda.py"}
    assert status(adopted) == {f"?? {name}" for name in new} | {" M .gitignore"}
    changed = sites.git(adopted, "diff", "--numstat")
    assert changed == "7\t0\t.gitignore\n"


def test_the_site_is_compared_after_the_files_are_written(simple: Path):
    # The site's Python imports the commands under the same name.
    command = [sys.executable, "-m", f"{sites.INTEGRATION}.cli", "adopt"]

    process = subprocess.run(
        [*command, "--yes", "--crawl"], cwd=simple, capture_output=True, text=True
    )

    assert process.returncode == 0, process.stdout + process.stderr
    assert " equal, 0 different, 0 ignored" in process.stdout
    assert process.stdout.index("Next:") < process.stdout.index("No problems. Next:")
    assert "check --crawl" not in process.stdout
    assert process.stdout.count("django-on-lambda deploy") == 1


def test_a_site_with_links_out_of_the_stage_is_refused(simple: Path):
    # Django's storage of static files does not know the stage.
    command = [sys.executable, "-m", f"{sites.INTEGRATION}.cli", "adopt", "--yes"]

    process = subprocess.run(
        [*command, "--crawl", "--event-source", "rest-api"],
        cwd=simple,
        capture_output=True,
        text=True,
    )

    assert process.returncode == 1, process.stdout + process.stderr
    assert "link out of /prod to /static/admin/css/base.css" in process.stdout
    assert "Serve the site at the root of a host" in process.stdout


def test_without_an_answer_there_is_nothing_to_check(simple: Path, adopt: Run):
    code, output = adopt(simple, "--check")

    assert code == 0, output
    assert "System checks" not in output


@pytest.mark.parametrize("option", ["--dry-run", "--undo"])
def test_what_writes_nothing_checks_nothing(simple: Path, adopt: Run, option: str):
    with pytest.raises(SystemExit):
        adopt(simple, option, "--check")


def test_what_is_found_is_printed_with_its_file_and_line(package: Path, adopt: Run):
    def base(setting: str) -> str:
        return sites.place(package, "config/settings/base.py", setting)

    def production(setting: str) -> str:
        return sites.place(package, "config/settings/production.py", setting)

    code, output = adopt(package, "--dry-run")

    assert code == 0, output
    for text in (
        "config.settings.production, by its name  (config/settings/production.py)",
        "config.settings.base, config.settings.dev",
        f"config.wsgi.application  ({base('WSGI_APPLICATION')})",
        f"accounts.User  ({base('AUTH_USER_MODEL')})",
        "uv.lock",
        f"STATIC_ROOT public  ({base('STATIC_ROOT')})",
        "accounts, config, locale, polls, templates",
        f"DJANGO_SECRET_KEY  ({production('SECRET_KEY')})",
        f"PAGE_SIZE  ({production('PAGE_SIZE')})",
        "optional variables   HOSTS",
    ):
        assert text in output
    assert "SQLite is a file" in output
    assert "FileSystemStorage loses uploads" in output


def test_a_dry_run_shows_the_files_and_writes_none(package: Path, adopt: Run):
    code, output = adopt(package, "--dry-run")

    assert code == 0
    assert "+++ b/config/settings/lambda_settings.py" in output
    assert "+/.django-on-lambda/" in output
    assert status(package) == set()


def test_the_files_fit_the_site(package: Path, adopt: Run):
    assert adopt(package, "--yes")[0] == 0

    table = tomllib.loads((package / "django-on-lambda.toml").read_text())
    assert table["settings"] == "config.settings.lambda_settings"
    assert table["lock"] == "uv.lock"
    assert table["code"] == [
        "accounts",
        "config",
        "lambda_entry.py",
        "locale",
        "polls",
        "templates",
    ]
    # The settings read it.
    assert table["files"] == ["VERSION"]
    assert table["pages"] == ["/admin/login/", "/about/"]
    assert table["stand-ins"].keys() == {"DJANGO_SECRET_KEY", "PAGE_SIZE"}
    int(table["stand-ins"]["PAGE_SIZE"])
    settings = (package / "config/settings/lambda_settings.py").read_text()
    assert "from .production import *" in settings
    entry = (package / "lambda_entry.py").read_text()
    assert '"config.settings.lambda_settings"' in entry
    service = yaml.safe_load((package / "serverless.yml").read_text())
    assert service["service"] == "site-of-ann"
    assert service["provider"]["environment"]["PAGE_SIZE"].endswith("/page-size")
    assert "ann" in json.loads((package / "package.json").read_text())["name"]
    ast.parse((package / "tests/test_lambda.py").read_text())


def test_no_template_has_an_unknown_placeholder():
    names = "service settings base handlers runtime event_source test_event_source "
    names += (
        "page status environment imports key lock code files provided pages stand_ins"
    )
    values = dict.fromkeys(names.split(), "x")

    for path in [*plan.TEMPLATES.iterdir(), *plan.SERVERLESS.iterdir()]:
        assert "{{" not in plan._fill(path.read_text(), values)


def test_the_test_that_is_written_passes_with_those_of_the_site(
    adopted: Path, installed: dict[str, str]
):
    output = sites.manage(adopted, "test", **installed)

    assert "Ran 2 tests" in output
    assert "OK" in output


def test_a_second_run_changes_nothing_and_says_so(package: Path, adopt: Run):
    adopt(package, "--yes")
    before = status(package)

    code, output = adopt(package, "--yes")

    assert code == 0
    assert "Nothing to change." in output
    assert "+++" not in output
    assert status(package) == before
    sites.commit(package)
    assert "Nothing to change." in adopt(package, "--yes")[1]
    assert "Nothing to change." in adopt(package, "--diff", "--yes")[1]
    assert status(package) == set()


def test_the_three_next_commands_are_those_of_the_lock_file(package: Path, adopt: Run):
    _, output = adopt(package, "--yes")

    assert output.partition("Next:\n")[2].split("\n") == [
        "  npm install && git add -A && git commit -m 'Run on AWS Lambda'",
        "  uv run django-on-lambda check --crawl",
        "  uv run django-on-lambda deploy --stage dev",
        "",
    ]


def test_without_a_terminal_nothing_is_written(
    simple: Path, adopt: Run, monkeypatch: pytest.MonkeyPatch
):
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        code, output = adopt(simple)

    assert code == 0
    assert "+++ b/lambda_entry.py" in output
    assert "Add --yes." in output
    assert status(simple) == set()


@pytest.mark.parametrize(("answer", "written"), [("y", True), ("\n", False)])
def test_it_asks_once(
    simple: Path,
    adopt: Run,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    written: bool,
):
    asked: list[str] = []

    def ask(text: str) -> str:
        asked.append(text)
        return answer

    leader, follower = pty.openpty()
    with os.fdopen(leader), os.fdopen(follower) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr("builtins.input", ask)
        code, _ = adopt(simple)

    assert code == 0
    assert asked == ["Write 8 files? [y/N] "]
    assert bool(status(simple)) == written


def test_undo_leaves_the_repository_as_it_was(package: Path, adopt: Run):
    adopt(package, "--yes")
    (package / ".django-on-lambda").mkdir()
    (package / ".django-on-lambda/resources.yml").write_text("")

    code, output = adopt(package, "--undo", "--yes")

    assert code == 0, output
    assert status(package) == set()
    assert not (package / ".django-on-lambda").exists()
    assert "Nothing to remove" in adopt(package, "--undo", "--yes")[1]


def test_undo_removes_a_gitignore_that_the_site_did_not_have(simple: Path, adopt: Run):
    (simple / ".gitignore").unlink()
    sites.commit(simple)
    adopt(simple, "--yes")
    assert (simple / ".gitignore").exists()

    adopt(simple, "--undo", "--yes")

    assert status(simple) == set()


def test_undo_refuses_edited_files_unless_forced(adopted: Path, adopt: Run):
    with (adopted / "lambda_entry.py").open("a") as entry:
        entry.write("# Mine\n")

    code, output = adopt(adopted, "--undo", "--yes")

    assert code == 1
    assert "Edited since they were written: lambda_entry.py." in output
    assert (adopted / "serverless.yml").exists()

    assert adopt(adopted, "--undo", "--yes", "--force")[0] == 0
    assert status(adopted) == set()


@pytest.fixture
def upgraded(adopted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A site that was adopted and committed, and a version that writes other texts."""
    sites.commit(adopted)
    templates = tmp_path / "templates"
    templates.mkdir()
    for path in plan.TEMPLATES.iterdir():
        text = path.read_text()
        if path.name == "lambda_entry.py.template":
            text = text.replace("import os", "import gc\nimport os")
        (templates / path.name).write_text(text)
    monkeypatch.setattr(plan, "TEMPLATES", templates)
    return adopted


def test_an_upgrade_keeps_what_the_site_changed(upgraded: Path, adopt: Run):
    entry = upgraded / "lambda_entry.py"
    entry.write_text(entry.read_text() + "\nmine = http\n")
    (upgraded / "test_lambda.py").unlink()
    sites.commit(upgraded)

    code, output = adopt(upgraded)
    assert code == 0
    assert "--diff" in output
    assert status(upgraded) == set()

    code, output = adopt(upgraded, "--diff", "--yes")

    assert code == 0, output
    assert status(upgraded) == {" M lambda_entry.py", " M .django-on-lambda.json"}
    merged = entry.read_text()
    assert "import gc\n" in merged
    assert merged.endswith("\nmine = http\n")
    assert "test_lambda.py was deleted, and stays so." in output
    # The merged text is now the site's.
    sites.commit(upgraded)
    assert "Nothing to change." in adopt(upgraded, "--diff", "--yes")[1]
    assert adopt(upgraded, "--undo", "--yes")[0] == 1


def test_a_conflict_of_an_upgrade_is_marked_and_reported(upgraded: Path, adopt: Run):
    entry = upgraded / "lambda_entry.py"
    entry.write_text(entry.read_text().replace("import os", "import sys, os"))
    sites.commit(upgraded)

    code, output = adopt(upgraded, "--diff", "--yes")

    assert code == 1
    assert "lambda_entry.py has conflicts" in output
    assert "<<<<<<< yours\nimport sys, os\n=======\n" in entry.read_text()


def test_a_file_that_is_no_longer_written_is_removed_unless_it_was_edited(
    tmp_path: Path,
):
    answers = plan.Answers("site")
    old = record.Record(answers, {"a.py": "a\n", "b.py": "b\n"})
    (tmp_path / "a.py").write_text("a\n")
    (tmp_path / "b.py").write_text("mine\n")

    changes = record.changes(tmp_path, record.Record(answers, {}), old)

    assert changes.texts["a.py"] is None
    assert changes.kept == {"b.py": "was edited"}


def test_a_broken_record_is_reported(simple: Path, adopt: Run):
    (simple / record.RECORD).write_text("{")

    code, output = adopt(simple, "--undo")

    assert code == 1
    assert f"Restore it: git checkout -- {record.RECORD}" in output


@pytest.mark.parametrize("name", ["lambda_entry.py", ".gitignore"])
def test_nothing_is_left_of_files_of_which_one_cannot_be_written(
    simple: Path, adopt: Run, name: str
):
    (simple / ".gitignore").unlink()
    sites.commit(simple)
    # Empty folders are not in git's status.
    (simple / name).mkdir()

    code, output = adopt(simple, "--yes")

    assert code == 1
    assert f"{simple / name} cannot be written: Is a directory. Nothing was" in output
    assert status(simple) == set()


def test_an_interrupt_leaves_no_file(
    simple: Path, adopt: Run, monkeypatch: pytest.MonkeyPatch
):
    write = record.write

    def interrupted(path: Path, text: str | None) -> None:
        write(path, text)
        if path.name == "serverless.yml" and text:
            raise KeyboardInterrupt

    monkeypatch.setattr(record, "write", interrupted)

    code, output = adopt(simple, "--yes")

    assert (code, status(simple)) == (130, set())
    assert output.endswith("Nothing was changed.\n")


def test_an_ignore_file_that_is_not_utf_8_keeps_its_bytes(simple: Path, adopt: Run):
    path = simple / ".gitignore"
    path.write_bytes("# café\n*.pyc".encode("latin-1"))
    sites.commit(simple)
    before = path.read_bytes()

    assert adopt(simple, "--yes")[0] == 0
    assert path.read_bytes().endswith(b"end\n" + before)
    assert adopt(simple, "--undo", "--yes")[0] == 0
    assert path.read_bytes() == before


def test_the_ignore_block_keeps_line_ends_and_a_missing_one():
    text = "*.pyc\r\n/dist"

    with_block = record.with_block(text)

    assert with_block.endswith(text)
    assert record.with_block(with_block) == with_block
    assert record.without_block(with_block) == text


def test_the_ignore_block_hides_no_file_of_the_site(package: Path, adopt: Run):
    sites.write(package, {"polls/dist/app.js": "", "dist/app.js": ""})
    sites.commit(package)
    adopt(package, "--yes")
    sites.write(package, {"polls/dist/more.js": "", "dist/lambda-arm64.zip": ""})

    assert "?? polls/dist/more.js" in status(package)
    assert "?? dist/lambda-arm64.zip" not in status(package)


def test_a_package_json_of_the_site_is_kept(simple: Path, adopt: Run):
    sites.write(simple, {"package.json": '{"name": "assets"}\n'})
    sites.commit(simple)

    code, output = adopt(simple, "--yes")

    assert code == 0, output
    assert " M package.json" not in status(simple)
    assert "npm install --save-dev serverless@npm:osls@4" in output
    assert "Nothing to change." in adopt(simple, "--yes")[1]


def test_an_ignored_file_is_reported(simple: Path, adopt: Run):
    sites.write(simple, {".gitignore": "*.json\n"})
    sites.commit(simple)

    _, output = adopt(simple, "--yes")

    assert "git add --force .django-on-lambda.json" in output


def test_the_answers_are_remembered(simple: Path, adopt: Run):
    options = ["--service", "shop", "--event-source", "rest-api"]
    _, output = adopt(simple, "--yes", *options, "--stand-in", "COLOUR=green")
    assert "serves the site below /<stage>/" in output

    assert "Nothing to change." in adopt(simple, "--yes")[1]
    assert "service: shop\n" in (simple / "serverless.yml").read_text()
    assert 'COLOUR = "green"' in (simple / "django-on-lambda.toml").read_text()
    assert '"rest_stage"' in (simple / "test_lambda.py").read_text()


def test_manage_py_runs_the_same(simple: Path, installed: dict[str, str]):
    settings = simple / "mysite" / "settings.py"
    settings.write_text(
        settings.read_text() + f'\nINSTALLED_APPS += ["{sites.INTEGRATION}"]\n'
    )
    sites.commit(simple)

    output = sites.manage(simple, "lambda_adopt", "--yes", **installed)

    assert "Next:" in output
    assert "?? serverless.yml" in status(simple)


def test_a_secret_key_in_an_untracked_file_becomes_a_variable(
    package: Path, adopt: Run
):
    # As `wagtail start` makes it.
    local = "try:\n    from .local import *\nexcept ImportError:\n    pass\n"
    production = "from .base import *\n\nDEBUG = False\n\n" + local
    (package / "config/settings/production.py").write_text(production)
    with (package / ".gitignore").open("a") as ignored:
        ignored.write("\nlocal.py\n")
    (package / "config/settings/local.py").write_text('SECRET_KEY = "of the server"\n')
    sites.commit(package)

    code, output = adopt(package, "--yes")

    assert code == 0, output
    settings = (package / "config/settings/lambda_settings.py").read_text()
    assert 'SECRET_KEY = os.environ["SECRET_KEY"]\n\napply(' in settings
    assert "import os\n\nfrom .production" in settings
    assert "of the server" not in output
    table = tomllib.loads((package / "django-on-lambda.toml").read_text())
    assert table["stand-ins"].keys() == {"SECRET_KEY"}
