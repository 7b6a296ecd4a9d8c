"""Lock files of all kinds become the same pinned requirements."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.aws_lambda.cli.package import PackageError
from apps.aws_lambda.cli.package.environment import Environment
from apps.aws_lambda.cli.package.locks import Lock, read_lock
from apps.aws_lambda.cli.package.platform import Platform, find_uv

ARM = Platform("arm64", "3.13")
SITE = Environment(Path(sys.executable), {"asgiref": "3.8.1", "sqlparse": "0.5.1"})
HASH = "sha256:" + "0" * 64
PYPROJECT = """
[project]
name = "shop"
version = "1"
requires-python = ">=3.12"
dependencies = ["sqlparse>=0.5", "colorama; sys_platform == 'win32'"]

[dependency-groups]
dev = ["iniconfig"]
"""
POETRY = f"""
[[package]]
name = "Sqlparse"
version = "0.5.1"
groups = ["main", "dev"]
files = [{{file = "sqlparse-0.5.1-py3-none-any.whl", hash = "{HASH}"}}]

[[package]]
name = "colorama"
version = "0.4.6"
groups = ["main", "dev"]
markers = {{main = "sys_platform == \\"win32\\"", dev = "os_name == \\"nt\\""}}
files = [{{file = "colorama-0.4.6-py3-none-any.whl", hash = "{HASH}"}}]

[[package]]
name = "private"
version = "2.0"
groups = ["main"]
markers = "python_version >= \\"3.12\\""
files = [{{file = "private-2.0-py3-none-any.whl", hash = "{HASH}"}}]

[package.source]
type = "legacy"
url = "https://packages.example.com/simple"
reference = "private"

[[package]]
name = "fork"
version = "1.0"
groups = ["main"]
files = []

[package.source]
type = "git"
url = "https://example.com/fork.git"
reference = "main"
resolved_reference = "0123abc"
subdirectory = "python"

[[package]]
name = "wheel-here"
version = "1.0"
groups = ["main"]
files = [{{file = "wheel_here-1.0-py3-none-any.whl", hash = "{HASH}"}}]

[package.source]
type = "file"
url = "wheels/wheel_here-1.0-py3-none-any.whl"

[[package]]
name = "iniconfig"
version = "2.0"
groups = ["dev"]
files = []

[metadata]
lock-version = "2.1"
"""
PIPENV = {
    "_meta": {
        "sources": [
            {"name": "pypi", "url": "https://pypi.org/simple"},
            {"name": "private", "url": "https://packages.example.com/simple"},
        ]
    },
    "default": {
        "sqlparse": {"hashes": [HASH], "version": "==0.5.1"},
        "colorama": {
            "hashes": [HASH],
            "markers": "sys_platform == 'win32'",
            "version": "==0.4.6",
        },
        "fork": {"git": "https://example.com/fork.git", "ref": "0123abc"},
        "wheel-here": {"file": "wheels/wheel_here-1.0-py3-none-any.whl"},
    },
    "develop": {"iniconfig": {"hashes": [HASH], "version": "==2.0"}},
}


def read(root: Path, name: str, text: str = "") -> Lock:
    if text:
        (root / name).write_text(text)
    return read_lock(root, name, ARM, SITE)


def lines(lock: Lock) -> list[str]:
    return [str(found) for found in lock.requirements if ARM.applies(found.marker)]


def test_a_file_with_hashes_is_complete(tmp_path):
    lock = read(
        tmp_path,
        "requirements.txt",
        "--index-url https://packages.example.com/simple\n"
        "# A comment\n"
        f"Sqlparse==0.5.1 \\\n    --hash={HASH}  # via django\n"
        f"colorama==0.4.6 ; sys_platform == 'win32' --hash={HASH}\n",
    )

    assert lines(lock) == [f"sqlparse==0.5.1 \\\n    --hash={HASH}"]
    assert len(lock.requirements) == 2
    assert lock.options == ("--index-url https://packages.example.com/simple",)
    assert not lock.resolved


def test_included_files_are_read(tmp_path):
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "base.txt").write_text(f"a==1 --hash={HASH}\n")

    lock = read(
        tmp_path, "requirements/production.txt", f"-r base.txt\nb==2 --hash={HASH}\n"
    )

    assert [found.name for found in lock.requirements] == ["a", "b"]


def test_a_range_among_hashes_is_refused(tmp_path):
    with pytest.raises(PackageError, match=r"'b>=2' has no version"):
        read(tmp_path, "requirements.txt", f"a==1 --hash={HASH}\nb>=2\n")


def test_a_file_without_hashes_is_resolved_with_the_installed_versions(tmp_path):
    lock = read(tmp_path, "requirements.txt", "sqlparse\n")

    [found] = lock.requirements
    assert (found.name, found.version) == ("sqlparse", "0.5.1")
    assert found.hashes
    assert lock.resolved


def test_a_project_without_a_lock_file_is_resolved_for_the_platform(tmp_path):
    lock = read(tmp_path, "pyproject.toml", PYPROJECT)

    assert [(r.name, r.version) for r in lock.requirements] == [("sqlparse", "0.5.1")]


def test_what_cannot_be_resolved_is_reported_with_the_reason(tmp_path):
    with pytest.raises(PackageError, match=r"(?s)requirements\.txt:.*unsatisfiable"):
        read(tmp_path, "requirements.txt", "sqlparse==0.5.1\nsqlparse==0.5.0\n")


def test_the_lock_file_of_uv_is_exported_without_developers_packages(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    subprocess.run(
        [*find_uv(), "lock", "--quiet", "--python", sys.executable],
        cwd=tmp_path,
        env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
        check=True,
    )

    lock = read(tmp_path, "uv.lock")

    assert {found.name for found in lock.requirements} == {"sqlparse", "colorama"}
    [line] = lines(lock)
    assert line.startswith("sqlparse==")
    assert "--hash=sha256:" in line


def test_the_lock_file_of_poetry_is_read_without_developers_packages(tmp_path):
    lock = read(tmp_path, "poetry.lock", POETRY)

    wheel = (tmp_path / "wheels" / "wheel_here-1.0-py3-none-any.whl").as_uri()
    assert lines(lock) == [
        f"sqlparse==0.5.1 \\\n    --hash={HASH}",
        f'private==2.0 ; python_version >= "3.12" \\\n    --hash={HASH}',
        "fork @ git+https://example.com/fork.git@0123abc#subdirectory=python",
        f"wheel-here @ {wheel} \\\n    --hash={HASH}",
    ]
    assert lock.options == ("--extra-index-url https://packages.example.com/simple",)


def test_a_lock_file_of_an_old_poetry_is_refused_with_the_command(tmp_path):
    old = POETRY.replace("groups = ", "# groups = ")

    with pytest.raises(PackageError, match="Run: uvx 'poetry>=2' lock"):
        read(tmp_path, "poetry.lock", old)


def test_the_lock_file_of_pipenv_is_read_without_developers_packages(tmp_path):
    lock = read(tmp_path, "Pipfile.lock", json.dumps(PIPENV))

    wheel = (tmp_path / "wheels" / "wheel_here-1.0-py3-none-any.whl").as_uri()
    assert lines(lock) == [
        f"sqlparse==0.5.1 \\\n    --hash={HASH}",
        "fork @ git+https://example.com/fork.git@0123abc",
        f"wheel-here @ {wheel}",
    ]
    assert lock.options == ("--extra-index-url https://packages.example.com/simple",)


@pytest.mark.parametrize(
    ("lock", "text", "source", "command"),
    [
        (
            "uv.lock",
            '[[package]]\nname = "sqlparse"\n',
            ("pyproject.toml", PYPROJECT),
            "colorama. Run: uv lock",
        ),
        (
            "poetry.lock",
            POETRY,
            ("pyproject.toml", '[tool.poetry.dependencies]\npython = "*"\nnew = "1"'),
            "new. Run: poetry lock",
        ),
        (
            "Pipfile.lock",
            json.dumps(PIPENV),
            ("Pipfile", '[packages]\nnew = "*"'),
            "new. Run: pipenv lock",
        ),
    ],
)
def test_a_stale_lock_file_is_refused_with_the_command(
    lock, text, source, command, tmp_path
):
    (tmp_path / source[0]).write_text(source[1])

    with pytest.raises(PackageError) as raised:
        read(tmp_path, lock, text)

    assert f"is older than {source[0]}, which requires {command}" in str(raised.value)


def test_urls_wheels_and_local_projects_are_requirements(tmp_path):
    project = tmp_path / "shared"
    project.mkdir()
    (project / "pyproject.toml").write_text('[project]\nname = "Shared"\n')

    lock = read(
        tmp_path,
        "requirements.txt",
        f"a==1 --hash={HASH}\n"
        f"one @ file:///wheels/one-1.0-py3-none-any.whl --hash={HASH}\n"
        "two @ git+https://example.com/two.git@0123abc\n"
        "-e ./shared\n",
    )

    assert [str(found) for found in lock.requirements[1:]] == [
        f"one @ file:///wheels/one-1.0-py3-none-any.whl \\\n    --hash={HASH}",
        "two @ git+https://example.com/two.git@0123abc",
        f"shared @ {project.as_uri()}",
    ]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("uv.lock", "", "uv.lock does not exist. Create it, or correct `lock`"),
        ("pdm.lock", "x", "is not a known kind of lock file. Use uv.lock, poetry.lock"),
        ("Pipfile.lock", "[]", "Pipfile.lock cannot be read: TypeError"),
        ("poetry.lock", "=", "poetry.lock cannot be read: TOMLDecodeError"),
        ("requirements.txt", "-r base.txt", "base.txt: No such file or directory"),
        ("requirements.txt", f"./gone --hash={HASH}", "gone does not exist"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_sentence(name, text, sentence, tmp_path):
    with pytest.raises(PackageError) as raised:
        read(tmp_path, name, text)

    assert sentence in str(raised.value)
