"""The runtime of the functions decides what a package is for."""

import os
import stat
import sys
from pathlib import Path

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.package import PackageError, platform
from apps.aws_lambda.cli.package.platform import (
    Platform,
    find_uv,
    interpreter,
    runtime_python,
    version_of,
)

THIS = Path(sys.executable)
VERSION = "{}.{}".format(*sys.version_info)


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_python_version_is_that_of_the_runtime(tmp_path):
    (tmp_path / "serverless.yml").write_text("provider:\n  runtime: 'python3.12'\n")

    assert runtime_python(tmp_path) == "3.12"
    assert runtime_python(ROOT) == "3.13"


@pytest.mark.parametrize("page", ["runtime", "streaming"])
def test_the_parameter_for_the_runtime_client_is_not_a_version(page, tmp_path):
    text = (ROOT / "docs" / f"{page}.md").read_text()
    documented = text.partition("```yaml\n")[2].partition("```")[0]
    assert "runtime: own" in documented
    provider = "provider:\n  runtime: python3.13\n"
    for parameters in (documented, documented.replace("own", "aws")):
        (tmp_path / "serverless.yml").write_text(provider + parameters)

        assert runtime_python(tmp_path) == "3.13"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("provider:\n  name: aws\n", "has the runtime (none), and the package is for"),
        ("runtime: python3.9", "has the runtime python3.9, and"),
        ("runtime: python3.12\nruntime: python3.13", "python3.12 and python3.13"),
        (None, "serverless.yml: No such file or directory"),
    ],
)
def test_another_runtime_is_refused(text, sentence, tmp_path):
    if text is not None:
        (tmp_path / "serverless.yml").write_text(text)

    with pytest.raises(PackageError) as raised:
        runtime_python(tmp_path)

    assert sentence in str(raised.value)


def test_the_sites_interpreter_compiles_if_it_has_the_version(monkeypatch):
    monkeypatch.setattr(platform, "find_uv", lambda: ["false"])

    assert interpreter(VERSION, THIS) == THIS


def test_another_version_is_found_in_the_folder_of_pyenv(tmp_path, monkeypatch):
    found = program(
        tmp_path / "versions" / "3.14.2" / "bin" / "python3.14", "echo 3.14"
    )
    program(tmp_path / "shims" / "python3.14", "exit 127")
    # Like uv: the first program of that name decides.
    search = """IFS=:
for folder in $PATH; do
  if test -x "$folder/python3.14"; then
    "$folder/python3.14" >&2 && echo "$folder/python3.14"
    exit
  fi
done
exit 1"""
    uv = program(tmp_path / "bin" / "uv", search)
    monkeypatch.setattr(platform, "find_uv", lambda: [str(uv)])
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}{os.pathsep}{os.environ['PATH']}")

    assert interpreter("3.14", THIS) == found


def test_a_version_that_no_interpreter_has_is_refused_with_the_command(monkeypatch):
    monkeypatch.setattr(platform, "find_uv", lambda: ["false"])

    with pytest.raises(PackageError, match=r"is Python .*uv python install 3\.14"):
        interpreter("3.14", THIS)


def test_an_interpreter_that_does_not_run_is_a_sentence(tmp_path):
    broken = program(tmp_path / "python", "exit 3")

    with pytest.raises(PackageError, match="the site's Python, does not run"):
        version_of(broken)


def test_a_missing_uv_is_a_sentence_with_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(platform, "find_spec", lambda name: None)

    with pytest.raises(PackageError, match="Run: pip install uv"):
        find_uv()


@pytest.mark.parametrize(
    ("marker", "applies"),
    [
        ("", True),
        ("sys_platform == 'win32'", False),
        ("platform_machine == 'aarch64'", True),
        ("python_version < '3.13'", False),
        ("python_full_version >= '3.13'", True),
        ("extra == 'dev'", False),
    ],
)
def test_markers_are_those_of_the_platform(marker, applies):
    assert Platform("arm64", "3.13").applies(marker) == applies
