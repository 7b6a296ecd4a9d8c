"""An adopted site that `run` serves, whose files the tests of a reload change."""

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from textwrap import dedent

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.adopt.command import main as adopt
from apps.aws_lambda.cli.ports import free_port
from tests.cli import sites
from tests.sites.installed import OURS

from .service import wait_until

# What one page shows of the site's files and variables.
VIEWS = """\
    import os

    from django.conf import settings
    from django.shortcuts import render
    from django.utils.translation import gettext

    from shop.texts import WORD


    def about(request):
        context = {
            "view": "first view",
            "source": WORD,
            "message": gettext("Hello"),
            "page_size": settings.PAGE_SIZE,
            "variable": os.environ.get("WORD"),
        }
        return render(request, "polls/about.html", context)
    """
TEMPLATE = """\
    {% load static %}<!doctype html>
    <link rel="stylesheet" href="{% static "polls/style.css" %}">
    <h1>First template</h1>
    <p>{{ view }}, {{ source }}, {{ message }}</p>
    <p>page size {{ page_size }}, {{ variable }}</p>
    """
READ_ENV = """
if (env := BASE_DIR / ".env").exists():
    for line in env.read_text().splitlines():
        name, _, value = line.partition("=")
        os.environ.setdefault(name, value)
"""


def messages(translations: dict[str, str]) -> bytes:
    """Return the content of a message file (.mo)."""
    texts = {"": "Content-Type: text/plain; charset=utf-8\n"} | translations
    keys = [key.encode() for key in sorted(texts)]
    values = [texts[key].encode() for key in sorted(texts)]
    count = len(texts)
    start = 28 + 16 * count
    table, content = b"", b""
    for text in (*keys, *values):
        table += struct.pack("<II", len(text), start + len(content))
        content += text + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, start)
    return head + table + content


class AdoptedSite:
    """
    A site with a package of settings, a user model of its own and a `src` folder.

    ``output`` is the file with what `run` prints.
    """

    def __init__(self, folder: Path) -> None:
        installed = sites.environment(folder)
        production = dedent(sites.PRODUCTION).replace(
            "DEBUG =", f"{READ_ENV}\nDEBUG =", 1
        )
        base = dedent(sites.BASE).replace('BASE_DIR / "b.db"', 'BASE_DIR / "data/one"')
        self.root = sites.settings_package(
            folder / "site",
            **{
                "config/settings/base.py": f'{base}MEDIA_ROOT = "uploads"\n',
                "config/settings/production.py": production,
                "data/README": "The second database is here.\n",
                "locale/de/LC_MESSAGES/django.mo": "",
                "polls/templates/polls/about.html": TEMPLATE,
                "polls/views.py": VIEWS,
                "src/shop/texts.py": 'WORD = "first source"\n',
            },
        )
        self.save("locale/de/LC_MESSAGES/django.mo", messages({"Hello": "Hallo"}))
        sites.commit(self.root)
        installed["PYTHONPATH"] += f":{self.root / 'src'}"
        with pytest.MonkeyPatch.context() as patch:
            for name, value in installed.items():
                patch.setenv(name, value)
            assert adopt(["--root", str(self.root), "--yes"]) == 0
        (self.root / "node_modules").symlink_to(ROOT / "node_modules")
        self.output = folder / "output"
        self.port = free_port()
        self.environment = {
            name: value
            for name, value in os.environ.items()
            # Those of this suite.
            if name not in OURS
        } | {**installed, "PYTHONDONTWRITEBYTECODE": ""}

    @contextmanager
    def running(self) -> Iterator["AdoptedSite"]:
        """Serve until the block ends."""
        command = [sys.executable, "-m", f"{sites.INTEGRATION}.cli", "run"]
        ports = ["--port", str(self.port), "--lambda-port", str(free_port())]
        with (
            self.output.open("w") as output,
            subprocess.Popen(
                [*command, *ports],
                cwd=self.root,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                assert self.prints("Its log follows"), self.output.read_text()
                yield self
            finally:
                process.send_signal(signal.SIGINT)

    def save(self, name: str, content: str | bytes) -> None:
        """Write another file, and rename it, as editors do."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.rename(path)

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file."""
        text = (self.root / name).read_text()
        assert old in text
        self.save(name, text.replace(old, new))

    @contextmanager
    def edited(self, name: str, old: str, new: str) -> Iterator[None]:
        """Replace a text in a file, until the block ends."""
        text = (self.root / name).read_text()
        self.replace(name, old, new)
        yield
        self.save(name, text)

    def get(self, path: str = "/about/", **headers: str) -> tuple[int, str]:
        """Return the status and the body of a response."""
        connection = HTTPConnection("localhost", self.port, timeout=30)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def page(self, **headers: str) -> str:
        """Return the page, or "" while the site starts again."""
        try:
            return self.get(**headers)[1]
        except (OSError, HTTPException):
            return ""

    def shows(self, text: str) -> bool:
        """Return whether the page shows a text, or will after a new start."""
        return wait_until(lambda: text in self.page())

    def prints(self, text: str, times: int = 1) -> bool:
        """Return whether `run` has printed a text, or will."""
        return wait_until(lambda: self.output.read_text().count(text) >= times)
