"""
A local AWS for `run`: buckets, queues, schedules and e-mail, by moto's server.

It is a process of its own beside serverless-offline, and has what the stage has on AWS.
The site's code is the one that runs there: only environment variables differ.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import MutableMapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from ...ports import free_port
from ..local import LocalSite

# Values of LOCAL_AWS.
DISABLED = ("no", "false", "off", "0")
# Variables of the shell with these names are not about access to AWS.
KEPT = ("AWS_DEFAULT_REGION", "AWS_LAMBDA_", "AWS_REGION", "AWS_XRAY_")
# Seconds of the back-off of a failed task, first and longest: five attempts take some
# ten seconds, and on AWS some minutes.
TASK_BACKOFF = "1,2"
START_SECONDS = 60
STOP_SECONDS = 5
MISSING = (
    "The local AWS needs moto, which {python} cannot import. Without it, uploads are "
    "plain files and tasks run at once. To install it: {command}"
)
LOST = """\
            {number} had not finished when the last run ended with its queue. To run
            them, choose "Enqueue failed and lost tasks again" there: 15 minutes after
            they were enqueued or started, they count as lost."""
INSTALL = "pip install 'django-on-lambda[local]'"


class LocalAWSError(Exception):
    """The local AWS did not start. The message has its last output."""


def missing() -> str:
    """Return why the local AWS cannot be started, as a sentence, or ""."""
    if all(find_spec(name) for name in ("moto", "flask", "flask_cors")):
        return ""
    return MISSING.format(python=sys.executable, command=INSTALL)


def forget_access(environ: MutableMapping[str, str]) -> None:
    """Remove the profile and the keys of AWS, and all other variables about access."""
    for name in [*environ]:
        if name.startswith("AWS_") and not name.startswith(KEPT):
            del environ[name]


class LocalAWS:
    """
    The process of the local AWS; a context manager.

    ``state`` is the folder for what it keeps: buckets/, mail/ and its log, aws.log. It
    listens on a free port of 127.0.0.1. It creates the resources of the stage when the
    Serverless CLI has written the file ``stage``.
    """

    def __init__(
        self, state: Path, stage: Path, *, site_port: int, lambda_port: int
    ) -> None:
        self.state = state.resolve()
        self.stage = stage.resolve()
        self.site_port = site_port
        self.lambda_port = lambda_port
        self.port = free_port()

    @classmethod
    def unless_disabled(
        cls, state: Path, stage: Path, *, site_port: int, lambda_port: int
    ) -> Self | None:
        """
        Return the local AWS, or None if LOCAL_AWS is "no", or without moto.

        Then this process and its children have no access to AWS any more.
        """
        if os.environ.get("LOCAL_AWS", "").lower() in DISABLED:
            return None
        if reason := missing():
            print(reason, flush=True)
            return None
        forget_access(os.environ)
        return cls(state, stage, site_port=site_port, lambda_port=lambda_port)

    @property
    def url(self) -> str:
        """Return the endpoint of every service."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """Return the variables that lead the site here, and keep its e-mail."""
        # One that is set by .env has no effect then.
        profile = self.state / "aws-profile"
        return {
            "LOCAL_AWS_URL": self.url,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_PROFILE": "default",
            "AWS_CONFIG_FILE": str(profile),
            "AWS_SHARED_CREDENTIALS_FILE": str(profile),
            "LAMBDA_TASK_BACKOFF": os.environ.get("LAMBDA_TASK_BACKOFF")
            or TASK_BACKOFF,
            "LAMBDA_EMAIL_FOLDER": str(self.state / "mail"),
        }

    def start(self) -> None:
        """Start the process, and return at once."""
        (self.state / "aws-profile").write_text("[default]\n")
        with (self.state / "aws.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", f"{__name__}"),
                    *("--port", str(self.port)),
                    *("--lambda-port", str(self.lambda_port)),
                    *("--site-port", str(self.site_port)),
                    *("--state", str(self.state)),
                    *("--stage", str(self.stage)),
                ],
                # The pipe closes when this process ends, even by SIGKILL. What it
                # prints is for the user.
                stdin=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Return when the resources of the stage exist. Raises LocalAWSError."""
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = self.state / "aws.log"
                lines = log.read_text(errors="replace").strip().splitlines()
                raise LocalAWSError(
                    "\n".join(
                        [
                            f"The local AWS did not start. The end of {log}:",
                            *lines[-20:],
                            "Run without it: set LOCAL_AWS=no",
                        ]
                    )
                )
            time.sleep(0.05)

    def lines(self, site: LocalSite, url: str) -> list[str]:
        """Return what the site has of it, for the welcome; ``url`` is the site's."""
        stage = json.loads(self.stage.read_text())
        folder = os.path.relpath(self.state / "buckets")
        lines = [
            f"  Uploads   the bucket {bucket['name']}, kept in {folder}"
            for bucket in stage["buckets"]
            if site.storages
        ]
        lines.append(f"  E-mail    {self.url}/_mail/")
        if not stage["mappings"]:
            return lines
        page = f"{url}{site.results}" if site.results else "their results are not kept"
        lines.append(f"  Tasks     {page}")
        if site.lost:
            lines.append(LOST.format(number=site.lost))
        return lines

    def _is_ready(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/_ready")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        """End the process; kill it after five seconds."""
        # Leaving the block closes the pipe and waits for the process.
        with self._process as process:
            if process.stdin:
                process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=STOP_SECONDS)
            process.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
