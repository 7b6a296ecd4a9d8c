"""A process of the site's interpreter that answers calls, one at a time."""

import json
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from ..process import dies_with_parent
from ..report import DeployError
from ..site import end_session

PROGRAMS = f"{__package__}.programs"
INTEGRATION = __name__.partition(".cli.")[0]
LOG_LINES = 5
# Of a step, such as all migrations. Requests have a shorter one.
CALL_TIMEOUT_SECONDS = 600


class CheckError(DeployError):
    """Why a check cannot start or continue, and what to do."""


class NoAnswer(Exception):
    """The process did not answer in time, or ended. It is no longer running."""


class SiteProcess:
    """
    Run `programs` with the site's interpreter; a context manager.

    Calls and answers are lines of JSON on a socket, because the site may print.
    ``log`` is the file of what it prints. Times are in seconds.
    """

    def __init__(
        self, python: Path, root: Path, variables: Mapping[str, str], log: Path
    ) -> None:
        self.python = python
        here, there = socket.socketpair()
        with there, log.open("ab") as output:
            self._process = subprocess.Popen(
                [python, "-m", PROGRAMS, str(there.fileno())],
                cwd=root,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[there.fileno()],
                # Ctrl-C must not reach it: stop() ends it and its children.
                start_new_session=True,
                preexec_fn=dies_with_parent(signal.SIGKILL),
            )
        self._socket = here
        self._received = b""
        self.log = log

    def call(self, name: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """
        Return what a function of `programs` returns, with keyword arguments.

        Raises CheckError with its reason if it fails, or if there is no answer.
        """
        self.send(name, arguments or {})
        try:
            return self.receive(CALL_TIMEOUT_SECONDS)
        except NoAnswer as reason:
            raise CheckError(self._why(name, str(reason))) from None

    def send(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Send a call, whose answer `receive` returns."""
        with suppress(BrokenPipeError):  # receive() reports the end of the process
            self._socket.sendall(json.dumps([name, arguments]).encode() + b"\n")

    def receive(self, timeout: float) -> Any:
        """Return the answer to a call. Raises CheckError or NoAnswer."""
        deadline = time.monotonic() + timeout
        chunks = [self._received]
        while b"\n" not in chunks[-1]:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                chunks.append(self._socket.recv(1 << 16))
            except TimeoutError:
                self.stop()
                raise NoAnswer(f"no answer in {timeout:.0f} s") from None
            except ConnectionError:
                chunks.append(b"")
            if not chunks[-1]:
                self.stop()
                status = self._process.returncode
                raise NoAnswer(f"the process ended with exit status {status}")
        line, _, self._received = b"".join(chunks).partition(b"\n")
        answer = json.loads(line)
        if "error" in answer:
            raise CheckError(answer["error"])
        return answer["result"]

    def stop(self) -> None:
        """Kill the process and its children."""
        self._socket.close()
        end_session(self._process)

    def _why(self, name: str, reason: str) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        if lines and "No module named" in lines[-1] and INTEGRATION in lines[-1]:
            return (
                f"{self.python} cannot import {INTEGRATION}. Add django-on-lambda to "
                "the dependencies of the site, and install them."
            )
        end = "".join(f"\n  {line}" for line in lines[-LOG_LINES:])
        return f"{name}: {reason}. The end of its output:{end or ' nothing'}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
