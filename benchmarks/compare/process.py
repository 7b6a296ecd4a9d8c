"""Start a package as Lambda does, and measure its process."""

import hashlib
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from apps.aws_lambda.cli.package import runtime
from apps.aws_lambda.test.http_api import HttpApi
from apps.aws_lambda.test.wire import Request, Response

from .variants import Variant

EVENT_SOURCE = HttpApi("HTTP API", "shop.example.com")
HTML = (("Accept", "text/html"),)
SCENARIOS = {
    "small JSON": Request("GET", "/status/"),
    "20 rows of PostgreSQL": Request("GET", "/products/"),
    "20 KB page": Request("GET", "/page/", HTML),
    "admin login page": Request("GET", "/admin/login/", HTML),
    "1 MiB down": Request("GET", "/image/"),
    "1 MiB up": Request(
        "POST",
        "/upload/",
        (("Content-Type", "application/octet-stream"),),
        bytes(range(256)) * 4096,
    ),
    "5 MB of text": Request("GET", "/report/"),
}
# A page that queries the database: that of all cold starts.
FIRST_SCENARIO = "20 rows of PostgreSQL"
FIRST = SCENARIOS[FIRST_SCENARIO]


class WrongAnswer(Exception):
    """A variant did not answer a request as the others do."""


@dataclass(frozen=True)
class Target:
    """A variant with its package, and what it needs to run."""

    variant: Variant
    root: Path
    libraries: Path
    database_url: str

    @property
    def name(self) -> str:
        return self.variant.name

    def environment(
        self,
        *,
        prefix: tuple[str, ...] = (),
        flags: tuple[str, ...] = (),
        variables: Mapping[str, str] | None = None,
    ) -> ExecutionEnvironment:
        """
        Return an execution environment, which is not started yet.

        ``prefix`` is a program that runs the command, and ``flags`` are Python's.
        """
        adapter = self.variant.adapter
        client = Path(runtime.__file__).with_name("runtime_client.py")
        command = [sys.executable, *flags, "-S", str(client)]
        if self.variant.wrapper:
            command.insert(0, str(self.root / self.variant.wrapper))
        return ExecutionEnvironment(
            {
                "DATABASE_URL": self.database_url,
                "LAMBDA_RUNTIME_DIR": str(self.libraries),
                # Lambda's file system is read-only.
                "PYTHONDONTWRITEBYTECODE": "1",
                "SECRET_KEY": "benchmark",
                **adapter.variables,
                **self.variant.variables,
                **(variables or {}),
            },
            handler=adapter.handler,
            task_root=self.root,
            client=(*prefix, *command),
        )


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, with that of its ended threads."""
    # clock_getcpuclockid() of the C library; Python has it for threads only.
    return time.clock_gettime((~pid << 3) | 2)


def memory_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    return int(status(pid, "VmRSS")) * 1024


def read_bytes(pid: int) -> int:
    """Return what a process has read from the disk, and not from the page cache."""
    text = Path(f"/proc/{pid}/io").read_text()
    return int(re.findall(r"^read_bytes: (\d+)", text, re.MULTILINE)[0])


def status(pid: int, name: str) -> str:
    text = Path(f"/proc/{pid}/status").read_text()
    found: list[str] = re.findall(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
    return found[0]


def evict(root: Path) -> None:
    """Drop the files of a folder from the page cache."""
    for path in root.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            # A page that was not written yet stays.
            os.fdatasync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def send(running: ExecutionEnvironment, request: Request) -> Response:
    """Return the response to a request, as the client receives it."""
    return EVENT_SOURCE.send(
        lambda event, _: running.invoke(event, seconds=300), request
    )


def fingerprint(response: Response) -> str:
    """Return the status and a digest of the body, without what is random in it."""
    body = re.sub(rb'(csrfmiddlewaretoken" value=")\w+', rb"\1", response.body)
    return f"{response.status} {hashlib.sha256(body).hexdigest()}"


def check(name: str, request: Request, response: Response, expected: str) -> None:
    """Raise WrongAnswer unless a response is the expected one."""
    if fingerprint(response) != expected:
        raise WrongAnswer(
            f"{name} answered {request.method} {request.target} with status "
            f"{response.status} and {len(response.body)} bytes, unlike the others: "
            f"{response.fault or response.body[:200]!r}"
        )
