"""
A pytest plugin: run the whole suite in as many processes as there are processors.

Without arguments, pytest starts workers (pytest-xdist). A selection, by a path, a name
or an option, runs in one process: a few tests end before a worker has started.
``-n 3`` starts workers for a selection, too; ``-n 0`` starts none.

A worker runs one group of tests after the other. Tests that write into the project are
one group (EXCLUSIVE), as are those of a folder that share a service which is slow to
start (SHARED); the tests of a stage's life are a group each (SEPARATE), and all others
are grouped by module. Groups that take long come first, so
that the workers end together. Each worker has a database server, ports and folders of
its own (tests/environment.py). Its tests run beside those of the other workers, except
for a test that is marked ``alone`` because it measures time: the others wait for it.
"""

import fcntl
import json
import os
from collections.abc import Generator, Iterable
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import pytest

from tests import environment

GROUPS = environment.shared / "groups.json"

# The Serverless CLI writes to .serverless in the project, so it runs once at a time.
EXCLUSIVE = (
    "tests/cli/package/",
    "tests/cli/release/",
    "tests/cli/serverless_plugin/",
    "tests/cli/test_",
)
# Each test takes a minute or more, and all of them start the same services.
SEPARATE = "tests/cloud/"
# Fixtures that start several processes.
SHARED = ("stage", "echo", "site")
# Fixtures and tests that take longest, the longest first: each a minute or two.
LONG = (
    "cloud",
    "stage",
    "built",
    "story",
    "test_the_apps_own_tests_pass_there",
    "queue",
    "server",
    "site",
    "native",
)
# Options that select tests, or that need them in this process.
SELECTING = ("keyword", "markexpr", "lf", "failedfirst", "stepwise", "usepdb", "trace")


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """Set the options of pytest-xdist, unless it is switched off."""
    option = config.option
    if config.pluginmanager.hasplugin("xdist") and not _is_worker(config):
        if option.numprocesses is None and _is_whole_suite(config):
            # mypy checks for Python 3.12, which lacks it.
            option.numprocesses = os.process_cpu_count()  # type: ignore[attr-defined]
        if option.numprocesses and option.dist == "no":
            option.dist = "loadscope"
            # Keep the order of Worker.pytest_collection_modifyitems.
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
    if config.args_source is not config.ArgsSource.TESTPATHS:
        return False
    # A plugin that is switched off has no options.
    selecting = any(getattr(config.option, name, None) for name in SELECTING)
    return not selecting and config.option.capture != "no"


def _long(items: Iterable[pytest.Item]) -> int:
    """Return the place of a group in the queue: that of its first name in LONG."""
    used = {
        name
        for item in items
        for name in (item.name, *getattr(item, "fixturenames", ()))
    }
    return min((n for n, name in enumerate(LONG) if name in used), default=len(LONG))


def _encodable(value: Any) -> Any:
    """Return a report that UTF-8 can encode: a captured log may have surrogates."""
    match value:
        case str():
            return value.encode(errors="backslashreplace").decode()
        case dict():
            return {key: _encodable(part) for key, part in value.items()}
        case list() | tuple():
            return [_encodable(part) for part in value]
    return value


class Worker:
    """Group the tests, and keep the others' tests from running beside one of them."""

    def __init__(self, config: pytest.Config) -> None:
        self.output: dict[str, Any] = config.workeroutput  # type: ignore[attr-defined]
        self.deselected: list[str] = []
        # A test takes them in this order, so that one that is to run alone, and waits
        # for the end of the others, keeps new ones from starting.
        self.starting = (environment.shared / "starting.lock").open("w")
        self.running = (environment.shared / "running.lock").open("w")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        groups: dict[str, list[pytest.Item]] = {}
        for item in items:
            groups.setdefault(self._group(item), []).append(item)
        items[:] = [i for group in sorted(groups.values(), key=_long) for i in group]
        # For the scheduler, which gets the names of the tests only. All workers write
        # the same.
        part = GROUPS.with_suffix(f".{environment.WORKER}")
        part.write_text(json.dumps({item.nodeid: self._group(item) for item in items}))
        part.rename(GROUPS)

    def _group(self, item: pytest.Item) -> str:
        used = getattr(item, "fixturenames", ())
        module = item.nodeid.partition("::")[0]
        if module.startswith(EXCLUSIVE):
            return "the project's folder"
        if module.startswith(SEPARATE):
            return item.nodeid
        for name in SHARED:
            if name in used:
                return f"{module.rpartition('/')[0]}/{name}"
        return module

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        alone = item.get_closest_marker("alone") is not None
        fcntl.flock(self.starting, fcntl.LOCK_EX)
        fcntl.flock(self.running, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self.starting, fcntl.LOCK_UN)
        try:
            return (yield)
        finally:
            fcntl.flock(self.running, fcntl.LOCK_UN)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_to_serializable(self) -> Generator[None, Any, Any]:
        return _encodable((yield))

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.deselected += [item.nodeid for item in items]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self.output["deselected"] = self.deselected


class Controller:
    """Give the groups to the workers, and report what one process would report."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.counted = False

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

        class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc]
            @cached_property
            def groups(self) -> dict[str, str]:
                found: dict[str, str] = json.loads(GROUPS.read_text())
                return found

            def _split_scope(self, nodeid: str) -> str:
                return self.groups[nodeid]

        return GroupScheduling(config, log)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        # All workers have deselected the same tests.
        if not self.counted:
            names = getattr(node, "workeroutput", {}).get("deselected", [])
            items = [SimpleNamespace(nodeid=name) for name in names]
            self.config.hook.pytest_deselected(items=items)
            self.counted = True
