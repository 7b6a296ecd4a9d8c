"""
A pytest plugin: leave the longest tests to the nightly run.

``@pytest.mark.nightly(reason)`` is for a test, or a case of a test, that is long and
that a shorter one stands for during the day. TEST_PROFILE=nightly runs all tests, and
2,000 examples of each property instead of 50; .github/workflows/nightly.yml sets it.
Otherwise they are deselected, and the summary counts them with their reasons.
"""

import os
from collections import Counter
from typing import Any

import pytest

PROFILES = ("default", "nightly")


def profile() -> str:
    """Return the value of TEST_PROFILE. Raises UsageError for an unknown one."""
    name = os.environ.get("TEST_PROFILE", "default")
    if name not in PROFILES:
        raise pytest.UsageError(
            f"TEST_PROFILE={name} is not one of {', '.join(PROFILES)}."
        )
    return name


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Nightly(), "nightly-tests")


class Nightly:
    """What this session leaves to the nightly run: the number of tests by reason."""

    def __init__(self) -> None:
        self.nightly = profile() == "nightly"
        self.left: dict[str, int] = {}

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        if self.nightly:
            return
        marks = {item: item.get_closest_marker("nightly") for item in items}
        left = [item for item in items if marks[item]]
        if left:
            self.left = dict(Counter(mark.args[0] for mark in marks.values() if mark))
            items[:] = [item for item in items if not marks[item]]
            config.hook.pytest_deselected(items=left)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        # A worker of pytest-xdist hands it to the process that prints the summary.
        if output := getattr(session.config, "workeroutput", None):
            output["nightly"] = self.left

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.left |= getattr(node, "workeroutput", {}).get("nightly", {})

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for reason, number in self.left.items():
            terminalreporter.write_line(f"NIGHTLY [{number}] {reason}")
        if self.left:
            terminalreporter.write_line("To run these too: TEST_PROFILE=nightly")
