"""A stage from its first release to its removal, on an AWS that others wrote."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.aws_lambda.cli import ROOT
from tests import environment
from tests.cli.conftest import copy_project
from tests.cli.release.commands import changed
from tests.cloud.life import FAILING_MIGRATION, Life, create_database, resources
from tests.cloud.load_balancer import LoadBalancer
from tests.cloud.stage import Stage, domain, package
from tests.services.ministack import DOMAIN, MiniStack
from tests.services.postgresql import PostgreSQL


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this folder: the Serverless CLI writes into it."""
    folder = copy_project(tmp_path_factory.mktemp("cloud") / "project")
    for name in (".venv", "node_modules"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture(scope="session")
def first() -> Path:
    """The package of this folder, a copy for all workers."""

    def copy() -> Path:
        return Path(shutil.copy(package(), environment.folder / "package.zip"))

    return environment.once("lambda.zip", copy)


@pytest.fixture(scope="session")
def aws() -> Iterator[MiniStack]:
    # Seconds until the next attempt: with the default a failing task takes half an
    # hour to its end.
    with MiniStack({"LAMBDA_TASK_BACKOFF": "0,1"}) as aws:
        yield aws


# MiniStack passes the path of an HTTP API with a domain alone as it is: without one,
# /admin/ becomes /admin, which redirects to /admin/ forever.
@pytest.mark.parametrize(
    ("source", "parameters"),
    [
        ("rest-api", {}),
        ("http-api", domain(f"https://{DOMAIN}")),
        # MiniStack starts the functions with its own runtime client all the same.
        ("function-url", {"runtime": "own"}),
    ],
    ids=["rest-api", "http-api", "function-url"],
)
def test_a_stage_lives_from_its_first_release_to_its_removal(
    aws: MiniStack,
    postgresql: PostgreSQL,
    project: Path,
    first: Path,
    source: str,
    parameters: dict[str, str],
    tmp_path: Path,
):
    stage = Stage(aws, source, create_database(postgresql, source), project)
    stage.create_secrets()
    before = resources(aws)
    life = Life(stage, {"eventSource": source, **parameters})

    life.release(first, "1")
    life.start_the_schedule()
    life.create_superuser()
    url = life.url()
    life.visit(url)
    life.use_the_inbox(url)
    life.try_the_bucket(url)
    with life.failing_tasks():
        life.upload(url, "fails")
        life.wait_for(life.has_a_dead_letter)
    life.wait_for(life.the_schedule_has_run)
    life.find_in_the_log(url)

    balancer = None
    if source == "function-url":
        balancer = LoadBalancer(aws, f"{stage.stack}-http")
        url = life.parameters["publicUrl"] = balancer.url
    life.release(changed(first, tmp_path / "2.zip", apps__documents__new=""), "2")
    life.visit(url)

    fails = "apps__documents__migrations__0003_fails"
    third = changed(first, tmp_path / "3.zip", **{fails: FAILING_MIGRATION})
    life.refuse(third, "2")
    life.visit(url)

    life.roll_back("1")
    if balancer:
        # The first version does not know its name.
        del life.parameters["publicUrl"]
        balancer.remove()
    life.visit(life.url())

    life.remove()
    assert resources(aws) == before
