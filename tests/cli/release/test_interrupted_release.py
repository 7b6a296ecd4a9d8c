"""
A release that is interrupted at each of its steps, by each of four signals.

Each release of a series starts where the one before was interrupted, with the same
command, and gets further; the last one is completed.
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
from typing import Any, NamedTuple, Self

import pytest

from apps.aws_lambda.cli.release.stage import describe
from tests.cli.release.cloud import STACK, Cloud
from tests.cli.release.commands import (
    changed,
    live,
    release,
    release_arguments,
    set_secrets,
    start,
    versions,
)
from tests.cli.release.hold import SECONDS, Hold, request, target
from tests.nightly import profile
from tests.services.local_lambda import Asked

# On other systems the builder of the package outlives the CLI.
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda is Linux")


def never(asked: Asked) -> bool:
    return False


class Step(NamedTuple):
    """
    A step of a release: the start of a line it prints, and the request to hold back.

    Without a request, the release is interrupted as soon as it has a child process.
    """

    line: str
    matches: Callable[[Asked], bool] = never


INVOKE = f"/2015-03-31/functions/{STACK}-{{}}/invocations"
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
# A terminal's Ctrl-C signals the release and its children, a cancelled job the release
# alone. Between children SIGTERM is handled like SIGINT, so one such step is enough.
NIGHTLY = {
    "SIGINT": [(signal.SIGINT, step) for step in STEPS],
    "SIGHUP": [(signal.SIGHUP, "look from outside")],
    "SIGTERM": [
        (signal.SIGTERM, "reading serverless.yml"),
        (signal.SIGTERM, "packaging"),
        (signal.SIGTERM, "uploading"),
        (signal.SIGTERM, "updating the stack"),
        (signal.SIGTERM, "migration"),
        (signal.SIGTERM, "look from outside"),
    ],
    "SIGKILL": [
        (signal.SIGKILL, "reading serverless.yml"),
        (signal.SIGKILL, "packaging"),
        (signal.SIGKILL, "uploading"),
        (signal.SIGKILL, "updating the stack"),
        (signal.SIGKILL, "migration"),
        (signal.SIGKILL, "shift"),
        (signal.SIGKILL, "look from outside"),
        (signal.SIGKILL, "old versions"),
    ],
}
# Each kind of step once: a child process, a request to AWS, CloudFormation, a command
# in a function, and the traffic before, while and after it moves.
DAILY = {
    "stopped": [
        (signal.SIGINT, "looking"),
        (signal.SIGTERM, "packaging"),
        (signal.SIGTERM, "uploading"),
        (signal.SIGINT, "updating the stack"),
        (signal.SIGHUP, "look from outside"),
    ],
    "killed": [
        (signal.SIGKILL, "reading serverless.yml"),
        (signal.SIGKILL, "migration"),
        (signal.SIGKILL, "shift"),
        (signal.SIGKILL, "old versions"),
    ],
}
nightly = pytest.mark.nightly("a release is interrupted at each step by each signal")
# The nightly cases hold the daily ones. Not both in one session: moto numbers versions
# by their count, and a release deletes old ones from the sixth on.
SERIES = NIGHTLY if profile() == "nightly" else DAILY | NIGHTLY


class Running:
    """A release that runs, and the lines that it has printed."""

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

    def wait_for_line(self, words: str) -> None:
        """Return when it has printed a line with these words."""
        self.wait_for(lambda: any(words in line for line in self.lines))

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds. Fail if the release ends before."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        """Send SIGINT to its process group, as a terminal does; others to it alone."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def end(self) -> int:
        """Return the exit status, when no process has its output open any more."""
        status = self.process.wait(SECONDS)
        self._reader.join(20)
        assert not self._reader.is_alive(), "A child process still runs."
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.communicate()


def descendants(pid: int) -> dict[str, str]:
    """Return the descendants of a process by ID, each with its start time."""
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
    """Wait up to 20 seconds for the end of processes; return those that still run."""
    deadline = time.monotonic() + 20
    while True:
        left = {p: t for p, t in descendants(0).items() if processes.get(p) == t}
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


@pytest.fixture(scope="module")
def stage(cloud: Cloud, native: Path, database: str) -> Cloud:
    """Return a stage with one release."""
    set_secrets(cloud, database)
    status, output = release(cloud, native)
    assert status == 0, output
    return cloud


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the packages, a different one for each series."""
    return tmp_path_factory.mktemp("packages")


@pytest.fixture
def hold(stage: Cloud, step: str) -> Iterator[Hold]:
    hold = Hold(STEPS[step].matches)
    stage.functions.between = hold
    yield hold
    hold.go.set()
    stage.functions.between = lambda asked, respond: respond(asked)


def cases() -> Iterator[Any]:
    for series, steps in SERIES.items():
        for number, step in steps:
            marks = (nightly,) if series in NIGHTLY else ()
            name = f"{series}-{number.name}-{step}"
            yield pytest.param(series, number, step, marks=marks, id=name)


@pytest.mark.parametrize(("series", "number", "step"), list(cases()))
def test_an_interrupted_release_leaves_the_site_to_the_version_before(
    stage: Cloud,
    native: Path,
    packages: Path,
    series: str,
    number: signal.Signals,
    step: str,
    hold: Hold,
):
    archive = packages / f"{series}.zip"
    if not archive.exists():
        changed(native, archive, **{f"project__{series}": ""})
    before = versions(stage)
    arguments = release_arguments(stage, archive)
    if step == "packaging":
        # A package that is given is not built.
        arguments = [a for a in arguments if not a.startswith("--param=artifact")]
    with Running(stage, arguments) as running:
        running.wait_for_line(STEPS[step].line)
        if STEPS[step].matches is never:
            running.wait_for(lambda: bool(descendants(running.process.pid)))
        else:
            running.wait_for(hold.reached.is_set)
        children = descendants(running.process.pid)

        running.send(number)
        if step == "updating the stack" and number != signal.SIGKILL:
            running.wait_for(hold.reported.is_set)
            # As CloudFormation does when it rolls an update back.
            point(stage, "http", "$LATEST")
            hold.go.set()
        status = running.end()
        hold.go.set()

    assert status == (-number if number == signal.SIGKILL else 130), running.output
    assert wait_for_end(children) == {}
    after = versions(stage)
    if number != signal.SIGKILL:
        end = running.lines.index(reported(step, before, after)) + 1
        known = facts(step, len([*packages.iterdir()]) + 1)
        assert running.lines[end : end + len(known)] == known
        end += len(known)
        again = shlex.quote(shlex.join(arguments))
        assert running.lines[end] == f"Next: make deploy STAGE=prod ARGS={again}"
        # The builder ends after the CLI, and may print after the release.
        assert running.lines[end + 1 :] == [] or step == "packaging"
    if (number, step) not in MOVED:
        assert after == before
    elif step == "shift":
        # The web function gets the traffic last.
        assert after["http"] == before["http"]
    if (number, step) == SERIES[series][-1]:
        status, output = release(stage, archive)
        assert status == 0, output
        # The package of each series is a version.
        assert live(stage) == {str(1 + len([*packages.iterdir()]))}


# The traffic has moved. A release that is killed cannot give it back.
MOVED = {
    (signal.SIGINT, "old versions"),
    (signal.SIGKILL, "shift"),
    (signal.SIGKILL, "look from outside"),
    (signal.SIGKILL, "old versions"),
}


def reported(step: str, before: dict[str, str], after: dict[str, str]) -> str:
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


COMMANDS = {
    "plan": "migrate --plan",
    "migration": "migrate --noinput",
    "cache": "createcachetable",
}


def facts(step: str, version: int) -> list[str]:
    """Return the lines about what the release has changed besides."""
    done = [*STEPS].index(step)
    found = []
    if done >= [*STEPS].index("plan"):
        found.append(f"Deployed: version {version}.")
    if done > [*STEPS].index("migration"):
        found.append(f"The migrations of version {version} are applied.")
    if step in COMMANDS:
        found.append(f"{COMMANDS[step]} continues on the stage.")
    return found


def point(stage: Cloud, function: str, version: str) -> None:
    stage.aws.client("lambda").update_alias(
        FunctionName=f"{STACK}-{function}", Name="live", FunctionVersion=version
    )
