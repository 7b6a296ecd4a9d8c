"""`make rename`, in copies of the project."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from apps.aws_lambda.cli import ROOT
from project.env import VARIABLES
from rename import FORMS, RenameError, check_names, fill
from tests.cli import template
from tests.cli.conftest import copy_project
from tests.names import SERVICE

NEW, TITLE = "corner-shop", "Ann's corner shop"


def run(folder: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )


def git(folder: Path, *arguments: str) -> str:
    """Return the output of git, whose user has a name everywhere."""
    user = [*("-c", "user.name=Ann"), *("-c", "user.email=ann@example.com")]
    process = run(folder, "git", *user, *arguments)
    assert process.returncode == 0, process.stderr
    return process.stdout


def rename(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run what `make rename` runs."""
    return run(folder, sys.executable, "rename.py", *arguments)


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A copy of the project with links to what make installs, and its commit."""
    folder = copy_project(tmp_path_factory.mktemp("rename") / "project")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message=Copy")
    for name in (".cache", ".venv", "node_modules"):
        (folder / name).symlink_to(ROOT / name)
    return folder, git(folder, "rev-parse", "HEAD").strip()


@pytest.fixture
def copy(committed: tuple[Path, str]) -> Path:
    """That copy, without what other tests changed."""
    folder, commit = committed
    git(folder, "reset", "--quiet", "--hard", commit)
    # Older than what is installed, so that make installs nothing.
    os.utime(folder / "requirements" / "dev.txt", (0, 0))
    return folder


@pytest.fixture
def renamed(copy: Path) -> Path:
    done = rename(copy, NEW, "--title", TITLE)
    assert done.returncode == 0, done.stderr
    return copy


def test_every_text_of_the_table_is_in_its_file():
    missing = [
        (file, form)
        for file, forms in FORMS.items()
        for form in forms
        if fill(form, SERVICE, settings.SITE_TITLE) not in (ROOT / file).read_text()
    ]

    assert missing == []


def test_the_changed_files_and_the_next_command_are_printed(copy: Path):
    done = rename(copy, NEW, "--title", TITLE)

    changed = git(copy, "diff", "--name-only").split()
    assert re.findall(r"^  (\S+)$", done.stdout, re.MULTILINE) == changed
    assert set(changed) == set(FORMS)
    assert f'The project is {NEW}, "{TITLE}".' in done.stdout
    assert "Next: git diff" in done.stdout


def test_no_use_of_the_former_name_is_left(renamed: Path):
    # As part of a name on AWS. The integration's own are django-on-lambda too.
    stage = r"(?:dev|staging|prod|test|STAGE|Stage|stage|[<{$])"
    use = re.compile(rf"(?<![\w.]){SERVICE}[-/]{stage}|[-\w]/{SERVICE}/{stage}")
    everywhere = ("package.json", "samconfig.toml", "serverless.yml", "template.yaml")

    names = git(renamed, "ls-files").split("\n")
    texts = {
        name: (renamed / name).read_text()
        for name in names
        if (renamed / name).suffix in (".md", ".py", ".toml", ".yaml", ".yml", ".json")
        or name == "Makefile"
    }
    left = {name for name, text in texts.items() if use.search(text)}
    left |= {name for name in everywhere if SERVICE in texts[name]}

    assert left == set()


def test_what_belongs_to_the_integration_keeps_its_name(renamed: Path):
    changed = git(renamed, "diff", "--name-only").split()

    kept = ("apps", "pyproject.toml", "LICENSE", "CHANGELOG.md")
    assert not [name for name in changed if name.startswith(kept)]


def test_the_compiled_template_has_the_new_name_only(renamed: Path, tmp_path: Path):
    archive = template.empty_package(tmp_path / "package.zip")

    done = run(
        renamed,
        *("node_modules/.bin/serverless", "package", "--stage", "prod"),
        *("--package", tmp_path / "made", f"--param=artifact={archive}"),
        f"--param=architecture={template.ARCHITECTURE}",
    )

    assert done.returncode == 0, done.stdout + done.stderr
    made = (tmp_path / "made/cloudformation-template-update-stack.json").read_text()
    assert SERVICE not in made
    resources = json.loads(made)["Resources"]
    properties = {name: found["Properties"] for name, found in resources.items()}
    function = properties["ManageLambdaFunction"]
    assert function["FunctionName"] == f"{NEW}-prod-manage"
    assert (
        function["Environment"]["Variables"]["SECRET_KEY"]
        == f"ssm:/{NEW}/prod/secret-key"
    )
    assert properties["ThrottlesAlarm"]["AlarmName"] == f"{NEW}-prod-throttles"
    assert properties["Dashboard"]["DashboardName"] == f"{NEW}-prod"


def test_remote_commands_use_the_new_name(renamed: Path):
    text = (
        "from project import settings;"
        "print(settings.LAMBDA_MANAGE_FUNCTION, settings.SITE_TITLE, sep='|')"
    )

    assert run(renamed, sys.executable, "-c", text).stdout == (
        f"{NEW}-{{stage}}-manage|{TITLE}\n"
    )


def test_the_renamed_project_passes_the_checks(renamed: Path):
    for command in (
        ["-m", "ruff", "check", "."],
        ["-m", "ruff", "format", "--check", "."],
        ["manage.py", "check"],
    ):
        done = run(renamed, sys.executable, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    example = run(renamed, sys.executable, "-m", "project.env").stdout
    assert example == (renamed / ".env.example").read_text()
    assert json.loads((renamed / "package.json").read_text())["name"] == NEW
    lock = json.loads((renamed / "package-lock.json").read_text())
    assert lock["name"] == lock["packages"][""]["name"] == NEW


@pytest.mark.nightly("lint and tests in a renamed copy")
def test_the_renamed_project_passes_lint_and_the_tests_of_names(renamed: Path):
    # Without the settings of this suite, and the options of a make that started it.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in VARIABLES and not name.startswith(("PYTEST_", "MAKE", "TEST_"))
    }
    tests = (
        *("tests/cli/test_template.py", "tests/cli/test_sam.py"),
        *("tests/cli/test_deploy_documentation.py", "tests/cli/serverless_plugin"),
        *("tests/aws_lambda/commands/test_remote.py", "tests/project"),
        "tests/test_documentation.py",
    )
    for command in (
        ["make", "lint"],
        [sys.executable, "-m", "pytest", "--quiet", *tests],
    ):
        done = subprocess.run(
            command,
            cwd=renamed,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_another_name_replaces_the_first(copy: Path):
    for name, title in [
        (NEW, TITLE),
        ("shop", "prod"),
        ("lambda", "Shop"),
        (SERVICE, settings.SITE_TITLE),
    ]:
        done = rename(copy, name, "--title", title)
        assert done.returncode == 0, done.stderr
        git(copy, "commit", "--quiet", "--all", f"--message={name}")

    assert git(copy, "diff", "HEAD~4") == ""


def test_without_a_title_the_name_is_written_in_words(copy: Path):
    rename(copy, NEW)

    assert (copy / "README.md").read_text().startswith("# Corner shop\n")


@pytest.mark.parametrize(
    "name",
    [
        *("", "x", "a" * 21, "Shop", "my_shop", "my shop", "-shop", "shop-"),
        *("my--shop", "1shop", "schön", "../shop", "shop\n", "shop;id"),
        *("aws-shop", "ssm", "sthree-shop", "amzn-s3-demo-a"),
    ],
)
def test_a_bad_name_is_refused_in_one_sentence(name: str):
    with pytest.raises(RenameError) as refused:
        check_names(name, "Shop")

    message = str(refused.value)
    assert message.startswith(f'NAME="{name}" cannot name ')
    assert message.endswith("as in: make rename NAME=my-shop")


@pytest.mark.parametrize("name", ["ab", "shop", "my-shop-2", "a" * 20])
def test_a_good_name_is_accepted(name: str):
    check_names(name, "Shop")


@pytest.mark.parametrize("title", [" ", "a" * 61, 'The "Shop"', "a\\", "a\nb"])
def test_a_bad_title_is_refused(title: str):
    with pytest.raises(RenameError, match="cannot be the title: use 1 to 60"):
        check_names("shop", title)


def test_a_refusal_is_one_line_and_changes_nothing(copy: Path):
    refused = rename(copy, "My Shop")

    assert refused.returncode == 1
    assert refused.stderr.startswith('NAME="My Shop" cannot name stacks')
    assert refused.stderr.count("\n") == 1
    assert git(copy, "status", "--porcelain", "--untracked-files=no") == ""


def test_uncommitted_changes_are_refused(copy: Path):
    (copy / "README.md").write_text("# Mine\n")

    refused = rename(copy, NEW)

    assert refused.returncode == 1
    assert "There are uncommitted changes" in refused.stderr
    assert " M README.md" in refused.stderr
    assert git(copy, "diff", "--name-only") == "README.md\n"


def test_a_folder_without_git_is_refused(copy: Path, tmp_path: Path):
    for name in ("rename.py", "serverless.yml", "project/settings.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((copy / name).read_text())

    refused = rename(tmp_path, NEW)

    assert refused.returncode == 1
    assert "git init && git add --all && git commit" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_files_that_the_project_no_longer_has_are_left_out(copy: Path):
    git(copy, "rm", "--quiet", "template.yaml", "samconfig.toml")
    git(copy, "commit", "--quiet", "--message=Without SAM")

    done = rename(copy, NEW)

    assert done.returncode == 0, done.stderr
    assert "serverless.yml" in done.stdout
    assert "template.yaml" not in done.stdout


def test_make_takes_the_name_from_its_command_line_only(copy: Path):
    command = ["make", "--dry-run", "--old-file=.venv/.installed", "rename"]

    given = run(copy, *command, f"NAME={NEW}", f"TITLE={TITLE}")
    inherited = subprocess.run(
        command,
        cwd=copy,
        env={**os.environ, "NAME": "laptop"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert f'rename.py "{NEW}" --title "{TITLE}"' in given.stdout
    assert 'rename.py "" --title ""' in inherited.stdout
