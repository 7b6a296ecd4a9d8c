"""What `make cloud` prints and leaves; the stage itself is that of test_life."""

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import pytest

from apps.aws_lambda.cli.report import DeployError
from tests.cloud import __main__ as cloud
from tests.services.ministack import DOMAIN


class Running:
    """MiniStack, which an operator stops with Ctrl-C, or which ends by itself."""

    port = 4566
    url = "https://127.0.0.1:4566"
    ends_by_itself = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    @property
    def is_running(self) -> bool:
        # A second terminal works on the stage while it runs.
        assert f"export AWS_ENDPOINT_URL='{self.url}'" in cloud.VARIABLES.read_text()
        if not self.ends_by_itself:
            raise KeyboardInterrupt
        return False

    def environment(self) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL": self.url}

    def tail(self) -> str:
        return "the end of a log"


class Server(nullcontext[Any]):
    def __enter__(self) -> Self:
        return self

    def url(self) -> str:
        return "postgres://localhost/site"


@pytest.fixture
def released(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The parameters of the release, which is not run."""
    released: dict[str, str] = {}
    for name, value in {
        "ROOT": tmp_path,
        "VARIABLES": tmp_path / ".run" / "cloud.env",
        "MiniStack": Running,
        "PostgreSQL": Server,
        "check_platform": lambda: None,
        "in_memory": lambda: None,
        "interrupt_on_signals": lambda: None,
        "package": lambda: Path("lambda.zip"),
        "release": lambda stage, parameters: released.update(parameters),
        "create_superuser": lambda stage: "a-password",
    }.items():
        monkeypatch.setattr(cloud, name, value)
    return released


def test_the_urls_are_printed_and_ctrl_c_ends_it(
    released: dict[str, str], capsys: pytest.CaptureFixture[str]
):
    assert cloud.main([]) == 0

    printed = capsys.readouterr().out
    assert f"Site      https://{DOMAIN}:4566/\n" in printed
    assert f"Admin     https://{DOMAIN}:4566/admin/\n" in printed
    assert "Login     admin, password a-password\n" in printed
    assert f". .run{os.sep}cloud.env && make info" in printed
    assert printed.endswith("The account, its database and its files are gone.\n")
    assert not cloud.VARIABLES.exists()


def test_a_parameter_of_the_command_line_wins(released: dict[str, str]):
    cloud.main(["--param=eventSource=rest-api"])

    assert released["eventSource"] == "rest-api"
    assert released["artifact"] == "lambda.zip"


def test_the_end_of_a_local_aws_that_stops_is_printed(
    released: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(Running, "ends_by_itself", True)

    assert cloud.main([]) == 1

    assert "MiniStack has ended. The end of its log:\nthe end of a log" in (
        capsys.readouterr().err
    )
    assert not cloud.VARIABLES.exists()


def test_a_release_that_fails_ends_it(
    released: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def fail(*_: object) -> None:
        raise DeployError("The release failed, for the reason above.")

    monkeypatch.setattr(cloud, "release", fail)

    assert cloud.main([]) == 1

    assert "The release failed, for the reason above." in capsys.readouterr().err
