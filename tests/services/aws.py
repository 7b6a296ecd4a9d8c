"""A private AWS: moto's server, for as long as the tests run."""

import atexit
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self
from urllib.request import Request, urlopen

from apps.aws_lambda.cli.ports import free_port
from apps.aws_lambda.cli.process import dies_with_parent
from tests.services import install

REGION = "eu-central-1"
# moto takes four seconds to start; on a busy machine, many more.
START_SECONDS = 60
STOP_SECONDS = 10


class AWS:
    """
    Run moto's server on a free port of 127.0.0.1, with an empty account in memory.

    The constructor chooses the port, so the environment is known before the server is
    started. The next AWS of this process gets the server of one that was stopped. It
    ends with the interpreter; on Linux also when that is killed. Start it from the main
    thread. moto checks no permissions, never throttles and accepts every signature.
    A ``serial`` server handles one request at a time, which several clients of one
    queue need.
    """

    def __init__(self, *, serial: bool = False) -> None:
        self._module = f"tests.services.{'serial_moto' if serial else 'aws_server'}"
        idle = _idle.get(self._module)
        self._server: _Server | None = idle.pop() if idle else None
        self.port = self._server.port if self._server else free_port()

    @property
    def url(self) -> str:
        """Return the endpoint of every service."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return the variables that lead any client here, with invalid credentials."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_SESSION_TOKEN": "testing",
        }

    def client(self, service: str) -> Any:
        """Return boto3's client for a service here."""
        import boto3  # takes a quarter of a second, and few tests need it

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def reset(self) -> None:
        """Empty the account."""
        with urlopen(Request(f"{self.url}/moto-api/reset", method="POST")):
            pass

    def start(self) -> None:
        """Start the server, unless it runs; return when it accepts connections."""
        if self._server is None:
            self._server = _Server(self._module, self.port)

    def stop(self) -> None:
        """Empty the account, and leave the server to the next AWS."""
        if self._server is not None:
            self.reset()
            _idle.setdefault(self._module, []).append(self._server)
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


class _Server:
    """A process of moto's server, until this one ends."""

    def __init__(self, module: str, port: int) -> None:
        self.port = port
        with tempfile.NamedTemporaryFile(prefix="moto-", delete=False) as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, "--port", str(port)],
                cwd=install.PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the tests.
                start_new_session=True,
                preexec_fn=dies_with_parent(signal.SIGKILL),
            )
        atexit.register(self._stop)
        self._wait(Path(log.name))

    def _wait(self, log: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                output = log.read_text(errors="replace")
                raise install.Unavailable(f"moto did not start. Its output:\n{output}")
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


# The servers that no AWS uses, by module.
_idle: dict[str, list[_Server]] = {}
