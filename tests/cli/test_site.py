"""A site that installs the wheel and is adopted: what it deploys, and how it runs."""

import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.ports import free_port, is_taken
from tests.cli import sites, template
from tests.cli.cloudformation import plain
from tests.cli.template import Template
from tests.lts.site import NAME, wheel
from tests.services.admin import Admin

# Users log in with their e-mail addresses.
USER = """\
    from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
    from django.contrib.auth.models import PermissionsMixin
    from django.db import models


    class Manager(BaseUserManager):
        def create_superuser(self, email, password, **fields):
            fields |= {"is_staff": True, "is_superuser": True}
            user = self.model(email=email, **fields)
            user.set_password(password)
            user.save()
            return user


    class User(AbstractBaseUser, PermissionsMixin):
        USERNAME_FIELD = "email"
        REQUIRED_FIELDS = ["name"]
        email = models.EmailField(unique=True)
        name = models.CharField(max_length=50)
        is_staff = models.BooleanField(default=False)
        objects = Manager()
    """


class Adopted:
    """A site in ``root``, and the environment in which its commands run."""

    def __init__(self, root: Path, environment: dict[str, str]) -> None:
        self.root = root
        self.environment = environment

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", f"{NAME}.cli", *arguments]

    def run(self, *command: str) -> str:
        process = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout + process.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Adopted:
    """Return a site with settings for production, variables and a user model."""
    folder = tmp_path_factory.mktemp("adopted")
    with zipfile.ZipFile(wheel()) as file:
        file.extractall(folder / "installed")
    kept = ("HOME", "LANG", "PATH", "TMPDIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {
        "PYTHONPATH": str(folder / "installed"),
        "VIRTUAL_ENV": sys.prefix,
        "UV_OFFLINE": "1",
    }
    root = sites.settings_package(
        folder / "site",
        **{"accounts/models.py": USER, "accounts/migrations/__init__.py": ""},
    )
    adopted = Adopted(root, environment)
    adopted.run(sys.executable, "manage.py", "makemigrations", "accounts")
    sites.commit(root)
    adopted.run(*adopted.command("adopt", "--yes"))
    (root / "node_modules").symlink_to(ROOT / "node_modules")
    return adopted


@pytest.fixture(scope="module")
def deployed(site: Adopted) -> Template:
    """Return the template of the stage dev."""
    # Any command writes the plugins and the resources.
    site.run(*site.command("capacity", "--rps", "1"))
    archive = template.empty_package(site.root / "package.zip")
    site.run(
        "node_modules/.bin/serverless",
        "package",
        f"--param=artifact={archive}",
        f"--param=architecture={template.ARCHITECTURE}",
    )
    folder = site.root / ".serverless"
    return Template(folder / "cloudformation-template-update-stack.json")


def comparable(resources: dict[str, Any]) -> dict[str, Any]:
    """Return resources with the same service, time and version IDs."""
    text = json.dumps(plain(resources))
    text = re.sub(r"django-on-lambda|site-of-ann", "SERVICE", text)
    text = re.sub(r"\d{13}-[\dT:.Z-]+", "TIME", text)
    text = re.sub(r"LambdaVersion\w{30,}", "LambdaVersion", text)
    found: dict[str, Any] = json.loads(text)
    return found


# What a site has of its own: its variables, and the parameters that it may read.
OWN = {"HttpLambdaFunction", "TasksLambdaFunction", "ScheduleLambdaFunction"}
OWN |= {"ManageLambdaFunction", "SitePolicy"}


def test_a_site_deploys_what_this_repository_deploys(deployed: Template):
    here = comparable(template.default().resources)
    there = comparable(deployed.resources)

    # This site stores no results of background tasks, and has no inbox.
    chosen = {"SchedulePruneTaskResults", "SchedulePurgeUploads", "ScheduleSendDigest"}
    only_here = {re.sub("[0-9a-f]{8}$", "", name) for name in set(here) - set(there)}
    assert only_here == chosen
    assert set(there) - set(here) == set()
    assert {n for n in there if there[n] != here[n]} == OWN
    for name in OWN - {"SitePolicy"}:
        for resource in (here[name], there[name]):
            del resource["Properties"]["Environment"]
        assert there[name] == here[name]


def test_the_functions_of_a_site_have_its_variables_and_the_deployments(
    deployed: Template,
):
    variables = deployed.environment()
    here = template.default().environment()

    assert variables["DJANGO_SECRET_KEY"] == "ssm:/site-of-ann/dev/django-secret-key"
    assert plain(variables["LAMBDA_HOSTS"]) == plain(here["ALLOWED_HOSTS"])
    for name in ("MEDIA_BUCKET", "TASK_QUEUE_URL", "STAGE", "LAMBDA_DATABASE_PROFILE"):
        assert variables[name] == here[name]


def test_the_functions_may_read_the_parameters_that_the_variables_name(
    deployed: Template,
):
    policy = deployed.properties("SitePolicy")["PolicyDocument"]
    [read] = [s for s in policy["Statement"] if s["Action"] == "ssm:GetParameters"]

    names = {plain(arn).partition(":parameter")[2] for arn in read["Resource"]}

    assert "/site-of-ann/dev/django-secret-key" in names
    assert "/site-of-ann/dev/page-size" in names


@pytest.mark.nightly("cfn-lint of a site's template, which equals this repository's")
def test_the_linter_finds_only_what_it_finds_here(deployed: Template):
    from cfnlint.api import lint_file

    def found(made: Template) -> set[tuple[str, str]]:
        return {(match.rule.id, match.message) for match in lint_file(made.path)}

    assert found(deployed) - found(template.default()) == set()


def test_a_parameter_of_every_stage_can_be_misspelled(site: Adopted):
    path = site.root / "serverless.yml"
    text = path.read_text()
    path.write_text(text.replace("    eventSource:", "    eventSourc: x\n    memory:"))
    try:
        with pytest.raises(AssertionError, match="Did you mean eventSource"):
            site.run("node_modules/.bin/serverless", "package")
    finally:
        path.write_text(text)


@pytest.fixture
def running(site: Adopted) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """Return `django-on-lambda run`, its output until it serves, and its port."""
    port, lambda_port = free_port(), free_port()
    command = site.command("run", f"--port={port}", f"--lambda-port={lambda_port}")
    with subprocess.Popen(
        command,
        cwd=site.root,
        env=site.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout
        printed = ""
        for line in process.stdout:
            printed += line
            if "Its log follows" in line:
                break
        else:
            pytest.fail(printed)
        yield process, printed, port
        process.kill()


def get(url: str) -> str:
    with urlopen(url, timeout=60) as response:
        text: str = response.read().decode()
        return text


def test_a_site_is_served_on_this_machine(
    site: Adopted,
    running: tuple[subprocess.Popen[str], str, int],
):
    process, printed, port = running

    assert (
        "These variables have the stand-ins of django-on-lambda.toml: "
        "DJANGO_SECRET_KEY, PAGE_SIZE\n" in printed
    )
    assert re.search(r"Log in    admin@example.com, password \S+\n", printed)
    for prefix in ("", "/dev"):
        login = f"http://localhost:{port}{prefix}/admin/login/"
        assert login in printed
        page = get(login)
        assert "Email" in page
        [style] = re.findall(r'href="([^"]+/base[^"]*\.css)"', page)
        assert "--primary" in get(f"http://localhost:{port}{style}")

    assert "  Tasks     their results are not kept\n" in printed
    [folder] = re.findall(
        r"the bucket site-of-ann-dev-mediabucket, kept in (\S+)", printed
    )
    found = re.search(r"Log in    (\S+), password (\S+)\n", printed)
    assert found
    admin = Admin(f"http://localhost:{port}/admin", found[1], found[2])
    picture = ("photo.txt", b"a picture", "text/plain")
    admin.post("/polls/question/add/", {"text": "Why?", "picture": picture})
    [link] = admin.links("/polls/question/1/change/")
    assert "X-Amz-Signature=" in link
    assert get(link) == "a picture"
    [kept] = (site.root / folder).glob("*/*-photo.txt")
    assert kept.read_text() == "a picture"

    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=30)

    assert rest.endswith("\nStopped.\n")
    assert process.returncode == 0
    assert not is_taken(port)
