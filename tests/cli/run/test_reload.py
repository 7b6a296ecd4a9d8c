"""What is saved is in the next response: a real serverless-offline, and real edits."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apps.aws_lambda.cli.run.offline import OfflineError

from .service import MAIN, Service, alive, wait_until


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("reload")).running() as service:
        yield service


@pytest.fixture
def service(running: Service) -> Service:
    running.reset()
    return running


# Which code a request gets


def test_parallel_requests_never_get_older_code_than_the_last_save(
    service: Service,
) -> None:
    saved = 0
    stop = threading.Event()

    def ask() -> list[tuple[int, int, int]]:
        answers = []
        while not stop.is_set():
            expected = saved
            values = service.get().values
            answers.append((expected, values["first"], values["second"]))
        return answers

    with ThreadPoolExecutor(6) as clients:
        asked = [clients.submit(ask) for _ in range(6)]
        for number in range(1, 21):
            # Two modules of one size, sometimes in the same moment.
            service.save("first.py", f"VALUE = {number:02}\n".replace(" 0", " "))
            time.sleep(0.01 * (number % 4))
            service.save("second.py", f"VALUE = {number:02}\n".replace(" 0", " "))
            saved = number
            time.sleep(0.1 * (number % 7))
        stop.set()
        answers = [answer for one in asked for answer in one.result()]

    for expected, first, second in answers:
        assert first >= expected
        assert second >= expected
        # The second file is never saved before the first one.
        assert first >= second
    assert len({first for _, first, _ in answers}) > 1
    assert service.get().values["first"] == 20


def test_a_save_between_two_imports_does_not_mix_two_versions(
    service: Service,
) -> None:
    service.save("first.py", "VALUE = 1\n")
    assert service.get().values["first"] == 1
    imported, gate = (
        service.starts.with_name("imported"),
        service.starts.with_name("gate"),
    )
    service.save(
        "main.py",
        MAIN.replace(
            "time.sleep(0.05)",
            f"Path({str(imported)!r}).touch()\n"
            f"while not Path({str(gate)!r}).exists(): time.sleep(0.01)",
            1,
        ),
    )
    with ThreadPoolExecutor() as clients:
        request = clients.submit(service.get)
        assert wait_until(imported.exists)
        service.save("first.py", "VALUE = 2\n")
        service.save("second.py", "VALUE = 2\n")
        gate.touch()

        values = request.result().values

    assert (values["first"], values["second"]) == (2, 2)


def test_a_running_request_finishes_on_the_version_it_has(service: Service) -> None:
    old = service.get().values["pid"]
    with ThreadPoolExecutor() as clients:
        slow = clients.submit(service.get, "/?seconds=3")
        assert wait_until(lambda: service.printed().count("ANY /") > 1)
        service.save("first.py", "VALUE = 1\n")

        new = service.get().values

        assert not slow.done()
        assert new["first"] == 1
        assert (slow.result().values["first"], slow.result().values["pid"]) == (0, old)
    assert wait_until(lambda: not alive(old))
    assert service.get().values["pid"] == new["pid"]


def test_saves_of_one_size_in_one_second_are_all_served(service: Service) -> None:
    file = service.root / "first.py"
    second = time.time_ns() // 10**9 * 10**9
    for number in range(1, 6):
        service.write("first.py", f"VALUE = {number}\n")
        os.utime(file, ns=(second, second + number * 10**6))

        assert service.get().values["first"] == number


@pytest.mark.parametrize("module", ["third.py", "library/__init__.py"])
def test_added_and_removed_modules_count(service: Service, module: str) -> None:
    name = module.partition(".")[0].partition("/")[0]
    service.save(
        "second.py",
        f"from importlib.util import find_spec\nVALUE = bool(find_spec({name!r}))\n",
    )
    assert service.get().values["second"] is False

    service.write(module, "")
    assert service.get().values["second"] is True

    (service.root / module).unlink()
    if "/" in module:
        (service.root / module).parent.rmdir()
    assert service.get().values["second"] is False


def test_an_environment_starts_before_a_request_needs_it(service: Service) -> None:
    old = service.get().values["pid"]

    service.save("first.py", "VALUE = 1\n")

    assert wait_until(lambda: len(service.started()) > 1)
    assert wait_until(lambda: not alive(old))
    assert service.get().values == {
        "first": 1,
        "second": 0,
        "pid": service.started()[-1],
    }


def test_functions_have_environments_of_their_own(service: Service) -> None:
    pids = {service.get().values["pid"], service.invoke("other").values["pid"]}
    assert len(pids) == 2

    service.save("first.py", "VALUE = 1\n")

    assert service.get().values["first"] == 1
    assert service.invoke("other").values["first"] == 1


def test_a_function_of_another_runtime_is_left_to_serverless_offline(
    service: Service,
) -> None:
    assert service.invoke("node").values["node"].startswith("v")


def test_what_is_not_code_changes_nothing(service: Service) -> None:
    pid = service.get().values["pid"]
    for name in (
        *("db.sqlite3", "db.sqlite3-wal", "a.log", "main.py~", ".main.py.swp"),
        *("__pycache__/main.cpython-313.pyc", ".git/index", "#main.py#"),
        *("env/pyvenv.cfg", "env/lib/library.py"),
    ):
        service.write(name, "changed")

        assert service.get().values["pid"] == pid, name
    assert "Changed" not in service.printed()


def test_a_file_that_is_written_all_the_time_is_named_and_keeps_no_request(
    service: Service,
) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.wait(0.02):
            service.write("counter.txt", str(time.monotonic_ns()))

    with ThreadPoolExecutor() as writers:
        writers.submit(write)
        try:
            assert wait_until(lambda: "Changed: counter.txt" in service.printed())
            assert [service.get().values["first"] for _ in range(3)] == [0, 0, 0]
        finally:
            stop.set()


# How many environments there are


def test_one_environment_serves_a_page_and_its_files(service: Service) -> None:
    with ThreadPoolExecutor(9) as browser:
        answers = list(browser.map(lambda _: service.get("/?seconds=0.05"), range(9)))

    assert {answer.values["pid"] for answer in answers} == set(service.started())
    assert len(service.started()) == 1


def test_without_the_wait_parallel_requests_get_an_environment_each(
    tmp_path: Path,
) -> None:
    with Service(tmp_path).running(ENVIRONMENT_WAIT_MS="0") as service:
        with ThreadPoolExecutor(3) as clients:
            answers = list(clients.map(lambda _: service.get("/?together=3"), range(3)))

        assert len({answer.values["pid"] for answer in answers}) == 3


def test_an_invalid_wait_is_reported(tmp_path: Path) -> None:
    with (
        pytest.raises(OfflineError, match=r"ENVIRONMENT_WAIT_MS is 0\.3, which is not"),
        Service(tmp_path).running(ENVIRONMENT_WAIT_MS="0.3"),
    ):
        pass


def test_a_request_that_has_waited_gets_another_environment(tmp_path: Path) -> None:
    with Service(tmp_path).running(ENVIRONMENT_WAIT_MS="300") as service:
        with ThreadPoolExecutor(2) as clients:
            answers = list(clients.map(lambda _: service.get("/?together=2"), range(2)))

        assert len({answer.values["pid"] for answer in answers}) == 2


def test_an_invocation_ends_at_the_timeout_of_the_function(service: Service) -> None:
    pid = service.invoke("other").values["pid"]

    result = service.invoke("other", seconds=30).values

    assert result == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "Task timed out after 2 seconds",
    }
    assert not alive(pid)
    assert service.invoke("other").values["pid"] != pid


# Code that does not start


@pytest.mark.parametrize(
    ("prefix", "status", "message"),
    [
        pytest.param("", 500, "Internal Server Error", id="http_api"),
        pytest.param("/dev", 502, "Internal server error", id="rest_api"),
    ],
)
def test_a_browser_shows_why_the_code_does_not_start(
    service: Service, prefix: str, status: int, message: str
) -> None:
    service.save("first.py", "VALUE = 1\nif <\n")

    page = service.get(f"{prefix}/", Accept="text/html,*/*;q=0.8")

    assert page.status == status
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert f'File "{service.root}/first.py", line 2' in page.text.replace("&#34;", '"')
    assert "if &#60;" in page.text
    assert "SyntaxError: invalid syntax" in page.text
    assert '<meta http-equiv="refresh" content="2">' in page.text
    for other in (service.get(f"{prefix}/"), service.get(f"{prefix}/", Accept="*/*")):
        assert (other.status, other.text) == (status, f'{{"message":"{message}"}}')
    assert "SyntaxError: invalid syntax" in service.printed()

    service.save("first.py", "VALUE = 1\n")

    assert service.get(f"{prefix}/", Accept="text/html").values["first"] == 1


def test_code_that_does_not_start_is_tried_once(service: Service) -> None:
    service.save("second.py", "raise ValueError('not now')\n")
    before = len(service.started())

    answers = [service.get() for _ in range(20)]

    assert {answer.status for answer in answers} == {500}
    assert len(service.started()) == before + 1


def test_a_cause_outside_of_the_code_may_pass(service: Service) -> None:
    database = service.root.parent / "database"
    service.save("second.py", f"VALUE = open({str(database)!r}).read()\n")
    assert service.get().status == 500

    database.write_text("there")

    assert wait_until(lambda: service.get().status == 200)
    assert service.get().values["second"] == "there"


def test_a_process_that_ends_while_it_starts_is_reported(service: Service) -> None:
    service.save("second.py", "import os; os._exit(7)\n")

    page = service.get(Accept="text/html")

    assert page.status == 500
    assert "Python ended. Exit status: 7" in page.text
