"""The Serverless CLI uses the package that the builder wrote."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from apps.aws_lambda.cli import ROOT

BUILDER = """
import json, pathlib, sys, zipfile
pathlib.Path("arguments.json").write_text(json.dumps(sys.argv[2:]))
pathlib.Path("dist").mkdir(exist_ok=True)
arch = sys.argv[sys.argv.index("--arch") + 1]
with zipfile.ZipFile(f"dist/lambda-{arch}.zip", "w") as archive:
    archive.writestr("built.txt", arch)
print("builder says hello")
sys.exit("FAIL" in pathlib.Path("serverless.yml").read_text())
"""


@pytest.fixture
def service(tmp_path: Path) -> Path:
    """This project's serverless.yml and plugin, with a builder that only records."""
    service = tmp_path / "the service"
    cli = service / "apps" / "aws_lambda" / "cli"
    cli.mkdir(parents=True)
    (cli / "__main__.py").write_text(BUILDER)
    (cli / "serverless").symlink_to(ROOT / "apps/aws_lambda/cli/serverless")
    for name in ("node_modules", ".venv"):
        (service / name).symlink_to(ROOT / name)
    shutil.copyfile(ROOT / "serverless.yml", service / "serverless.yml")
    return service


def package(
    service: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    without_account = {
        name: value
        for name, value in os.environ.items()
        if "AWS" not in name and name != "VIRTUAL_ENV"
    }
    return subprocess.run(
        ["node_modules/.bin/serverless", "package", *arguments],
        cwd=service,
        env=without_account | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def edit(service: Path, old: str, new: str) -> None:
    path = service / "serverless.yml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("arch", ["arm64", "x86_64"])
def test_the_package_has_the_architecture_of_the_functions(arch, service):
    edit(service, "  parameters: {}", f"  parameters: {{architecture: {arch}}}")

    process = package(service)

    assert process.returncode == 0, process.stderr
    assert "builder says hello" in process.stderr
    arguments = json.loads((service / "arguments.json").read_text())
    assert arguments[:2] == ["--arch", arch]
    environment = json.loads(arguments[arguments.index("--environment") + 1])
    assert environment["SECRET_KEY"].startswith("ssm:")
    archive = service / "dist" / f"lambda-{arch}.zip"
    assert ZipFile(archive).read("built.txt").decode() == arch
    state = json.loads((service / ".serverless/serverless-state.json").read_text())
    assert state["package"]["artifact"].endswith(archive.name)
    # Nothing else was packed.
    assert not list((service / ".serverless").glob("*.zip"))


def test_a_given_package_is_checked_instead_of_built(service):
    with ZipFile(service / "earlier.zip", "w") as archive:
        archive.writestr("built.txt", "earlier")

    process = package(service, "--stage=prod", "--param=artifact=earlier.zip")

    assert process.returncode == 0, process.stderr
    arguments = json.loads((service / "arguments.json").read_text())
    assert arguments[:4] == ["--arch", "arm64", "--archive", "earlier.zip"]
    environment = json.loads(arguments[arguments.index("--environment") + 1])
    assert environment["STAGE"] == "prod"
    state = json.loads((service / ".serverless/serverless-state.json").read_text())
    assert state["package"]["artifact"] == "earlier.zip"


def test_a_failed_build_is_not_deployed(service):
    with (service / "serverless.yml").open("a") as file:
        file.write("# FAIL\n")

    process = package(service)

    assert process.returncode == 1
    assert "The package was not built" in process.stdout + process.stderr
    assert not (service / ".serverless/serverless-state.json").exists()


def test_an_unsupported_runtime_is_refused(service):
    edit(service, "runtime: python3.13", "runtime: python3.11")

    process = package(service)

    assert process.returncode == 1
    output = process.stdout + process.stderr
    assert "The runtime python3.11 is not supported" in output


def test_another_runtime_of_one_function_is_refused(service):
    functions = "  - ${file(apps/aws_lambda/cli/serverless/functions.yml)}\n"
    edit(service, functions, f"{functions}  - tasks: {{runtime: python3.12}}\n")

    process = package(service)

    assert process.returncode == 1
    output = process.stdout + process.stderr
    assert "The function tasks has the runtime python3.12, but the package is" in output


def test_without_a_virtual_environment_python3_builds_it(service):
    (service / ".venv").unlink()

    process = package(service, PATH=f"{ROOT}/.venv/bin:{os.environ['PATH']}")

    assert process.returncode == 0, process.stdout + process.stderr
    assert "builder says hello" in process.stderr


def test_the_active_environment_builds_it_if_there_is_no_other(service):
    (service / ".venv").unlink()

    process = package(service, VIRTUAL_ENV=f"{ROOT}/.venv")

    assert process.returncode == 0, process.stdout + process.stderr


def test_a_missing_python_is_reported_with_what_to_do(service, tmp_path):
    (service / ".venv").unlink()
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "node").symlink_to(str(shutil.which("node")))
    (programs / "python3").write_text("#!/bin/sh\nexit 1\n")
    (programs / "python3").chmod(0o755)

    process = package(service, PATH=str(programs))

    output = process.stdout + process.stderr
    assert process.returncode == 1
    assert "python3 cannot import Django and apps.aws_lambda.cli" in output
    assert "make setup" in output


def test_the_variable_names_the_interpreter(service, tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "my python: $*"\nexit 1\n')
    python.chmod(0o755)

    process = package(service, DJANGO_ON_LAMBDA_PYTHON=str(python))

    assert "my python: -m apps.aws_lambda.cli package" in process.stderr


def test_an_interpreter_that_does_not_exist_is_reported(service):
    process = package(service, DJANGO_ON_LAMBDA_PYTHON="/nowhere/python")

    assert process.returncode == 1
    output = process.stdout + process.stderr
    assert "DJANGO_ON_LAMBDA_PYTHON is /nowhere/python, which does not exist" in output


def sized(service: Path, size: int) -> subprocess.CompletedProcess[str]:
    """Package with variables of the schedule function of a size, as far as known."""
    state = service / ".serverless/serverless-state.json"
    edit(service, "  environment:\n", "  environment:\n    FILL: ''\n")
    assert package(service).returncode == 0
    made = json.loads(state.read_text())["service"]
    # It has most: the commands of the site's schedules.
    own = made["functions"]["schedule"]["environment"]
    known = sum(
        len(name) + (0 if isinstance(value, dict) else len(str(value)))
        for name, value in {**made["provider"]["environment"], **own}.items()
    )
    state.unlink()
    edit(service, "FILL: ''", f"FILL: {'x' * (size - known)}")
    return package(service)


def test_environment_variables_up_to_the_limit_are_accepted(service):
    process = sized(service, 4096)

    assert process.returncode == 0, process.stdout + process.stderr


def test_environment_variables_over_the_limit_are_refused_with_the_largest(service):
    process = sized(service, 4097)

    output = process.stdout + process.stderr
    assert process.returncode == 1
    assert "of the function schedule have at least 4097 bytes" in output
    assert "Lambda's limit is 4096. The largest are FILL (" in output
    assert not (service / ".serverless/serverless-state.json").exists()
    # Refused before anything is built.
    (service / "arguments.json").unlink()
    assert package(service).returncode == 1
    assert not (service / "arguments.json").exists()


def test_the_environment_variables_of_one_function_are_counted_with_those_of_all(
    service,
):
    edit(
        service,
        "\ncustom:\n",
        f"  - tasks: {{environment: {{FILL: {'ä' * 2048}}}}}\n\ncustom:\n",
    )

    process = package(service)

    assert process.returncode == 1
    assert "of the function tasks have at least" in process.stdout + process.stderr
