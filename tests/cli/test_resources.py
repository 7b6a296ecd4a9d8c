"""The copy of the plugins and the resources in a site."""

import compileall
import fcntl
import json
import shutil
import threading
from pathlib import Path

import pytest

from apps.aws_lambda.cli import __main__ as program
from apps.aws_lambda.cli import resources
from apps.aws_lambda.cli.resources import FOLDER, SOURCE, refresh


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "serverless.yml").write_text(f"plugins: [./{FOLDER}/plugin/index.js]\n")
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("origin.json", ".lock")
    }


def test_a_site_gets_every_file_but_the_templates(site: Path):
    assert refresh(site)

    expected = contents(SOURCE)
    templates = {name for name in expected if name.startswith("site/")}
    assert templates
    assert contents(site / FOLDER) == {
        name: text for name, text in expected.items() if name not in templates
    }


def test_the_bytecode_that_pip_compiles_is_not_copied(
    site: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch
):
    source = shutil.copytree(SOURCE, tmp_path_factory.mktemp("installed") / "source")
    compileall.compile_dir(source, quiet=1)
    assert list(source.rglob("*.pyc"))
    monkeypatch.setattr(resources, "SOURCE", source)

    refresh(site)

    assert (site / FOLDER / "offline" / "invoke.py").exists()
    assert not list((site / FOLDER).rglob("*.pyc"))


def test_the_plugins_find_the_module_of_the_commands(site: Path):
    refresh(site)

    origin = json.loads((site / FOLDER / "origin.json").read_text())
    assert origin["module"] == "apps.aws_lambda.cli"
    assert set(origin) == {"module", "version", "digest"}


def test_a_copy_that_is_up_to_date_is_not_written(site: Path):
    refresh(site)
    before = {p: p.stat().st_mtime_ns for p in (site / FOLDER).rglob("*.yml")}

    assert not refresh(site)
    assert before == {p: p.stat().st_mtime_ns for p in (site / FOLDER).rglob("*.yml")}


def test_an_upgrade_replaces_and_removes_files(site: Path, monkeypatch):
    refresh(site)
    (site / FOLDER / "resources" / "gone.yml").write_text("Resources: {}\n")
    (site / FOLDER / "resources" / "roles.yml").write_text("old")
    origin = json.loads((site / FOLDER / "origin.json").read_text())
    (site / FOLDER / "origin.json").write_text(json.dumps(origin | {"digest": "old"}))

    assert refresh(site)
    assert not (site / FOLDER / "resources" / "gone.yml").exists()
    roles = "resources/roles.yml"
    assert (site / FOLDER / roles).read_bytes() == (SOURCE / roles).read_bytes()


def test_an_interrupted_upgrade_is_completed_or_undone(site: Path, monkeypatch):
    refresh(site)
    replace = resources._replace
    written: list[str] = []

    def interrupted(path: Path, content: bytes) -> None:
        if len(written) == 5:
            raise KeyboardInterrupt
        written.append(path.name)
        replace(path, b"of another version")

    monkeypatch.setattr(resources, "_replace", interrupted)
    monkeypatch.setattr(resources, "_origin", lambda files: b"another version")
    with pytest.raises(KeyboardInterrupt):
        refresh(site)
    monkeypatch.undo()

    # By the version that was there before.
    assert refresh(site)
    assert b"of another version" not in contents(site / FOLDER).values()
    assert not refresh(site)


def test_a_second_command_waits_for_the_first(site: Path):
    (site / FOLDER).mkdir()
    with (site / FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=refresh, args=[site])
        second.start()
        second.join(0.2)
        waited = second.is_alive()
        assert contents(site / FOLDER) == {}
    second.join()

    assert waited
    assert (site / FOLDER / "origin.json").exists()


@pytest.mark.parametrize(
    "configuration",
    [None, "plugins: [./apps/aws_lambda/cli/serverless/plugin]\n"],
    ids=["none", "this repository's"],
)
def test_another_project_gets_no_copy(tmp_path: Path, configuration: str | None):
    if configuration:
        (tmp_path / "serverless.yml").write_text(configuration)

    assert not refresh(tmp_path)
    assert not (tmp_path / FOLDER).exists()


def test_a_folder_that_cannot_be_written_is_reported(
    site: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(program, "ROOT", site)
    # Also root cannot make a folder of it.
    (site / FOLDER).write_text("")

    status = program.main(["capacity", "--rps", "1"])

    assert status == 1
    assert f"{site / FOLDER} cannot be written: File exists" in capsys.readouterr().err


def test_a_package_for_plugins_of_another_version_is_refused(
    site: Path, monkeypatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(program, "ROOT", site)

    # The plugin of an old copy calls this.
    status = program.main(["package", "--arch", "arm64", "--environment", "{}"])

    assert status == 1
    assert "is up to date now. Run the same command again" in capsys.readouterr().err
