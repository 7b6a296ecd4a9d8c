"""A stage: functions behind a local Lambda, logs in a local AWS, and a database."""

import fcntl
import json
import os
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest

from local.lambda_service import ExecutionEnvironment
from local.process import takes_interrupts
from tests.aws_lambda.database.conftest import hanging, pgbouncer, server
from tests.aws_lambda.database.server import SiteServer
from tests.services.aws import AWS
from tests.services.install import PROJECT
from tests.services.local_lambda import LocalLambda, Refused

__all__ = ["hanging", "pgbouncer", "server"]

NAME = "django-on-lambda-test-manage"
REMOTE = [sys.executable, "-u", "manage.py", "remote"]
# Seconds for which a test waits for what has to happen.
PATIENCE = 60


class Stage:
    """The stage "test", and what an operator's machine has to reach it with."""

    def __init__(self, server: SiteServer, aws: AWS) -> None:
        self.server = server
        self.aws = aws
        # The functions that were asked for when none was idle.
        self.asked: list[str] = []
        self.endpoint = LocalLambda(aws, self.make)

    def make(self, name: str, qualifier: str) -> ExecutionEnvironment:
        """Return an environment for the functions that there are."""
        self.asked.append(name)
        match name.removeprefix("django-on-lambda-test-"):
            case "manage":
                handler = "lambda_entry.manage"
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
            },
            handler=handler,
        )

    def environment(self) -> dict[str, str]:
        """Return the variables of a machine that knows no secret of the stage."""
        return {
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "HOME": "/nonexistent",
            "DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing",
            **self.endpoint.environment(),
        }

    def start(
        self, *arguments: str, variables: dict[str, str] | None = None
    ) -> "subprocess.Popen[str]":
        """Start `manage.py remote`."""
        return subprocess.Popen(
            [*REMOTE, *arguments],
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
        """Run `manage.py remote --stage test` to its end."""
        process = self.start("--stage", "test", *arguments, variables=variables)
        return finish(process)

    def converse(self, *arguments: str, answers: dict[str, str]) -> tuple[str, int]:
        """
        Run `manage.py remote --stage test` on a terminal, and type the answers.

        Return what the terminal showed, and the exit code.
        """
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            [*REMOTE, "--stage", "test", *arguments],
            cwd=PROJECT,
            env=self.environment(),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            # It becomes the terminal of the new session.
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
            start_new_session=True,
        )
        os.close(theirs)
        shown = ""
        with open(ours, "r+b", buffering=0) as terminal:
            # Linux says so when the last process has closed its side.
            with suppress(OSError):
                while data := terminal.read(4096):
                    shown += data.decode()
                    for question in [q for q in answers if shown.endswith(q)]:
                        terminal.write(f"{answers.pop(question)}\n".encode())
            return shown, process.wait(PATIENCE)

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
        """Tell whether somebody holds an advisory lock."""
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
        """Keep everybody else from a table."""
        url = self.server.postgresql.url("site")
        with psycopg.connect(url) as connection:
            connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield


def finish(process: "subprocess.Popen[str]") -> "subprocess.CompletedProcess[str]":
    """Wait for the end of a process that ``start`` began."""
    output, errors = process.communicate(timeout=PATIENCE * 2)
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


def eventually(condition: Any) -> bool:
    """Wait until it holds; tell whether it does."""
    deadline = time.monotonic() + PATIENCE
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
