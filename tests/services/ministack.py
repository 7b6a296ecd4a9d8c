"""A private AWS that others wrote: MiniStack, in an environment of its own."""

import atexit
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from apps.aws_lambda.cli.ports import free_port
from apps.aws_lambda.cli.process import dies_with_parent
from tests.services import install
from tests.services.certificate import write_certificate
from tests.services.host_names import HostNames

LOCK = install.PROJECT / "requirements" / "cloud.txt"
REGION = "eu-central-1"
ACCOUNT = "123456789012"
# Of custom domains. Browsers and curl look for it on this machine.
DOMAIN = "site.localhost"
# What a certificate of AWS has: the host names of event sources.
NAMES = (
    "localhost",
    DOMAIN,
    f"*.execute-api.{REGION}.amazonaws.com",
    f"*.lambda-url.{REGION}.on.aws",
    f"*.{REGION}.elb.amazonaws.com",
)
# It starts in two seconds; on a busy machine, in more.
START_SECONDS = 60


class MiniStack:
    """
    Run MiniStack on a free port of 127.0.0.1, with an empty account in memory.

    It runs functions in processes of its own, with the packages of LOCK and nothing of
    this environment; ``variables`` are added to the environment of each. Like AWS it
    speaks TLS only. ``host_names`` leads the host names of its event sources here. It
    ends with its functions, also when this process is killed on Linux. Start it from
    the main thread.
    """

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self.variables = variables or {}
        self.port = free_port()
        self.folder = Path()
        self.host_names = HostNames(self.port)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the endpoint of every service."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def tail(self) -> str:
        """Return the end of what it and its functions have written."""
        return self.log.read_text(errors="replace")[-4000:]

    def environment(self) -> dict[str, str]:
        """Return the variables with which a program reaches only this AWS."""
        certificate = str(self.certificate)
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            # The access key is the account.
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_CA_BUNDLE": certificate,
            "NODE_EXTRA_CA_CERTS": certificate,
            "SSL_CERT_FILE": certificate,
            **self.host_names.environment(),
        }

    def client(self, service: str) -> Any:
        """Return boto3's client for a service here."""
        import boto3  # takes a quarter of a second, and few tests need it

        return boto3.client(
            service,
            endpoint_url=self.url,
            verify=str(self.certificate),
            region_name=REGION,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="testing",
        )

    def tls(self) -> ssl.SSLContext:
        """Return a client's context that trusts this AWS alone."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def start(self) -> None:
        """Start it; return when it accepts connections."""
        python = _environment() / "bin" / "python"
        atexit.register(self.stop)
        self.folder = Path(tempfile.mkdtemp(prefix="ministack-"))
        try:
            write_certificate(self.certificate, self.folder / "key.pem", NAMES)
            self.host_names.start()
            self._launch(python)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it and its functions, and remove their files."""
        if self.process is not None:
            # Its functions are in the same group, and there is nothing to keep.
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
        self.host_names.stop()
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = Path()
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _launch(self, python: Path) -> None:
        # Not `python -m ministack`, which root would have listen on port 443 as well.
        command = [str(python), "-I", "-m", "hypercorn", "ministack.app:app"]
        command += ["--workers", "0", "--keep-alive", "75"]
        command += ["--bind", f"127.0.0.1:{self.port}"]
        command += ["--certfile", str(self.certificate)]
        command += ["--keyfile", str(self.folder / "key.pem")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={
                    "PATH": os.environ.get("PATH", ""),
                    "HOME": str(self.folder),
                    "TMPDIR": str(self.folder),
                    **self.environment(),
                    **self.variables,
                    "BIND_HOST": "127.0.0.1",
                    "GATEWAY_PORT": str(self.port),
                    "USE_SSL": "1",
                    "MINISTACK_SSL_CERT": str(self.certificate),
                    "MINISTACK_SSL_KEY": str(self.folder / "key.pem"),
                    # Without it an API has another host name than on AWS.
                    "MINISTACK_HOST": f"{REGION}.amazonaws.com",
                    "MINISTACK_REGION": REGION,
                    "MINISTACK_ACCOUNT_ID": ACCOUNT,
                    "SFTP_ENABLED": "0",
                    "IOT_MTLS_ENABLED": "0",
                    # Functions are processes, without Docker.
                    "LAMBDA_EXECUTOR": "local",
                    "DOCKER_HOST": f"unix://{self.folder}/no-docker",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the tests. Its functions are in the same group.
                start_new_session=True,
                # They end when their input does.
                preexec_fn=dies_with_parent(signal.SIGKILL),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            if not self.is_running or time.monotonic() > deadline:
                raise install.Unavailable(
                    f"MiniStack did not start. The end of its log:\n{self.tail()}"
                )
            time.sleep(0.05)

    def _listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0


def _environment() -> Path:
    return install.once("cloud", LOCK, _install)


def _install(folder: Path) -> None:
    install.say(f"Installing {LOCK.name}, MiniStack, into .cache/cloud.")
    python = getattr(sys, "_base_executable", sys.executable)
    uv = [sys.executable, "-m", "uv"]
    # It will be moved.
    install.run([*uv, "venv", "--relocatable", "--python", python, str(folder)])
    command = [*uv, "pip", "sync", "--require-hashes", str(LOCK)]
    install.run([*command, "--python", str(folder / "bin" / "python")])
