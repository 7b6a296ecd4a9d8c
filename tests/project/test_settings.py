"""The one settings file, in the stages it serves."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PRODUCTION = {
    "STAGE": "prod",
    "SECRET_KEY": "s" * 60,
    "ALLOWED_HOSTS": "example.com",
    "ENV_FILE": "/dev/null",
}

PRINT_SETTINGS = """
import json
from project import settings
print(json.dumps({n: getattr(settings, n) for n in dir(settings) if n.isupper()},
                 default=str))
"""


def read_settings(environment: dict[str, str]) -> dict:
    output = subprocess.check_output(
        [sys.executable, "-c", PRINT_SETTINGS], cwd=ROOT, env=environment, text=True
    )
    result: dict = json.loads(output)
    return result


@pytest.mark.parametrize("missing", ["SECRET_KEY", "ALLOWED_HOSTS"])
def test_a_stage_without_what_it_needs_does_not_start(missing: str):
    environment = {k: v for k, v in PRODUCTION.items() if k != missing}

    process = subprocess.run(
        [sys.executable, "-c", "import project.settings"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 1
    assert f"{missing} is not set" in process.stderr


def test_a_stage_is_https_only():
    settings = read_settings(PRODUCTION)

    assert settings["SECURE_SSL_REDIRECT"] is True
    assert settings["SESSION_COOKIE_SECURE"] is True
    assert settings["CSRF_COOKIE_SECURE"] is True
    assert settings["SECURE_HSTS_SECONDS"] == 31_536_000
    assert settings["DEBUG"] is False


def test_a_stage_keeps_its_cookies_to_itself():
    settings = read_settings(PRODUCTION)

    assert "apps.aws_lambda.middleware.CookiePathMiddleware" in settings["MIDDLEWARE"]


def test_the_local_stage_needs_no_environment_at_all():
    settings = read_settings({"ENV_FILE": "/dev/null"})

    assert settings["STAGE"] == "local"
    assert settings["SECURE_SSL_REDIRECT"] is False
    assert settings["DATABASES"]["default"]["ENGINE"] == "django.db.backends.sqlite3"


def test_the_database_has_no_pool_and_keeps_no_connection_over_a_freeze():
    database = read_settings(
        {**PRODUCTION, "DATABASE_URL": "postgres://u:p@db.example.com:5432/site"}
    )["DATABASES"]["default"]

    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert database["CONN_MAX_AGE"] == 0
    assert "pool" not in database.get("OPTIONS", {})


def test_the_environment_wins_over_the_file(tmp_path: Path):
    file = tmp_path / "env"
    file.write_text("LOG_LEVEL=DEBUG\nMEDIA_ROOT=/from/the/file\n")

    settings = read_settings({"ENV_FILE": str(file), "LOG_LEVEL": "ERROR"})

    assert settings["LOGGING"]["root"]["level"] == "ERROR"
    assert settings["MEDIA_ROOT"] == "/from/the/file"


def test_every_variable_is_in_the_example_file():
    source = (ROOT / "project" / "settings.py").read_text()
    table = source[source.index("env = environ.Env(") : source.index("env.read_env(")]
    variables = set(re.findall(r"^    ([A-Z_]+)=\(", table, re.MULTILINE))

    example = (ROOT / ".env.example").read_text()
    documented = set(re.findall(r"^#? ?([A-Z_]+)=", example, re.MULTILINE))

    assert variables
    assert documented == variables
