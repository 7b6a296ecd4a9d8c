"""Packages of this project, built once in a copy."""

import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.package.build import build
from apps.aws_lambda.cli.package.runtime import unpacked
from tests import environment
from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.cli.bootstrap import roles
from tests.cli.release.cloud import Cloud
from tests.names import SERVICE
from tests.services.aws_requests import accesses
from tests.services.iam import is_allowed


def copy_project(target: Path) -> Path:
    """Copy all files except ignored ones, into a repository at the same commit."""
    git = ["git", "-C", str(ROOT)]
    names = subprocess.check_output(
        [*git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        text=True,
    )
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)
    subprocess.run(
        ["git", "clone", "--quiet", "--bare", str(ROOT), str(target / ".git")],
        check=True,
    )
    here = ["git", "-C", str(target)]
    subprocess.run([*here, "config", "core.bare", "false"], check=True)
    head = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    subprocess.run([*here, "update-ref", "--no-deref", "HEAD", head], check=True)
    subprocess.run([*here, "reset", "--quiet"], check=True)
    # Only tracked files are packaged, and a test may be run before a commit.
    subprocess.run([*here, "add", "--all"], check=True)
    return target


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("package") / "project")


@pytest.fixture(scope="session")
def arm64(project: Path) -> Path:
    return environment.once("lambda-arm64.zip", lambda: build(project, "arm64"))


@pytest.fixture(scope="session")
def x86_64(project: Path) -> Path:
    return environment.once("lambda-x86_64.zip", lambda: build(project, "x86_64"))


@pytest.fixture(scope="session")
def native(request: pytest.FixtureRequest) -> Path:
    """The package for this machine."""
    arm = platform.machine() in ("aarch64", "arm64")
    archive: Path = request.getfixturevalue("arm64" if arm else "x86_64")
    return archive


@pytest.fixture(scope="session")
def folder(native: Path) -> Iterator[Path]:
    """That package, unpacked."""
    with unpacked(native) as root:
        yield root


@pytest.fixture
def without(folder: Path, tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that removes a path from the package for a test."""
    moved: list[tuple[Path, Path]] = []

    def take_out(name: str) -> Path:
        path, aside = folder / name, tmp_path / name.replace("/", "-")
        path.parent.chmod(0o755)
        shutil.move(path, aside)
        moved.append((path, aside))
        return folder

    yield take_out
    for path, aside in moved:
        shutil.move(aside, path)
        path.parent.chmod(0o555)


@pytest.fixture(scope="session")
def server() -> Iterator[SiteServer]:
    """Run a PostgreSQL for released stages."""
    server = SiteServer().start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest, server: SiteServer) -> str:
    """The URL of an empty database for the stage of this module."""
    name = str(request.module.__name__).rpartition(".")[2]
    server.ask(f"CREATE DATABASE {name} OWNER {ROLE}")
    return server.url(server.postgresql.port).removesuffix(ROLE) + name


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud
        check_permissions(cloud)


def check_permissions(cloud: Cloud) -> None:
    """Check that the deployment role of the stage prod may make all of its requests."""
    needed = {access for asked in cloud.functions.asked for access in accesses(asked)}
    roles.deploy(cloud.aws)
    allowed = roles.of_role(cloud.aws, "deployment")
    refused = [access for access in sorted(needed) if not is_allowed(allowed, access)]
    # A test deploys the stage dev by the Serverless CLI alone.
    found = [str(access) for access in refused if f"{SERVICE}-dev" not in str(access)]
    assert "\n".join(found) == ""
