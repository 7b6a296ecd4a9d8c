"""A private pgbouncer in transaction mode, as a stand-in for RDS Proxy."""

import atexit
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import psycopg

from apps.aws_lambda.cli.ports import free_port
from apps.aws_lambda.cli.process import dies_with_parent
from tests.services import install, postgresql_programs
from tests.services.postgresql import PostgreSQL

PLACES = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/local/bin")
ADVICE = f"""\
The tests need pgbouncer, and it was found neither on PATH nor in {", ".join(PLACES)}.
Install it (Debian: apt-get install pgbouncer; macOS: brew install pgbouncer)."""
START_SECONDS = 20
STOP_SECONDS = 10

SETTINGS = {
    "listen_addr": "127.0.0.1",
    "unix_socket_dir": "",
    "pool_mode": "transaction",
    # Many clients share few connections to the server.
    "max_client_conn": "200",
    "default_pool_size": "5",
    "auth_type": "scram-sha-256",
    "admin_users": "pgbouncer",
    # Each transaction gets another connection, so that code which needs a session
    # fails at once, and not only under load.
    "server_round_robin": "1",
    # Seconds until it connects again to a server that was down.
    "server_login_retry": "0.1",
}


def find() -> Path:
    """Return the program; raise Unavailable if it is missing and not installable."""
    return install.first((_on_machine, _from_apt), ADVICE)


class PgBouncer:
    """
    Run pgbouncer on a free port of 127.0.0.1 in front of a PostgreSQL server.

    ``users`` maps user names to passwords. The settings are added to SETTINGS and may
    replace them. It stops with the interpreter; on Linux also when that is killed.
    Start it from the main thread.
    """

    def __init__(
        self,
        server: PostgreSQL,
        users: dict[str, str],
        settings: dict[str, str] | None = None,
    ) -> None:
        self.server = server
        self.users = {**users, "pgbouncer": secrets.token_hex(16)}
        self.settings = {**SETTINGS, **(settings or {})}
        self.port = free_port()
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; return when it accepts connections."""
        program = find()
        atexit.register(self.stop)
        self._folder = postgresql_programs.open_folder()
        try:
            self._write(self._folder)
            self._launch(program, self._folder)
        except BaseException:
            self.stop()
            raise

    def ask(self, command: str) -> list[tuple[Any, ...]]:
        """Return the rows of an admin command, such as SHOW CLIENTS."""
        url = f"postgresql://127.0.0.1:{self.port}/pgbouncer"
        password = self.users["pgbouncer"]
        with psycopg.connect(
            url, user="pgbouncer", password=password, autocommit=True
        ) as connection:
            # The admin console has the simple query protocol only.
            cursor = psycopg.ClientCursor(connection).execute(command.encode())
            return cursor.fetchall() if cursor.description else []

    def restart(self) -> None:
        """Close all connections and start again on the same port."""
        if self._folder is None:
            raise RuntimeError("pgbouncer has not been started.")
        self._halt()
        self._launch(find(), self._folder)

    def stop(self) -> None:
        """Close all connections and remove the files."""
        self._halt()
        if self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None
        atexit.unregister(self.stop)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _write(self, folder: Path) -> None:
        users = "".join(f'"{name}" "{word}"\n' for name, word in self.users.items())
        lines = ["[databases]", f"* = host=127.0.0.1 port={self.server.port}"]
        lines += ["[pgbouncer]", f"listen_port = {self.port}"]
        lines += [f"auth_file = {folder / 'users.txt'}"]
        lines += [f"{name} = {value}" for name, value in self.settings.items()]
        for name, text in (("users.txt", users), ("pgbouncer.ini", "\n".join(lines))):
            path = folder / name
            path.write_text(f"{text}\n")
            path.chmod(0o600)
            user = postgresql_programs.server_user()
            os.chown(path, user.get("user", -1), user.get("group", -1))

    def _launch(self, program: Path, folder: Path) -> None:
        with (folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(program), str(folder / "pgbouncer.ini")],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=dies_with_parent(signal.SIGQUIT),
                # Like PostgreSQL, it refuses to run as root.
                **postgresql_programs.server_user(),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                output = (folder / "log").read_text(errors="replace")
                raise install.Unavailable(
                    f"pgbouncer did not start. Its log:\n{output}"
                )
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def _halt(self) -> None:
        if self._process is not None:
            # At SIGTERM, newer versions wait until all clients have disconnected.
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def _on_machine() -> Path | None:
    path = os.pathsep.join([os.environ.get("PATH", ""), *PLACES])
    program = shutil.which("pgbouncer", path=path)
    if program is None:
        return None
    install.run([program, "--version"])
    return Path(program)


def _from_apt() -> Path | None:
    return _on_machine() if install.from_apt("pgbouncer") else None
