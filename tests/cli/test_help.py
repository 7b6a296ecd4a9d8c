"""Each command says what it does, what its options are, and where it is wrong."""

import argparse
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from apps.aws_lambda.cli import ROOT, __main__
from apps.aws_lambda.cli.__main__ import COMMANDS, main

IN_STAGES = ("deploy", "rollback", "info", "doctor", "bucket", "logs", "remove")
# What a command requires.
REQUIRED = {
    **dict.fromkeys(IN_STAGES, ("--stage", "dev")),
    "bootstrap": ("--stage", "dev", "--subject", "repo:owner@1/name@2"),
    "rotate": ("--stage", "dev", "secret-key"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_described(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    parsers: list[argparse.ArgumentParser] = []

    def parse(self: argparse.ArgumentParser, *_: object) -> None:
        parsers.append(self)
        raise SystemExit

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    with pytest.raises(SystemExit):
        import_module(COMMANDS[name][0], __main__.__package__).main([])

    [parser] = parsers
    assert parser.prog == f"django-on-lambda {name}"
    assert parser.description
    options = {
        "".join(action.option_strings[:1]) or action.dest: action.help
        for action in parser._actions
    }
    assert all(options.values()), options


def test_without_a_command_all_are_listed(capsys: pytest.CaptureFixture[str]):
    assert main([]) == 2

    listed = capsys.readouterr().err
    assert all(f"  {name} " in listed for name in COMMANDS)


def test_an_unknown_command_is_refused_with_those_that_exist(
    capsys: pytest.CaptureFixture[str],
):
    with pytest.raises(SystemExit):
        main(["publish"])

    assert "'publish' (choose from" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted({*COMMANDS} - {"capacity"}))
def test_in_a_folder_without_a_site_nothing_is_written(name: str, tmp_path: Path):
    options = REQUIRED.get(name, ())

    process = subprocess.run(
        [sys.executable, "-m", "apps.aws_lambda.cli", name, *options],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert "django-on-lambda adopt" in process.stderr or "manage.py" in process.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["{", "[]", "STAGE=prod"])
def test_variables_of_a_package_that_are_not_an_object_are_refused(
    value: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        main(["package", "--environment", value])

    assert "argument --environment: not" in capsys.readouterr().err
