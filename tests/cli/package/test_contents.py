"""The content of a package, before it is an archive."""

import shutil
import struct
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.configuration import FILE, Configuration
from apps.aws_lambda.cli.package import PackageError
from apps.aws_lambda.cli.package.archive import write_zip
from apps.aws_lambda.cli.package.build import commit
from apps.aws_lambda.cli.package.code import copy_code
from apps.aws_lambda.cli.package.command import main
from apps.aws_lambda.cli.package.dependencies import check_wheels, leave_out
from apps.aws_lambda.cli.package.environment import Environment
from apps.aws_lambda.cli.package.secrets import check_secrets, remove_test_secrets
from apps.aws_lambda.cli.package.sizes import check_limits, size_table
from apps.aws_lambda.cli.package.static import collect_static

SECRETS = [
    ".env",
    ".env.prod",
    "prod.env",
    "credentials",
    "credentials.json",
    "db.sqlite3",
    "id_rsa",
    "id_ed25519.txt",
    "secret_key.txt",
    "secrets.toml",
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
    for name in ("lambda_entry.py", FILE):
        shutil.copyfile(ROOT / name, source / name)
    subprocess.run(["git", "init", "--quiet", str(source)], check=True)
    track(source)
    return source


def track(source: Path) -> None:
    subprocess.run(["git", "-C", str(source), "add", "--all", "--force"], check=True)


def copy_site(source: Path, target: Path) -> list[str]:
    return copy_code(source, Configuration.read(source), target)


def plant(path: Path, text: str = "secret") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "name", ["project/settings.py", FILE, "requirements/runtime.txt"]
)
def test_a_package_with_a_changed_input_is_not_that_of_the_commit(name, source):
    (source / "requirements").mkdir()
    shutil.copyfile(
        ROOT / "requirements/runtime.txt", source / "requirements/runtime.txt"
    )
    plant(source / "serverless.yml")
    track(source)
    user = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(
        ["git", "-C", str(source), *user, "commit", "--quiet", "--message", "All"],
        check=True,
    )
    configuration = Configuration.read(source)
    plant(source / "serverless.yml", "a parameter of a stage")
    assert not commit(source, configuration)["dirty"]

    with (source / name).open("a") as file:
        file.write("# changed\n")

    assert commit(source, configuration)["dirty"]


@pytest.mark.parametrize("folder", ["", "project", "project/templates", "apps/health"])
def test_what_git_does_not_track_is_left_out_and_reported(folder, source, tmp_path):
    planted = [*SECRETS, "node_modules/a.py", "new.py", "key.pem", ".hidden.py"]
    for name in planted:
        plant(source / folder / name)
    target = tmp_path / "target"

    left_out = copy_site(source, target)

    check_secrets(target)
    copied = {path.name for path in target.rglob("*") if path.is_file()}
    assert not copied & {*planted, "a.py"}
    reported = f"{folder}/new.py (not in git)"
    assert (reported in left_out) == bool(folder)


@pytest.mark.parametrize("name", SECRETS)
def test_a_tracked_secret_fails_the_build_unless_it_is_hidden(name, source, tmp_path):
    plant(source / "project" / name)
    track(source)
    target = tmp_path / "target"

    left_out = copy_site(source, target)

    if name.startswith("."):
        assert left_out == [f"project/{name} (hidden)"]
        check_secrets(target)
    else:
        with pytest.raises(PackageError, match=f"project/{name}"):
            check_secrets(target)


@pytest.mark.parametrize("name", ["a.jinja", "a.rst", "a.tpl", "a.csv", "CHANGELOG.md"])
def test_a_tracked_file_of_any_kind_is_copied(name, source, tmp_path):
    plant(source / "project" / "templates" / name, "text")
    track(source)

    copy_site(source, tmp_path / "target")

    copied = tmp_path / "target" / "project" / "templates" / name
    assert copied.read_text() == "text"


def test_a_deleted_file_is_not_copied(source, tmp_path):
    (source / "project" / "wsgi.py").unlink()

    assert copy_site(source, tmp_path / "target") == []
    assert not (tmp_path / "target" / "project" / "wsgi.py").exists()


def test_a_site_outside_git_is_refused_with_the_command(source, tmp_path):
    shutil.rmtree(source / ".git")

    with pytest.raises(PackageError, match=r"not a git repository(.|\n)*git init"):
        copy_site(source, tmp_path / "target")


def test_a_folder_that_git_does_not_track_is_named(source, tmp_path):
    plant(source / "shop" / "models.py")
    configuration = replace(Configuration.read(source), code=("shop",))

    with pytest.raises(PackageError, match="Run: git add shop"):
        copy_code(source, configuration, tmp_path / "target")


def test_a_missing_git_is_a_sentence(source, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PackageError, match="git is not installed"):
        copy_site(source, tmp_path / "target")


@pytest.mark.parametrize("name", ["db.sqlite3", "id_rsa", "server.key", "key.pem"])
def test_a_secret_among_the_static_files_fails_the_build(name, source, tmp_path):
    target = tmp_path / "target"
    plant(source / "apps" / "health" / "static" / "health" / name, KEY)
    track(source)
    copy_site(source, target)
    collect_static(source, target, Configuration.read(source), Path(sys.executable))

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


def test_modules_with_example_keys_are_allowed_in_the_code_bundle_only(tmp_path):
    plant(tmp_path / "bytecode.bundle", KEY)
    check_secrets(tmp_path)

    plant(tmp_path / "site" / "bytecode.bundle", KEY)
    with pytest.raises(PackageError, match=r"\nsite/bytecode\.bundle\n"):
        check_secrets(tmp_path)


def test_a_page_about_credentials_is_not_a_secret(tmp_path):
    plant(tmp_path / "templates" / "credentials.html")

    check_secrets(tmp_path)


@pytest.mark.parametrize("target", ["../secret.txt", "..", ".env", ".", "nowhere"])
def test_a_symbolic_link_to_what_git_does_not_track_is_not_followed(
    target, source, tmp_path
):
    plant(tmp_path / "secret.txt")
    plant(source / ".gitignore", ".env")
    plant(source / ".env")
    (source / "project" / "linked").symlink_to(f"../{target}")
    track(source)
    subprocess.run(["git", "-C", source, "rm", "-q", "--cached", ".env"], check=True)

    left_out = copy_site(source, tmp_path / "target")

    assert left_out == [
        "project/linked (a symbolic link out of the tracked files)",
    ]


def test_what_a_symbolic_link_in_the_repository_leads_to_is_copied(source, tmp_path):
    plant(source / "shared" / "shop" / "models.py", "text")
    plant(source / "shared" / "VERSION", "1.0")
    (source / "project" / "shop").symlink_to("../shared/shop")
    (source / "project" / "VERSION").symlink_to("../shared/VERSION")
    # Only the link itself is below it.
    (source / "shared" / "shop" / "again").symlink_to("..")
    track(source)
    plant(source / "shared" / "shop" / "local.py")
    target = tmp_path / "target"

    assert copy_site(source, target) == []

    copied = target / "project" / "shop"
    assert [path.name for path in copied.iterdir()] == ["models.py"]
    assert (copied / "models.py").read_text() == "text"
    assert (target / "project" / "VERSION").read_text() == "1.0"


def test_listed_files_and_folders_are_copied_though_git_ignores_them(source, tmp_path):
    plant(source / "rds.pem", CERTIFICATE)
    plant(source / "assets" / "dist" / "site.css", "a{}")
    plant(source / ".gitignore", "assets\n")
    configuration = replace(
        Configuration.read(source), files=("rds.pem", "assets/dist")
    )
    target = tmp_path / "target"

    copy_code(source, configuration, target)

    assert (target / "rds.pem").read_text() == CERTIFICATE
    assert (target / "assets" / "dist" / "site.css").read_text() == "a{}"


@pytest.mark.parametrize("key", ["code", "files"])
def test_a_missing_listed_file_is_named(key, source, tmp_path):
    site = Configuration.read(source)
    wrong: dict[str, Any] = {key: ("rds.pem",)}
    configuration = replace(site, **wrong)

    with pytest.raises(PackageError, match=rf"rds\.pem does not exist.*`{key}`"):
        copy_code(source, configuration, tmp_path / "target")


def test_a_failed_collectstatic_is_reported_with_its_output(source, tmp_path):
    plant(source / "project" / "settings.py", "raise ValueError('no such thing')")
    target = tmp_path / "target"
    copy_site(source, target)

    with pytest.raises(PackageError, match=r"no such thing(.|\n)*\[stand-ins\]"):
        collect_static(source, target, Configuration.read(source), Path(sys.executable))


def test_an_error_is_printed_with_exit_status_1(tmp_path, capsys):
    plant(tmp_path / FILE, "include = []")

    assert main(["--root", str(tmp_path)]) == 1
    assert "unknown key include" in capsys.readouterr().err


def test_an_installed_version_other_than_locked_is_named():
    site = Environment(Path("/site/bin/python"), {"django": "6.1"})

    with pytest.raises(PackageError, match=r"django is 6\.1 .* but 1\.0 in uv\.lock"):
        site.check([("django", "1.0")], "uv.lock")
    with pytest.raises(PackageError, match=r"no-such is missing .* Run: poetry sync"):
        site.check([("no-such", "1.0")], "poetry.lock")


def test_the_versions_of_an_environment_are_those_that_it_imports():
    packages = Environment.read(Path(sys.executable)).packages

    assert packages["django"] == version("django")


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


def test_a_wheel_that_was_built_on_this_machine_is_refused(tmp_path):
    plant(tmp_path / "x-1.dist-info" / "WHEEL", "Tag: cp313-cp313-linux_x86_64")

    with pytest.raises(PackageError, match=r"x-1\.dist-info is a wheel for linux"):
        check_wheels(tmp_path, "x86_64")


def test_files_that_are_not_read_at_run_time_are_removed(tmp_path):
    for name in (
        "a/locale/x.po",
        "a/x.pyi",
        "a-stubs/x.py",
        "apps/aws_lambda/test/client.py",
        "django_on_lambda/cli/site.py",
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


def test_keys_with_which_packages_test_themselves_are_removed(tmp_path):
    removed = ["a/test/key.pem", "a/tests/data/x.sqlite3"]
    kept = ["a/key.pem", "a/test/x.py", "site/tests/key.pem"]
    for name in (*removed, *kept):
        plant(tmp_path / name, KEY)
    names = [
        *removed,
        "a/key.pem",
        "a/test/x.py",
        "../site/tests/key.pem",
        "/a/tests/x",
    ]
    plant(tmp_path / "a-1.dist-info" / "RECORD", "".join(f"{n},,\n" for n in names))

    remove_test_secrets(tmp_path)

    left = [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "RECORD"]
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

    def parts(size: int) -> Counter[str]:
        return Counter({"lingua": size - 10 * mib, "django": 10 * mib})

    assert check_limits(parts(100 * mib), 30 * mib) == []
    [warning] = check_limits(parts(210 * mib), 30 * mib)
    assert "near Lambda's limit of 262 MB" in warning
    [warning] = check_limits(parts(100 * mib), 45 * mib)
    assert "from S3 only" in warning
    with pytest.raises(PackageError, match=r"263 MB unzipped.*lingua \(253 MB\), dj"):
        check_limits(parts(251 * mib), 30 * mib)
