"""Schedules of `custom.schedules`, a line each."""

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from apps.aws_lambda.cli import ROOT, SERVERLESS
from tests.cli import template
from tests.cli.template import PackageError, Template

PAGE = (ROOT / "docs" / "commands.md").read_text()
# Two lines.
DOCUMENTED = PAGE.partition("```yaml\ncustom:\n")[2].partition("```")[0]
LINES = f"""
{DOCUMENTED}    import_prices --all: rate(1 day)
    clearsessions: cron(0 5 * * ? *)
"""
COMMANDS = [
    ["send_report", "--to", "the whole team"],
    ["import_prices"],
    ["import_prices", "--all"],
    ["clearsessions"],
]


def package(folder: Path, lines: str, without: str = "") -> Template:
    """Package this project with schedules. Raises PackageError."""
    for path in ROOT.iterdir():
        if path.name not in ("serverless.yml", ".git", ".serverless"):
            (folder / path.name).symlink_to(path)
    configuration = (ROOT / "serverless.yml").read_text()
    # This project has one of its own.
    configuration, count = re.subn(r"  schedules:\n(    .+\n)+", "", configuration)
    assert count == 1
    configuration = configuration.replace("custom:\n", f"custom:{lines}", 1)
    if without:
        assert without in configuration
        configuration = configuration.replace(without, "")
    (folder / "serverless.yml").write_text(configuration)
    archive = template.empty_package(folder / "package.zip")
    target = Path(tempfile.mkdtemp(prefix="serverless-"))
    process = subprocess.run(
        [
            *(SERVERLESS, "package", "--stage", "dev", "--package", target),
            f"--param=artifact={archive}",
            f"--param=architecture={template.ARCHITECTURE}",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise PackageError(process.stdout + process.stderr)
    return Template(target / "cloudformation-template-update-stack.json")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return package(tmp_path_factory.mktemp("schedules"), LINES)


def schedules(made: Template) -> dict[str, dict[str, Any]]:
    """Return the schedules by their command lines."""
    found = {}
    for schedule in made.of_type("Scheduler::Schedule").values():
        given = json.loads(schedule["Properties"]["Target"]["Input"])
        found[" ".join([given["command"], *given["args"]])] = schedule
    return found


def test_a_line_is_a_schedule(made: Template):
    found = schedules(made)

    assert set(found) == {
        *map(" ".join, COMMANDS),
        "prune_task_results",
        "purge_uploads",
    }
    report = found["send_report --to the whole team"]["Properties"]
    assert report["ScheduleExpression"] == "cron(0 7 ? * MON *)"
    assert report["ScheduleExpressionTimezone"] == "Europe/Berlin"
    prices = found["import_prices"]["Properties"]
    assert prices["ScheduleExpression"] == "rate(1 hour)"
    assert "ScheduleExpressionTimezone" not in prices
    assert found["import_prices --all"]["Properties"]["ScheduleExpression"] == (
        "rate(1 day)"
    )


def test_a_line_invokes_the_function_as_the_other_schedules_do(made: Template):
    found = schedules(made)
    own, other = found["import_prices"], found["prune_task_results"]

    assert own["DependsOn"] == other["DependsOn"]
    for name in ("Arn", "RoleArn", "RetryPolicy"):
        assert own["Properties"]["Target"][name] == other["Properties"]["Target"][name]


def test_a_line_changes_the_time_of_a_schedule_that_exists(made: Template):
    schedule = made.properties("ScheduleClearSessions")

    assert schedule["ScheduleExpression"] == "cron(0 5 * * ? *)"
    assert len(made.of_type("Scheduler::Schedule")) == len(COMMANDS) + 2


def test_only_the_schedule_function_may_run_the_command_lines(made: Template):
    variable = "LAMBDA_SCHEDULES"

    assert json.loads(made.environment("Schedule")[variable]) == COMMANDS
    for function in ("Http", "Tasks", "Manage"):
        assert variable not in made.environment(function)
    mine = template.default().environment("Schedule")[variable]
    assert json.loads(mine) == [["send_digest"]]


@pytest.mark.parametrize(
    "line",
    [
        "import_prices: hourly",
        "import_prices: cron(0 7",
        "import_prices: rate(1 hour) Europe/Berlin at night",
    ],
)
def test_a_line_without_a_time_is_refused(line: str, tmp_path: Path):
    with pytest.raises(PackageError) as refused:
        package(tmp_path, f"\n  schedules:\n    {line}\n")

    output = " ".join(str(refused.value).split())
    assert f'custom.schedules has "{line}"' in output
    assert "docs/commands.md#schedules" in output


def test_a_site_without_the_role_of_schedules_is_refused(tmp_path: Path):
    resources = "apps/aws_lambda/cli/serverless/resources"
    without = f"  - ${{file({resources}/schedules.yml)}}\n"

    with pytest.raises(PackageError, match="requires the function schedule and"):
        package(tmp_path, LINES, without)
