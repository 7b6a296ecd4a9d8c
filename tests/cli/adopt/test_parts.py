"""A site without background tasks, or without a bucket of uploads: what is deployed."""

import json
import re
from pathlib import Path

import pytest

from tests.cli import template
from tests.cli.cloudformation import plain

from .conftest import Planned
from .deployment import compiled, deploy

TASKS = re.compile(r"task|queue|sqs:|dead.?letter", re.IGNORECASE)
# The bucket of packages remains.
MEDIA = re.compile(r"media|upload|s3:\w+Object", re.IGNORECASE)


def references(made: template.Template) -> set[str]:
    """Return the resources that others refer to."""
    return set(re.findall(r"\$\{(\w+)", json.dumps(plain(made.body))))


def widgets(made: template.Template) -> list[str]:
    """Return the titles in the dashboard."""
    body = json.loads(plain(made.properties("Dashboard")["DashboardBody"]))
    return [widget["properties"]["title"] for widget in body["widgets"]]


def test_a_site_on_django_5_deploys_nothing_of_background_tasks(
    planned: Planned, tmp_path: Path
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


def test_a_site_on_django_6_deploys_background_tasks(planned: Planned, tmp_path: Path):
    made = compiled(tmp_path, planned[6, 1, 3])

    assert made.properties("TasksLambdaFunction")["Handler"] == "lambda_entry.tasks"
    assert made.of_type("Lambda::EventSourceMapping")
    assert "TASK_QUEUE_URL" in made.environment()
    assert {"Tasks", "Waiting tasks", "Errors"} <= {*widgets(made)}
    assert references(made) <= {*made.resources, "AWS"}


def test_a_site_that_removed_the_bucket_deploys_nothing_of_it(
    planned: Planned, tmp_path: Path
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
    planned: Planned,
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


def test_serverless_yml_has_at_most_60_lines(
    planned: Planned,
):
    for files in planned.values():
        assert len(files["serverless.yml"].splitlines()) <= 60
