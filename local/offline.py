"""Start and stop serverless-offline: what `make run` and the tests share."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
SERVERLESS = ROOT / "node_modules" / ".bin" / "serverless"


class OfflineError(Exception):
    """serverless-offline did not start, and what it wrote; or it ended."""


class ServerlessOffline:
    """
    serverless-offline in a process group of its own.

    Takes the ports to listen on, variables to add to the environment, the file
    that gets all that it and the functions write, and the folder of
    serverless.yml. As a context manager it is started and stopped.
    """

    def __init__(
        self,
        *,
        http_port: int,
        lambda_port: int,
        log: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path = ROOT,
    ) -> None:
        self.http_port = http_port
        self.lambda_port = lambda_port
        self.log = log
        self.environment = environment or {}
        self.directory = directory

    def start(
        self,
        *,
        until: Sequence[str] = ("/health/live", "/dev/health/live"),
        timeout: float = 60,
    ) -> None:
        """Start, and return when each of these paths answers 200."""
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    SERVERLESS,
                    "offline",
                    f"--httpPort={self.http_port}",
                    f"--lambdaPort={self.lambda_port}",
                    "--noSponsor",
                    # Every gateway that it can stand in for (serverless.yml).
                    "--param=eventSource=both",
                ],
                cwd=self.directory,
                env={**os.environ, **self.environment, "STOP_WITH_STDIN": "1"},
                # Closed when this process ends, even by SIGKILL.
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A terminal's Ctrl-C is not for it: stop() stops it in order.
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout
        try:
            for path in until:
                self._wait_for(path, deadline)
        except OfflineError as error:
            self.stop()
            written = self.log.read_text(errors="replace").strip().splitlines()
            raise OfflineError("\n".join([f"{error}\n", *written[-40:]])) from None
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it and the functions' processes, by force after five seconds."""
        # Leaving it closes the pipe, and waits for the process.
        with self._process as process:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def check(self) -> None:
        """Raise OfflineError if it has ended."""
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
            if status != 200:
                raise OfflineError(f"{path} answers with status {status}.")
            return
        raise OfflineError(f"serverless-offline does not answer {path}.")

    def get(self, path: str) -> int:
        """Return the status of a GET request."""
        # http.client, unlike urllib, does not send it to a configured proxy.
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


def is_taken(port: int) -> bool:
    """Tell whether something listens on a local port, over IPv4 or IPv6."""
    try:
        socket.create_connection(("localhost", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
