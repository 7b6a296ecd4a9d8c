import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment, FunctionError

HANDLER = """
import os, sys, time

print("initialised")

def handle(event, context):
    print("got", event)
    match event:
        case "raise":
            raise LookupError("not here")
        case "exit":
            os._exit(3)
        case "sleep":
            time.sleep(60)
        case "variables":
            return dict(os.environ)
    return {
        "event": event,
        "pid": os.getpid(),
        "request_id": context.aws_request_id,
        "remaining": context.get_remaining_time_in_millis(),
        "arn": context.invoked_function_arn,
    }
"""
SNAPSHOT = """
import snapshot_restore_py as hooks

steps = ["init"]
hooks.register_before_snapshot(steps.append, "before")
hooks.register_after_restore(steps.append, "after")

def handle(event, context):
    return steps
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "module.py").write_text(HANDLER)
    (tmp_path / "snapshot.py").write_text(SNAPSHOT)
    (tmp_path / "broken.py").write_text("raise OSError('no disk')")
    return tmp_path


def environment(
    folder: Path, handler: str = "module.handle", *, snap_start: bool = False
) -> ExecutionEnvironment:
    return ExecutionEnvironment(
        {"COLOUR": "blue"}, handler=handler, task_root=folder, snap_start=snap_start
    )


def test_the_handler_gets_the_event_and_a_context(folder):
    with environment(folder) as running:
        first = running.invoke({"naïve": [1, None]}, seconds=9)
        second = running.invoke("again", seconds=9)

        assert first["event"] == {"naïve": [1, None]}
        assert first["pid"] == second["pid"] == running.pid
        assert first["request_id"] != second["request_id"]
        assert 8000 < first["remaining"] <= 9000
        assert first["arn"].endswith(":function:site-http")


def test_the_function_gets_its_own_variables_only(folder, monkeypatch):
    monkeypatch.setenv("HOME", "/home/developer")

    with environment(folder) as running:
        variables = running.invoke("variables")

    assert variables["COLOUR"] == "blue"
    assert variables["LAMBDA_TASK_ROOT"] == str(folder)
    assert variables["_HANDLER"] == "module.handle"
    version = "{}.{}".format(*sys.version_info)
    assert variables["AWS_EXECUTION_ENV"] == f"AWS_Lambda_python{version}"
    assert "HOME" not in variables


def test_an_exception_is_a_function_error_and_keeps_the_environment(folder):
    with environment(folder) as running:
        with pytest.raises(FunctionError) as raised:
            running.invoke("raise")

        assert raised.value.type == "LookupError"
        assert raised.value.message == "not here"
        assert "module.py" in raised.value.stack[0]
        assert running.invoke("next")["event"] == "next"


def test_the_end_of_the_process_is_a_function_error(folder):
    with environment(folder) as running:
        with pytest.raises(FunctionError, match=r"Runtime\.ExitError"):
            running.invoke("exit")

        assert not running.alive


def test_a_timeout_ends_the_environment(folder):
    with environment(folder) as running:
        start = time.monotonic()
        with pytest.raises(FunctionError) as raised:
            running.invoke("sleep", seconds=0.3)

        assert raised.value.type == "Sandbox.Timedout"
        assert 0.3 <= time.monotonic() - start < 2
        assert not running.alive


def test_a_failure_of_the_init_phase_is_raised(folder):
    with pytest.raises(FunctionError) as raised, environment(folder, "broken.handle"):
        pass

    assert raised.value.type == "OSError"
    assert raised.value.message == "no disk"


def test_a_frozen_environment_continues_when_it_is_thawed(folder):
    with environment(folder) as running:
        running.freeze()
        Timer(0.3, running.thaw).start()
        start = time.monotonic()

        assert running.invoke("hello")["pid"] == running.pid
        assert time.monotonic() - start >= 0.3


def test_a_frozen_environment_can_be_stopped(folder):
    with environment(folder) as running:
        running.freeze()

    assert not running.alive


def test_the_log_can_be_read_during_and_after(folder):
    with environment(folder) as running:
        running.invoke("hello")
        during = running.log

    assert during == running.log == "initialised\ngot hello\n"


def test_under_snapstart_the_environment_waits_to_be_restored(folder):
    with (
        environment(folder, "snapshot.handle", snap_start=True) as waiting,
        pytest.raises(FunctionError, match="Timedout"),
    ):
        waiting.invoke("too early", seconds=0.2)

    with environment(folder, "snapshot.handle", snap_start=True) as running:
        running.restore()

        assert running.invoke("hello") == ["init", "before", "after"]


def test_a_failing_hook_after_the_restoration_is_a_function_error(folder):
    source = SNAPSHOT.replace('(steps.append, "after")', "(steps.missing)")
    source = source.replace("steps.missing", "lambda: 1 / 0")
    (folder / "snapshot.py").write_text(source)

    with environment(folder, "snapshot.handle", snap_start=True) as running:
        running.restore()
        with pytest.raises(FunctionError) as raised:
            running.invoke("hello")

    assert raised.value.type == "ZeroDivisionError"


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux can signal the death of a parent"
)
def test_a_frozen_environment_ends_with_its_parent(folder):
    program = (
        "import sys; from pathlib import Path\n"
        "from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment\n"
        f"running = ExecutionEnvironment({{}}, handler='module.handle', "
        f"task_root=Path({str(folder)!r}))\n"
        "running.start(); running.freeze()\n"
        "print(running.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()

    deadline = time.monotonic() + 10
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not runs(pid)


def runs(pid: int) -> bool:
    try:
        # A zombie has ended.
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    except FileNotFoundError:
        return False


def test_freezing_before_the_start_is_an_error(folder):
    idle = environment(folder)

    with pytest.raises(RuntimeError, match="Call start"):
        idle.freeze()
    idle.stop()
