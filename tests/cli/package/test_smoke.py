"""The smoke test of a package."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from apps.aws_lambda.cli.configuration import Configuration
from apps.aws_lambda.cli.package import PackageError
from apps.aws_lambda.cli.package.smoke import (
    handlers,
    host_of,
    smoke_test,
    stage_variables,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda is Linux")
PYTHON = Path(sys.executable)
STAGE = {
    "STAGE": "prod",
    "SECRET_KEY": "ssm:/site/prod/secret-key",
    "DATABASE_URL": "secretsmanager:database:url",
    "ALLOWED_HOSTS": {"Fn::Sub": "${HttpApi}.execute-api"},
    "TOPIC": {"Ref": "Topic"},
    "LAMBDA_ORIGIN_SECRET": "only-requests-from-cloudfront-have-it",
}

WRITES = """
from pathlib import Path

class handlers:
    @staticmethod
    def tasks():
        Path(__file__).with_name("x").write_text("")
        return print

tasks = handlers.tasks()
"""


def test_it_requests_pages_through_both_apis_with_the_stages_environment(folder):
    output = smoke_test(folder, STAGE, Configuration.read(), PYTHON)

    assert all(name in output for name in handlers(folder))
    assert "http (REST API, HTTP API)" in output
    assert output.endswith("; /health/ready needs a database; without TOPIC")


def test_it_starts_the_runtime_client_of_the_package_and_reads_its_streams(
    folder, monkeypatch
):
    wrapper = "/var/task/apps/aws_lambda/runtime/wrapper"
    started = []
    popen = subprocess.Popen

    def recording(command, **options):
        started.append(command)
        return popen(command, **options)

    monkeypatch.setattr(subprocess, "Popen", recording)
    # It streams through the REST API.
    variables = {
        **STAGE,
        "AWS_LAMBDA_EXEC_WRAPPER": wrapper,
        "LAMBDA_STREAMING": "true",
    }

    output = smoke_test(folder, variables, Configuration.read(), PYTHON)

    assert "http (REST API, HTTP API)" in output
    own = [c[0] for c in started if str(c[0]).endswith("/runtime/wrapper")]
    assert own == [str(folder / wrapper.removeprefix("/var/task/"))] * 4


def test_it_requests_pages_below_the_path_of_the_public_url(folder):
    variables = {**STAGE, "PUBLIC_URL": "https://www.example.com/shop"}

    assert "http (" in smoke_test(folder, variables, Configuration.read(), PYTHON)


def test_a_known_value_wins_over_its_stand_in():
    configuration = replace(
        Configuration.read(), stand_ins={"SECRET_KEY": "instead", "STAGE": "smoke"}
    )

    variables, unknown = stage_variables(STAGE, configuration)

    assert variables == {
        "SECRET_KEY": "instead",
        "STAGE": "prod",
        "LAMBDA_ORIGIN_SECRET": STAGE["LAMBDA_ORIGIN_SECRET"],
    }
    assert unknown == ["ALLOWED_HOSTS", "DATABASE_URL", "TOPIC"]


def test_a_missing_package_is_named(without):
    with pytest.raises(PackageError, match="No module named 'asgiref'"):
        smoke_test(without("asgiref"), STAGE, Configuration.read(), PYTHON)


def test_a_missing_manifest_of_static_files_is_an_error(without):
    root = without("staticfiles/staticfiles.json")

    with pytest.raises(PackageError, match=r"smoke test of the handler http failed"):
        smoke_test(root, STAGE, Configuration.read(), PYTHON)


def test_a_package_that_writes_into_its_folder_is_refused(tmp_path):
    (tmp_path / "lambda_entry.py").write_text(WRITES)

    with pytest.raises(PackageError, match=r"wrote x in .* read-only on Lambda"):
        smoke_test(tmp_path, {}, Configuration.read(), PYTHON)


def test_a_sqlite_database_in_its_folder_is_reported_for_every_user(tmp_path):
    (tmp_path / "lambda_entry.py").write_text(WRITES.replace('"x"', '"db.sqlite3"'))

    output = smoke_test(tmp_path, {}, Configuration.read(), PYTHON)

    assert output == "Started tasks; db.sqlite3 cannot be written on Lambda"


def test_a_package_without_its_entry_is_refused_with_the_fix(tmp_path):
    with pytest.raises(PackageError, match=r'Add "lambda_entry\.py" to `code`'):
        smoke_test(tmp_path, {}, Configuration.read(), PYTHON)


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({"PUBLIC_URL": "https://shop.example.com/shop"}, "shop.example.com"),
        ({"LAMBDA_HOSTS": ".lambda-url.eu.on.aws,b"}, "smoke.lambda-url.eu.on.aws"),
        ({"ALLOWED_HOSTS": "a.example.com, b"}, "a.example.com"),
        ({"ALLOWED_HOSTS": "*"}, "smoke.example.com"),
        ({}, "smoke.example.com"),
    ],
)
def test_requests_have_a_host_name_that_the_site_accepts(variables, host):
    assert host_of(variables) == host
