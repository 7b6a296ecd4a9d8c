"""Sites that are adopted, in copies of one that is made once."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from apps.aws_lambda.cli.adopt import facts
from apps.aws_lambda.cli.adopt.command import main
from apps.aws_lambda.cli.adopt.plan import Answers, plan
from tests.cli import sites


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, installed: dict[str, str]) -> None:
    for name, value in installed.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return sites.environment(tmp_path_factory.mktemp("integration"))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sites")
    return {
        "simple": sites.startproject(folder / "simple"),
        "package": sites.settings_package(folder / "package"),
    }


@pytest.fixture
def simple(made: dict[str, Path], tmp_path: Path) -> Path:
    """What startproject makes, with an app and a requirements.txt."""
    return shutil.copytree(made["simple"], tmp_path / "simple")


@pytest.fixture
def package(made: dict[str, Path], tmp_path: Path) -> Path:
    """A package of settings, with required variables and a uv.lock."""
    return shutil.copytree(made["package"], tmp_path / "package")


@pytest.fixture(scope="session")
def written(
    made: dict[str, Path],
    installed: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = shutil.copytree(
        made["simple"], tmp_path_factory.mktemp("written") / "site"
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in installed.items():
            patch.setenv(name, value)
        assert main(["--root", str(folder), "--yes"]) == 0
    return folder


@pytest.fixture
def adopted(written: Path, tmp_path: Path) -> Path:
    """The simple site after `adopt --yes`; nothing is committed."""
    return shutil.copytree(written, tmp_path / "adopted")


type Planned = dict[tuple[int, ...], dict[str, str]]


@pytest.fixture(scope="session")
def planned(made: dict[str, Path], installed: dict[str, str]) -> Planned:
    """The files of the simple site, by the version of Django that it has."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in installed.items():
            patch.setenv(name, value)
        site = facts.examine(made["simple"], production="", stand_ins={}, own=())
    # The deployment of a site that reads these in its settings.
    variables = {"DATABASE_URL": "sqlite://", "SECRET_KEY": "stand-in"}
    site = replace(site, probed=replace(site.probed, stand_ins=variables))
    found: Planned = {}
    for version in ((5, 2, 19), (6, 1, 3)):
        site.report["django"] = [*version]
        found[version] = plan(site, Answers("shop"), ())
    return found


type Run = Callable[..., tuple[int, str]]


@pytest.fixture
def adopt(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command in a folder; return its status and its output."""

    def run(root: Path, *options: str) -> tuple[int, str]:
        capfd.readouterr()
        status = main(["--root", str(root), *options])
        output = capfd.readouterr()
        return status, output.out + output.err

    return run
