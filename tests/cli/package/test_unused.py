"""What a package leaves out of installed packages: languages and tests."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from apps.aws_lambda.cli.configuration import Configuration
from apps.aws_lambda.cli.package.dependencies import leave_out
from apps.aws_lambda.cli.package.unused import Used, find_used, remove_unused

MO = "LC_MESSAGES/django.mo"


def plant(root: Path, files: dict[str, str], package: str = "a") -> None:
    """Write files, and the record of a package that has them if it has a name."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    if package:
        record = root / f"{package}-1.dist-info" / "RECORD"
        record.parent.mkdir()
        record.write_text("".join(f"{name},,\n" for name in [*files, "../bin/x"]))


def left(root: Path) -> set[str]:
    return {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and path.name != "RECORD"
    }


def languages(root: Path) -> set[str]:
    return {path.parts[-3] for path in root.rglob("*.mo")}


ALL = ["de", "de_AT", "en", "en_GB", "pt", "pt_BR", "sr", "sr@latin", "zh_Hans", "nb"]


@pytest.mark.parametrize(
    ("codes", "kept"),
    [
        ([], set(ALL)),
        (["en"], {"en", "en_GB"}),
        (["en-us"], {"en", "en_GB"}),
        (["de-at"], {"de", "de_AT", "en", "en_GB"}),
        (["pt-br", "zh-tw"], {"pt", "pt_BR", "zh_Hans", "en", "en_GB"}),
        (["sr-latn"], {"sr", "sr@latin", "en", "en_GB"}),
    ],
)
def test_translations_into_languages_of_the_site_and_related_ones_stay(
    codes: list[str], kept: set[str], tmp_path: Path
):
    plant(tmp_path, {f"a/locale/{name}/{MO}": "" for name in ALL})

    lines = remove_unused(tmp_path, Used(tuple(codes)), ())

    assert languages(tmp_path) == kept
    if codes:
        number = len(ALL) - len(kept)
        assert lines == [
            f"translations of packages, but {', '.join(sorted(codes))}: "
            f"{number} languages"
        ]
    else:
        assert lines == []


def test_only_djangos_translations_in_packages_are_removed(tmp_path: Path):
    own = {f"site/locale/fr/{MO}": "", "conf/locale/fr/x.txt": ""}
    other = {
        "humanize/locale/fr/LC_MESSAGES/humanize.mo": "",
        "a/translations/fr/LC_MESSAGES/django.mo": "",
        "a/locale/fr.py": "",
    }
    removed = {
        f"a/conf/locale/fr/{MO}": "",
        "a/conf/locale/fr/formats.py": "",
        "a/conf/locale/fr/LC_MESSAGES/djangojs.mo": "",
        "b/locale/fr/LC_MESSAGES/djangojs.mo": "",
    }
    plant(tmp_path, own, package="")
    plant(tmp_path, {**other, **removed})

    remove_unused(tmp_path, Used(("en",)), ())

    assert left(tmp_path) == {*own, *other}


@pytest.mark.parametrize(
    "pattern",
    ["a/locale", "a/locale/fr", "*/locale/fr/**/*.mo", "a"],
)
def test_what_is_kept_by_a_pattern_stays(pattern: str, tmp_path: Path):
    plant(tmp_path, {f"a/locale/fr/{MO}": "", "a/locale/fr/x.po": ""})

    assert remove_unused(tmp_path, Used(("en",)), [pattern]) == []

    leave_out(tmp_path, (), [pattern])
    stays = {f"a/locale/fr/{MO}"}
    if not pattern.endswith(".mo"):
        stays.add("a/locale/fr/x.po")
    assert left(tmp_path) == stays


TESTED = {
    "a/__init__.py": "",
    "a/x.py": "",
    "a/tests/__init__.py": "",
    "a/tests/tests/test_x.py": "",
    "a/tests/data/x.json": "",
    "a/b/test/test_y.py": "",
}


def removed_tests(root: Path, modules: Iterable[str] = ()) -> set[str]:
    """Return the folders of tests that were removed, and are reported."""
    before = {str(path.parent) for path in map(Path, left(root))}
    lines = remove_unused(root, Used((), tuple(modules)), ())
    gone = before - {str(path.parent) for path in map(Path, left(root))}
    folders = {name for name in gone if not any(f"{o}/" in f"{name}" for o in gone)}
    assert all(name in " ".join(lines) for name in folders)
    return folders


def test_tests_of_packages_that_nothing_uses_are_removed(tmp_path: Path):
    plant(tmp_path, TESTED)

    assert removed_tests(tmp_path) == {"a/tests", "a/b/test"}
    assert left(tmp_path) == {"a/__init__.py", "a/x.py"}


@pytest.mark.parametrize(
    ("name", "text", "kept"),
    [
        ("a/y.py", "import a.tests.data", "a/tests"),
        ("a/y.py", "from a import tests", "a/tests"),
        ("a/y.py", "def f():\n from . import (\n  x,\n  tests,\n )", "a/tests"),
        ("a/b/y.py", "from .test.test_y import x", "a/b/test"),
        ("a/b/y.py", "from .. import tests", "a/tests"),
        ("c/y.py", "from a.tests import x", "a/tests"),
        ("c/y.py", "APPS = ['a.b.test.app']", "a/b/test"),
        ("a/y.py", "FILE = os.path.join(HERE, 'tests', 'data')", "a/tests"),
        ("a/b/c/y.py", "FILE = HERE.parents[1] / 'tests/data'", "a/tests"),
        ("a/y.py", "FILE = HERE / 'b/test/x.json'", "a/b/test"),
        ("a/y.py", "import_module(f'{__package__}.tests')", "a/tests"),
        ("a/y.py", "def broken(:  # tests", "a/tests a/b/test"),
        ("a/y.so", "\0a.tests\0", "a/tests"),
        ("x-1.dist-info/entry_points.txt", "[x]\nx = a.b.test:x", "a/b/test"),
    ],
)  # fmt: skip
def test_tests_that_a_module_mentions_stay(
    name: str, text: str, kept: str, tmp_path: Path
):
    plant(tmp_path, TESTED)
    # Of another package, or of the site.
    plant(tmp_path, {name: text}, package="")

    assert removed_tests(tmp_path) == {"a/tests", "a/b/test"} - set(kept.split())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a/y.py", '"""Run it with the tests in a/tests."""'),
        ("c/y.py", "FILE = os.path.join(HERE, 'tests')"),
        ("c/y.py", "from . import tests"),
        ("a/conftest.py", "from a.tests import x"),
        ("a/tests.py", "from a.tests import x"),
        ("a/b/test/test_z.py", "from a.tests import x"),
    ],
)
def test_prose_other_packages_and_tests_do_not_keep_them(
    name: str, text: str, tmp_path: Path
):
    plant(tmp_path, {**TESTED, name: text})

    assert {"a/tests"} <= removed_tests(tmp_path)


def test_tests_that_kept_tests_import_stay(tmp_path: Path):
    kept = {"a/y.py": "import a.tests", "a/tests/__init__.py": "from ..b import test"}
    plant(tmp_path, {**TESTED, **kept})

    assert removed_tests(tmp_path) == set()


def test_tests_with_loaded_modules_stay(tmp_path: Path):
    plant(tmp_path, TESTED)

    assert removed_tests(tmp_path, ["django", "a.tests.apps"]) == {"a/b/test"}


def test_files_of_the_site_in_folders_of_tests_stay(tmp_path: Path):
    plant(tmp_path, TESTED)
    own = {"a/tests/own.py": "", "tests/x.py": "", "shop/tests/x.py": ""}
    plant(tmp_path, own, package="")

    assert removed_tests(tmp_path) == {"a/b/test"}
    assert set(own) <= left(tmp_path)


SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
"""


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", set()),
        ("LANGUAGE_CODE = 'de'", set()),
        ("LANGUAGES = [('en', 'English'), ('pt-br', 'P')]", {"en", "pt-br", "en-us"}),
        ("USE_I18N = False\nLANGUAGE_CODE = 'de'", {"de"}),
        # Its admin offers all of its languages.
        ("LANGUAGES = [('en', 'E')]\nINSTALLED_APPS += ['wagtail.admin']", set()),
        (
            "LANGUAGES = [('en', 'E')]\nINSTALLED_APPS += ['wagtail.admin']\n"
            "WAGTAILADMIN_PERMITTED_LANGUAGES = [('fi', 'F')]",
            {"en", "en-us", "fi"},
        ),
    ],
)
def test_the_languages_are_those_of_the_settings(
    more: str, expected: set[str], tmp_path: Path
):
    plant(tmp_path, {"shop/settings.py": SETTINGS + more}, package="")
    plant(tmp_path, {"wagtail/__init__.py": "", "wagtail/admin/__init__.py": ""}, "")
    site = Configuration("shop.settings", "requirements.txt", ("shop",))

    used = find_used(tmp_path, site, Path(sys.executable))

    assert set(used.languages) == expected
    assert {"django.contrib.auth.models", "shop.settings"} <= set(used.modules)


def test_what_stays_of_installed_packages_is_imported(tmp_path: Path):
    """Django's own django.test, which its commands and the settings name."""
    import django

    source = Path(django.__file__).parent
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "install", "--quiet", "--no-deps"]
    command += ["--target", str(tmp_path), "--python", sys.executable]
    subprocess.run([*command, f"django=={django.__version__}"], check=True)
    assert (source / "test").is_dir()

    lines = remove_unused(tmp_path, Used(("en",)), ())

    assert (tmp_path / "django" / "test" / "__init__.py").exists()
    assert not (tmp_path / "django" / "conf" / "locale" / "de").exists()
    assert (tmp_path / "django" / "conf" / "locale" / "en_GB" / "formats.py").exists()
    assert len(lines) == 1
