"""`make run`, as the program it starts: python -m apps.aws_lambda.cli run."""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.configuration import Configuration
from apps.aws_lambda.cli.ports import free_port, is_taken
from apps.aws_lambda.cli.run.aws import LocalAWS
from apps.aws_lambda.cli.run.local import LocalSite
from apps.aws_lambda.cli.run.prepare import demo_superuser, task_results
from apps.aws_lambda.tasks.results.models import StoredTask
from tests.names import SERVICE

from .conftest import Echo

User = get_user_model()


class Run:
    """One run, on ports and with data of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.state = folder / "state"
        self.port, self.lambda_port = free_port(), free_port()
        self.environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
            "STATIC_ROOT": str(folder / "static"),
            "MEDIA_ROOT": str(folder / "media"),
            **environment,
        }

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "apps.aws_lambda.cli", "run"),
                *("--state", self.state),
                *("--port", str(self.port), "--lambda-port", str(self.lambda_port)),
            ],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def error(self) -> str:
        """Return the error message of a run that starts nothing."""
        with self.start() as process:
            _, message = process.communicate(timeout=30)
        assert process.returncode == 1
        return message


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Run]:
    return lambda **environment: Run(tmp_path, **environment)


@pytest.fixture
def running(
    run: Callable[..., Run],
) -> Iterator[tuple[Run, subprocess.Popen[str], str]]:
    """Return a run, its process, and its output until the site is ready."""
    with started(run(**ACCESS)) as (site, process, printed):
        yield site, process, printed


# Of a developer's own account. No function may have it.
ACCESS = {
    "AWS_PROFILE": "mine-profile",
    "AWS_ACCESS_KEY_ID": "mine-key-id",
    "AWS_SECRET_ACCESS_KEY": "mine-key",
    "AWS_SESSION_TOKEN": "mine-token",
}


@contextmanager
def started(site: Run) -> Iterator[tuple[Run, subprocess.Popen[str], str]]:
    with site.start() as process:
        assert process.stdout
        printed = ""
        for line in process.stdout:
            printed += line
            if "Its log follows" in line:
                break
        else:
            assert process.stderr
            pytest.fail(printed + process.stderr.read())
        yield site, process, printed
        process.kill()


def wait_until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def test_both_event_sources_are_served_until_an_interrupt(
    running: tuple[Run, subprocess.Popen[str], str], echo: Echo
) -> None:
    site, process, printed = running
    for path in ("/admin/", "/dev/admin/"):
        assert f"http://localhost:{site.port}{path}" in printed
        login = echo(f"{path}login/", port=site.port)
        assert login.status == 200
        assert b"Log in" in login.body
    file = site.state / "admin-password"
    assert f"admin, password {file.read_text().strip()}" in printed
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=15)

    assert process.returncode == 0
    assert "ANY /dev/admin/login/ (λ: http)" in rest
    # A line of text, of a record that the file has in JSON.
    text = (
        r"^\d\d:\d\d:\d\d\.\d{3} INFO  http apps\.aws_lambda\.access GET /admin/login/"
    )
    assert re.search(text, rest, re.MULTILINE), rest
    assert '{"timestamp": "' not in rest
    assert '{"timestamp": "' in (site.state / "offline.log").read_text()
    assert rest.endswith("\nStopped.\n")
    assert errors == ""
    assert not is_taken(site.port)
    assert not is_taken(site.lambda_port)


def test_the_local_aws_is_printed_and_no_access_of_the_developer_is_passed_on(
    running: tuple[Run, subprocess.Popen[str], str],
) -> None:
    site, process, printed = running

    buckets = os.path.relpath(site.state / "buckets", ROOT)
    bucket = f"{SERVICE}-dev-mediabucket"
    assert f"  Uploads   the bucket {bucket}, kept in {buckets}\n" in printed
    assert re.search(r"  E-mail    http://127\.0\.0\.1:\d+/_mail/\n", printed)
    results = f"http://localhost:{site.port}/admin/lambda_task_results/storedtask/"
    assert f"  Tasks     {results}\n" in printed
    others = own_processes(site, but=process.pid)
    assert [line for line in others if "run.aws" in line]
    assert [line for line in others if "mine-" in line] == []
    functions = [line for line in others if "invoke.py" in line]
    assert functions
    assert all("AWS_ENDPOINT_URL=http://127.0.0.1:" in line for line in functions)


def test_files_are_plain_and_tasks_immediate_without_the_local_aws(
    run: Callable[..., Run],
) -> None:
    with started(run(LOCAL_AWS="no", **ACCESS)) as (site, process, printed):
        others = own_processes(site, but=process.pid)

        assert "Uploads" not in printed
        assert "E-mail" not in printed
        assert [line for line in others if "run.aws" in line] == []
        [function] = [line for line in others if "invoke.py" in line]
        assert "AWS_PROFILE=mine-profile" in function
        names = ("MEDIA_BUCKET=", "TASK_QUEUE_URL=", "LAMBDA_EMAIL_FOLDER=")
        assert not any(name in function for name in names)


def own_processes(site: Run, but: int) -> list[str]:
    """Return the processes of a run with their environments, but the first one."""
    mark = f"STATIC_ROOT={site.environment['STATIC_ROOT']}"
    return [
        line
        for line in processes().splitlines()
        if mark in line and line.split()[0] != str(but)
    ]


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_process_outlives_it(
    running: tuple[Run, subprocess.Popen[str], str], ending: signal.Signals
) -> None:
    site, process, _ = running

    process.send_signal(ending)
    process.wait(timeout=15)

    assert wait_until(lambda: not is_taken(site.port))
    # Only the processes of the functions have this variable.
    mark = f"STATIC_ROOT={site.environment['STATIC_ROOT']}"
    assert wait_until(lambda: mark not in processes())


def processes() -> str:
    """Return all processes with their environments."""
    return subprocess.run(
        ["ps", "axeww"], capture_output=True, text=True, check=True
    ).stdout


def test_a_second_run_is_reported(run: Callable[..., Run]) -> None:
    site = run()
    site.state.mkdir()
    with (site.state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4321")
        lock.flush()

        assert site.error() == (
            "`make run` is already running as process 4321. Stop it with Ctrl-C in "
            "its terminal first.\n"
        )


@pytest.mark.parametrize("name", ["PORT", "LAMBDA_PORT"])
def test_a_port_in_use_is_reported(run: Callable[..., Run], name: str) -> None:
    site = run()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        setattr(site, name.lower(), port)

        assert site.error() == (
            f"Port {port} is in use by another program. Stop it, or run: "
            f"make run {name}={port + 10}\n"
        )


def test_an_unreachable_database_is_reported_without_a_traceback(
    run: Callable[..., Run],
) -> None:
    message = run(
        DATABASE_URL=f"postgres://user:secret@127.0.0.1:{free_port()}/name"
    ).error()

    assert message.startswith("Cannot connect to the database: connection failed")
    assert message.endswith("such as DATABASE_URL, in the environment or in .env.\n")
    assert len(message.splitlines()) == 2
    assert "secret" not in message


def test_invalid_settings_are_reported_without_a_traceback(
    run: Callable[..., Run],
) -> None:
    message = run(DATABASE_URL="mysql://localhost/name").error()

    assert message.startswith("The settings are invalid: Error loading MySQLdb module.")


@pytest.mark.django_db
def test_the_stored_password_is_printed_again(tmp_path: Path) -> None:
    file = tmp_path / "password"

    first = demo_superuser(file)

    assert first == f"admin, password {file.read_text().strip()}"
    assert demo_superuser(file) == first
    assert User.objects.get().check_password(file.read_text().strip())


@pytest.mark.django_db
def test_an_existing_superuser_is_not_changed(tmp_path: Path) -> None:
    User.objects.create_superuser("admin", password="own")

    assert demo_superuser(tmp_path / "password") == "with your own superuser"
    assert User.objects.get().check_password("own")
    assert not (tmp_path / "password").exists()


@pytest.mark.django_db
def test_an_existing_user_named_admin_is_not_changed(tmp_path: Path) -> None:
    User.objects.create_user("admin", password="own")

    assert demo_superuser(tmp_path / "password").startswith('none: "admin"')
    assert User.objects.get().check_password("own")
    assert not User.objects.get().is_superuser


@pytest.mark.django_db
def test_tasks_that_were_lost_with_the_queue_are_counted() -> None:
    """All but those that ended: nothing else can be in a queue at the start."""
    for status in ("READY", "RUNNING", "FAILED", "SUCCESSFUL"):
        StoredTask.objects.create(
            id=uuid4(), task_path="a.b", status=status, enqueued_at=timezone.now()
        )

    assert task_results() == {
        "results": "/admin/lambda_task_results/storedtask/",
        "lost": 2,
    }


def test_lost_tasks_are_printed_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "stage.json").write_text('{"buckets": [], "mappings": [{}]}')
    local = LocalAWS(tmp_path, tmp_path / "stage.json", site_port=1, lambda_port=2)
    site = replace(SITE, lost=3)

    *_, tasks, lost = local.lines(site, "http://localhost:3000")

    assert tasks == "  Tasks     http://localhost:3000/admin/tasks/"
    assert lost.startswith("            3 had not finished when the last run ended")
    assert '"Enqueue failed and lost tasks again"' in lost
    assert not any("lost" in line for line in local.lines(SITE, ""))


def test_what_the_site_does_not_have_is_not_printed(tmp_path: Path) -> None:
    stage = {"buckets": [{"name": "media"}], "mappings": []}
    (tmp_path / "stage.json").write_text(json.dumps(stage))
    local = LocalAWS(tmp_path, tmp_path / "stage.json", site_port=1, lambda_port=2)

    # No function consumes a queue, and django-storages is not installed.
    lines = local.lines(replace(SITE, storages=False), "http://localhost:3000")

    assert lines == [f"  E-mail    {local.url}/_mail/"]


def test_make_clean_keeps_data_and_prints_it(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    kept = {
        *(".env", "db.sqlite3", "media/a.png", ".run/admin-password"),
        *(".run/buckets/media/1-a.png", ".run/buckets/media.json", ".run/mail/1.log"),
    }
    built = {
        "dist/a.zip",
        ".venv/x",
        "staticfiles/a.css",
        ".run/static/a",
        ".run/a.log",
    }
    for name in kept | built:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    printed = subprocess.run(
        ["make", "clean"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout

    files = {
        p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()
    }
    assert files == kept | {"Makefile"}
    for word in ("db.sqlite3", "media", "buckets", "mail", ".env", "password"):
        assert word in printed.partition("Kept: ")[2]
    assert "rm -rf .venv node_modules" in printed


SITE = LocalSite(
    configuration=Configuration("site.settings", "uv.lock", ("site",)),
    python=Path(sys.executable),
    variables={},
    stand_ins=(),
    database="SQLite",
    login="admin",
    static=[],
    written=[],
    storages=True,
    results="/admin/tasks/",
    lost=0,
)
