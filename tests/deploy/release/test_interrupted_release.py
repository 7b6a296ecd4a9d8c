"""
A release that is cut off, at each of its steps and in each of four ways.

Each release begins where the one before was cut off, with the same command, and
gets one step further; the last one of a series goes through.
"""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import NamedTuple, Self

import pytest

from deploy.release.stage import describe
from tests.deploy.release.cloud import STACK, Cloud
from tests.deploy.release.commands import (
    changed,
    live,
    release,
    release_arguments,
    set_secrets,
    start,
    versions,
)
from tests.deploy.release.hold import SECONDS, Hold, request, target
from tests.services.local_lambda import Asked

# On other systems the builder of the package outlives the CLI.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda is Linux")


def never(asked: Asked) -> bool:
    return False


class Step(NamedTuple):
    """
    A step of a release: the line that it prints, and the request to hold back.

    Without a request, the release is interrupted once it has a child process.
    """

    says: str
    matches: Callable[[Asked], bool] = never


INVOKE = "/2015-03-31/functions/django-on-lambda-prod-{}/invocations"
STEPS = {
    "reading serverless.yml": Step("» Inspect stage prod"),
    "looking": Step("» Inspect stage prod", target("AmazonSSM.GetParameters")),
    "packaging": Step("» Project code"),
    "uploading": Step("» Package", request("PUT", r"\.zip")),
    "updating the stack": Step("» Package", request("POST", "/", "Action=UpdateStack")),
    "plan": Step("» Show", request("POST", INVOKE.format("manage"), "--plan")),
    "migration": Step("» Migrate", request("POST", INVOKE.format("manage"), "--noin")),
    "cache": Step("» Create", request("POST", INVOKE.format("manage"), "createcache")),
    "health": Step(
        "» Check the health", request("POST", INVOKE.format("http"), "/health/ready")
    ),
    # Two of the four have moved, and the third.
    "shift": Step("» Shift", request("PUT", "-tasks/aliases/live")),
    "look from outside": Step(
        "» Check the site", request("GET", "^/prod/health/ready")
    ),
    "old versions": Step("» Delete", request("GET", "-http/versions")),
}
# Ctrl-C signals every process in the terminal, a canceled job only the release. In
# steps without another process SIGTERM is handled like SIGINT, so one step is enough.
CASES = {
    signal.SIGINT: list(STEPS),
    signal.SIGHUP: ["look from outside"],
    signal.SIGTERM: [
        "reading serverless.yml",
        "packaging",
        "uploading",
        "updating the stack",
        "migration",
        "look from outside",
    ],
    signal.SIGKILL: [
        "reading serverless.yml",
        "packaging",
        "uploading",
        "updating the stack",
        "migration",
        "shift",
        "look from outside",
        "old versions",
    ],
}


class Running:
    """A running release, and its output so far."""

    def __init__(self, cloud: Cloud, arguments: list[str]) -> None:
        self.process = start(cloud, "release", *arguments)
        self.lines: list[str] = []
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        self.lines.extend(line.rstrip("\n") for line in self.process.stdout)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for_line(self, start: str) -> None:
        """Return once a line contains this."""
        self.wait_for(lambda: any(start in line for line in self.lines))

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return once the condition is true. Fails if the release ends first."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """Send SIGINT to all processes, as a terminal does, others to the release."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def end(self) -> int:
        """Return the exit status, once every process has closed the terminal."""
        status = self.process.wait(SECONDS)
        self._reader.join(20)
        assert not self._reader.is_alive(), "One of its processes is still running."
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.communicate()


def descendants(pid: int) -> dict[str, str]:
    """Return the descendants of a process, with their start times."""
    table = subprocess.check_output(
        ["ps", "-A", "-o", "pid=,ppid=,stat=,lstart="], text=True
    )
    rows = [line.split(None, 3) for line in table.splitlines()]
    found = {str(pid): ""}
    for _ in rows:
        grown = found | {
            child: since
            for child, parent, status, since in rows
            if parent in found and not status.startswith("Z")
        }
        if grown == found:
            break
        found = grown
    del found[str(pid)]
    return found


def wait_for_end(processes: dict[str, str]) -> dict[str, str]:
    """Return the processes that do not end."""
    deadline = time.monotonic() + 20
    while True:
        left = {p: t for p, t in descendants(0).items() if processes.get(p) == t}
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


@pytest.fixture(scope="module")
def stage(cloud: Cloud, native: Path, database: str) -> Cloud:
    """A stage with one release."""
    set_secrets(cloud, database)
    status, output = release(cloud, native)
    assert status == 0, output
    return cloud


@pytest.fixture(scope="module")
def packages(native: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a new package for each signal."""
    folder = tmp_path_factory.mktemp("packages")
    for number in CASES:
        changed(
            native, folder / f"{number.name}.zip", **{f"project__{number.name}": ""}
        )
    return folder


@pytest.fixture
def hold(stage: Cloud, step: str) -> Iterator[Hold]:
    hold = Hold(STEPS[step].matches)
    stage.functions.between = hold
    yield hold
    hold.go.set()
    stage.functions.between = lambda asked, respond: respond(asked)


@pytest.mark.parametrize(
    ("number", "step"),
    [(number, step) for number, steps in CASES.items() for step in steps],
    ids=lambda value: getattr(value, "name", value),
)
def test_after_an_interruption_the_previous_version_serves_the_site(
    stage: Cloud, packages: Path, number: signal.Signals, step: str, hold: Hold
):
    before = versions(stage)
    arguments = release_arguments(stage, packages / f"{number.name}.zip")
    if step == "packaging":
        # A given package is not built.
        arguments = [a for a in arguments if not a.startswith("--param=artifact")]
    with Running(stage, arguments) as running:
        running.wait_for_line(STEPS[step].says)
        if STEPS[step].matches is never:
            running.wait_for(lambda: bool(descendants(running.process.pid)))
        else:
            running.wait_for(hold.reached.is_set)
        children = descendants(running.process.pid)

        running.send(number)
        if step == "updating the stack" and number != signal.SIGKILL:
            running.wait_for(hold.reported.is_set)
            # As CloudFormation does when it rolls back an update.
            point(stage, "http", "$LATEST")
            hold.go.set()
        status = running.end()
        hold.go.set()

    assert status == (-number if number == signal.SIGKILL else 130), running.output
    assert wait_for_end(children) == {}
    after = versions(stage)
    if number != signal.SIGKILL:
        end = running.lines.index(state_line(step, before, after)) + 1
        again = shlex.quote(shlex.join(arguments))
        assert running.lines[end] == f"Next: make deploy STAGE=prod ARGS={again}"
        # The builder ends after the CLI, and may print the last line.
        assert running.lines[end + 1 :] == [] or step == "packaging"
    if (number, step) not in MOVED:
        assert after == before
    elif step == "shift":
        # The web function serves the users, and shifts last.
        assert after["http"] == before["http"]
    if step == CASES[number][-1]:
        status, output = release(stage, packages / f"{number.name}.zip")
        assert status == 0, output
        # The package of each signal is a version.
        assert live(stage) == {str(2 + list(CASES).index(number))}


# Where the traffic has moved. A killed release does not move it back.
MOVED = {
    (signal.SIGINT, "old versions"),
    (signal.SIGKILL, "shift"),
    (signal.SIGKILL, "look from outside"),
    (signal.SIGKILL, "old versions"),
}


def state_line(step: str, before: dict[str, str], after: dict[str, str]) -> str:
    """Return the line about the state of the stage."""
    match step:
        case "reading serverless.yml":
            return "Nothing was changed."
        case "looking":
            return f"The site is served by {describe(before)}."
        case "old versions":
            return (
                f"The site was served by {describe(before)}, "
                f"and now by {describe(after)}."
            )
    return f"The site is served by {describe(before)}, as before."


def point(stage: Cloud, function: str, version: str) -> None:
    stage.aws.client("lambda").update_alias(
        FunctionName=f"{STACK}-{function}", Name="live", FunctionVersion=version
    )
