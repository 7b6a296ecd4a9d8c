"""
docs/development.md as a reader follows it: its commands run in a clone, with its code.

The clone has the packages of this one, and none of the reader's own variables.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from apps.aws_lambda.cli import ROOT
from tests.cli import sites
from tests.cli.conftest import copy_project
from tests.guide import Block, blocks, commands, pattern
from tests.services.runserver import runserver, style_sheets

GUIDE = (ROOT / "docs" / "development.md").read_text()
# They run until Ctrl-C, or for minutes. Other tests run what they start.
LONG = ("make run", "make test", "make lint", "DEBUG=true python manage.py runserver")
CLONE = "git clone https://github.com/OWNER/django-on-lambda shop && cd shop"
CODE = ("python", "yaml")


class Reader:
    """A clone, and the person who follows the page in it."""

    def __init__(self, folder: Path) -> None:
        self.root = copy_project(folder / "shop")
        for name in (".cache", ".venv", "node_modules"):
            (self.root / name).symlink_to(ROOT / name)
        # Older than what is installed, so that make installs nothing.
        for name in ("requirements/dev.txt", "package.json", "package-lock.json"):
            os.utime(self.root / name, (0, 0))
        self.activated = ""
        kept = ("HOME", "PATH", "TMPDIR")
        self.environment = {n: os.environ[n] for n in kept if n in os.environ}
        self.environment |= sites.GIT

    def run(self, line: str) -> str:
        """Return what a command line prints. Fails unless its exit status is 0."""
        if line.startswith("source "):
            self.activated = line
            return ""
        done = subprocess.run(
            ["bash", "-euc", f"{self.activated}\n{line}"],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"$ {line}\n{done.stdout}"
        return done.stdout

    def follow(self, *sections: str, long: tuple[str, ...] = LONG) -> None:
        """Follow the blocks of sections, except commands that take long."""
        for block in blocks(GUIDE):
            if block.section not in sections:
                continue
            if block.language in CODE:
                self.write(block)
                continue
            for line, output in commands(block):
                if line not in (CLONE, *long):
                    printed = self.run(line)
                    assert re.search(pattern(output), printed, re.DOTALL), (
                        f"$ {line}\n{printed}"
                    )

    def write(self, block: Block) -> None:
        """Write a block into the file, or the part of it, that its first line names."""
        first, _, code = block.text.partition("\n")
        if name := re.fullmatch(r"# At the end of (\S+)", first):
            with (self.root / name[1]).open("a") as file:
                file.write(code)
        elif part := re.fullmatch(r"# (\S+), in (\w+)", first):
            path = self.root / part[1]
            before, start, after = path.read_text().partition(f"\n{part[2]} = [\n")
            assert start
            path.write_text(f"{before}{start}{code}{after}")
        else:
            path = self.root / first.removeprefix("# ")
            path.write_text(code)


DAY = ("Start", "An app", "A schedule", "Migrate", "Test", "Lint")


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def test_an_app_is_made_migrated_tested_and_committed_as_the_page_says(reader: Reader):
    reader.follow(*DAY[:5])
    # What `startapp` has written is not used, and is not in the format.
    reader.run("! .venv/bin/ruff check --quiet .")

    reader.follow("Lint")

    # The parts of `make lint` that take seconds.
    reader.run("ruff format --check . && ruff check . && lint-imports")
    reader.run("ENV_FILE=/dev/null python manage.py makemigrations --check --dry-run")
    assert reader.run("git status --porcelain") == ""
    committed = reader.run("git show --name-only --format= HEAD").split()
    assert "apps/shop/migrations/0001_initial.py" in committed
    # The migration has more than one statement, in Django's own quotes.
    migration = (reader.root / "apps/shop/migrations/0001_initial.py").read_text()
    assert "'Product'" in migration


@pytest.mark.nightly("make lint with the whole of mypy, of a copy")
def test_the_day_ends_with_a_green_make_lint(reader: Reader):
    reader.follow(*DAY, long=tuple(line for line in LONG if line != "make lint"))


def test_every_block_of_the_page_is_followed():
    others = [block for block in blocks(GUIDE) if block.section not in DAY]

    assert [b.language for b in others if b.language != "console"] == ["text"]
    lines = [line for b in others if b.language == "console" for line, _ in commands(b)]
    assert lines == [LONG[-1]]


def test_runserver_serves_the_admin_with_its_style_sheets(reader: Reader):
    assert LONG[-1].startswith("DEBUG=true python manage.py runserver")
    reader.run(".venv/bin/python manage.py migrate")
    environment = {**reader.environment, "DEBUG": "true"}

    with runserver(reader.root / ".venv/bin/python", reader.root, environment) as url:
        sheets = style_sheets(f"{url}/admin/login/")

    assert len(sheets) > 2
    assert not (reader.root / "staticfiles").exists()
