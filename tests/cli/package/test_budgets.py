"""
What a cold start does, in numbers that are the same on each run, and no time.

The package runs in the real runtime client until its first answer. Each budget is in
BUDGETS, a bit above what was counted: a change that lowers a count lowers its budget.
"""

import compileall
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.configuration import Configuration
from apps.aws_lambda.cli.package.runtime import environment, lambda_runtime
from apps.aws_lambda.cli.package.smoke import HOST
from apps.aws_lambda.test.http_api import HttpApi
from apps.aws_lambda.test.wire import Request
from tests.services import install

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda is Linux")

# The most that is allowed. The comments have what was counted; other builds of Python
# import a few modules more.
BUDGETS = {
    "modules imported in the init phase": 755,  # 751
    "modules imported by the first request": 0,  # the warm-up has requested a page
    "source files compiled": 0,
    "files of the package opened": 43,  # 41
    "folders of the package listed": 25,  # 23
    # On a read-only file system, where no source is asked whether it was edited.
    "system calls": 3_180,  # 3,047
    "bytes of the package": 15_300_000,  # 14.99 million
    # Of the same site by `pip install --target`, with bytecode.
    "percent of a plain archive": 38,  # 37
}
# A GET of this page, which needs no database.
PAGE = Request("GET", "/", (("Accept", "text/html"),))
SYSTEM_CALLS = ("stat", "newfstatat", "statx", "open", "openat", "getdents64", "read")


def check(name: str, count: int, what: Sequence[str] = ()) -> None:
    """Fail with the number, and the first of what was counted, if it is too large."""
    budget = BUDGETS[name]
    assert count <= budget, (
        f"{name}: {count}, and the budget is {budget}. Do without, or change BUDGETS "
        f"in {Path(__file__).name}. {', '.join(sorted(what)[:20])}"
    )


@contextmanager
def cold_start(root: Path, runtime: Path, *tracer: str) -> Iterator[Callable[[], None]]:
    """Start the web function below a tracer, and return what requests the page."""
    variables = dict(Configuration.read().stand_ins) | {"ENV_FILE": "/dev/null"}
    running = environment(root, runtime, "http", variables)
    *python, client = running.client
    if tracer[0] == "strace":
        program = str(Path(__file__).with_name("read_only.py"))
        running.client = (*tracer, *python, program, client)
    else:
        running.client = (*python, *tracer, client)
    api = HttpApi("HTTP API", variables.get("ALLOWED_HOSTS", HOST))

    def get() -> None:
        response = api.send(lambda event, _: running.invoke(event), PAGE)
        assert response.status == 200, running.log

    with running:
        yield get


@dataclass(frozen=True)
class Events:
    """Audit events of the init phase and of a request: names and subjects."""

    root: str
    init: list[tuple[str, str]]
    request: list[tuple[str, str]]

    def modules(self, events: list[tuple[str, str]]) -> set[str]:
        return {subject for name, subject in events if name == "import"}

    def of_package(self, *names: str) -> list[str]:
        """Return the files and folders of the package with these events."""
        return [
            subject.removeprefix(f"{self.root}/")
            for name, subject in [*self.init, *self.request]
            if name in names and subject.startswith(f"{self.root}/")
        ]


@pytest.fixture(scope="module")
def runtime() -> Iterator[Path]:
    with lambda_runtime() as folder:
        yield folder


@pytest.fixture(scope="module")
def events(
    folder: Path, runtime: Path, tmp_path_factory: pytest.TempPathFactory
) -> Events:
    file = tmp_path_factory.mktemp("audit") / "events"
    program = Path(__file__).with_name("audited.py")

    def lines() -> list[tuple[str, str]]:
        parts = [line.partition("\t") for line in file.read_text().splitlines()]
        return [(name, subject) for name, _, subject in parts]

    with cold_start(folder, runtime, str(program), str(file)) as get:
        init = lines()
        get()
        request = lines()[len(init) :]
    return Events(str(folder), init, request)


def test_the_init_phase_imports_no_more_modules_than_allowed(events: Events):
    modules = events.modules(events.init)

    assert {"django", "psycopg"} <= modules
    check("modules imported in the init phase", len(modules))


def test_the_first_request_imports_no_more_modules_than_allowed(events: Events):
    modules = events.modules(events.request) - events.modules(events.init)

    check("modules imported by the first request", len(modules), [*modules])


def test_no_source_file_is_compiled(events: Events):
    compiled = [name for name in events.of_package("compile") if name.endswith(".py")]

    check("source files compiled", len(compiled), compiled)


def test_no_more_files_of_the_package_are_opened_than_allowed(events: Events):
    opened = events.of_package("open")

    assert "staticfiles/staticfiles.json" in opened
    check("files of the package opened", len(opened))


def test_no_more_folders_of_the_package_are_listed_than_allowed(events: Events):
    listed = events.of_package("os.listdir", "os.scandir")

    check("folders of the package listed", len(listed), listed)


def test_no_file_or_folder_of_static_files_is_read_but_the_manifest(events: Events):
    read = events.of_package("open", "os.listdir", "os.scandir")

    static = [name for name in read if name.startswith("staticfiles")]
    assert set(static) == {"staticfiles/staticfiles.json"}


def strace() -> str:
    """Return why system calls cannot be traced here, or ""."""
    if not shutil.which("strace"):
        return "strace is not installed: apt-get install strace"
    process = subprocess.run(
        ["strace", "-o", "/dev/null", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"strace may not trace here: {process.stderr}" if process.returncode else ""


def test_a_cold_start_makes_no_more_system_calls_than_allowed(
    folder: Path, runtime: Path, tmp_path: Path
):
    if reason := strace():
        pytest.skip(reason)
    file = tmp_path / "calls"
    options = ["-f", "-qq", "-s", "256", "-e", "trace=%file,read,getdents64"]

    with cold_start(folder, runtime, "strace", *options, "-o", str(file)) as get:
        get()
        lines = file.read_text(errors="replace").splitlines()

    calls = [line.split(None, 1)[1] for line in lines]
    names = Counter(call.partition("(")[0] for call in calls)
    check("system calls", sum(names[name] for name in SYSTEM_CALLS), [str(names)])
    static = [call for call in calls if f"{folder}/staticfiles/" in call]
    # Is it a folder, and its manifest: not one for each file.
    assert len(static) <= 4, static


def test_the_package_is_no_larger_than_allowed(native: Path):
    check("bytes of the package", native.stat().st_size)


@pytest.mark.nightly("the lock file is installed and compiled a second time")
def test_the_package_is_smaller_than_a_plain_archive(
    folder: Path, native: Path, tmp_path: Path
):
    lock = ROOT / Configuration.read().lock
    install.packages(lock, tmp_path, "--no-deps", "--link-mode", "copy")
    for name in ("apps", "project", "staticfiles"):
        shutil.copytree(folder / name, tmp_path / name)
    # It fails for templates of modules, which are no modules.
    compileall.compile_dir(tmp_path, quiet=2)
    plain = tmp_path.parent / "plain.zip"
    with zipfile.ZipFile(plain, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in tmp_path.rglob("*"):
            archive.write(path, path.relative_to(tmp_path))

    percent = 100 * native.stat().st_size / plain.stat().st_size
    plain.unlink()
    check("percent of a plain archive", ceil(percent))
