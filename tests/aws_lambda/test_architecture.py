"""The rooms of the integration: who may import whom, and how far an event travels."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from apps.aws_lambda import handlers
from apps.aws_lambda.test import LambdaContext
from tests.crossings import count
from tests.events import load_event

ROOT = Path(__file__).resolve().parents[2]

# Each of them imports something above it.
UPWARD = {
    "storage.py": "from . import handlers",
    "aws/sqs.py": "from ..tasks import consumer",
    "http/gateway.py": "from .. import middleware",
    "tasks/consumer.py": "from ..commands import schedule",
    "invocation.py": "from django.db import connections",
}


def lint_imports(root: Path) -> "subprocess.CompletedProcess[str]":
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [command, "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for folder in ("apps", "project"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_upward_imports_are_refused(copy: Path):
    for path, line in UPWARD.items():
        with (copy / "apps" / "aws_lambda" / path).open("a") as module:
            module.write(f"\n{line}\n")

    process = lint_imports(copy)

    assert process.returncode == 1, process.stdout
    for path in UPWARD:
        name = path.removesuffix(".py").replace("/", ".")
        assert f"apps.aws_lambda.{name} -> " in process.stdout


def test_a_module_without_a_layer_is_refused(copy: Path):
    (copy / "apps" / "aws_lambda" / "utils.py").write_text("")

    process = lint_imports(copy)

    assert process.returncode == 1, process.stdout
    assert "apps.aws_lambda.utils" in process.stdout


@pytest.mark.parametrize("name", ["http_default", "rest_stage_root"])
def test_a_get_crosses_at_most_13_files(name: str):
    handler = handlers.http()
    event = load_event(name, rawPath="/")

    crossings = count(lambda: handler(event, LambdaContext()))

    assert len(crossings.files) <= 13, crossings


def test_the_page_and_its_picture_show_every_room():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    [rooms] = [c for c in contracts["importlinter"]["contracts"] if "exhaustive" in c]
    names = {name for layer in rooms["layers"] for name in layer.split(" | ")}
    page = (ROOT / "ARCHITECTURE.md").read_text()
    picture = (ROOT / "docs" / "images" / "architecture.svg").read_text()

    modules = re.findall(r">((?:http|tasks|commands)/[\w.]+)", picture)
    app = ROOT / "apps" / "aws_lambda"

    assert {name for name in names if f">{name}<" not in picture} == set()
    assert modules
    assert [name for name in modules if not [*app.glob(f"{name}*")]] == []
    assert {name for name in names - {"apps"} if f"`{name}`" not in page} == set()
