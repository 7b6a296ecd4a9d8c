"""A site without background tasks, or without a bucket of uploads: what is deployed."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from apps.aws_lambda.cli import ROOT, SERVERLESS
from apps.aws_lambda.cli.adopt import facts
from apps.aws_lambda.cli.adopt.plan import Answers, plan
from apps.aws_lambda.cli.resources import refresh
from tests.cli import sites, template
from tests.cli.cloudformation import plain

TASKS = re.compile(r"task|queue|sqs:|dead.?letter", re.IGNORECASE)
# The bucket of packages remains.
MEDIA = re.compile(r"media|upload|s3:\w+Object", re.IGNORECASE)


@pytest.fixture(scope="module")
def planned(
    made: dict[str, Path], installed: dict[str, str]
) -> dict[tuple[int, ...], dict[str, str]]:
    """The files of the simple site, by the version of Django that it has."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in installed.items():
            patch.setenv(name, value)
        site = facts.examine(made["simple"], production="", stand_ins={}, own=())
    found: dict[tuple[int, ...], dict[str, str]] = {}
    for version in ((5, 2, 19), (6, 1, 3)):
        site.report["django"] = [*version]
        found[version] = plan(site, Answers("shop"), ())
    return found


def deploy(root: Path, files: dict[str, str]) -> tuple[int, str]:
    """Compile the templates of a site with these files, with every alarm."""
    sites.write(root, files)
    (root / "node_modules").symlink_to(ROOT / "node_modules")
    (root / ".venv").symlink_to(ROOT / ".venv")
    refresh(root)
    archive = template.empty_package(root / "package.zip")
    process = subprocess.run(
        [
            *(SERVERLESS, "package", "--stage", "prod", "--package", root / "out"),
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


def compiled(root: Path, files: dict[str, str]) -> template.Template:
    status, output = deploy(root, files)
    assert status == 0, output
    return template.Template(root / "out/cloudformation-template-update-stack.json")


def references(made: template.Template) -> set[str]:
    """Return the resources that others refer to."""
    return set(re.findall(r"\$\{(\w+)", json.dumps(plain(made.body))))


def widgets(made: template.Template) -> list[str]:
    """Return the titles in the dashboard."""
    body = json.loads(plain(made.properties("Dashboard")["DashboardBody"]))
    return [widget["properties"]["title"] for widget in body["widgets"]]


def test_a_site_on_django_5_deploys_nothing_of_background_tasks(
    planned: dict[tuple[int, ...], dict[str, str]], tmp_path: Path
):
    made = compiled(tmp_path, planned[5, 2, 19])

    functions = made.of_type("Lambda::Function").values()
    handlers = {function["Properties"]["Handler"] for function in functions}
    assert handlers == {
        f"lambda_entry.{name}" for name in ("http", "schedule", "manage")
    }
    text = json.dumps(plain(made.body), indent=0)
    assert [line for line in text.splitlines() if TASKS.search(line)] == []
    assert references(made) <= {*made.resources, "AWS"}
    assert "Tasks" not in widgets(made)
    # What is left works as before.
    assert "Errors" in widgets(made)
    assert made.properties("HttpRole")["ManagedPolicyArns"] == [
        {"Ref": "SitePolicy"},
        {"Ref": "MediaPolicy"},
    ]
    assert "MEDIA_BUCKET" in made.environment()
    entry = (tmp_path / "lambda_entry.py").read_text()
    assert "tasks" not in entry


def test_a_site_on_django_6_deploys_background_tasks(
    planned: dict[tuple[int, ...], dict[str, str]], tmp_path: Path
):
    made = compiled(tmp_path, planned[6, 1, 3])

    assert made.properties("TasksLambdaFunction")["Handler"] == "lambda_entry.tasks"
    assert made.of_type("Lambda::EventSourceMapping")
    assert "TASK_QUEUE_URL" in made.environment()
    assert {"Tasks", "Waiting tasks", "Errors"} <= {*widgets(made)}
    assert references(made) <= {*made.resources, "AWS"}


def test_a_site_that_removed_the_bucket_deploys_nothing_of_it(
    planned: dict[tuple[int, ...], dict[str, str]], tmp_path: Path
):
    files = dict(planned[6, 1, 3])
    line = "  - ${file(.django-on-lambda/resources/media.yml)}\n"
    assert line in files["serverless.yml"]
    files["serverless.yml"] = files["serverless.yml"].replace(line, "")

    made = compiled(tmp_path, files)

    text = json.dumps(plain(made.body), indent=0)
    assert [line for line in text.splitlines() if MEDIA.search(line)] == []
    assert references(made) <= {*made.resources, "AWS"}
    assert made.properties("TasksRole")["ManagedPolicyArns"] == [
        {"Ref": "SitePolicy"},
        {"Ref": "SendTasksPolicy"},
    ]


@pytest.mark.parametrize(
    ("removed", "left"),
    [("tasks.yml", "resources/tasks.yml"), ("resources/tasks.yml", "function tasks")],
)
def test_a_half_of_background_tasks_is_refused(
    planned: dict[tuple[int, ...], dict[str, str]],
    tmp_path: Path,
    removed: str,
    left: str,
):
    files = dict(planned[6, 1, 3])
    line = f"  - ${{file(.django-on-lambda/{removed})}}\n"
    assert line in files["serverless.yml"]
    files["serverless.yml"] = files["serverless.yml"].replace(line, "")

    status, output = deploy(tmp_path, files)

    assert status == 1
    assert f"{left} only" in " ".join(output.split())
    shutil.rmtree(tmp_path / ".django-on-lambda")


def test_serverless_yml_has_at_most_60_lines(
    planned: dict[tuple[int, ...], dict[str, str]],
):
    for files in planned.values():
        assert len(files["serverless.yml"].splitlines()) <= 60
