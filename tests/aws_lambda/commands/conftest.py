"""A stage: functions behind a local Lambda, logs in a local AWS, and a database."""

import fcntl
import io
import json
import os
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest import mock

import psycopg
import pytest

from apps.aws_lambda import conf
from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from apps.aws_lambda.cli.process import takes_interrupts
from apps.aws_lambda.management.commands.remote import Command
from tests.aws_lambda.database.conftest import hanging, pgbouncer, server
from tests.aws_lambda.database.server import SiteServer
from tests.services.aws import AWS
from tests.services.install import PROJECT
from tests.services.local_lambda import LocalLambda, Refused

__all__ = ["hanging", "pgbouncer", "server"]

# Where `manage.py remote` finds it.
NAME = conf.get("LAMBDA_MANAGE_FUNCTION").format(stage="test")
REMOTE = [sys.executable, "-u", "manage.py", "remote"]
TIMEOUT_SECONDS = 60


class Stage:
    """The stage "test", and the environment of a machine that reaches it."""

    def __init__(self, server: SiteServer, aws: AWS) -> None:
        self.server = server
        self.aws = aws
        # The names of the functions for which an environment was made.
        self.made: list[str] = []
        self.endpoint = LocalLambda(aws, self.make)

    def make(self, name: str, qualifier: str) -> ExecutionEnvironment:
        """Return an execution environment for a function of the stage."""
        self.made.append(name)
        extra: dict[str, str] = {}
        match name.removeprefix(NAME.removesuffix("manage")):
            # "huge" has a log group of its own, which other tests need not read.
            case "manage" | "huge":
                handler = "lambda_entry.manage"
            case "astray":
                handler, extra = "lambda_entry.manage", self.astray()
            case "broken":
                handler = "tests.aws_lambda.commands.absent.handle"
            case "http":
                handler = "lambda_entry.http"
            case "denied":
                raise Refused(403, "AccessDeniedException", "not authorized to perform")
            case "busy":
                raise Refused(429, "TooManyRequestsException", "Rate Exceeded.")
            case _:
                raise LookupError(name)
        return ExecutionEnvironment(
            self.server.variables(self.server.postgresql.port)
            | {
                "DJANGO_SETTINGS_MODULE": "tests.aws_lambda.commands.settings",
                "LOG_LEVEL": "INFO",
                "AWS_LAMBDA_FUNCTION_NAME": name,
                **extra,
            },
            handler=handler,
        )

    def astray(self) -> dict[str, str]:
        """Return variables that name what does not exist."""
        return {
            # Nothing listens there.
            "DATABASE_URL": self.server.url(1),
            "STATIC_ROOT": "/absent",
            "MEDIA_BUCKET": "absent",
            "TASK_QUEUE_URL": f"{self.aws.url}/123456789012/absent",
            **self.aws.environment(),
        }

    def environment(self) -> dict[str, str]:
        """Return the variables of a machine that has no secret of the stage."""
        return {
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "HOME": "/nonexistent",
            "DATABASE_URL": "postgres://unused@127.0.0.1:1/nothing",
            **self.endpoint.environment(),
        }

    def start(
        self, *arguments: str, variables: dict[str, str] | None = None
    ) -> "subprocess.Popen[str]":
        """Start `manage.py remote --stage test` in a process of its own."""
        return subprocess.Popen(
            [*REMOTE, "--stage", "test", *arguments],
            cwd=PROJECT,
            env={**self.environment(), **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=takes_interrupts,
            text=True,
            start_new_session=True,
        )

    def remote(
        self, *arguments: str, variables: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run `manage.py remote --stage test` in this process."""
        output, errors = io.StringIO(), io.StringIO()
        command = Command(stdout=output, stderr=errors)
        argv = ["manage.py", "remote", "--stage", "test", *arguments]
        code: Any = 0
        environment = {**self.environment(), **(variables or {})}
        with mock.patch.dict(os.environ, environment, clear=True):
            try:
                command.run_from_argv(argv)
            except SystemExit as error:
                code = error.code
        return subprocess.CompletedProcess(
            argv, code, output.getvalue(), errors.getvalue()
        )

    def converse(self, *arguments: str, answers: dict[str, str]) -> tuple[str, int]:
        """
        Run `manage.py remote --stage test` on a terminal, and type the answers.

        Return the terminal's content and the exit code.
        """
        controller, device = os.openpty()
        process = subprocess.Popen(
            [*REMOTE, "--stage", "test", *arguments],
            cwd=PROJECT,
            env=self.environment(),
            stdin=device,
            stdout=device,
            stderr=device,
            # It becomes the terminal of the new session.
            preexec_fn=lambda: fcntl.ioctl(device, termios.TIOCSCTTY, 0),
            start_new_session=True,
        )
        os.close(device)
        shown = ""
        with open(controller, "r+b", buffering=0) as terminal:
            # Linux raises EIO when the last process has closed its side.
            with suppress(OSError):
                while data := terminal.read(4096):
                    shown += data.decode()
                    for question in [q for q in answers if shown.endswith(q)]:
                        terminal.write(f"{answers.pop(question)}\n".encode())
            return shown, process.wait(TIMEOUT_SECONDS)

    def log(self, name: str = NAME) -> list[dict[str, Any]]:
        """Return the log lines of a function that are JSON."""
        return [json.loads(line) for line in self.raw_log(name) if line[:1] == "{"]

    def raw_log(self, name: str = NAME) -> list[str]:
        pages = (
            self.aws.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=f"/aws/lambda/{name}")
        )
        return [event["message"] for page in pages for event in page["events"]]

    def locked(self) -> bool:
        """Return whether a session holds an advisory lock."""
        [(count,)] = self.server.ask(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        )
        return bool(count)

    def waits_for_table(self) -> bool:
        [(count,)] = self.server.ask(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted"
        )
        return bool(count)

    @contextmanager
    def table_held(self, table: str) -> Iterator[None]:
        """Hold a lock that every other session has to wait for."""
        url = self.server.postgresql.url("site")
        with psycopg.connect(url) as connection:
            connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield


def finish(process: "subprocess.Popen[str]") -> "subprocess.CompletedProcess[str]":
    """Wait for a process of ``Stage.start``."""
    output, errors = process.communicate(timeout=TIMEOUT_SECONDS * 2)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def eventually(condition: Any) -> bool:
    """Wait until the condition is true; return whether it became true."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="session")
def stage(server: SiteServer) -> Iterator[Stage]:
    with AWS() as aws:
        stage = Stage(server, aws)
        try:
            yield stage
        finally:
            stage.endpoint.close()
