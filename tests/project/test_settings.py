"""The settings in each stage, and the table of environment variables."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from axes.handlers.database import AxesDatabaseHandler
from django.utils.module_loading import import_string

from project.env import VARIABLES, example

ROOT = Path(__file__).resolve().parents[2]

PRODUCTION = {
    "STAGE": "prod",
    "SECRET_KEY": "s" * 60,
    "PUBLIC_URL": "https://www.example.com",
    "DATABASE_URL": "postgres://u:p@db.example.com:5432/site",
    "ENV_FILE": "/dev/null",
}

PRINT_SETTINGS = """
import json
from project import settings
print(json.dumps({n: getattr(settings, n) for n in dir(settings) if n.isupper()},
                 default=str))
"""


def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRINT_SETTINGS],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def read(**changes: str) -> dict[str, Any]:
    """Return the production settings with these variables."""
    process = run({**PRODUCTION, **changes})
    assert process.returncode == 0, process.stderr
    settings: dict[str, Any] = json.loads(process.stdout)
    return settings


def error(environment: dict[str, str]) -> str:
    """Return the error with which the settings fail to load."""
    process = run(environment)
    assert process.returncode == 1
    return process.stderr.strip().splitlines()[-1]


# Required variables


@pytest.mark.parametrize("missing", ["SECRET_KEY", "DATABASE_URL"])
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_a_missing_variable_is_reported(missing: str, how: str):
    environment = {**PRODUCTION, missing: ""}
    if how == "absent":
        del environment[missing]

    assert f"{missing} is not set" in error(environment)


def test_missing_hosts_are_reported():
    assert "ALLOWED_HOSTS is not set" in error({**PRODUCTION, "PUBLIC_URL": ""})


def test_all_missing_variables_are_reported_together():
    message = error({"STAGE": "prod", "ENV_FILE": "/dev/null"})

    assert "SECRET_KEY, DATABASE_URL, ALLOWED_HOSTS are not set" in message
    assert "'prod'" in message


def test_the_local_stage_requires_no_variables():
    process = run({"ENV_FILE": "/dev/null"})

    settings = json.loads(process.stdout)
    assert settings["STAGE"] == "local"
    assert settings["SECURE_SSL_REDIRECT"] is False
    assert settings["DATABASES"]["default"]["ENGINE"] == "django.db.backends.sqlite3"
    # A transaction that reads and then writes waits for others, and does not fail.
    assert settings["DATABASES"]["default"]["OPTIONS"] == {
        "transaction_mode": "IMMEDIATE"
    }


# Invalid values


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("DEBUG", "Treu", "must be true or false"),
        ("LOGIN_FAILURE_LIMIT", "five", "must be a whole number"),
        ("PUBLIC_URL", "www.example.com", "must be a URL, such as https://"),
        ("CSRF_TRUSTED_ORIGINS", "shop.example", "must be an origin"),
        ("CORS_ALLOWED_ORIGINS", "https://a.example/x", "must be an origin"),
        ("DATABASE_URL", "mypassword", "must be like postgres://"),
        ("DATABASE_URL", "postgers://u:mypassword@h/n", "must be like postgres://"),
        ("MAIL_FROM", "Shop <a@example.com>", "must be an address, such as noreply@"),
        ("MAIL_FROM", "root@localhost", "must be an address, such as noreply@"),
        ("LOG_LEVEL", "chatty", "must be one of DEBUG, INFO"),
        ("LAMBDA_DATABASE_PROFILE", "pooled", "must be one of direct, proxy"),
        ("LAMBDA_METRICS_NAMESPACE", "AWS/Lambda", "must be a name, such as Shop/Web"),
        ("LAMBDA_METRICS_NAMESPACE", "Shop*", "must be a name, such as Shop/Web"),
        ("LAMBDA_METRICS_DIMENSIONS", "route,paths", "must be none, or some of route"),
        ("LAMBDA_METRICS_DIMENSIONS", "none,route", "must be none, or some of route"),
        ("LAMBDA_TRUSTED_PROXIES", "one", "must be a whole number"),
        ("LAMBDA_TASK_BACKOFF", "soon", "must be two numbers of seconds"),
        ("LAMBDA_TASK_BACKOFF", "9,1", "must be two numbers of seconds"),
        ("LAMBDA_ORIGIN_SECRET", "hunter2", "must be at least 32 letters"),
    ],
)
def test_an_invalid_value_is_reported(name: str, value: str, fix: str):
    message = error({**PRODUCTION, name: value})

    assert f"{name} {fix}" in message
    assert f"{len(value)} characters" in message
    assert value not in message


def test_a_dollar_sign_is_not_expanded():
    key = "$ecret" + "s" * 60

    assert read(SECRET_KEY=key)["SECRET_KEY"] == key


def test_spaces_in_a_list_are_ignored():
    hosts = read(ALLOWED_HOSTS="a.example , b.example,")["ALLOWED_HOSTS"]

    assert hosts == ["a.example", "b.example", "www.example.com"]


@pytest.mark.parametrize("true", ["True", "true", "1", "on", "yes"])
def test_each_form_of_true_is_accepted(true: str):
    assert read(LAMBDA_DATABASE_IAM_AUTH=true, DEBUG=true)["DEBUG"] is True


def test_the_environment_takes_precedence_over_the_file(tmp_path: Path):
    file = tmp_path / "env"
    file.write_text("LOG_LEVEL=DEBUG\nMEDIA_ROOT=/from/the/file\n")

    settings = read(ENV_FILE=str(file), LOG_LEVEL="ERROR")

    assert settings["LOGGING"]["root"]["level"] == "ERROR"
    assert settings["MEDIA_ROOT"] == "/from/the/file"


# PUBLIC_URL


def test_hosts_and_origins_are_derived_from_the_public_url():
    settings = read(PUBLIC_URL="https://www.example.com:8443/")

    assert settings["ALLOWED_HOSTS"] == ["www.example.com"]
    assert settings["CSRF_TRUSTED_ORIGINS"] == ["https://www.example.com:8443"]


def test_cookies_of_a_custom_domain_have_the_host_prefix():
    settings = read(PUBLIC_URL="https://www.example.com")

    assert settings["SESSION_COOKIE_NAME"] == "__Host-sessionid"
    assert settings["CSRF_COOKIE_NAME"] == "__Host-csrftoken"


@pytest.mark.parametrize(
    "url", ["", "https://abc.execute-api.eu-central-1.amazonaws.com/prod"]
)
def test_cookies_of_a_stage_have_a_path(url: str):
    settings = read(PUBLIC_URL=url, ALLOWED_HOSTS="a.example")

    assert "SESSION_COOKIE_NAME" not in settings
    assert "apps.aws_lambda.middleware.CookiePathMiddleware" in settings["MIDDLEWARE"]


def test_the_base_path_defaults_to_that_of_the_public_url():
    url = "https://www.example.com/shop/"

    assert read(PUBLIC_URL=url)["LAMBDA_BASE_PATH"] == "/shop"
    assert read(PUBLIC_URL=url, LAMBDA_BASE_PATH="/")["LAMBDA_BASE_PATH"] == "/"
    assert read()["LAMBDA_BASE_PATH"] == ""


# Security


def test_a_stage_is_https_only():
    settings = read()

    assert settings["SECURE_SSL_REDIRECT"] is True
    assert settings["SESSION_COOKIE_SECURE"] is True
    assert settings["CSRF_COOKIE_SECURE"] is True
    assert settings["DEBUG"] is False


HSTS = ("SECONDS", "INCLUDE_SUBDOMAINS", "PRELOAD")


def test_browsers_are_not_bound_to_https_until_the_site_asks_for_it():
    """No later response frees them before the time has passed."""
    settings = read()

    assert [settings[f"SECURE_HSTS_{name}"] for name in HSTS] == [0, False, False]


def test_each_part_of_hsts_can_be_set():
    settings = read(
        SECURE_HSTS_SECONDS="3600",
        SECURE_HSTS_INCLUDE_SUBDOMAINS="true",
        SECURE_HSTS_PRELOAD="true",
    )

    assert [settings[f"SECURE_HSTS_{name}"] for name in HSTS] == [3600, True, True]


def test_no_header_sets_the_scheme_or_the_host():
    settings = read()

    assert "SECURE_PROXY_SSL_HEADER" not in settings
    assert "USE_X_FORWARDED_HOST" not in settings


def test_uploads_stay_in_memory():
    settings = read()

    assert settings["FILE_UPLOAD_HANDLERS"] == [
        "django.core.files.uploadhandler.MemoryFileUploadHandler"
    ]
    assert settings["FILE_UPLOAD_MAX_MEMORY_SIZE"] == 6 * 1024 * 1024


# Stores


@pytest.mark.parametrize(
    "host",
    [
        "media-1.s3.us-east-1.amazonaws.com",
        "media-1.s3.eu-west-1.amazonaws.com",
        "media-1.s3.eu-central-1.amazonaws.com",
        "media-1.s3.ap-southeast-7.amazonaws.com",
        "media-1.s3.us-gov-west-1.amazonaws.com",
        "media-1.s3.cn-north-1.amazonaws.com.cn",
    ],
)
def test_links_to_media_are_signed_by_version_4_for_the_endpoint_of_the_region(
    host: str, monkeypatch: pytest.MonkeyPatch
):
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": host.split(".")[2],
    }.items():
        monkeypatch.setenv(name, value)
    default = read(MEDIA_BUCKET="media-1")["STORAGES"]["default"]

    url = urlsplit(import_string(default["BACKEND"])(**default["OPTIONS"]).url("a.png"))

    assert url.netloc == host
    assert "X-Amz-Signature" in parse_qs(url.query)


def test_e_mail_goes_to_ses_with_a_sender():
    for stage in ("prod", "local"):
        settings = read(STAGE=stage, MAIL_FROM="noreply@example.com")

        ses = {"BACKEND": "apps.aws_lambda.mail.SESBackend"}
        assert settings["MAILERS"] == {"default": ses}
        assert settings["DEFAULT_FROM_EMAIL"] == "noreply@example.com"
        assert settings["SERVER_EMAIL"] == "noreply@example.com"


def test_without_a_sender_the_local_stage_alone_prints_e_mail():
    """A link with a token must not be in the log of a stage."""
    [local], [other] = (read(STAGE=s)["MAILERS"].values() for s in ("local", "prod"))

    assert local == {"BACKEND": "django.core.mail.backends.console.EmailBackend"}
    assert other["OPTIONS"] == {"host": "localhost"}
    assert "smtp" in other["BACKEND"]


def test_sessions_cache_and_failed_logins_are_in_the_database():
    settings = read()

    assert settings["SESSION_ENGINE"] == "django.contrib.sessions.backends.db"
    assert settings["CACHES"]["default"]["BACKEND"].endswith("db.DatabaseCache")
    assert issubclass(import_string(settings["AXES_HANDLER"]), AxesDatabaseHandler)


def test_the_cache_can_be_redis():
    cache = read(CACHE_URL="rediss://cache.example.com:6379/0")["CACHES"]["default"]

    assert "redis" in cache["BACKEND"].lower()
    assert cache["LOCATION"] == "rediss://cache.example.com:6379/0"


# The table of variables


def test_every_variable_has_a_purpose():
    assert all(variable.purpose for variable in VARIABLES.values())


def test_the_settings_read_the_table_and_nothing_else():
    source = (ROOT / "project" / "settings.py").read_text()

    read = set(re.findall(r'\benv\("(\w+)"\)', source))

    # Parameters are resolved before the settings are read.
    assert read == VARIABLES.keys() - {"LAMBDA_PARAMETERS_TTL"}


def test_the_example_file_is_up_to_date():
    """Run python -m project.env > .env.example if this fails."""
    assert (ROOT / ".env.example").read_text().splitlines() == list(example())


def test_the_example_file_sets_the_defaults(tmp_path: Path):
    example = (ROOT / ".env.example").read_text()
    file = tmp_path / "env"
    file.write_text(re.sub(r"^#(?=[A-Z_]+=)", "", example, flags=re.MULTILINE))

    process = run({"ENV_FILE": str(file)})

    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == json.loads(
        run({"ENV_FILE": "/dev/null"}).stdout
    )


# Logging


def test_the_metrics_are_configured_in_logging():
    formatter = read(
        LAMBDA_METRICS_NAMESPACE="Shop", LAMBDA_METRICS_DIMENSIONS="task, route"
    )["LOGGING"]["formatters"]["json"]

    assert formatter["metrics_namespace"] == "Shop"
    assert formatter["metrics_dimensions"] == ["task", "route"]


def test_no_dimensions_can_be_chosen():
    formatters = read(LAMBDA_METRICS_DIMENSIONS="none")["LOGGING"]["formatters"]

    assert formatters["json"]["metrics_dimensions"] == []


# Middleware


@pytest.mark.parametrize(
    ("before", "switch", "name", "after"),
    [
        (
            "AccessLogMiddleware",
            {"LAMBDA_TRACING": "true"},
            "TracingMiddleware",
            "DeadlineMiddleware",
        ),
        (
            "HealthMiddleware",
            {"CORS_ALLOWED_ORIGINS": "https://a.example"},
            "CorsMiddleware",
            "SecurityMiddleware",
        ),
        (
            "HealthMiddleware",
            {"STAGE": "local", "DEBUG_TOOLBAR": "true"},
            "DebugToolbarMiddleware",
            "SecurityMiddleware",
        ),
    ],
)
def test_optional_middleware_has_its_place(before, switch, name, after):
    middleware = [path.rpartition(".")[2] for path in read(**switch)["MIDDLEWARE"]]

    index = middleware.index(name)
    assert middleware[index - 1 : index + 2] == [before, name, after]
    assert name not in [path.rpartition(".")[2] for path in read()["MIDDLEWARE"]]


def test_the_local_stage_has_no_cookie_paths():
    path = "apps.aws_lambda.middleware.CookiePathMiddleware"

    assert path not in read(STAGE="local")["MIDDLEWARE"]
    assert path in read()["MIDDLEWARE"]


# Background tasks


def test_without_a_queue_tasks_run_immediately():
    assert read()["TASKS"]["default"]["BACKEND"].endswith(".ImmediateBackend")


def test_a_queue_enables_the_sqs_backend():
    url = "https://sqs.eu-central-1.amazonaws.com/123456789012/tasks"

    assert read(TASK_QUEUE_URL=url)["TASKS"]["default"] == {
        "BACKEND": "apps.aws_lambda.tasks.backend.SQSBackend",
        "OPTIONS": {"URLS": {"default": url}, "RESULTS": True},
    }


def test_the_back_off_of_tasks_can_be_set():
    assert read()["LAMBDA_TASK_BACKOFF"] == [10, 900]
    assert read(LAMBDA_TASK_BACKOFF="1,2")["LAMBDA_TASK_BACKOFF"] == [1, 2]


def test_mail_is_kept_where_a_folder_is_set():
    assert read()["MAILERS"]["default"]["BACKEND"].endswith(".smtp.EmailBackend")

    mailer = read(LAMBDA_EMAIL_FOLDER="/srv/mail")["MAILERS"]["default"]

    assert mailer["BACKEND"].endswith(".filebased.EmailBackend")
    assert mailer["OPTIONS"] == {"file_path": "/srv/mail"}
    # The local SES keeps it.
    both = read(LAMBDA_EMAIL_FOLDER="/srv/mail", MAIL_FROM="shop@example.com")
    assert both["MAILERS"]["default"]["BACKEND"].endswith(".SESBackend")


# Uploads


def test_pages_may_show_the_files_of_the_bucket():
    without = read()["SECURE_CSP"]
    policy = read(MEDIA_BUCKET="media-1", AWS_REGION="eu-west-1")["SECURE_CSP"]
    origin = "https://media-1.s3.eu-west-1.amazonaws.com"

    assert policy["img-src"] == [*without["img-src"], origin]
    assert policy["media-src"] == ["'self'", origin]
    # They send files there, too.
    assert policy["connect-src"] == ["'self'", origin]
    others = policy.keys() - {"connect-src", "img-src", "media-src"}
    assert {name: policy[name] for name in others} == {
        name: without[name] for name in others
    }


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_links_to_the_bucket_have_the_origin_of_the_policy(
    region: str, monkeypatch: pytest.MonkeyPatch
):
    # As in a function.
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    found = read(MEDIA_BUCKET="media-1", AWS_REGION=region)
    default = found["STORAGES"]["default"]
    storage = import_string(default["BACKEND"])(**default["OPTIONS"])

    link = storage.url("a.png")

    assert link.startswith(found["SECURE_CSP"]["img-src"][-1] + "/a.png?")
