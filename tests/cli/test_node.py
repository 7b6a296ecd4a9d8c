"""The Serverless CLI is there, or is installed, or its absence is explained."""

from pathlib import Path

import pytest

from apps.aws_lambda.cli import node
from apps.aws_lambda.cli.report import DeployError


class Machine:
    """A site, and a PATH with only the programs of a test."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.site = folder / "bin", folder / "site"
        self.bin.mkdir()
        self.site.mkdir()
        (self.site / "package.json").write_text("{}")

    def has(self, program: str, script: str) -> None:
        (self.bin / program).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / program).chmod(0o755)

    def error(self) -> str:
        with pytest.raises(DeployError) as error:
            node.install(self.site)
        return f"{error.value} {error.value.advice}".strip()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    node.check_version.cache_clear()
    machine = Machine(tmp_path)
    monkeypatch.setenv("PATH", str(machine.bin))
    machine.has("node", "echo v22.1.0")
    # Records its command, and installs the CLI.
    machine.has(
        "npm",
        'echo "$*" > command\n/bin/mkdir -p node_modules/.bin\n'
        ": > node_modules/.bin/serverless",
    )
    return machine


def test_a_missing_node_is_reported(machine: Machine):
    (machine.bin / "node").unlink()

    assert machine.error().startswith("Node.js, which runs the Serverless CLI, was not")


def test_an_old_node_is_reported_with_its_version(machine: Machine):
    machine.has("node", "echo v18.20.0")

    assert "is Node.js v18.20.0, and the Serverless CLI needs 20" in machine.error()


def test_a_missing_npm_is_reported(machine: Machine):
    (machine.bin / "npm").unlink()

    assert machine.error().startswith("npm, which comes with Node.js")


@pytest.mark.parametrize(
    ("locked", "command"), [(True, "ci"), (False, "install")], ids=["lock", "no lock"]
)
def test_npm_installs_what_package_json_names(
    machine: Machine, locked: bool, command: str
):
    if locked:
        (machine.site / "package-lock.json").write_text("{}")

    node.install(machine.site)

    ran = (machine.site / "command").read_text()
    assert ran == f"{command} --no-audit --no-fund\n"


def test_an_installed_cli_is_kept(machine: Machine):
    node.install(machine.site)
    (machine.site / "command").unlink()

    node.install(machine.site)

    assert not (machine.site / "command").exists()


def test_the_end_of_npms_errors_is_printed(machine: Machine):
    machine.has("npm", "echo 'npm error 404 no such package' >&2; exit 1")

    assert machine.error().endswith(":\nnpm error 404 no such package")


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("request failed, reason: getaddrinfo ENOTFOUND x", "getaddrinfo ENOTFOUND x"),
        ("npm error code ECONNREFUSED", "ECONNREFUSED"),
        ("npm error code SELF_SIGNED_CERT_IN_CHAIN", "SELF_SIGNED_CERT_IN_CHAIN"),
    ],
)
def test_without_a_network_nothing_is_removed(
    machine: Machine, written: str, reason: str
):
    # `npm ci` removes node_modules before it finds out.
    machine.has("npm", f"echo \"$1\" >> commands; echo '{written}' >&2; exit 1")

    assert machine.error() == (
        f"npm's registry cannot be reached: {reason}. Check the network, the proxy "
        "(HTTPS_PROXY), and the mirror (npm config get registry)."
    )
    assert (machine.site / "commands").read_text() == "ping\n"


def test_packages_behind_a_link_are_not_deleted(machine: Machine, tmp_path: Path):
    other = tmp_path / "other"
    (other / "package").mkdir(parents=True)
    (machine.site / "node_modules").symlink_to(other)

    assert machine.error() == (
        f"{machine.site}/node_modules is a link to {other}, and npm would delete what "
        "is there. Remove the link, or install the packages in that folder."
    )
    assert not (machine.site / "command").exists()
    assert (other / "package").exists()


def test_a_mirror_that_answers_no_ping_is_used(machine: Machine):
    script = '[ "$1" = ping ] && { echo "npm error code E404" >&2; exit 1; }\n'
    machine.has("npm", script + (machine.bin / "npm").read_text().partition("\n")[2])

    node.install(machine.site)

    assert (machine.site / "command").read_text().startswith("install ")


def test_a_package_json_without_the_cli_is_explained(machine: Machine):
    machine.has("npm", "exit 0")

    assert 'Add to its devDependencies: "serverless": "npm:osls@' in machine.error()


def test_a_missing_package_json_is_explained(machine: Machine):
    (machine.site / "package.json").unlink()

    assert "package.json does not exist" in machine.error()


@pytest.mark.parametrize(
    ("lock", "command"),
    [("pnpm-lock.yaml", "pnpm install"), ("yarn.lock", "yarn install")],
)
def test_another_package_manager_is_left_to_its_user(
    machine: Machine, lock: str, command: str
):
    (machine.site / lock).write_text("")

    assert machine.error().endswith(f"run: {command}")
