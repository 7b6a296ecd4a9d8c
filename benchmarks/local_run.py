"""
Measure `run`: its start, the first admin page in a browser, and from edit to answer.

Each round starts a copy of each folder with an empty database. "start" is the time to
the printed URLs, "first page" that of the admin's login with its static files in
Chromium after them, and "processes" how many processes of functions there are then.
The others are the times from a save until a response has the edit, of a request that
is sent at once, or a second later: then the second is not counted. The tables have
medians of all rounds.

Run: .venv/bin/python -m benchmarks.local_run . [the folder of another version]
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

from apps.aws_lambda.cli.ports import free_port
from tests.services import chromium

STYLE = "apps/documents/static/style.css"
# A file, the end of the text to replace, and the page that shows it.
EDITS = {
    "Python": ("project/views.py", "settings.SITE_TITLE", '"Edit {}"', "/"),
    "template": ("project/templates/home.html", "</body>", "Edit {}</body>", "/"),
    "style sheet": (STYLE, "white", "white; /* Edit {} */", "/static/style.css"),
}
GIVE_UP_SECONDS = 5


class Run:
    """A run of a copy of a folder, and its figures by what was measured."""

    def __init__(self, folder: Path, scratch: Path) -> None:
        self.site = scratch / "site"
        names = subprocess.check_output(["git", "-C", folder, "ls-files"], text=True)  # noqa: S607
        for name in names.splitlines():
            (self.site / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / name, self.site / name)
        for name in (".venv", "node_modules"):
            (self.site / name).symlink_to((folder / name).resolve())
        (self.site / STYLE).parent.mkdir()
        (self.site / STYLE).write_text("body { background: white }\n")
        self.port = free_port()
        self.output = scratch / "output"
        self.figures: dict[str, float] = {}

    def measure(self, edits: int) -> None:
        python = str(self.site / ".venv/bin/python")
        command = [python, "-m", "apps.aws_lambda.cli", "run", "--port", str(self.port)]
        start = time.perf_counter()
        process = subprocess.Popen(
            [*command, "--lambda-port", str(free_port())],
            cwd=self.site,
            stdout=self.output.open("w"),
        )
        try:
            while "Its log follows" not in self.output.read_text():
                if process.poll() is not None:
                    sys.exit(f"{' '.join(command)} ended.")
                time.sleep(0.01)
            self.figures["start"] = time.perf_counter() - start
            self.open_page()
            listed = subprocess.check_output(["ps", "axww"], text=True)  # noqa: S607
            self.figures["processes"] = sum(
                "invoke.py" in line and str(self.site.name) in line
                for line in listed.splitlines()
            )
            for name in EDITS:
                for wait in (0, 1):
                    key = f"{name}, {wait} s later"
                    times = [self.edit(name, wait) for _ in range(edits)]
                    self.figures[key] = median(times)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()

    def open_page(self) -> None:
        found = chromium.find()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=str(found.executable),
                args=list(found.args),
                env=dict(found.env),
            )
            for name in ("first page", "second page"):
                tab = browser.new_context().new_page()
                start = time.perf_counter()
                tab.goto(f"http://localhost:{self.port}/admin/login/")
                self.figures[name] = time.perf_counter() - start
            browser.close()

    def edit(self, name: str, wait: float) -> float:
        file, old, new, page = EDITS[name]
        path = self.site / file
        original = path.read_text()
        mark = new.format(time.monotonic_ns())
        path.write_text(original.replace(old, mark))
        start = time.perf_counter() + wait
        time.sleep(wait)
        text = mark.strip('"').partition("<")[0].strip("*/ ")
        while text not in self.get(page):
            if time.perf_counter() - start > GIVE_UP_SECONDS:
                return float("inf")
        seconds = time.perf_counter() - start
        path.write_text(original)
        time.sleep(2)
        return seconds

    def get(self, page: str) -> str:
        connection = HTTPConnection("localhost", self.port, timeout=60)
        connection.request("GET", page)
        text = connection.getresponse().read().decode()
        connection.close()
        return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--edits", type=int, default=3)
    options = parser.parse_args()
    # Each start would compile the libraries again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    figures: dict[Path, dict[str, list[float]]] = {
        folder: defaultdict(list) for folder in options.folders
    }
    for _ in range(options.rounds):
        for folder in options.folders:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
                run = Run(folder.resolve(), Path(scratch))
                run.measure(options.edits)
                for name, figure in run.figures.items():
                    figures[folder][name].append(figure)
    print(f"Load: {os.getloadavg()[0]:.1f}")
    for folder in options.folders:
        print(folder)
        for name, values in figures[folder].items():
            listed = " ".join(f"{value:.2f}" for value in values)
            print(f"  {name:25}{median(values):6.2f}  ({listed})")


if __name__ == "__main__":
    main()
