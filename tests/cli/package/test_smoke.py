"""The smoke test of a package."""

import sys

import pytest

from apps.aws_lambda.cli.package.configuration import Configuration, PackageError
from apps.aws_lambda.cli.package.smoke import handlers, smoke_test, stage_variables

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda is Linux")
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
    output = smoke_test(folder, STAGE, Configuration.read())

    assert all(name in output for name in handlers(folder))
    assert "http (REST API, HTTP API)" in output
    assert output.endswith("; without TOPIC")


def test_it_requests_pages_below_the_path_of_the_public_url(folder):
    variables = {**STAGE, "PUBLIC_URL": "https://www.example.com/shop"}

    assert "http (" in smoke_test(folder, variables, Configuration.read())


def test_a_known_value_wins_over_its_stand_in():
    configuration = Configuration(
        code=(), stand_ins=(("SECRET_KEY", "instead"), ("STAGE", "smoke"))
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
        smoke_test(without("asgiref"), STAGE, Configuration.read())


def test_a_missing_manifest_of_static_files_is_an_error(without):
    root = without("staticfiles/staticfiles.json")

    with pytest.raises(PackageError, match=r"smoke test of the handler http failed"):
        smoke_test(root, STAGE, Configuration.read())


def test_a_package_that_writes_into_its_folder_is_refused(tmp_path):
    (tmp_path / "lambda_entry.py").write_text(WRITES)

    with pytest.raises(PackageError, match=r"read-only on Lambda"):
        smoke_test(tmp_path, {}, Configuration.read())
