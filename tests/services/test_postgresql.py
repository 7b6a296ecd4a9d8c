import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.services import install, postgresql_programs
from tests.services.postgresql import PostgreSQL


@pytest.fixture(autouse=True)
def _no_system_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test must not change the machine."""
    monkeypatch.setattr(install, "from_apt", lambda package: False)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with PostgreSQL({"idle_session_timeout": "7min"}) as running:
        yield running


def answer(server: PostgreSQL, query: str) -> str:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return str(row[0])


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT 6 * 7", "42"),
        ("SHOW timezone", "UTC"),
        ("SHOW fsync", "off"),
        ("SHOW unix_socket_directories", ""),
        ("SHOW idle_session_timeout", "7min"),
        ("SELECT upper('é')", "É"),
    ],
)
def test_the_server_answers_as_configured(server, query, expected):
    assert answer(server, query) == expected


def test_a_wrong_password_is_refused(server):
    url = server.url().replace(server.password, "wrong")

    with pytest.raises(psycopg.OperationalError, match="password authentication"):
        psycopg.connect(url)


def test_a_restart_keeps_the_url_and_the_data_and_closes_connections(server):
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'still here' AS word")

        server.restart()

        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert answer(server, "SELECT word FROM kept") == "still here"


def test_the_url_is_known_before_the_server_starts_and_stopping_leaves_nothing():
    server = PostgreSQL()
    url = server.url("postgres")
    server.start()
    server.start()
    folder = server.folder
    assert folder is not None
    assert folder.is_dir()
    assert server.url() == url
    assert listens(server.port)

    server.stop()
    server.stop()

    assert not folder.exists()
    assert not listens(server.port)


def test_a_server_that_does_not_start_raises_its_log_and_leaves_nothing(monkeypatch):
    folder = postgresql_programs.open_folder()
    monkeypatch.setattr(postgresql_programs, "open_folder", lambda: folder)
    server = PostgreSQL({"max_connections": "many"})

    with pytest.raises(install.Unavailable, match='"max_connections": "many"'):
        server.start()

    assert not folder.exists()


def test_a_server_that_never_started_cannot_be_restarted():
    with pytest.raises(RuntimeError, match="has not been started"):
        PostgreSQL().restart()


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux signals the end of a parent"
)
def test_a_killed_parent_leaves_no_server_behind():
    program = (
        "import sys; from tests.services.postgresql import PostgreSQL\n"
        "server = PostgreSQL(); server.start()\n"
        "print(server.port, server.folder, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=install.PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        port, folder = parent.stdout.readline().split()
        assert listens(int(port))

        parent.send_signal(signal.SIGKILL)
        parent.wait()

    deadline = time.monotonic() + 10
    while listens(int(port)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not listens(int(port))
    install.run(["rm", "-r", folder])


def test_a_machine_without_postgresql_gets_advice_what_to_install(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(install, "say", lambda sentence: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgresql_programs, "PLACES", ())
    monkeypatch.setattr(install, "CACHE", tmp_path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    with pytest.raises(install.Unavailable) as raised:
        PostgreSQL().start()

    assert "Debian: apt-get install postgresql" in str(raised.value)
    assert "pip install uv" in str(raised.value)
    assert f"{tmp_path}/python does not run" in str(raised.value)


def test_a_machine_without_postgresql_gets_the_one_in_the_wheel(monkeypatch, tmp_path):
    monkeypatch.setattr(postgresql_programs, "_on_machine", lambda: None)
    # pytest's folders are closed to other users, as a project's may be.
    monkeypatch.setattr(install, "CACHE", tmp_path)

    with PostgreSQL() as server:
        assert answer(server, "SHOW server_version").startswith("18.")
