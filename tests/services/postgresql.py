"""A private PostgreSQL server, for as long as the tests run."""

import atexit
import os
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from apps.aws_lambda.cli.ports import free_port
from apps.aws_lambda.cli.process import dies_with_parent
from tests.services import install, postgresql_programs

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The data need not survive a crash.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}
LOCALE = "C.UTF-8" if sys.platform == "linux" else "en_US.UTF-8"
# It starts in less than a second; on a busy machine, in many.
START_SECONDS = 60
STOP_SECONDS = 30


class PostgreSQL:
    """
    Run a server on a free port of 127.0.0.1, in a temporary folder.

    The constructor chooses the port and the password, so the URL can be put into the
    environment before the server is started. The settings are added to SETTINGS and may
    replace them. The server stops with the interpreter; on Linux also when that is
    killed, which leaves only the temporary folder behind. Start it from the main
    thread: Linux stops it when the thread that started it ends.
    """

    def __init__(self, settings: dict[str, str] | None = None) -> None:
        self.settings = {**SETTINGS, **(settings or {})}
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self.folder: Path | None = None
        self._programs = Path()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database, with the superuser's credentials."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server, unless it runs; return when it accepts connections."""
        if self._process is not None:
            return
        self._programs = postgresql_programs.find()
        atexit.register(self.stop)
        self.folder = postgresql_programs.open_folder()
        try:
            self._create(self.folder)
            self._launch(self.folder)
        except BaseException:
            self.stop()
            raise

    def restart(self) -> None:
        """Close all connections and start again with the same port and data."""
        if self.folder is None:
            raise RuntimeError("The PostgreSQL server has not been started.")
        self._halt()
        self._launch(self.folder)

    def stop(self) -> None:
        """Close all connections and remove the server's files."""
        self._halt()
        if self.folder is not None:
            shutil.rmtree(self.folder)
            self.folder = None
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _create(self, folder: Path) -> None:
        user = postgresql_programs.server_user()
        password = folder / "password"
        password.write_text(self.password)
        password.chmod(0o600)
        os.chown(password, user.get("user", -1), user.get("group", -1))
        command = [str(self._programs / "initdb"), f"--pgdata={folder / 'data'}"]
        command += ["--username=postgres", f"--pwfile={password}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", f"--locale={LOCALE}"]
        install.run([*command, "--no-sync", "--no-instructions"], cwd=folder, **user)
        password.unlink()

    def _launch(self, folder: Path) -> None:
        command = [str(self._programs / "postgres"), "-D", str(folder / "data")]
        for name, value in {**self.settings, "port": str(self.port)}.items():
            command += ["-c", f"{name}={value}"]
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the tests, which need the server for their cleanup.
                start_new_session=True,
                # An immediate shutdown.
                preexec_fn=dies_with_parent(signal.SIGQUIT),
                **postgresql_programs.server_user(),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._accepts_connections():
            if self._process.poll() is not None or time.monotonic() > deadline:
                output = (folder / "log").read_text(errors="replace")
                raise install.Unavailable(
                    f"PostgreSQL did not start. Its log:\n{output}"
                )
            time.sleep(0.02)

    def _accepts_connections(self) -> bool:
        # The answer to a startup message is R, a request to authenticate, or E while
        # the server is still starting up.
        # https://www.postgresql.org/docs/current/protocol-message-formats.html
        message = struct.pack("!i", 196608) + b"user\0postgres\0\0"
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as connection:
                connection.sendall(struct.pack("!i", len(message) + 4) + message)
                return connection.recv(1) == b"R"
        except OSError:
            return False

    def _halt(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # a fast shutdown
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)  # an immediate one
                self._process.wait(STOP_SECONDS)
            self._process = None
