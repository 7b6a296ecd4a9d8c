"""Compile what a site with the files of `adopt` deploys."""

import subprocess
from pathlib import Path

from apps.aws_lambda.cli import ROOT, SERVERLESS
from apps.aws_lambda.cli.resources import refresh
from tests.cli import sites, template


def deploy(root: Path, files: dict[str, str], stage: str = "prod") -> tuple[int, str]:
    """Return the exit status and the output of the Serverless CLI."""
    sites.write(root, files)
    (root / "node_modules").symlink_to(ROOT / "node_modules")
    (root / ".venv").symlink_to(ROOT / ".venv")
    refresh(root)
    archive = template.empty_package(root / "package.zip")
    process = subprocess.run(
        [
            *(SERVERLESS, "package", "--stage", stage, "--package", root / "out"),
            f"--param=artifact={archive}",
            f"--param=architecture={template.ARCHITECTURE}",
        ],
        cwd=root,
        env=sites.outside() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout + process.stderr


def compiled(
    root: Path, files: dict[str, str], stage: str = "prod"
) -> template.Template:
    """Return the template of a site with these files."""
    status, output = deploy(root, files, stage)
    assert status == 0, output
    return template.Template(root / "out/cloudformation-template-update-stack.json")
