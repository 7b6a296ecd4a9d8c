"""A package is served before it is uploaded."""

import sys

import pytest

from deploy.package.configuration import Configuration, PackageError
from deploy.package.runtime import handlers
from deploy.package.smoke import smoke, stage_variables

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda is Linux")
STAGE = {
    "STAGE": "prod",
    "SECRET_KEY": "ssm:/django-on-lambda/prod/secret-key",
    "DATABASE_URL": "secretsmanager:database:url",
    "ALLOWED_HOSTS": {"Fn::Sub": "${HttpApi}.execute-api"},
    "TOPIC": {"Ref": "Topic"},
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


def test_it_answers_through_both_apis_in_the_environment_of_the_stage(folder):
    said = smoke(folder, STAGE, Configuration.read())

    assert all(name in said for name in handlers(folder))
    assert "http (REST API, HTTP API)" in said
    assert said.endswith("; without TOPIC")


def test_it_answers_under_the_base_path_of_its_public_url(folder):
    variables = {**STAGE, "PUBLIC_URL": "https://www.example.com/shop"}

    assert "http (" in smoke(folder, variables, Configuration.read())


def test_a_value_that_is_known_wins_over_its_stand_in():
    configuration = Configuration(
        code=(), stand_ins=(("SECRET_KEY", "instead"), ("STAGE", "smoke"))
    )

    variables, unknown = stage_variables(STAGE, configuration)

    assert variables == {"SECRET_KEY": "instead", "STAGE": "prod"}
    assert unknown == ["ALLOWED_HOSTS", "DATABASE_URL", "TOPIC"]


def test_a_missing_package_fails_the_build_by_its_name(without):
    with pytest.raises(PackageError, match="No module named 'asgiref'"):
        smoke(without("asgiref"), STAGE, Configuration.read())


def test_a_missing_manifest_of_static_files_fails_the_build(without):
    root = without("staticfiles/staticfiles.json")

    with pytest.raises(PackageError, match=r"The package does not work: http"):
        smoke(root, STAGE, Configuration.read())


def test_a_package_that_writes_into_its_folder_fails_the_build(tmp_path):
    (tmp_path / "lambda_entry.py").write_text(WRITES)

    with pytest.raises(PackageError, match=r"read-only on Lambda"):
        smoke(tmp_path, {}, Configuration.read())
