"""All system checks together; tests/aws_lambda/checks has one module per subject."""

import re
import secrets
import subprocess
import sys
from pathlib import Path

from django.core.checks import run_checks

from apps.aws_lambda import checks
from tests.aws_lambda.checks import reported

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "apps" / "aws_lambda" / "checks"
# Django calls SQSBackend.check() itself.
BACKEND = FOLDER.parent / "tasks" / "backend.py"
FILES = [*sorted(FOLDER.glob("*.py")), BACKEND]

# Problems that exclude another one in the same project.
ALTERNATIVES = {
    "aws_lambda.E010",  # DEBUG: Django warns about it too
    "aws_lambda.E014",  # uploads that are dropped: Django's handlers drop none
    "aws_lambda.E019",  # no hosts, instead of all: Django warns about it too
    "aws_lambda.E021",  # no manifest, instead of a storage without one
    "aws_lambda.W018",  # a policy without the bucket, instead of no bucket
}

CHECK_WEAK_PROJECT = """
import sys
from django.core.management import execute_from_command_line
from tests.aws_lambda import weak_settings

if "without-ours" in sys.argv:
    weak_settings.INSTALLED_APPS.remove("apps.aws_lambda")
deploy = [] if "without-deploy" in sys.argv else ["--deploy"]
execute_from_command_line(["", "check", "--fail-level", "WARNING", *deploy])
"""

PRODUCTION = {
    "STAGE": "prod",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "SECURE_HSTS_SECONDS": "3600",
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": "true",
    "SECURE_HSTS_PRELOAD": "true",
    "PUBLIC_URL": "https://example.com",
    "MAIL_FROM": "noreply@example.com",
    "MEDIA_BUCKET": "media",
    "ALLOWED_HOSTS": "example.com",
    "DATABASE_URL": "postgres://u:p@db.example.com/site",
    "ENV_FILE": "/dev/null",
}

IMPORTED_CHECKS = """
import sys
import lambda_entry
print([name for name in sys.modules if name.startswith("apps.aws_lambda.checks")])
"""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def check_weak_project(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run(
        "-c",
        CHECK_WEAK_PROJECT,
        *arguments,
        DJANGO_SETTINGS_MODULE="tests.aws_lambda.weak_settings",
    )


def ids_in(text: str) -> list[str]:
    return re.findall(r"aws_lambda\.[EW]\d{3}", text)


def ids_in_the_code() -> list[str]:
    return [
        check_id
        for file in FILES
        for check_id in re.findall(r'id="(.+?)"', file.read_text())
    ]


def test_django_reports_nothing_in_a_weak_project():
    process = check_weak_project("without-ours")

    assert process.returncode == 0, process.stderr
    assert "no issues" in process.stdout


def test_every_problem_of_a_weak_project_is_reported():
    process = check_weak_project()

    assert process.returncode == 1
    assert set(ids_in(process.stderr)) == set(ids_in_the_code()) - ALTERNATIVES


def test_the_projects_production_settings_pass():
    process = run(
        "manage.py", "check", "--deploy", "--fail-level=WARNING", **PRODUCTION
    )

    assert process.returncode == 0, process.stderr


def test_the_local_stage_passes_without_deploy():
    process = run("manage.py", "check", "--fail-level=WARNING", ENV_FILE="/dev/null")

    assert process.returncode == 0, process.stderr


def test_deployment_checks_run_with_deploy_only(settings):
    settings.ALLOWED_HOSTS = ["*"]

    always = {m.id for m in run_checks(tags=["aws_lambda"])}

    assert "aws_lambda.E005" not in always
    assert reported("E005")


def test_a_handler_does_not_import_the_checks():
    process = run("-c", IMPORTED_CHECKS, ENV_FILE="/dev/null")

    assert process.stdout.splitlines()[-1] == "[]", process.stderr


def test_a_command_does_import_the_checks():
    script = IMPORTED_CHECKS.replace(
        "import lambda_entry",
        "import lambda_entry; from django.core.checks import run_checks; run_checks()",
    )

    process = run("-c", script, ENV_FILE="/dev/null")

    assert "apps.aws_lambda.checks.database" in process.stdout, process.stderr


def test_a_check_can_be_silenced(settings):
    settings.LAMBDA_URL_SCHEME = "ftp"
    settings.SILENCED_SYSTEM_CHECKS = ["aws_lambda.E016"]

    messages = run_checks(tags=["aws_lambda"])
    (message,) = (m for m in messages if m.id == "aws_lambda.E016")

    assert message.is_silenced()


def test_every_check_is_listed_once():
    listed = [*checks.ALWAYS, *checks.DEPLOYMENT]

    assert len(listed) == len(set(listed))


def test_every_check_is_registered():
    """A function without parameters that yields CheckMessage is a check."""
    defined = {
        f"{file.stem}.{name}"
        for file in FOLDER.glob("*.py")
        for name in re.findall(
            r"^def (\w+)\(\) -> Iterator\[CheckMessage\]:",
            file.read_text(),
            re.MULTILINE,
        )
    }
    listed = {
        f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
        for check in (*checks.ALWAYS, *checks.DEPLOYMENT)
    }

    assert defined == listed


def test_an_id_has_one_meaning_and_one_severity():
    kinds: dict[str, set[str]] = {}
    for file in FILES:
        for kind, check_id in re.findall(
            r'Check(Error|Warning)\((?:(?!Check(?:Error|Warning)\().)*?id="(.+?)"',
            file.read_text(),
            re.DOTALL,
        ):
            kinds.setdefault(check_id, set()).add(f"{file.name}: {kind[0]}")

    assert set(kinds) == set(ids_in_the_code())
    for check_id, uses in kinds.items():
        assert len(uses) == 1, f"{check_id} is used in {uses}"
        assert uses.pop().endswith(check_id.partition(".")[2][0])


def test_the_documented_ids_are_those_in_the_code():
    page = (ROOT / "docs" / "checks.md").read_text()
    headings = re.findall(r"^### `(aws_lambda\.[EW]\d{3})`", page, re.MULTILINE)

    assert sorted(headings) == sorted(set(ids_in_the_code()))


def test_checks_that_always_run_are_documented_as_such():
    page = (ROOT / "docs" / "checks.md").read_text()
    marked = re.findall(r"^### `(.+?)` .* \(always\)$", page, re.MULTILINE)

    process = check_weak_project("without-deploy")

    assert set(ids_in(process.stderr)) == set(marked)
