"""The GitHub Actions workflows, as far as they can be checked without GitHub."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.aws_lambda.cli import ROOT
from tests.services import actionlint
from tests.services.install import Unavailable

WORKFLOWS = ROOT / ".github" / "workflows"
ZIZMOR = Path(sys.prefix) / "bin" / "zizmor"
names = pytest.mark.parametrize(
    "name", sorted(path.name for path in WORKFLOWS.glob("*.yml"))
)

WRONG = """
name: Wrong
on: [push]
permissions: {}
jobs:
  test:
    runs-on: ubuntu-latest
    needs: [build]
    steps:
      - run: echo ${{ github.event.head_commit.message }}
"""


def read(name: str) -> dict[str, Any]:
    text = (WORKFLOWS / name).read_text()
    # As text, so that the key "on" is not a boolean.
    workflow: dict[str, Any] = yaml.load(text, yaml.BaseLoader)  # noqa: S506
    return workflow


def zizmor(workflows: Path) -> str:
    """Return the findings of zizmor, "" for none of medium severity."""
    process = subprocess.run(
        [
            ZIZMOR,
            "--offline",
            "--no-progress",
            "--color=never",
            "--min-severity=medium",
            workflows,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return process.stdout + process.stderr if process.returncode else ""


def test_actionlint_accepts_the_workflows():
    actionlint.check(WORKFLOWS)


def test_zizmor_accepts_the_workflows():
    assert zizmor(WORKFLOWS) == ""


def test_both_reject_a_wrong_workflow(tmp_path: Path):
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (workflows / "wrong.yml").write_text(WRONG)

    with pytest.raises(Unavailable, match="does not exist in this workflow"):
        actionlint.check(workflows)
    assert "template-injection" in zizmor(workflows)


@names
def test_every_action_is_pinned_to_a_commit(name: str):
    """A tag can move to other code; a commit cannot."""
    for use in re.findall(r"uses: (.+)", (WORKFLOWS / name).read_text()):
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", use) or use.startswith(
            "./.github/workflows/"
        )


@names
def test_workflows_may_only_read_and_jobs_have_a_timeout(name: str):
    workflow = read(name)

    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "uses" in job or int(job["timeout-minutes"]) <= 60


@names
def test_no_workflow_uses_a_stored_secret(name: str):
    text = (WORKFLOWS / name).read_text()

    assert "secrets." not in text
    assert "access-key" not in text


def test_deployments_of_a_stage_never_overlap_and_are_not_canceled():
    job = read("deploy-stage.yml")["jobs"]["deploy"]

    assert job["concurrency"] == {
        "group": "deploy-${{ inputs.stage }}",
        "cancel-in-progress": "false",
    }
    # The environment has the reviewers and the role.
    assert job["environment"] == "${{ inputs.stage }}"


def test_main_is_tested_then_deployed_to_staging_then_to_prod():
    deploy = read("deploy.yml")

    assert deploy["on"]["push"] == {"branches": ["main"]}
    stages = {name: job.get("needs") for name, job in deploy["jobs"].items()}
    assert stages == {"ci": None, "staging": "ci", "prod": "staging"}
    for name in ("staging", "prod"):
        assert deploy["jobs"][name]["with"]["stage"] == name


def steps(name: str, job: str, action: str) -> list[dict[str, Any]]:
    """Return the inputs of the steps of a job that use an action."""
    return [
        step["with"]
        for step in read(name)["jobs"][job]["steps"]
        if step.get("uses", "").startswith(f"actions/{action}@")
    ]


def test_prod_gets_the_same_file_as_staging():
    [package, _] = steps("ci.yml", "package", "upload-artifact")
    [taken] = steps("deploy-stage.yml", "deploy", "download-artifact")
    deploy = read("deploy.yml")["jobs"]

    # CI builds it once per run, and it is kept as long as an approval may take.
    assert deploy["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert package["path"] == "dist/lambda-arm64.zip"
    assert package["if-no-files-found"] == "error"
    assert int(package["retention-days"]) > 30
    # Without a run ID it is that of this run.
    assert taken == {"name": package["name"], "path": "dist"}
    for stage in ("staging", "prod"):
        assert deploy[stage]["uses"] == "./.github/workflows/deploy-stage.yml"
    commands = [
        step["run"]
        for step in read("deploy-stage.yml")["jobs"]["deploy"]["steps"]
        if "run" in step
    ]
    assert commands == [
        "make setup",
        'exec .venv/bin/python -m apps.aws_lambda.cli deploy --stage "$STAGE" '
        f"--param artifact={package['path']}",
    ]


def test_the_package_is_built_and_tested_on_the_functions_architecture():
    parameters = ROOT / "apps/aws_lambda/cli/serverless/parameters.yml"
    assert "\narchitecture: arm64\n" in parameters.read_text()

    jobs = (("ci.yml", "package"), ("ci.yml", "cloud"), ("deploy-stage.yml", "deploy"))
    for name, job in jobs:
        assert read(name)["jobs"][job]["runs-on"].endswith("-arm")
    commands = [s.get("run") for s in read("ci.yml")["jobs"]["package"]["steps"]]
    assert "make package ARCH=arm64" in commands


def test_the_instructions_of_a_cold_start_are_counted_with_valgrind():
    commands = [s["run"] for s in read("ci.yml")["jobs"]["gate"]["steps"] if "run" in s]

    assert "install" in commands[-2]
    assert commands[-2].endswith(" valgrind")
    assert commands[-1] == "make gate"


def test_the_nightly_run_has_both_profiles_and_both_runtime_clients():
    job = read("nightly.yml")["jobs"]["test"]

    assert job["strategy"]["matrix"]["include"] == [
        {"profile": "nightly", "runtime": "aws"},
        {"profile": "default", "runtime": "own"},
    ]
    assert [step["env"] for step in job["steps"] if step.get("run") == "make test"] == [
        {
            "TEST_PROFILE": "${{ matrix.profile }}",
            "TEST_RUNTIME": "${{ matrix.runtime }}",
        }
    ]


def test_the_audit_compares_the_runtime_client_with_the_newest_of_aws():
    steps = read("audit.yml")["jobs"]["runtime"]["steps"]

    install, compare = [step["run"] for step in steps if "run" in step][-2:]
    assert install.endswith("pip install --quiet --upgrade awslambdaric")
    *_, file = compare.split()
    assert file == "tests/aws_lambda/runtime/test_differential.py"
    assert (ROOT / file).exists()


def test_every_make_target_in_a_workflow_exists():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)

    called = [
        target
        for path in WORKFLOWS.glob("*.yml")
        for target in re.findall(r"- run: make ([\w-]+)", path.read_text())
    ]
    assert {"lint", "setup", "test", "package"} <= set(called)
    assert set(called) <= set(targets)
