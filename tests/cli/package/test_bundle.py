"""The code bundle of a package, which is the one of this project."""

import json
import shutil
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path
from zipfile import ZipFile

import pytest

from apps.aws_lambda import bootstrap, bundle
from apps.aws_lambda.bundle import FILE, MANIFEST, VARIABLE, Bundle
from apps.aws_lambda.cli.configuration import Configuration
from apps.aws_lambda.cli.package import PackageError
from apps.aws_lambda.cli.package.archive import TASK_ROOT, compile_all
from apps.aws_lambda.cli.package.build import bundled
from apps.aws_lambda.cli.package.bundle import (
    Module,
    check_bundle,
    record,
    write_bundle,
)
from apps.aws_lambda.cli.package.platform import Platform
from apps.aws_lambda.cli.package.runtime import chmod_folders, environment
from apps.aws_lambda.cli.package.runtime import lambda_runtime as runtime_of
from apps.aws_lambda.cli.package.smoke import handlers, smoke_test
from tests.aws_lambda.lifecycle.conftest import json_lines
from tests.cli.template import ARCHITECTURE as FOREIGN
from tests.events import load_event

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda is Linux")
PYTHON = Path(sys.executable)
STAGE = {"STAGE": "smoke"}
LIVE = load_event("http_default", rawPath="/health/live")
# Appended to lambda_entry of a package: a handler that names the modules of the
# package which were not loaded from the bundle.
LOADERS = """

def loaders(event, context):
    import os, sys
    root = os.environ["LAMBDA_TASK_ROOT"]
    names = {name: type(m.__spec__.loader).__name__ for name, m in sys.modules.items()
             if getattr(m, "__file__", None) and m.__file__.startswith(root + "/")}
    bundled = [name for name, loader in names.items() if loader == "BundleLoader"]
    return len(bundled), sorted(n for n in names.keys() - bundled
                                if names[n] == "SourceFileLoader")
"""


@pytest.fixture
def changed(folder: Path, tmp_path: Path) -> Path:
    """A copy of the package, to change."""
    shutil.copytree(folder, tmp_path / "task")
    chmod_folders(tmp_path / "task", 0o755)
    return tmp_path / "task"


def test_the_bundle_has_the_bytecode_of_the_package(folder):
    bundle = Bundle(str(folder))

    assert len(bundle.index) > 500
    for name, (source, size, digest, cached, _, _) in bundle.index.items():
        text = (folder / source).read_bytes()
        assert digest == source_hash(text), name
        assert len(text) == size, name
        assert bundle.code(name).co_filename == f"{TASK_ROOT}/{source}"
        # A second copy of it would take a sixth of the archive.
        assert not (folder / cached).exists(), name


def test_what_is_imported_before_the_bundle_is_used_has_its_own_bytecode(folder):
    early = {"lambda_entry", bootstrap.__name__, bundle.__name__}

    assert early.isdisjoint(Bundle(str(folder)).index)
    for name in early:
        path = folder / f"{name.replace('.', '/')}.py"
        assert Path(cache_from_source(path)).is_file()


def test_handlers_read_what_each_of_them_imports_and_no_more(folder):
    bundle = Bundle(str(folder))

    def with_module(name: str) -> set[str]:
        place = bundle.index[name][4:]
        return {other for other, entry in bundle.index.items() if entry[4:] == place}

    of_all = with_module("django.db.models")
    assert len(of_all) > 300
    assert "apps.aws_lambda.handlers" in of_all
    assert "apps.aws_lambda.http.gateway" in of_all
    assert "apps.aws_lambda.tasks.consumer" not in of_all
    assert with_module("apps.aws_lambda.tasks.consumer").isdisjoint(of_all)


def test_no_file_of_an_unpacked_archive_is_newer_than_the_bundle(folder):
    bundle = Bundle(str(folder))

    newer = [
        path.name
        for path in folder.rglob("*.py")
        if path.stat().st_mtime > bundle.written
    ]

    assert newer == []


def test_the_bundle_has_no_module_of_the_runtime_or_of_the_standard_library(folder):
    names = {name.partition(".")[0] for name in Bundle(str(folder)).index}

    assert {"apps", "django", "project", "psycopg"} <= names
    assert (
        names & {"awslambdaric", "boto3", "botocore", *sys.stdlib_module_names} == set()
    )


def test_every_handler_takes_its_modules_from_the_bundle(changed):
    entry = changed / "lambda_entry.py"
    names = handlers(changed)
    # The handler's own name decides what is built.
    entry.write_text(entry.read_text() + LOADERS)
    for path in (changed / "__pycache__").glob("lambda_entry.*"):
        path.unlink()
    variables = {**Configuration.read().stand_ins, "ENV_FILE": "/dev/null"}

    assert names == ["http", "tasks", "schedule", "manage"]
    with runtime_of(PYTHON) as runtime:
        for name in names:
            built = {**variables, "_HANDLER": f"lambda_entry.{name}"}
            with environment(changed, runtime, "loaders", built) as running:
                number, others = running.invoke({})
                # Until then there is no bundle.
                assert others == [
                    "apps",
                    "apps.aws_lambda",
                    "apps.aws_lambda.bootstrap",
                    "apps.aws_lambda.bundle",
                    "lambda_entry",
                ]
                assert number > 400


def test_the_package_passes_the_smoke_test_with_the_bundle_off(folder):
    off = {**STAGE, VARIABLE: "false"}

    with_it = smoke_test(folder, STAGE, Configuration.read(), PYTHON)

    assert smoke_test(folder, off, Configuration.read(), PYTHON) == with_it


def test_a_wrong_build_id_is_logged_once_and_the_site_is_served(changed):
    manifest = json.loads((changed / MANIFEST).read_text())
    (changed / MANIFEST).write_text(json.dumps(manifest | {"build_id": "other"}))
    variables = {**Configuration.read().stand_ins, "ENV_FILE": "/dev/null"}

    with (
        runtime_of(PYTHON) as runtime,
        environment(changed, runtime, "http", variables) as running,
    ):
        event = LIVE | {"headers": {"host": variables["ALLOWED_HOSTS"]}}
        assert running.invoke(event)["statusCode"] == 200
        warnings = [x for x in json_lines(running.log) if x["level"] == "WARN"]

    [line] = [x for x in warnings if "code bundle" in x["message"]]
    assert f"has the build ID {manifest['build_id']}, not other" in line["message"]
    assert line["logger"] == "apps.aws_lambda.bootstrap"


def test_the_smoke_test_refuses_a_bundle_that_is_not_used(changed):
    manifest = json.loads((changed / MANIFEST).read_text())
    (changed / MANIFEST).write_text(json.dumps(manifest | {"build_id": "other"}))

    with pytest.raises(PackageError, match=r"has the build ID \w+, not other"):
        smoke_test(changed, STAGE, Configuration.read(), PYTHON)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "project" / "urls.py").write_text("# edited"),
        lambda root: (root / "project" / "urls.py").unlink(),
    ],
    ids=["source", "missing"],
)
def test_a_package_that_was_changed_after_its_build_is_refused(changed, change):
    check_bundle(changed)
    change(changed)

    with pytest.raises(PackageError, match=r"after it was built: project/urls\.py is"):
        check_bundle(changed)


def test_bytecode_that_cannot_be_joined_is_reported(tmp_path):
    (tmp_path / MANIFEST).write_text('{"build_id": "1"}')
    (tmp_path / "shop.pyc").write_bytes(b"no bytecode of any Python")

    with pytest.raises(PackageError, match=r"could not be written with .*python"):
        write_bundle(tmp_path, {"shop": Module("shop.py", "shop.pyc")}, PYTHON)


def test_a_package_with_the_bundle_of_another_build_is_refused(changed):
    manifest = json.loads((changed / MANIFEST).read_text())
    (changed / MANIFEST).write_text(json.dumps(manifest | {"build_id": "other"}))

    with pytest.raises(PackageError, match=r"has the build ID \w+, not other"):
        check_bundle(changed)


def test_a_package_without_a_bundle_is_accepted(changed):
    (changed / FILE).unlink()

    check_bundle(changed)


def test_a_handler_that_does_not_start_is_reported(changed, capsys):
    path = changed / "apps" / "aws_lambda" / "tasks" / "consumer.py"
    path.write_text("raise RuntimeError")
    compile_all(changed, PYTHON)
    platform = Platform("arm64" if FOREIGN == "x86_64" else "x86_64", "3.13")

    modules = bundled(changed, platform, Configuration.read(), PYTHON)

    output = capsys.readouterr().out
    assert f"  {len(modules)} modules" in output
    assert "did not start with the stand-ins: tasks" in output
    assert "project.urls" in modules


def test_what_a_handler_writes_while_it_is_recorded_is_not_packaged(tmp_path):
    (tmp_path / "lambda_entry.py").write_text(
        "from pathlib import Path\n"
        "class handlers:\n"
        "    def tasks():\n"
        "        Path(__file__).with_name('db.sqlite3').touch()\n"
        "        return lambda event, context: None\n"
        "tasks = handlers.tasks()\n"
    )

    record(tmp_path, Configuration.read(), PYTHON)

    assert [path.name for path in tmp_path.iterdir()] == ["lambda_entry.py"]


def test_a_package_for_another_architecture_has_no_bundle(tmp_path, capsys):
    platform = Platform(FOREIGN, "3.13")

    assert bundled(tmp_path, platform, Configuration.read(), PYTHON) == {}
    assert "none: this machine is" in capsys.readouterr().out


def test_the_manifest_has_the_number_of_modules(native):
    archive = ZipFile(native)
    head = json.loads(archive.read(FILE).partition(b"\n")[0])

    assert json.loads(archive.read(MANIFEST))["bundled"] == head["modules"]
    assert head["magic"] == MAGIC_NUMBER.hex()
    assert json.loads(archive.read(MANIFEST))["build_id"] == head["build_id"]


def test_the_same_package_gives_the_same_bundle(changed, native):
    modules = {
        name: (source, cached)
        for name, (source, _, _, cached, _, _) in Bundle(str(changed)).index.items()
    }
    (changed / FILE).unlink()
    compile_all(changed, PYTHON)

    recorded, failed = record(changed, Configuration.read(), PYTHON)
    write_bundle(changed, recorded, PYTHON)

    files = {name: (source, cached) for name, (source, cached, _) in recorded.items()}
    assert (files, failed) == (dict(sorted(modules.items())), [])
    assert (changed / FILE).read_bytes() == ZipFile(native).read(FILE)
