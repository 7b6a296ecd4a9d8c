"""The content of a package, before it is an archive."""

import shutil
import struct
from pathlib import Path

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.package.archive import write_zip
from apps.aws_lambda.cli.package.code import collect_static, copy_code, leave_out_static
from apps.aws_lambda.cli.package.command import main
from apps.aws_lambda.cli.package.configuration import Configuration, PackageError
from apps.aws_lambda.cli.package.dependencies import (
    check_environment,
    check_wheels,
    leave_out,
    without,
)
from apps.aws_lambda.cli.package.secrets import check_secrets
from apps.aws_lambda.cli.package.sizes import check_limits, size_table

SECRETS = [
    ".env",
    ".env.prod",
    "prod.env",
    "credentials",
    "credentials.json",
    "db.sqlite3",
    "id_rsa",
    "id_ed25519.txt",
    "server.key",
    "service-account-1.json",
]
KEY = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the project's code in which a test may create files."""
    source = tmp_path / "source"
    for name in ("apps", "project"):
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("lambda_entry.py", "pyproject.toml"):
        shutil.copyfile(ROOT / name, source / name)
    return source


def plant(path: Path, text: str = "secret") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("folder", ["", "project", "project/templates", "apps/health"])
def test_secrets_tests_and_databases_are_left_out(folder, source, tmp_path):
    planted = [*SECRETS, "node_modules/a.py", "tests/a.py", "test/a.py", "key.pem"]
    planted += [".hidden.py", ".ssh/a.txt"]
    for name in planted:
        plant(source / folder / name)
    target = tmp_path / "target"

    try:
        copy_code(source, Configuration.read(source), target)
        check_secrets(target)
    except PackageError as error:
        # Files of allowed kinds.
        assert "credentials.json" in str(error)  # noqa: PT017
        assert "id_ed25519.txt" in str(error)  # noqa: PT017
        assert folder
    else:
        assert folder == ""
    got_in = {path.name for path in target.rglob("*") if path.is_file()}
    kinds = {"credentials.json", "id_ed25519.txt", "service-account-1.json"}
    assert not got_in & ({*planted, "a.py", "a.txt"} - kinds)


@pytest.mark.parametrize("name", ["db.sqlite3", "id_rsa", "server.key", "key.pem"])
def test_a_secret_among_the_static_files_fails_the_build(name, source, tmp_path):
    target = tmp_path / "target"
    plant(source / "apps" / "health" / "static" / "health" / name, KEY)
    copy_code(source, Configuration.read(source), target)
    collect_static(target)
    leave_out_static(target)

    with pytest.raises(PackageError, match=f"staticfiles/health/{name}"):
        check_secrets(target)


@pytest.mark.parametrize("name", [*SECRETS, "node_modules/x.js", ".git/config"])
def test_files_that_must_not_be_deployed_are_named(name, tmp_path):
    plant(tmp_path / "package" / name)

    with pytest.raises(PackageError) as raised:
        check_secrets(tmp_path)

    assert f"package/{name}" in str(raised.value)
    assert "leave-out" in str(raised.value)


def test_certificates_are_allowed_and_private_keys_are_not(tmp_path):
    plant(tmp_path / "rds.pem", CERTIFICATE)
    plant(tmp_path / "site" / "credentials.py")
    check_secrets(tmp_path)

    plant(tmp_path / "other.txt", CERTIFICATE + KEY)
    with pytest.raises(PackageError, match=r"other\.txt"):
        check_secrets(tmp_path)


def test_a_symbolic_link_is_not_followed(source, tmp_path):
    secret = tmp_path / "secret.txt"
    plant(secret)
    (source / "project" / "linked.txt").symlink_to(secret)
    (source / "apps" / "linked").symlink_to(tmp_path)

    left_out = copy_code(source, Configuration.read(source), tmp_path / "target")

    assert left_out == ["apps/linked", "project/linked.txt"]


def test_a_listed_file_is_copied_and_one_of_unknown_kind_is_reported(source, tmp_path):
    plant(source / "rds.pem", CERTIFICATE)
    plant(source / "project" / "notes.md")
    configuration = Configuration(code=("project",), files=("rds.pem",))
    target = tmp_path / "target"

    left_out = copy_code(source, configuration, target)

    assert left_out == ["project/notes.md"]
    assert (target / "rds.pem").read_text() == CERTIFICATE


@pytest.mark.parametrize(
    "configuration",
    [
        Configuration(code=("rds.pem",)),
        Configuration(code=(), files=("rds.pem",)),
    ],
    ids=["code", "files"],
)
def test_a_missing_listed_file_is_named(configuration, tmp_path):
    with pytest.raises(PackageError, match=r"rds\.pem"):
        copy_code(tmp_path, configuration, tmp_path / "target")


def test_an_unknown_key_is_named(tmp_path):
    plant(tmp_path / "pyproject.toml", "[tool.package]\ninclude = []")

    with pytest.raises(PackageError, match=r"unknown key include\. Use code"):
        Configuration.read(tmp_path)


def test_a_failed_collectstatic_is_reported_with_its_output(source, tmp_path):
    plant(source / "project" / "settings.py", "raise ValueError('no such thing')")
    target = tmp_path / "target"
    copy_code(source, Configuration.read(source), target)

    with pytest.raises(PackageError, match="no such thing"):
        collect_static(target)


def test_an_error_is_printed_with_exit_status_1(tmp_path, capsys):
    plant(tmp_path / "pyproject.toml", "[tool.package]\ninclude = []")

    assert main(["--root", str(tmp_path)]) == 1
    assert "unknown key include" in capsys.readouterr().err


def test_an_installed_version_other_than_locked_is_named():
    with pytest.raises(PackageError, match=r"django is 6\..* but 1\.0 in req"):
        check_environment({"django": "1.0"})
    with pytest.raises(PackageError, match="no-such is missing"):
        check_environment({"no-such": "1.0"})


def test_packages_of_the_runtime_are_not_installed():
    lock = "a==1 \\\n    --hash=sha256:1\nb==2 \\\n    --hash=sha256:2\nc==3\n"

    assert without(lock, frozenset({"b"})) == "a==1 \\\n    --hash=sha256:1\nc==3\n"


def test_a_library_or_wheel_for_another_architecture_is_named(tmp_path):
    head = b"\x7fELF\x02\x01" + bytes(12) + struct.pack("<H", 62)
    (tmp_path / "fast.so").write_bytes(head)
    (tmp_path / "text.so.1").write_text("nothing")
    plant(
        tmp_path / "x-1.dist-info" / "WHEEL", "Tag: cp313-cp313-manylinux_2_28_x86_64"
    )
    check = "x-1.dist-info is a wheel for manylinux_2_28_x86_64\nfast.so is not"

    with pytest.raises(PackageError, match=check) as raised:
        check_wheels(tmp_path, "arm64")
    assert "text.so.1" in str(raised.value)

    (tmp_path / "text.so.1").unlink()
    check_wheels(tmp_path, "x86_64")


def test_files_that_are_not_read_at_run_time_are_removed(tmp_path):
    for name in (
        "a/locale/x.po",
        "a/x.pyi",
        "a-stubs/x.py",
        "bin/tool",
        "a-1.dist-info/RECORD",
        "b/gis/x.py",
    ):
        plant(tmp_path / name)
    kept = ["a/locale/x.mo", "a-1.dist-info/METADATA", "a-1.dist-info/LICENSE.txt"]
    for name in kept:
        plant(tmp_path / name)

    leave_out(tmp_path, ("b/gis",))

    left = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert sorted(str(p.relative_to(tmp_path)) for p in left) == sorted(kept)


def test_the_table_shows_the_largest_parts_and_the_total(tmp_path):
    plant(tmp_path / "package" / "large" / "a.txt", "a" * 3_000_000)
    plant(tmp_path / "package" / "small" / "a.txt", "a" * 1_000_000)
    write_zip(tmp_path / "package", tmp_path / "it.zip")

    rows = [line.split() for line in size_table(tmp_path / "it.zip").splitlines()]

    assert rows[1:] == [
        ["large", "3.0", "0.0"],
        ["small", "1.0", "0.0"],
        ["total", "4.0", "0.0"],
    ]


def test_sizes_near_a_limit_are_warnings_and_above_it_errors():
    mib = 1024 * 1024

    assert check_limits(100 * mib, 30 * mib) == []
    [warning] = check_limits(210 * mib, 30 * mib)
    assert "near Lambda's limit of 262 MB" in warning
    [warning] = check_limits(100 * mib, 45 * mib)
    assert "from S3 only" in warning
    with pytest.raises(PackageError, match=r"263 MB unzipped.*leave-out"):
        check_limits(251 * mib, 30 * mib)
