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

from local.ports import free_port
from local.process import dies_with_parent
from tests.services import install

REGION = "eu-central-1"
# moto loads some services when it starts; a busy machine may need long.
START_SECONDS = 60
STOP_SECONDS = 10


class AWS:
    """
    Run moto's server on a free port of 127.0.0.1, with an empty account in memory.

    The port is chosen by the constructor, so the environment is known before the
    server is started. It stops with the interpreter; on Linux also when we are
    killed. Start it from the main thread. It checks no permission, never throttles
    and takes every signature. A ``serial`` one serves one request after the other,
    as several clients of one queue need it.
    """

    def __init__(self, *, serial: bool = False) -> None:
        self._module = f"tests.services.{'serial_moto' if serial else 'aws_server'}"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Path | None = None

    @property
    def url(self) -> str:
        """Return the endpoint of every service."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return the variables that lead any client here, and to nothing real."""
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
        import boto3  # a quarter of a second, which few tests need

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
        """Start the server, unless it runs; return once it accepts connections."""
        if self._process is not None:
            return
        atexit.register(self.stop)
        with tempfile.NamedTemporaryFile(prefix="moto-", delete=False) as log:
            self._log = Path(log.name)
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, "--port", str(self.port)],
                cwd=install.PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the tests.
                start_new_session=True,
                preexec_fn=dies_with_parent(signal.SIGKILL),
            )
        try:
            self._wait(self._process, self._log)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, and forget the account."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._log is not None:
            self._log.unlink()
            self._log = None
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _wait(self, process: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            if process.poll() is not None or time.monotonic() > deadline:
                words = log.read_text(errors="replace")
                raise install.Unavailable(f"moto does not start. It says:\n{words}")
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0
