"""The user model of the site, and databases that were made before it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from apps.aws_lambda.cli import ROOT

FORMER = "tests.accounts.former_settings"


def run(folder: Path, *command: str, settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command with an SQLite database in this folder."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
            "DJANGO_SETTINGS_MODULE": settings,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """Return a folder with a database from before apps/accounts existed."""
    made = run(tmp_path, "manage.py", "migrate", "--verbosity=0", settings=FORMER)
    assert made.returncode == 0, made.stderr
    return tmp_path


def test_the_user_model_is_the_site_s_own():
    assert get_user_model()._meta.label == "accounts.User"


@pytest.mark.django_db
def test_a_user_is_added_in_the_admin_with_a_hashed_password(admin_client: Client):
    response = admin_client.post(
        reverse("admin:accounts_user_add"),
        {
            "username": "ann",
            "usable_password": "true",
            "password1": "correct horse battery",
            "password2": "correct horse battery",
        },
    )

    assert response.status_code == 302
    ann: Any = get_user_model().objects.get(username="ann")
    assert ann.check_password("correct horse battery")


def test_make_run_refuses_a_database_of_another_user_model(former: Path):
    state = former / "state"

    refused = run(
        *(former, "-m", "apps.aws_lambda.cli", "run", "--state", str(state)),
        settings="project.settings",
    )

    assert refused.returncode == 1
    assert "accounts.0001_initial" in refused.stderr
    assert "see CHANGELOG.md" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    "command", [["migrate", "--check"], ["check"], ["makemigrations", "--check"]]
)
def test_such_a_database_is_kept_with_the_documented_settings(
    former: Path, command: list[str]
):
    done = run(former, "manage.py", *command, settings=FORMER)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_changelog_documents_those_settings():
    changelog = (ROOT / "CHANGELOG.md").read_text()

    assert 'AUTH_USER_MODEL = "auth.User"' in changelog
    assert 'remove `"apps.accounts"` from' in changelog
