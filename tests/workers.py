"""
A pytest plugin: run the whole suite in as many processes as there are processors.

Without arguments, pytest starts workers (pytest-xdist). A selection, by a path, a name
or an option, runs in one process: a few tests end before a worker has started.
``-n 3`` starts workers for a selection, too; ``-n 0`` starts none.

A worker runs one group of tests after the other. Tests that share a service which is
slow to start (SHARED) are one group, so that it starts once; all others are grouped by
module. Groups that take long come first, so that the workers end together. Each worker
has a database server, ports and folders of its own (tests/environment.py). Its tests
run beside those of the other workers, except for a test that is marked ``alone``
because it measures time: the other workers wait for its end.
"""

import fcntl
import os
from collections.abc import Generator, Iterable
from typing import Any

import pytest

from tests import environment

# Fixtures that start several processes.
SHARED = ("stage", "echo", "site")
# Fixtures of the tests that take longest, the longest first.
LONG = ("cloud", "stage", "queue", "server", "site", "native", "arm64")
# Options that select tests, or that need them in this process.
SELECTING = ("keyword", "markexpr", "lf", "failedfirst", "stepwise", "usepdb", "trace")


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """Set the options of pytest-xdist, unless it is switched off."""
    option = config.option
    if config.pluginmanager.hasplugin("xdist") and not _is_worker(config):
        if option.numprocesses is None and _is_whole_suite(config):
            option.numprocesses = os.process_cpu_count()
        if option.numprocesses and option.dist == "no":
            option.dist = "loadgroup"
            # In the order of pytest_collection_modifyitems below.
            option.loadscopereorder = False
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    if _is_worker(config):
        config.pluginmanager.register(Worker(config), "tests-of-a-worker")
    else:
        config.pluginmanager.register(Controller(config), "results-of-workers")


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _is_whole_suite(config: pytest.Config) -> bool:
    named = config.args_source is not config.ArgsSource.TESTPATHS
    return not named and not any(config.getoption(name) for name in SELECTING)


def _long(items: Iterable[pytest.Item]) -> int:
    """Return the place of a group in the queue: the first fixture in LONG it uses."""
    used = {name for item in items for name in getattr(item, "fixturenames", ())}
    return min((n for n, name in enumerate(LONG) if name in used), default=len(LONG))


class Worker:
    """Group the tests, and keep the others' tests from running beside one of them."""

    def __init__(self, config: pytest.Config) -> None:
        self.output: dict[str, Any] = config.workeroutput  # type: ignore[attr-defined]
        self.deselected: list[str] = []
        # Whoever wants to run alone closes the door, and waits until no test runs.
        self.door = (environment.shared / "door.lock").open("w")
        self.running = (environment.shared / "running.lock").open("w")

    # pytest-xdist reads the groups in the same hook.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        groups: dict[str, list[pytest.Item]] = {}
        for item in items:
            name = self._group(item)
            item.add_marker(pytest.mark.xdist_group(name))
            groups.setdefault(name, []).append(item)
        items[:] = [i for group in sorted(groups.values(), key=_long) for i in group]

    def _group(self, item: pytest.Item) -> str:
        folder, _, module = item.nodeid.partition("::")[0].rpartition("/")
        used = [n for n in SHARED if n in getattr(item, "fixturenames", ())]
        return f"{folder}/{used[0] if used else module}"

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        alone = item.get_closest_marker("alone") is not None
        fcntl.flock(self.door, fcntl.LOCK_EX)
        fcntl.flock(self.running, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self.door, fcntl.LOCK_UN)
        try:
            return (yield)
        finally:
            fcntl.flock(self.running, fcntl.LOCK_UN)

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.deselected += [item.nodeid for item in items]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self.output["deselected"] = self.deselected


class Controller:
    """Report what workers did, as one process would report it."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.counted = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # pytest-xdist appends the group: "test_x.py::test_y@test_x.py".
        if hasattr(report, "node"):
            report.nodeid = report.nodeid.rpartition("@")[0]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        # Each worker has collected the same tests, and deselected the same.
        if not self.counted:
            deselected = getattr(node, "workeroutput", {}).get("deselected", [])
            self.config.hook.pytest_deselected(items=deselected)
            self.counted = True
