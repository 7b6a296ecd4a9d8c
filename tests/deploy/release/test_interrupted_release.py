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

# Elsewhere the builder of the package outlives the CLI.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda is Linux")


def never(asked: Asked) -> bool:
    return False


class Step(NamedTuple):
    """
    A step of a release: what it says, and the request that is held back.

    Without a request, it is cut off as soon as it has a process of its own.
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
# Ctrl-C signals all that runs in the terminal, a cancelled job the release alone.
# Where that has no other process, SIGTERM is taken as SIGINT is, and one step stands
# for the others.
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
    """A release that runs, and what it has said so far."""

    def __init__(self, cloud: Cloud, arguments: list[str]) -> None:
        self.process = start(cloud, "release", *arguments)
        self.lines: list[str] = []
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        self.lines.extend(line.rstrip("\n") for line in self.process.stdout)

    @property
    def said(self) -> str:
        return "\n".join(self.lines)

    def wait_for_line(self, start: str) -> None:
        """Return once it has said that."""
        self.wait_for(lambda: any(start in line for line in self.lines))

    def wait_for(self, there: Callable[[], bool]) -> None:
        """Return once that is so. Fails if the release has ended before."""
        deadline = time.monotonic() + SECONDS
        while not there():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """Signal as a terminal does, which signals all, or as anybody else."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def end(self) -> int:
        """Return the exit status, once nobody can write to its terminal any more."""
        status = self.process.wait(SECONDS)
        self._reader.join(20)
        assert not self._reader.is_alive(), "A process of it goes on."
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.communicate()


def descendants(pid: int) -> dict[str, str]:
    """Return the children of a process and theirs, each with the time of its start."""
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
    """Return those that do not end."""
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
    status, said = release(cloud, native)
    assert status == 0, said
    return cloud


@pytest.fixture(scope="module")
def packages(native: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages, a new one for each of the signals."""
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
def test_a_release_that_is_cut_off_leaves_the_site_to_the_version_before(
    stage: Cloud, packages: Path, number: signal.Signals, step: str, hold: Hold
):
    before = versions(stage)
    arguments = release_arguments(stage, packages / f"{number.name}.zip")
    if step == "packaging":
        # That one is not built.
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
            # As CloudFormation does where it undoes an update.
            point(stage, "http", "$LATEST")
            hold.go.set()
        status = running.end()
        hold.go.set()

    assert status == (-number if number == signal.SIGKILL else 130), running.said
    assert wait_for_end(children) == {}
    after = versions(stage)
    if number != signal.SIGKILL:
        end = running.lines.index(told(step, before, after)) + 1
        again = shlex.quote(shlex.join(arguments))
        assert running.lines[end] == f"Next: make deploy STAGE=prod ARGS={again}"
        # The builder hears of it from the CLI's end, and may have the last word.
        assert running.lines[end + 1 :] == [] or step == "packaging"
    if (number, step) not in MOVED:
        assert after == before
    elif step == "shift":
        # Visitors are sent to the web function, which comes last.
        assert after["http"] == before["http"]
    if step == CASES[number][-1]:
        status, said = release(stage, packages / f"{number.name}.zip")
        assert status == 0, said
        # The package of each signal is a version.
        assert live(stage) == {str(2 + list(CASES).index(number))}


# Where the traffic has moved. A release that is killed gives nothing back.
MOVED = {
    (signal.SIGINT, "old versions"),
    (signal.SIGKILL, "shift"),
    (signal.SIGKILL, "look from outside"),
    (signal.SIGKILL, "old versions"),
}


def told(step: str, before: dict[str, str], after: dict[str, str]) -> str:
    """Return what is said of the stage."""
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
