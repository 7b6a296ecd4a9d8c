"""
docs/adopt.md as a reader follows it: its commands run, and its code is in its files.

What is replaced is the source of the package, by the wheel, and `npm install`, by the
packages of this repository. The reader has activated the site's virtual environment.
"""

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.__main__ import COMMANDS
from apps.aws_lambda.cli.ports import free_port
from tests.cli import sites
from tests.guide import blocks, commands, pattern
from tests.lts.site import wheel
from tests.services.runserver import runserver, style_sheets

GUIDE = (ROOT / "docs" / "adopt.md").read_text()
SOURCE = "git+https://github.com/OWNER/django-on-lambda"
# They need AWS, minutes, or Ctrl-C: other tests run them.
LONG = (
    "django-on-lambda run",
    "django-on-lambda package",
    "django-on-lambda deploy --stage dev",
)
NPM = """\
#!/bin/sh
[ "$*" = install ] || exit 2
mkdir -p node_modules && ln -sfn {modules}/.bin {modules}/* node_modules/
echo '{{}}' > package-lock.json
"""
PIP = '#!/bin/sh\nexec uv pip "$@"\n'


class Reader:
    """A site, and the person who follows the guide in it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "mysite"
        self.root.mkdir()
        self.exports: list[str] = []
        programs = folder / "bin"
        programs.mkdir()
        self._write_program(programs / "npm", NPM.format(modules=ROOT / "node_modules"))
        self._write_program(programs / "pip", PIP)
        (programs / "uv").symlink_to(Path(sys.executable).with_name("uv"))
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
            "version"
        ]
        self.wheel = folder / f"django_on_lambda-{version}-py3-none-any.whl"
        shutil.copy(wheel(), self.wheel)
        path = [self.root / ".venv" / "bin", programs, os.environ["PATH"]]
        self.environment = {
            **{n: os.environ[n] for n in ("HOME", "TMPDIR") if n in os.environ},
            **{n: v for n, v in os.environ.items() if n.startswith(("UV_", "SSL_"))},
            **sites.GIT,
            "PATH": os.pathsep.join(map(str, path)),
            "VIRTUAL_ENV": str(self.root / ".venv"),
            "UV_PYTHON_DOWNLOADS": "never",
        }

    @staticmethod
    def _write_program(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def start_project(self, install: str) -> None:
        """
        Make the site that a reader has, in a git repository.

        ``install`` is the command line that installs Django.
        """
        self.run(f"uv venv --quiet --python {sys.executable}")
        self.run(install)
        self.run("django-admin startproject mysite .")
        ignored = (".venv/", "__pycache__/", "db.sqlite3", "staticfiles/")
        (self.root / ".gitignore").write_text("\n".join([*ignored, ""]))
        self.run("git init --quiet && git add -A && git commit --quiet -m Site")

    def run(self, line: str, *, answer: str = "") -> str:
        """
        Return what a command line prints on a terminal.

        Fails unless its exit status is 0.
        """
        line = line.replace(SOURCE, self.wheel.as_uri())
        if line.startswith("export "):
            self.exports.append(line)
            return ""
        master, terminal = pty.openpty()
        os.write(master, answer.encode())
        try:
            done = subprocess.run(
                ["bash", "-euc", "\n".join([*self.exports, line])],
                cwd=self.root,
                env=self.environment,
                stdin=terminal,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        finally:
            os.close(terminal)
            os.close(master)
        assert done.returncode == 0, f"$ {line}\n{done.stdout}"
        return done.stdout

    def follow(self, section: str, *, without: str = "") -> None:
        """Follow the blocks of a section, except commands that begin with a text."""
        found = [block for block in blocks(GUIDE) if block.section == section]
        assert found, f"docs/adopt.md has no blocks in {section}"
        for block in found:
            if block.language == "python":
                self.write(block.text)
                continue
            if without and block.text.startswith(f"$ {without}"):
                continue
            for command in commands(block):
                if command.line not in LONG:
                    answer = "y\n" if "[y/N] y" in command.output else ""
                    printed = self.run(command.line, answer=answer)
                    assert re.search(pattern(command.output), printed, re.DOTALL), (
                        f"$ {command.line}\n{printed}"
                    )

    def write(self, code: str) -> None:
        """Write a Python block into the file that its first line names."""
        first, _, rest = code.partition("\n")
        at_end, name = re.fullmatch(r"# (At the end of )?(\S+\.py)", first).groups()  # type: ignore[union-attr]
        with (self.root / name).open("a" if at_end else "w") as file:
            file.write(f"\n{rest}" if at_end else rest)

    def ask(self, code: str) -> str:
        """Return what Python prints with the settings for Lambda."""
        prepared = f"import django; django.setup(); {code}"
        line = f"DJANGO_SETTINGS_MODULE=mysite.lambda_settings python -c '{prepared}'"
        return self.run(line).splitlines()[-1]


def changed(reader: Reader) -> list[str]:
    """Return the paths that `git status` shows."""
    return [line[3:] for line in reader.run("git status --porcelain").splitlines()]


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """A site of startproject with a requirements.txt."""
    reader = Reader(tmp_path)
    (reader.root / "requirements.txt").write_text("django>=6,<7\n")
    reader.start_project("pip install -r requirements.txt")
    return reader


def adopt(reader: Reader) -> None:
    """Follow the guide until the site is checked."""
    reader.follow("2. Install", without="uv add")
    reader.follow("3. Adopt and check")


def written() -> set[str]:
    """Return the files in the table of the guide."""
    table = GUIDE.partition("## What is written")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line[:3] == "| `"]
    return {name for row in rows for name in re.findall(r"`([\w./-]+\.?\w+)`", row)}


def test_a_site_is_adopted_checked_and_taken_back_as_the_guide_says(reader: Reader):
    before = reader.run("git ls-files").split()

    adopt(reader)

    # In one commit, with npm's lock file.
    added = reader.run("git diff --name-only HEAD~1").split()
    assert set(added) == written() | {"package-lock.json"}
    lines = reader.run("git diff --numstat HEAD~1 -- " + " ".join(before)).splitlines()
    assert [line.split("\t")[2] for line in lines] == [".gitignore"]
    assert changed(reader) == []

    reader.follow("Tests")
    reader.follow("Error pages")
    answer = reader.ask(
        "from django_on_lambda.test import LambdaClient as C; "
        'print(C("http_default").get("/nowhere").json()["error"])'
    )
    assert answer == "not_found"
    reader.run("git checkout --quiet .")

    reader.follow("Upgrade")
    assert changed(reader) == []

    reader.follow("Undo")
    # It is not what `adopt` wrote.
    reader.run("git rm --quiet package-lock.json")
    assert reader.run("git ls-files").split() == sorted(before)


def test_a_site_runs_behind_every_event_source_as_the_guide_says_by_hand(
    tmp_path: Path,
):
    reader = Reader(tmp_path)
    reader.start_project("uv init --bare && uv add django")
    reader.follow("2. Install", without="echo")
    [handlers] = [b for b in blocks(GUIDE) if "handler404 =" in b.text]
    reader.write(handlers.text)
    reader.run("git commit --quiet -am Handlers")

    reader.follow("By hand")

    names = reader.ask("import lambda_entry; print(callable(lambda_entry.http))")
    assert names == "True"


def test_runserver_and_shell_of_an_adopted_site_are_as_before(reader: Reader):
    adopt(reader)
    reader.run("python manage.py migrate --verbosity 0")
    python = reader.root / ".venv" / "bin" / "python"

    with runserver(python, reader.root, reader.environment) as url:
        sheets = style_sheets(f"{url}/admin/login/")
    shown = reader.run(
        "python manage.py shell -c 'from django.conf import settings; "
        "print(User.objects.count(), settings.SETTINGS_MODULE)'"
    )

    assert len(sheets) > 2
    assert shown.splitlines()[-1] == "0 mysite.settings"


class Parsed(Exception):
    """The arguments were accepted."""


@pytest.mark.parametrize("line", LONG)
def test_the_arguments_of_the_long_commands_exist(
    line: str, monkeypatch: pytest.MonkeyPatch
):
    assert f"$ {line}\n" in GUIDE
    _, command, *options = line.split()
    main = import_module(COMMANDS[command][0], "apps.aws_lambda.cli").main
    parse = ArgumentParser.parse_args

    def parsed(parser: ArgumentParser, *arguments: Any) -> None:
        raise Parsed(parse(parser, *arguments))

    monkeypatch.setattr(ArgumentParser, "parse_args", parsed)
    with pytest.raises(Parsed):
        main(options)


def test_every_block_of_the_guide_is_followed():
    followed = {"2. Install", "3. Adopt and check", "Tests", "Error pages", "Upgrade"}
    followed |= {"Undo", "By hand"}

    others = [block for block in blocks(GUIDE) if block.section not in followed]

    lines = [command.line for block in others for command in commands(block)]
    assert lines == list(LONG)


@pytest.mark.nightly("sites that are served and packaged from the guide")
def test_an_adopted_site_is_served_and_packaged_as_the_guide_says(reader: Reader):
    adopt(reader)
    port = free_port()
    process = subprocess.Popen(
        [*LONG[0].split(), f"--port={port}", f"--lambda-port={free_port()}"],
        cwd=reader.root,
        env=reader.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        assert any(f"http://localhost:{port}/admin/login/" in line for line in lines)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0

    printed = reader.run(LONG[1])

    assert "dist/lambda-arm64.zip is build" in printed
