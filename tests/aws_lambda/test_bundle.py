"""Loading modules from a code bundle, as without one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from apps.aws_lambda import bundle
from apps.aws_lambda.cli.package.archive import compile_all, write_manifest
from apps.aws_lambda.cli.package.bundle import Module, write_bundle

REPOSITORY = Path(__file__).resolve().parents[2]
TAG = sys.implementation.cache_tag
# With the same number of bytes as its edits.
VALUE = "VALUE = 1\n"
FILES = {
    "shop/__init__.py": "",
    "shop/models.py": VALUE + "class Order:\n    pass\n",
    "shop/errors.py": "def fail():\n    raise ValueError('no such order')\n",
    "shop/data.txt": "the data",
    "names/inner/__init__.py": VALUE,
    "vendor/late.py": VALUE,
    "single.py": VALUE,
    "other.py": VALUE,
}
MODULES = {
    "shop": "shop/__init__.py",
    "shop.models": "shop/models.py",
    "shop.errors": "shop/errors.py",
    # `names` is a namespace package.
    "names.inner": "names/inner/__init__.py",
    # The site adds `vendor` to sys.path.
    "late": "vendor/late.py",
    "single": "single.py",
}
# Prints what install() returns, then runs the program.
START = """
import sys
sys.path[:] = [{root!r}, *sys.path[1:], {repository!r}]
from apps.aws_lambda import bundle
print(repr(bundle.install()))
def loaded(name):
    return type(sys.modules[name].__spec__.loader).__name__
"""
VALUE_OF_SINGLE = "import single; print(single.VALUE)"


def cached(source: str) -> str:
    path = Path(source)
    return str(path.with_name("__pycache__") / f"{path.stem}.{TAG}.pyc")


# What one handler imports when it starts; the others, two of them.
OF_ONE = ("names.inner", "late")


def modules() -> dict[str, Module]:
    return {
        name: Module(
            source, cached(source), ("http", "tasks")[: 1 + (name not in OF_ONE)]
        )
        for name, source in MODULES.items()
    }


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with a bundle of all modules but one, in which all times are equal."""
    root = tmp_path / "task"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    compile_all(root, Path(sys.executable))
    write_manifest(root, {"bundled": len(MODULES)})
    write_bundle(root, modules(), Path(sys.executable))
    for path in (root, *root.rglob("*")):
        os.utime(path, (315_532_800, 315_532_800))
    return root


def run(root: Path, program: str, *options: str, **variables: str) -> list[str]:
    """Return the lines that a program prints which runs in a package."""
    start = START.format(root=str(root), repository=str(REPOSITORY))
    process = subprocess.run(
        [sys.executable, "-B", *options, "-c", start + program],
        cwd=root,
        env={"LAMBDA_TASK_ROOT": str(root), "PATH": os.defpath, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()


def test_modules_are_loaded_from_the_bundle_without_their_own_bytecode(package):
    for path in package.rglob("*.pyc"):
        path.unlink()
    program = """
import builtins
def refuse(*args): raise AssertionError("compiled")
builtins.compile = refuse
import shop.models, names.inner, single
for name in ("shop", "shop.models", "names.inner", "single"):
    print(loaded(name))
"""

    assert run(package, program) == ["''", *["BundleLoader"] * 4]


def test_the_modules_of_the_same_handlers_are_read_together_and_once(package):
    program = """
loads = []
class marshal:
    def loads(data, load=bundle.marshal.loads):
        loads.append(load(data))
        return load(data)
bundle.marshal = marshal
import shop.models, shop.errors, names.inner, single
print(*[",".join(names) for names in loads])
"""

    assert run(package, program)[1:] == [
        "shop,shop.models,shop.errors,single names.inner,late"
    ]


def test_a_module_that_is_not_in_the_bundle_is_loaded_from_its_file(package):
    program = "import other; print(other.VALUE, loaded('other'))"

    assert run(package, program)[1:] == ["1 SourceFileLoader"]


def test_the_specs_are_those_of_pathfinder(package):
    program = """
from importlib.machinery import PathFinder
[finder] = [f for f in sys.meta_path if type(f).__name__ == "BundleFinder"]
import shop, names
def facts(spec):
    locations = spec.submodule_search_locations
    return (spec.name, spec.origin, spec.cached, spec.has_location, spec.parent,
            locations and [*locations], spec.loader.path, spec.loader.name)
for name in finder.bundle.index:
    parent = sys.modules.get(name.rpartition(".")[0])
    sys.path[0] = %r + ("/vendor" if name == "late" else "")
    path = parent.__path__ if parent else None
    found = finder.find_spec(name, path)
    print(facts(found) == facts(PathFinder.find_spec(name, path)))
"""

    results = run(package, program % str(package))[1:]

    assert results == ["True"] * len(MODULES)


def test_a_module_knows_its_files_and_its_source(package):
    program = """
import importlib.resources, inspect, pickle, pkgutil
import shop.errors, shop.models
print(shop.models.__file__)
print(shop.models.__cached__)
print(shop.errors.fail.__code__.co_filename)
print(inspect.getsource(shop.errors.fail).splitlines()[0])
print(importlib.resources.files("shop").joinpath("data.txt").read_text())
print(pkgutil.get_data("shop", "data.txt").decode())
print(sorted(module.name for module in pkgutil.iter_modules(shop.__path__)))
print(type(pickle.loads(pickle.dumps(shop.models.Order()))) is shop.models.Order)
"""

    assert run(package, program)[1:] == [
        f"{package}/shop/models.py",
        f"{package}/{cached('shop/models.py')}",
        f"{package}/shop/errors.py",
        "def fail():",
        "the data",
        "the data",
        "['errors', 'models']",
        "True",
    ]


def test_a_traceback_shows_the_lines_of_the_source(package):
    program = """
import traceback
import shop.errors
try:
    shop.errors.fail()
except ValueError:
    print(traceback.format_exc())
"""

    lines = run(package, program)

    assert f'  File "{package}/shop/errors.py", line 2, in fail' in lines
    assert "    raise ValueError('no such order')" in lines


@pytest.mark.parametrize(
    "text", ["VALUE = 22\n", "VALUE = 2\n"], ids=["longer", "as long"]
)
def test_an_edited_file_is_compiled(package, text):
    (package / "single.py").write_text(text)

    assert run(package, VALUE_OF_SINGLE)[1:] == [text.split()[-1]]


def test_an_edited_file_of_another_size_is_compiled_though_it_is_not_newer(package):
    (package / "single.py").write_text("VALUE = 22\n")
    os.utime(package / "single.py", (315_532_800, 315_532_800))

    assert run(package, VALUE_OF_SINGLE)[1:] == ["22"]


def test_no_file_is_looked_at_on_a_read_only_file_system(package):
    program = """
import os
from types import SimpleNamespace
os.statvfs = lambda path: SimpleNamespace(f_flag=os.ST_RDONLY)
sys.meta_path = [f for f in sys.meta_path if type(f).__name__ != "BundleFinder"]
print(repr(bundle.install()))
os.stat = None
import shop.models, single
print(loaded("shop"), loaded("shop.models"), single.VALUE)
"""

    assert run(package, program)[1:] == ["''", "BundleLoader BundleLoader 1"]


def test_a_reload_takes_an_edit(package):
    program = """
import importlib
import single
open(single.__file__, "w").write("VALUE = 2")
print(single.VALUE, importlib.reload(single).VALUE, loaded("single"))
"""

    assert run(package, program)[1:] == ["1 2 BundleLoader"]


def test_a_newer_file_with_the_same_content_is_not_compiled(package):
    (package / "single.py").touch()
    program = f"""
import builtins
builtins.compile = None
{VALUE_OF_SINGLE}
"""

    assert run(package, program)[1:] == ["1"]


def test_a_deleted_module_does_not_exist(package):
    (package / "single.py").unlink()
    program = """
try:
    import single
except ModuleNotFoundError as error:
    print(error)
"""

    assert run(package, program)[1:] == ["No module named 'single'"]


def test_a_folder_before_the_package_on_the_import_path_wins(package, tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "single.py").write_text("VALUE = 'first'")
    program = f"sys.path.insert(0, {str(tmp_path / 'first')!r})\n{VALUE_OF_SINGLE}"

    assert run(package, program)[1:] == ["first"]


@pytest.mark.parametrize("has", ["nothing", "a namespace of that name"])
def test_a_folder_before_the_package_that_has_no_module_costs_no_compilation(
    package, tmp_path, has
):
    first = tmp_path / "first"
    (first / ("single" if has != "nothing" else "")).mkdir(parents=True)
    program = f"""
import builtins
builtins.compile = None
sys.path.insert(0, {str(first)!r})
import shop.models, single
print(loaded("shop"), loaded("shop.models"), loaded("single"))
"""

    assert run(package, program)[1:] == [" ".join(["BundleLoader"] * 3)]


def test_a_folder_of_the_site_is_used_behind_the_package_too(package):
    program = f"""
sys.path.append({str(package / "vendor")!r})
import late
print(late.VALUE, loaded("late"))
"""

    assert run(package, program)[1:] == ["1 BundleLoader"]


def test_a_part_of_a_namespace_before_that_of_the_package_is_searched_first(
    package, tmp_path
):
    (tmp_path / "first" / "names" / "inner").mkdir(parents=True)
    (tmp_path / "first" / "names" / "inner" / "__init__.py").write_text("VALUE = 5")
    program = f"""
sys.path.insert(0, {str(tmp_path / "first")!r})
import names.inner
print(names.inner.VALUE, loaded("names.inner"))
"""

    assert run(package, program)[1:] == ["5 SourceFileLoader"]


def test_walk_packages_finds_the_modules_of_the_bundle(package):
    program = f"""
import pkgutil
print(sorted(m.name for m in pkgutil.walk_packages([{str(package)!r}])))
"""

    assert run(package, program)[1:] == [
        "['other', 'shop', 'shop.errors', 'shop.models', 'single']"
    ]


def test_a_folder_of_the_site_is_searched_once_it_is_on_the_import_path(package):
    program = f"""
try:
    import late
except ModuleNotFoundError:
    print("not yet")
sys.path.insert(0, {str(package / "vendor")!r})
import late
print(late.VALUE, loaded("late"))
"""

    assert run(package, program)[1:] == ["not yet", "1 BundleLoader"]


def test_the_bundle_comes_after_other_finders_and_before_the_path(package):
    program = "print([getattr(f, '__name__', type(f).__name__) for f in sys.meta_path])"

    [names] = run(package, program, "-I", "-S")[1:]

    assert names.endswith("'FrozenImporter', 'BundleFinder', 'PathFinder']")


def change_manifest(package: Path, **facts: object) -> None:
    path = package / bundle.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def change_head(package: Path, **facts: object) -> None:
    path = package / bundle.FILE
    line, _, rest = path.read_bytes().partition(b"\n")
    path.write_bytes(json.dumps(json.loads(line) | facts).encode() + b"\n" + rest)


def truncate(package: Path) -> None:
    path = package / bundle.FILE
    path.write_bytes(path.read_bytes()[:-1])


def garble_index(package: Path) -> None:
    path = package / bundle.FILE
    line, _, rest = path.read_bytes().partition(b"\n")
    path.write_bytes(line + b"\n" + b"\xff" * 50 + rest[50:])


def be_a_folder(package: Path) -> None:
    (package / bundle.FILE).unlink()
    (package / bundle.FILE).mkdir()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda p: change_manifest(p, build_id="other"), ", not other. "),
        (lambda p: change_manifest(p, bundled=7), "number of modules 6, not 7. "),
        (lambda p: change_head(p, magic="00000d0a"), "of Python 00000d0a, not "),
        (truncate, "has the size "),
        (garble_index, "cannot be read: ValueError"),
        # As without the permission: root, which tests may run as, needs none.
        (be_a_folder, "cannot be read: IsADirectoryError"),
        (lambda p: (p / bundle.FILE).write_bytes(b""), "is empty. "),
        (lambda p: (p / bundle.FILE).write_bytes(b"[]\n"), "cannot be read: TypeErr"),
        (lambda p: (p / bundle.MANIFEST).unlink(), "cannot be read: FileNotFound"),
        (lambda p: (p / bundle.MANIFEST).write_text("{}"), "cannot be read: KeyError"),
    ],
    ids=[
        "build",
        "count",
        "magic",
        "size",
        "index",
        "folder",
        "empty",
        "json",
        "none",
        "facts",
    ],
)
def test_a_wrong_bundle_is_not_used_and_the_reason_is_returned(package, change, reason):
    change(package)

    [refusal, value] = run(package, VALUE_OF_SINGLE)

    assert f"The code bundle {package}/bytecode.bundle " in refusal
    assert reason in refusal
    assert "Build the package again." in refusal
    assert value == "1"


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        ((), {"LAMBDA_CODE_BUNDLE": "false"}),
        ((), {"LAMBDA_CODE_BUNDLE": "False"}),
        ((), {"LAMBDA_TASK_ROOT": ""}),
        # Not on Lambda, or a package for another architecture: no bundle.
        ((), {"LAMBDA_TASK_ROOT": str(REPOSITORY)}),
        (("-O",), {"LAMBDA_CODE_BUNDLE": "false"}),
    ],
)
def test_without_the_bundle_modules_are_loaded_from_their_files(
    package, options, variables
):
    program = "import single; print(loaded('single'))"

    lines = run(package, program, *options, **variables)

    assert lines == ["''", "SourceFileLoader"]


@pytest.mark.parametrize(
    ("options", "variables"), [(("-O",), {}), ((), {"PYTHONOPTIMIZE": "1"})]
)
def test_optimised_python_is_reported_because_it_compiles_all_modules(
    package, options, variables
):
    program = "import single; print(loaded('single'))"

    [refusal, loader] = run(package, program, *options, **variables)

    assert "PYTHONOPTIMIZE=1, for which the package has no bytecode" in refusal
    # The bundle has bytecode with assertions.
    assert loader == "SourceFileLoader"


EARLY = """
import sys
sys.path[:] = [{root!r}, *sys.path[1:], {repository!r}]
import shop
from apps.aws_lambda import bundle
print(repr(bundle.install()))
import single
print(type(single.__spec__.loader).__name__)
"""


def test_modules_that_a_wrapper_imports_before_the_bundle_are_reported(
    package, monkeypatch
):
    monkeypatch.setattr(sys.modules[__name__], "START", EARLY)

    [warning, loader] = run(package, "")

    assert "imported before lambda_entry used it: shop, 1 in all" in warning
    assert loader == "BundleLoader"


def test_a_module_that_was_imported_early_with_bytecode_is_not_reported(
    package, monkeypatch
):
    monkeypatch.setattr(sys.modules[__name__], "START", EARLY)
    compile_all(package, Path(sys.executable))

    assert run(package, "") == ["''", "BundleLoader"]


def test_a_second_installation_reports_no_module_of_the_first(package):
    program = "import shop, single; print(repr(bundle.install()))"

    assert run(package, program) == ["''", "''"]


def test_another_value_of_the_variable_is_reported(package):
    program = "import single; print(loaded('single'))"

    [refusal, loader] = run(package, program, LAMBDA_CODE_BUNDLE="of")

    assert "LAMBDA_CODE_BUNDLE is 'of', and must be true or false" in refusal
    assert loader == "SourceFileLoader"


def test_the_same_modules_give_the_same_bytes(package):
    path = package / bundle.FILE
    before = path.read_bytes()
    compile_all(package, Path(sys.executable))

    write_bundle(package, modules(), Path(sys.executable))

    assert path.read_bytes() == before
