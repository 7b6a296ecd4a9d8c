"""The command line of a rotation, and what it prints after a failure."""

from typing import Any

import pytest

from apps.aws_lambda.cli.release import manage
from apps.aws_lambda.cli.report import DeployError
from apps.aws_lambda.cli.rotate import command, database_password, secret_key
from apps.aws_lambda.commands.remote.errors import RemoteError
from tests.cli.release.aliases import OLD, Aliases


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Aliases:
    stage = Aliases(OLD)
    stage.configuration["provider"] = {"region": "eu-central-1"}
    monkeypatch.setattr(command, "Stage", lambda name, parameters, region: stage)
    return stage


@pytest.mark.parametrize(
    ("module", "arguments", "again"),
    [
        (database_password, ["database-password"], "ARGS=database-password"),
        (
            database_password,
            ["database-password", "--variable", "DB_URL"],
            "ARGS='database-password --variable DB_URL'",
        ),
        (
            secret_key,
            ["secret-key", "--keep-days", "30", "--param", "artifact=a.zip"],
            "ARGS='secret-key --keep-days 30 --param=artifact=a.zip'",
        ),
    ],
)
def test_a_failure_is_printed_with_what_is_live_and_the_same_command(
    monkeypatch: pytest.MonkeyPatch,
    stage: Aliases,
    capsys: pytest.CaptureFixture[str],
    module: object,
    arguments: list[str],
    again: str,
):
    def fail(*_: object) -> None:
        raise DeployError("AWS refused.")

    monkeypatch.setattr(module, "rotate", fail)

    assert command.main([*arguments, "--stage", "prod"]) == 1

    errors = capsys.readouterr().err
    assert "AWS refused." in errors
    assert "The site is served by version 1." in errors
    assert f"then run: make rotate STAGE=prod {again}\n" in errors


@pytest.mark.parametrize(
    ("module", "kind", "default"),
    [
        (database_password, "database-password", "DATABASE_URL"),
        (secret_key, "secret-key", "SECRET_KEY"),
    ],
)
def test_the_variable_is_the_usual_one_or_that_of_the_option(
    monkeypatch: pytest.MonkeyPatch,
    stage: Aliases,
    module: object,
    kind: str,
    default: str,
):
    variables: list[object] = []
    monkeypatch.setattr(module, "rotate", lambda *given: variables.append(given[-1]))

    assert command.main([kind, "--stage", "prod"]) == 0
    assert command.main([kind, "--stage", "prod", "--variable", "OTHER"]) == 0

    assert variables == [default, "OTHER"]


def test_a_command_that_cannot_run_is_an_error_of_the_rotation(
    monkeypatch: pytest.MonkeyPatch, stage: Aliases
):
    def fail(*_: object, **options: object) -> int:
        raise RemoteError("There is no such function.")

    monkeypatch.setattr(manage, "call", fail)

    with pytest.raises(DeployError, match="There is no such function"):
        manage.run(stage, ["lambda_database_password"])


def test_the_manage_function_is_asked_at_its_live_version(
    monkeypatch: pytest.MonkeyPatch, stage: Aliases
):
    asked: list[Any] = []

    def answer(target: object, argv: list[str], **options: Any) -> int:
        asked.extend([target, argv, options["region"].name])
        return 10

    monkeypatch.setattr(manage, "call", answer)

    assert manage.run(stage, ["lambda_database_password"]) == 10
    assert asked == [
        ("site-prod-manage", "live"),
        ["lambda_database_password"],
        "eu-central-1",
    ]
