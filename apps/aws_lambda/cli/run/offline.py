"""Start and stop serverless-offline, with the plugin in this folder."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

from .. import ROOT, SERVERLESS


class OfflineError(Exception):
    """serverless-offline did not start, or ended. The message has its last output."""


class ServerlessOffline:
    """
    serverless-offline in a process group of its own; a context manager.

    ``log`` is the file for the output of serverless-offline and of the functions,
    ``environment`` has additional variables, and ``directory`` is the folder of
    serverless.yml. It has started when each path in ``until`` is served with a status
    that is ``healthy``.
    """

    def __init__(
        self,
        *,
        http_port: int,
        lambda_port: int,
        log: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path = ROOT,
        until: Sequence[str],
        healthy: Callable[[int], bool] = lambda status: status == 200,
    ) -> None:
        self.http_port = http_port
        self.lambda_port = lambda_port
        self.log = log
        self.environment = environment or {}
        self.directory = directory
        self.until = until
        self.healthy = healthy

    def start(self, timeout: float = 60) -> None:
        """Start, and return when it serves. Raises OfflineError after the timeout."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    SERVERLESS,
                    "offline",
                    f"--httpPort={self.http_port}",
                    f"--lambdaPort={self.lambda_port}",
                    "--noSponsor",
                    # The HTTP API and the REST API.
                    "--param=eventSource=both",
                ],
                cwd=self.directory,
                env={**os.environ, **self.environment, "STOP_WITH_STDIN": "1"},
                # The pipe closes when this process ends, even by SIGKILL.
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal must not reach it: stop() ends it.
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout
        try:
            for path in self.until:
                self._wait_for(path, deadline)
        except OfflineError as error:
            self.stop()
            written = self.log.read_text(errors="replace").strip().splitlines()
            raise OfflineError("\n".join([f"{error}\n", *written[-40:]])) from None
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Terminate it and the functions; kill them after five seconds."""
        # Leaving the block closes the pipe and waits for the process.
        with self._process as process:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def check(self) -> None:
        """Raise OfflineError if serverless-offline has ended."""
        status = self._process.poll()
        if status is not None:
            raise OfflineError(f"serverless-offline ended with status {status}.")

    def _wait_for(self, path: str, deadline: float) -> None:
        while time.monotonic() < deadline:
            self.check()
            try:
                status = self.get(path)
            except (OSError, HTTPException):
                time.sleep(0.05)
                continue
            if not self.healthy(status):
                raise OfflineError(f"GET {path} returned status {status}.")
            return
        raise OfflineError(f"serverless-offline does not respond to GET {path}.")

    def get(self, path: str) -> int:
        """Return the status of a GET request."""
        # http.client ignores the proxy that urllib would use.
        connection = HTTPConnection("localhost", self.http_port, timeout=30)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
