"""Which packages Lambda cannot have, and how large they are, before a package."""

import subprocess
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

from apps.aws_lambda.cli.adopt import packages, size
from apps.aws_lambda.cli.adopt.locks import Lock
from apps.aws_lambda.cli.adopt.packages import examine_packages
from apps.aws_lambda.cli.package.locks import Lock as Pinned
from apps.aws_lambda.cli.package.locks import Requirement
from apps.aws_lambda.cli.package.platform import Platform
from tests.cli.package.test_dependencies import project

ARM = Platform("arm64", "3.13")
UV = Path(sys.executable).with_name("uv")
KB = 1000


def wheel(folder: Path, **files: int) -> Requirement:
    """Return a requirement of a wheel with files of these sizes, by their paths."""
    folder.mkdir(exist_ok=True)
    path = folder / "bulky-1.0-py3-none-any.whl"
    info = "bulky-1.0.dist-info"
    texts = {name: b"0" * size for name, size in files.items()} | {
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nTag: py3-none-any\n",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: bulky\nVersion: 1.0\n",
    }
    names = "".join(f"{name},,\n" for name in [*texts, f"{info}/RECORD"])
    with ZipFile(path, "w") as file:
        for name, text in (texts | {f"{info}/RECORD": names.encode()}).items():
            file.writestr(name, text)
    digest = sha256(path.read_bytes()).hexdigest()
    return Requirement("bulky", path.as_uri(), hashes=(f"sha256:{digest}",))


def environment(folder: Path, *requirements: Requirement) -> Path:
    """Return the interpreter of a virtual environment with these packages."""
    python = folder / "bin" / "python"
    subprocess.run(
        [UV, "venv", "--quiet", "--python", sys.executable, folder], check=True
    )
    sources = [found.source for found in requirements]
    command: list[str | Path] = [UV, "pip", "install", "--quiet", "--python", python]
    subprocess.run([*command, *sources], check=True)
    return python


def measure(tmp_path: Path, here: Requirement, there: Requirement) -> size.Size:
    """Return the size of what is `here` in the site, and `there` in the package."""
    python = environment(tmp_path / "venv", here)
    return size.size(Pinned((there,)), ARM, python, tmp_path)


@pytest.fixture(autouse=True)
def _limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size, "MAX_UNZIPPED_BYTES", 100 * KB)


def test_small_packages_are_those_that_the_site_has_installed(tmp_path: Path):
    bulky = wheel(tmp_path, **{"bulky/a.py": 30 * KB, "bulky/a.po": 500 * KB})

    # It would fail to be installed for Lambda.
    gone = Requirement("bulky", (tmp_path / "gone.whl").as_uri())
    found = measure(tmp_path, bulky, gone)

    assert not found.measured
    assert not found.is_near_the_limit
    # Metadata, and no translation sources, which the package leaves out.
    assert 30 * KB < found.parts["bulky"] < 31 * KB


def test_large_packages_are_measured_as_lambda_has_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    bulky = wheel(tmp_path, **{"bulky/a.dat": 150 * KB})

    found = measure(tmp_path, bulky, bulky)

    assert found.is_too_large
    assert "bulky (0 MB)" in str(found)
    # It may take minutes.
    assert "downloading those for Lambda" in capsys.readouterr().out


def test_a_package_that_is_smaller_on_lambda_is_not_too_large(tmp_path: Path):
    here = wheel(tmp_path / "here", **{"bulky/x86_64.dat": 150 * KB})
    there = wheel(tmp_path / "there", **{"bulky/aarch64.dat": 50 * KB})

    found = measure(tmp_path, here, there)

    assert found.measured
    assert not found.is_too_large
    assert not found.is_near_the_limit


def test_an_estimate_alone_is_not_certain(tmp_path: Path):
    here = wheel(tmp_path, **{"bulky/a.dat": 150 * KB})
    gone = Requirement("bulky", (tmp_path / "gone.whl").as_uri())

    found = measure(tmp_path, here, gone)

    assert not found.is_too_large
    assert found.is_near_the_limit
    assert "Could not install the packages for arm64" in found.error


def test_packages_of_developers_and_other_systems_do_not_count(tmp_path: Path):
    bulky = wheel(tmp_path, **{"bulky/a.dat": 30 * KB})
    python = environment(tmp_path / "venv", bulky)

    assert size.size(Pinned(()), ARM, python, tmp_path).parts == Counter()


def examine(
    monkeypatch: pytest.MonkeyPatch, root: Path, *found: Requirement
) -> packages.Packages:
    """Return what is found about packages that have no wheel."""
    monkeypatch.setattr(packages, "pinned", lambda *_: Pinned(found))
    lines = [f"{one.name} @ {one.source}" for one in found]
    monkeypatch.setattr(packages, "without_wheels", lambda *_: lines)
    lock = Lock(root, "requirements.txt")
    return examine_packages(lock, Path(sys.executable), "3.13")


def test_a_package_without_a_wheel_is_refused_only_if_it_compiles_something(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    pure = project(tmp_path, "pure")
    compiles = project(tmp_path, "compiles", compiles=True)

    found = examine(
        monkeypatch,
        tmp_path,
        Requirement("pure", pure.as_uri()),
        Requirement("compiles", compiles.as_uri()),
        Requirement("uwsgi", "==2.0.30"),
    )

    assert found.built == ("pure",)
    assert found.impossible == ("compiles",)
    assert found.servers == ("uwsgi",)
    assert found.error == ""


def test_a_package_that_cannot_be_fetched_is_not_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    missing = Requirement("mine", f"git+{(tmp_path / 'none').as_uri()}@abc")

    found = examine(monkeypatch, tmp_path, missing)

    assert found.impossible == ()
    assert "Git operation failed" in found.error
