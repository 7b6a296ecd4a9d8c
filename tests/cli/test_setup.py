"""`make setup` without a network: one reason, after one attempt."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.ports import free_port

# No program listens on the first, and no server resolves the second.
PROXIES = (f"http://127.0.0.1:{free_port()}", "http://proxy.example.invalid:3128")


class Clone:
    """A clone in which nothing is installed, behind a proxy."""

    def __init__(self, folder: Path, proxy: str) -> None:
        self.root = folder / "clone"
        self.root.mkdir()
        for name in ("Makefile", "package.json", "package-lock.json", "serverless.yml"):
            shutil.copy(ROOT / name, self.root)
        shutil.copytree(ROOT / "requirements", self.root / "requirements")
        (self.root / "apps").symlink_to(ROOT / "apps")
        self.programs = folder / "bin"
        self.programs.mkdir()
        # Only the tools of the machine, and no uv.
        path = [self.programs, *(Path("/usr") / "bin", Path("/bin"))]
        self.environment = {
            "HOME": str(folder),
            "HTTPS_PROXY": proxy,
            "ALL_PROXY": proxy,
            "PATH": os.pathsep.join(map(str, path)),
            "PYTHON": sys.executable,
        }
        for program in ("node", "npm"):
            if found := shutil.which(program):
                (self.programs / program).symlink_to(found)

    def make(self, target: str) -> str:
        """Return what a target prints, which fails."""
        process = subprocess.run(
            ["make", target],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert process.returncode == 2, process.stdout
        assert not (self.root / ".venv" / ".installed").exists()
        return process.stdout


@pytest.fixture(params=PROXIES, ids=["no server", "no name"])
def clone(tmp_path: Path, request: pytest.FixtureRequest) -> Clone:
    return Clone(tmp_path, request.param)


def test_uv_that_cannot_be_downloaded_is_not_a_missing_pip(clone: Clone):
    printed = clone.make("setup")

    assert "pip could not download uv from the package index. Check the network" in (
        printed
    )
    assert "uv is not installed" not in printed
    # By one interpreter, with one retry.
    assert printed.count("Installing uv into .run/uv") == 1
    assert printed.count("WARNING: Retrying") == 1


def test_an_index_that_uv_cannot_reach_is_reported_with_the_cause(clone: Clone):
    (clone.programs / "uv").symlink_to(Path(sys.executable).with_name("uv"))

    printed = clone.make("setup")

    causes = [line for line in printed.splitlines() if line.startswith("  cause: ")]
    assert causes.count("  cause: client error (Connect)") == 1
    assert "The package index cannot be reached, for the cause above." in printed
    assert "retries in" not in printed


def test_other_errors_of_uv_are_printed_after_its_own_retries(tmp_path: Path):
    clone = Clone(tmp_path, "")
    uv = clone.programs / "uv"
    uv.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exit\n'
        'echo "retries ${UV_HTTP_RETRIES:-3}" >> "$HOME/attempts"\n'
        "echo 'error: Hash mismatch' >&2\nexit 1\n"
    )
    uv.chmod(0o755)

    printed = clone.make("setup")

    assert printed.count("error: Hash mismatch") == 1
    assert "cannot be reached" not in printed
    assert (tmp_path / "attempts").read_text() == "retries 0\nretries 3\n"


def test_a_registry_that_npm_cannot_reach_is_reported_with_the_reason(clone: Clone):
    process = subprocess.run(
        [sys.executable, "-m", "apps.aws_lambda.cli.node"],
        cwd=clone.root,
        env=clone.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 1
    [line] = process.stderr.splitlines()
    assert line.startswith("npm's registry cannot be reached: ")
    assert "ECONNREFUSED" in line or "ENOTFOUND" in line or "EAI_AGAIN" in line
    assert line.endswith("and the mirror (npm config get registry).")
